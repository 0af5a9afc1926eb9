"""The metered model: counted, within the budget, and never asked the same thing twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.core import metrics
from advisor.core.errors import BudgetReached, CallFailed, ModelError
from advisor.core.model import Completion, Model, Request, TuningExample, TuningJob, TuningReport
from advisor.core.types import Message, Task, ToolCall, ToolSpec, Usage
from advisor.models.scripted import ScriptedModel
from advisor.runs.metering import Budget, Meter, MeteredModel
from advisor.runs.runner import RunContext, run_strategy
from advisor.runs.store import Store
from advisor.testing import toy_task
from tests.runs.recording_models import USAGE, Numbered, Recorder, Streaming, ask


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "s.sqlite") as opened:
        yield opened


def metered(model: Model, store: Store, budget: Budget | None = None) -> tuple[MeteredModel, Meter]:
    meter = Meter()
    return MeteredModel(model, store, meter, budget or Budget()), meter


@pytest.mark.parametrize("kind", [Recorder, Streaming])
def test_answers_come_in_order_and_are_remembered_whole(store: Store, kind: type[Recorder]) -> None:
    inner = kind()
    model, meter = metered(inner, store)
    first = model.generate(ask("a", "b", "c"))
    assert [done.content for done in first] == ["A", "B", "C"]
    again, later = metered(kind(), store)
    assert again.generate(ask("c", "d", "a")) == [first[2], again.generate(ask("d"))[0], first[0]]
    assert first[0].calls[0] == ToolCall("look_up", {"word": "a", "n": [1, None]}, "call_1")
    assert (sorted(inner.asked), meter.usage.calls, later.usage.calls) == (["a", "b", "c"], 3, 4)
    assert meter.usage.latency_seconds == pytest.approx(3 * 0.75)


def test_what_stands_twice_in_a_batch_is_asked_once(store: Store) -> None:
    inner = Recorder()
    model, meter = metered(inner, store)
    assert [done.content for done in model.generate(ask("a", "b", "a", "a"))] == ["A", "B", "A", "A"]
    assert inner.asked == ["a", "b"]
    assert meter.usage.calls == 4


def test_sampled_answers_are_drawn_anew_each_time(store: Store) -> None:
    inner = Recorder()
    model, _ = metered(inner, store)
    for _ in range(2):
        model.generate(ask("a", "a", temperature=0.7, seed=3))
    assert inner.asked == ["a"] * 4


def test_sampled_answers_of_a_run_are_there_when_it_goes_on(store: Store) -> None:
    """The first answer to a request, the second, ...: each for its place, and for this run only."""

    def asked(run: str, times: int) -> list[str]:
        inner = Numbered()
        model = MeteredModel(inner, store, Meter(), Budget(), run=run)
        written = [done.content for _ in range(times) for done in model.generate(ask("a", "b", temperature=0.7))]
        return [*written, str(inner.count)]

    assert asked("r1", 2) == ["a 1", "b 2", "a 3", "b 4", "4"]
    assert asked("r1", 3) == ["a 1", "b 2", "a 3", "b 4", "a 1", "b 2", "2"]
    assert asked("r2", 1) == ["a 1", "b 2", "2"]
    assert asked("", 1) == asked("", 1) == ["a 1", "b 2", "2"]


def test_failures_are_never_kept(store: Store) -> None:
    inner = Recorder()
    model, _ = metered(inner, store)
    for _ in range(2):
        with pytest.raises(CallFailed, match="timed out"):
            _ = model.generate(ask("fail 1"))[0].text
    assert inner.asked == ["fail 1", "fail 1"]


@pytest.mark.parametrize(
    "change",
    [
        {"max_tokens": 9},
        {"stop": ("\n",)},
        {"tools": (ToolSpec("t", "d", {"type": "object"}),)},
        {"tool_choice": "required"},
        {"schema": {"type": "object"}},
        {"choices": ("a", "b")},
        {"messages": (Message("system", "s"), Message("user", "a"))},
    ],
)
def test_another_request_is_another_answer(store: Store, change: dict[str, object]) -> None:
    inner = Recorder()
    model, _ = metered(inner, store)
    [plain] = ask("a")
    model.generate([plain])
    model.generate([replace(plain, **change)])  # type: ignore[arg-type]
    assert len(inner.asked) == 2


def test_another_model_has_a_memory_of_its_own(store: Store) -> None:
    one, other = Recorder("one"), Recorder("other")
    metered(one, store)[0].generate(ask("a"))
    metered(other, store)[0].generate(ask("a"))
    assert other.asked == ["a"]


def test_a_model_that_answers_too_little_is_named(store: Store) -> None:
    class Short(Recorder):
        def generate(self, requests: Sequence[Request]) -> list[Completion]:
            return super().generate(requests[1:])

    with pytest.raises(ModelError, match="'recorder' gave 1 answers to 2 requests"):
        metered(Short(), store)[0].generate(ask("a", "b"))


def test_what_a_dying_model_had_answered_is_kept(store: Store) -> None:
    model = Streaming()
    with pytest.raises(ModelError, match="refused"):
        metered(model, store)[0].generate(ask("a", "dead", "b", "c"))
    assert model.asked == ["c", "b"]
    fresh = Streaming()
    metered(fresh, store)[0].generate(ask("a", "b", "c"))
    assert fresh.asked == ["a"]


def dollars(usage: Usage) -> float:
    return 0.25 * usage.calls


def test_a_streaming_model_stops_at_the_budget_and_all_that_was_paid_is_kept(store: Store) -> None:
    model, budget = Streaming(), Budget(1.0, dollars)
    with pytest.raises(BudgetReached, match=r"budget of \$1 is reached \(\$1.0000 spent\).*\n.*larger --budget"):
        metered(model, store, budget)[0].generate(ask(*"abcdefgh"))
    assert (len(model.asked), model.closed, budget.spent_usd) == (4, True, 1.0)
    rest = Streaming()
    metered(rest, store)[0].generate(ask(*"abcdefgh"))
    assert sorted(rest.asked) == sorted(set("abcdefgh") - set(model.asked))


def test_memory_costs_nothing_and_works_with_an_empty_purse(store: Store) -> None:
    metered(Recorder(), store)[0].generate(ask("a", "b"))
    budget = Budget(0.01, dollars, spent_usd=0.01)
    model, meter = metered(Recorder(), store, budget)
    assert [done.content for done in model.generate(ask("b", "a"))] == ["B", "A"]
    assert (budget.spent_usd, meter.usage.calls) == (0.01, 2)
    with pytest.raises(BudgetReached):
        model.generate(ask("c"))
    with pytest.raises(BudgetReached):
        model.tune(job())


def test_the_last_answer_within_the_budget_is_no_stop(store: Store) -> None:
    model, _ = metered(Streaming(), store, Budget(1.0, dollars))
    assert len(model.generate(ask(*"abcd"))) == 4


def test_failures_that_cost_are_paid(store: Store) -> None:
    budget = Budget(9.0, dollars)
    metered(Recorder(), store, budget)[0].generate(ask("fail 1", "a"))
    assert budget.spent_usd == 0.5


def test_without_a_price_nothing_is_counted() -> None:
    budget = Budget(1.0)
    budget.pay(USAGE)
    budget.check()
    assert budget.spent_usd == 0.0


@settings(max_examples=60)
@given(batches=st.lists(st.integers(1, 9), min_size=1, max_size=6), quarters=st.integers(1, 40))
def test_spending_stays_within_budget_plus_one_call(batches: list[int], quarters: int) -> None:
    budget = Budget(quarters * 0.25, dollars)
    with TemporaryDirectory() as folder, Store(Path(folder) / "s.sqlite") as store:
        model, _ = metered(Streaming(), store, budget)
        try:
            for at, size in enumerate(batches):
                model.generate(ask(*(f"{at} {n}" for n in range(size))))
        except BudgetReached:
            assert budget.spent_usd == quarters * 0.25
        assert budget.spent_usd <= quarters * 0.25


def job() -> TuningJob:
    return TuningJob((TuningExample((Message("user", "q"), Message("assistant", "a"))),), (), Path("unused"))


def test_a_tuned_model_is_metered_and_remembered_apart(store: Store) -> None:
    model, meter = metered(Recorder(), store)
    tuned, report = model.tune(job())
    assert meter.reports == [report]
    assert tuned.generate(ask("q"))[0].content == "a"
    assert model.generate(ask("q"))[0].content == "Q"
    assert meter.usage.calls == 2
    assert tuned.fingerprint != model.fingerprint


class Stubborn(ScriptedModel):
    """Cannot be tuned, and is dead as well once it was told so."""

    dead = False

    def tune(self, job: TuningJob) -> tuple[ScriptedModel, TuningReport]:
        raise ModelError("this model cannot be tuned")

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        if self.dead:
            raise ModelError("the key was refused")
        return super().generate(requests)


def context(tmp_path: Path, model: Model) -> RunContext:
    evalset = toy_task.toy_evalset()
    return RunContext(
        evalset=evalset,
        model=model,
        metric=metrics.for_task(evalset.metric, Task.of(evalset)),
        store=Store(tmp_path / "s.sqlite"),
        embed=toy_task.embed,
        workdir=tmp_path / "work",
    )


def test_a_model_that_cannot_be_tuned_fails_one_strategy_and_a_dead_one_fails_all(tmp_path: Path) -> None:
    model = Stubborn(lambda request: "billing")
    prepared = context(tmp_path, model)
    assert "this model cannot be tuned" in run_strategy("fine_tuning", 0, prepared).error
    assert not run_strategy("zero_shot", 0, prepared).error
    model.dead = True
    with pytest.raises(ModelError, match="the key was refused"):
        run_strategy("few_shot(k=1)", 0, prepared)


FALLS_BACK = """
from advisor.core.errors import ModelError
from advisor.core.model import Request, TuningJob
from advisor.core.types import Message

class FallsBack:
    name = "falls_back"
    def fit(self, train, ctx):
        self.model = ctx.model
        try:
            self.model, _ = ctx.model.tune(TuningJob((), (), ctx.workdir))
        except ModelError:
            pass
    def predict(self, inputs):
        done = self.model.generate([Request((Message("user", str(asked)),)) for asked in inputs])
        return [completion.text for completion in done]
"""


def test_a_dead_model_is_noticed_after_a_failed_tuning_too(tmp_path: Path) -> None:
    (tmp_path / "falls.py").write_text(FALLS_BACK)
    model = Stubborn(lambda request: "billing")
    assert not run_strategy(f"{tmp_path}/falls.py:FallsBack", 0, context(tmp_path, model)).error
    model.dead = True
    (tmp_path / "other").mkdir()
    with pytest.raises(ModelError, match="the key was refused"):
        run_strategy(f"{tmp_path}/falls.py:FallsBack", 0, context(tmp_path / "other", model))
