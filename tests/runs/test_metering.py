"""The metered model: counted, within the budget, and never asked the same thing twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.core import metrics
from advisor.core.errors import BudgetReached, CallFailed, ModelError
from advisor.core.model import Completion, Model, Request, TuningExample, TuningJob, TuningReport
from advisor.core.types import Message, Task, ToolCall, ToolSpec, Usage
from advisor.models.endpoint.concurrency import WorkerPool
from advisor.models.scripted import ScriptedModel
from advisor.runs.metering import Meter, MeteredModel, Purse
from advisor.runs.runner import Bench, run_strategy
from advisor.runs.store import Store
from advisor.testing import toy_task

USAGE = Usage(input_tokens=10, output_tokens=2, calls=1, seconds=0.5, latency_seconds=0.75)


class Recorder(ScriptedModel):
    """Answers in capitals and remembers what it was asked; ``fail ...`` fails."""

    def __init__(self, name: str = "recorder") -> None:
        super().__init__({}, name)
        self.asked: list[str] = []

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        return [self._one(request.messages[-1].content) for request in requests]

    def _one(self, text: str) -> Completion:
        self.asked.append(text)
        if text.startswith("fail"):
            return Completion(error="timed out", finish_reason="error", usage=USAGE)
        call = (ToolCall("look_up", {"word": text, "n": [1, None]}, "call_1"),)
        return Completion(text.upper(), call, USAGE, finish_reason="tool_calls")


class Streaming(Recorder):
    """The same, one answer at a time; ``dead ...`` ends everything."""

    closed = False

    def stream(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        try:
            for at, request in reversed(list(enumerate(requests))):
                if request.messages[-1].content.startswith("dead"):
                    raise ModelError("the key was refused")
                yield at, self._one(request.messages[-1].content)
        finally:
            self.closed = True


class Numbered(ScriptedModel):
    """Answers with the question and a number that grows."""

    def __init__(self) -> None:
        super().__init__({}, "numbered")
        self.count = 0

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        return [Completion(f"{request.messages[-1].content} {self._next()}") for request in requests]

    def _next(self) -> int:
        self.count += 1
        return self.count


class Billed(Recorder):
    """Somebody is paid for its calls."""

    billed = True


def ask(*texts: str, **options: object) -> list[Request]:
    return [Request((Message("user", text),), **options) for text in texts]  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "s.sqlite") as opened:
        yield opened


def metered(model: Model, store: Store, purse: Purse | None = None) -> tuple[MeteredModel, Meter]:
    meter = Meter()
    return MeteredModel(model, store, meter, purse or Purse()), meter


# --- memory ----------------------------------------------------------------------------------------------------------


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
        model = MeteredModel(inner, store, Meter(), Purse(), run=run)
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


# --- purse -----------------------------------------------------------------------------------------------------------


def dollars(usage: Usage) -> float:
    return 0.25 * usage.calls


def test_a_streaming_model_stops_at_the_budget_and_all_that_was_paid_is_kept(store: Store) -> None:
    model, purse = Streaming(), Purse(1.0, dollars)
    with pytest.raises(BudgetReached, match=r"budget of \$1 is reached \(\$1.0000 spent\).*\n.*larger --budget"):
        metered(model, store, purse)[0].generate(ask(*"abcdefgh"))
    assert (len(model.asked), model.closed, purse.spent_usd) == (4, True, 1.0)
    rest = Streaming()
    metered(rest, store)[0].generate(ask(*"abcdefgh"))
    assert sorted(rest.asked) == sorted(set("abcdefgh") - set(model.asked))


def test_memory_costs_nothing_and_works_with_an_empty_purse(store: Store) -> None:
    metered(Recorder(), store)[0].generate(ask("a", "b"))
    purse = Purse(0.01, dollars, spent_usd=0.01)
    model, meter = metered(Recorder(), store, purse)
    assert [done.content for done in model.generate(ask("b", "a"))] == ["B", "A"]
    assert (purse.spent_usd, meter.usage.calls) == (0.01, 2)
    with pytest.raises(BudgetReached):
        model.generate(ask("c"))
    with pytest.raises(BudgetReached):
        model.tune(job())


def test_the_last_answer_within_the_budget_is_no_stop(store: Store) -> None:
    model, _ = metered(Streaming(), store, Purse(1.0, dollars))
    assert len(model.generate(ask(*"abcd"))) == 4


def test_failures_that_cost_are_paid(store: Store) -> None:
    purse = Purse(9.0, dollars)
    metered(Recorder(), store, purse)[0].generate(ask("fail 1", "a"))
    assert purse.spent_usd == 0.5


def test_without_a_price_nothing_is_counted() -> None:
    purse = Purse(1.0)
    purse.pay(USAGE)
    purse.check()
    assert purse.spent_usd == 0.0


@settings(max_examples=60, deadline=None)
@given(batches=st.lists(st.integers(1, 9), min_size=1, max_size=6), budget=st.integers(1, 40))
def test_spending_stays_within_budget_plus_one_call(batches: list[int], budget: int) -> None:
    purse = Purse(budget * 0.25, dollars)
    with Store(Path(":memory:")) as store:
        model, _ = metered(Streaming(), store, purse)
        try:
            for at, size in enumerate(batches):
                model.generate(ask(*(f"{at} {n}" for n in range(size))))
        except BudgetReached:
            assert purse.spent_usd == budget * 0.25
        assert purse.spent_usd <= budget * 0.25


# --- tuning ----------------------------------------------------------------------------------------------------------


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


def bench(tmp_path: Path, model: Model) -> Bench:
    evalset = toy_task.toy_evalset()
    return Bench(
        evalset=evalset,
        model=model,
        metric=metrics.for_task(evalset.metric, Task.of(evalset)),
        store=Store(tmp_path / "s.sqlite"),
        embed=toy_task.embed,
        workdir=tmp_path / "work",
    )


def test_a_model_that_cannot_be_tuned_fails_one_strategy_and_a_dead_one_fails_all(tmp_path: Path) -> None:
    model = Stubborn(lambda request: "billing")
    prepared = bench(tmp_path, model)
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
    assert not run_strategy(f"{tmp_path}/falls.py:FallsBack", 0, bench(tmp_path, model)).error
    model.dead = True
    (tmp_path / "other").mkdir()
    with pytest.raises(ModelError, match="the key was refused"):
        run_strategy(f"{tmp_path}/falls.py:FallsBack", 0, bench(tmp_path / "other", model))


@pytest.mark.parametrize(("kind", "written"), [(Recorder, 0), (Billed, 3)])
def test_only_calls_that_may_be_billed_stand_in_the_attempt_log(
    tmp_path: Path, kind: type[Recorder], written: int
) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        opened: list[str] = []
        keep = store.open_attempts
        store.open_attempts = lambda run, keys, failed=(): (opened.extend(keys), keep(run, keys, failed))[1]  # type: ignore[method-assign]
        MeteredModel(kind(), store, Meter(), Purse(), run="r").generate(ask("a", "b", "fail c"))
        assert len(opened) == written
        assert store.unanswered(["r"]) == (1 if written else 0)


class InThreads(Recorder):
    """Two calls at a time, as an endpoint makes them, the first two at once.

    ``dead ...`` breaks, once it may, before anything is sent; ``known ...`` is answered without a call.
    """

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.may_break, self.both = threading.Event(), threading.Barrier(2)
        self.store, self.rows = store, list[int]()

    def stream(self, requests: Sequence[Request], sending: Callable[[int], None]) -> WorkerPool[Completion]:
        def answer(at: int) -> Completion:
            if at < 2:
                self.both.wait(10)
            text = requests[at].messages[-1].content
            if text.startswith("dead"):
                self.may_break.wait(10)
                raise ModelError("the key was refused")
            if not text.startswith("known"):
                sending(at)
                self.rows.append(len(_endings(self.store)))
            return self._one(text)

        return WorkerPool(answer, len(requests), 2)


def _endings(store: Store) -> list[str | None]:
    rows = store._database.read("SELECT how FROM attempts LEFT JOIN endings ON attempt = id ORDER BY id")
    return [how for (how,) in rows]


def test_an_attempt_is_opened_in_the_step_that_keeps_the_answer_before(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        alone: list[str] = []
        keep = store.open_attempts
        store.open_attempts = lambda run, keys, failed=(): (alone.extend(keys), keep(run, keys, failed))[1]  # type: ignore[method-assign]
        model = InThreads(store)
        MeteredModel(model, store, Meter(), Purse(), run="r").generate(ask(*"abcdefgh"))
        assert len(alone) == 2
        assert all(rows > before for before, rows in enumerate(sorted(model.rows)))  # a row before each call
        assert _endings(store) == ["answered"] * 8
        assert store.unanswered(["r"]) == 0


def test_what_was_opened_and_never_sent_is_no_call_that_may_be_billed(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        model, keep = InThreads(store), store.add_completions

        def kept(*given: Any) -> list[int]:
            numbers = keep(*given)
            model.may_break.set()
            return numbers

        store.add_completions = kept  # type: ignore[method-assign]
        with pytest.raises(ModelError, match="the key was refused"):
            MeteredModel(model, store, Meter(), Purse(), run="r").generate(ask("a", "dead b", "dead c"))
        assert _endings(store) == ["answered", "unsent"]
        assert store.unanswered(["r"]) == 0


def test_what_a_model_answers_without_a_call_is_no_call(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        asked = ask("a", "b", "known c", "known d", "e")
        MeteredModel(InThreads(store), store, Meter(), Purse(), run="r").generate(asked)
        assert sorted(map(str, _endings(store))) == ["answered"] * 3 + ["unsent"] * 2
        assert store.unanswered(["r"]) == 0


def test_a_model_that_does_not_say_what_it_sends_has_each_call_in_the_attempt_log_once(tmp_path: Path) -> None:
    class Silent(InThreads):
        billed = True

        def stream(self, requests: Sequence[Request]) -> WorkerPool[Completion]:  # type: ignore[override]
            return super().stream(requests, lambda at: None)

    with Store(tmp_path / "s.sqlite") as store:
        MeteredModel(Silent(store), store, Meter(), Purse(), run="r").generate(ask(*"abcdef"))
        assert _endings(store) == ["answered"] * 6


def test_nothing_is_opened_ahead_once_the_budget_is_reached(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        purse = Purse(budget_usd=1.0, price=lambda usage: 1.0)
        with pytest.raises(BudgetReached):
            MeteredModel(InThreads(store), store, Meter(), purse, run="r").generate(ask(*"abcdefgh"))
        assert _endings(store) == ["answered"] * 2
