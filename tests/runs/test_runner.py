"""The runner: failures are values, nothing is answered twice, and targets stay behind."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from advisor.core import metrics
from advisor.core.errors import BudgetReached, ConfigurationError, ModelError
from advisor.core.model import Completion, Request
from advisor.core.types import EvalSet, Example, Outcome, Run, Task, Usage
from advisor.economics.ledger import fit_usd
from advisor.economics.prices import Prices
from advisor.models.scripted import ScriptedModel
from advisor.runs import runner
from advisor.runs.metering import Purse
from advisor.runs.runner import CHUNK, Attempt, Bench, run_strategy
from advisor.runs.store import Store
from advisor.testing import toy_task

ASKS = """
    from advisor.core.model import Request
    from advisor.core.types import Message, Prediction

    class Asks:
        name = "asks"
        stochastic = False
        def fit(self, train, ctx):
            self.model = ctx.model
        def predict(self, inputs):
            done = self.model.generate([Request((Message("user", str(i)),)) for i in inputs])
            return [c.text for c in done]
"""


class Log:
    """A scripted answer that counts how often it was really asked."""

    def __init__(self, fails: str = "\0") -> None:
        self.asked: list[str] = []
        self.fails = fails

    def __call__(self, request: Request) -> str | Completion:
        text = request.messages[-1].content
        self.asked.append(text)
        if self.fails in text:
            return Completion(error="timed out", finish_reason="error")
        return next(label for label, words in toy_task.KEYWORDS.items() if any(word in text for word in words))


def bench(tmp_path: Path, answers: Any = None, evalset: EvalSet | None = None, **options: Any) -> Bench:
    chosen = evalset or toy_task.toy_evalset()
    return Bench(
        evalset=chosen,
        model=ScriptedModel(answers or Log()),
        metric=metrics.for_task(chosen.metric, Task.of(chosen)),
        store=Store(tmp_path / "s.sqlite"),
        embed=toy_task.embed,
        workdir=tmp_path / "work",
        **options,
    )


def written(tmp_path: Path, source: str) -> str:
    path = tmp_path / "mine.py"
    path.write_text(dedent(source), encoding="utf-8")
    class_name = source.split("class ")[1].split(":")[0].split("(")[0]
    return f"{path}:{class_name}"


def test_every_test_example_has_one_outcome_in_order(tmp_path: Path) -> None:
    prepared = bench(tmp_path)
    run = run_strategy(written(tmp_path, ASKS), 0, prepared)
    assert [outcome.example_id for outcome in run.outcomes] == [example.id for example in prepared.evalset.test]
    assert {outcome.score for outcome in run.outcomes} == {1.0}
    assert run.usage.calls == len(prepared.evalset.test)
    assert not run.tuned
    assert run.error == ""


def test_a_second_run_asks_nothing(tmp_path: Path) -> None:
    log = Log()
    prepared = bench(tmp_path, log)
    spec = written(tmp_path, ASKS)
    first = run_strategy(spec, 0, prepared)
    asked = len(log.asked)
    assert run_strategy(spec, 0, prepared) == first
    assert len(log.asked) == asked


def test_a_failed_call_is_missing_and_its_neighbours_are_not(tmp_path: Path) -> None:
    log = Log(fails="invoice looks strange")
    run = run_strategy(written(tmp_path, ASKS), 0, bench(tmp_path, log))
    failed = [outcome for outcome in run.outcomes if outcome.error]
    assert [outcome.error for outcome in failed] == ["timed out"]
    assert failed[0].score is None
    assert failed[0].output is None
    assert all(outcome.score == 1.0 for outcome in run.outcomes if not outcome.error)


def test_what_was_answered_before_the_failure_is_not_asked_again(tmp_path: Path) -> None:
    log = Log(fails="invoice looks strange")
    run_strategy(written(tmp_path, ASKS), 0, bench(tmp_path, log))
    good = [text for text in log.asked if "invoice looks strange" not in text]
    assert len(good) == len(set(good))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return ['x']", "returned 1 answers for 18 inputs"),
        ("return [3 for _ in inputs]", "returned a int; an answer is a str or a Prediction"),
        ("raise KeyError('gone')", r"predict raised KeyError: 'gone' \(mine.py, line \d\)"),
        ("return None", "returned a NoneType; it must return a list, one answer an input"),
        ("return 'x' * len(inputs)", "returned a str; it must return a list"),
        ("import advisor; return [advisor.Prediction(None) for _ in inputs]", "output is a NoneType; it must be a str"),
        ("import advisor; return [advisor.Prediction('x', None, ['t']) for _ in inputs]", "trace .* must be a dict"),
        ("raise SystemExit(3)", r"predict raised SystemExit: 3 \(mine.py, line \d\)"),
        ("import json; json.loads('{')", r"predict raised JSONDecodeError: .* \(mine.py, line \d\)"),
    ],
)
def test_a_broken_strategy_is_an_error_and_not_a_zero(tmp_path: Path, body: str, message: str) -> None:
    source = f"""
    class Broken:
        name = "broken"
        def fit(self, train, ctx): pass
        def predict(self, inputs):
            {body}
    """
    run = run_strategy(written(tmp_path, source.lstrip("\n")), 0, bench(tmp_path))
    assert run.outcomes == ()
    assert re.search(message, run.error), run.error


def test_a_fit_that_breaks_is_an_error(tmp_path: Path) -> None:
    source = """
    class Broken:
        name = "broken"
        def fit(self, train, ctx): 1 / 0
        def predict(self, inputs): return list(inputs)
    """
    assert "fit raised ZeroDivisionError" in run_strategy(written(tmp_path, source), 0, bench(tmp_path)).error


def test_strategies_never_see_test_targets_or_metadata(tmp_path: Path) -> None:
    """Everything reachable from what a strategy is given is searched for a canary."""
    canary = "CANARY-7f3a"
    base = toy_task.toy_evalset()
    test = tuple(replace(e, target=f"{canary}-{e.id}", metadata={"label": canary}) for e in base.test)
    seen: list[str] = []

    class Spy:
        name = "spy"

        def fit(self, train: Sequence[Example], ctx: Any) -> None:
            seen.append(repr((train, ctx.task, ctx.dev, ctx.seed, ctx.metric, vars(ctx.model))))

        def predict(self, inputs: Sequence[Any]) -> list[str]:
            seen.append(repr(inputs))
            return ["x" for _ in inputs]

    module = type(sys)("spy_module")
    module.Spy = Spy  # type: ignore[attr-defined]
    sys.modules["spy_module"] = module
    try:
        prepared = bench(tmp_path, evalset=replace(base, test=test))
        run = run_strategy("spy_module:Spy", 0, prepared)
    finally:
        del sys.modules["spy_module"]
    assert len(run.outcomes) == len(test)
    assert len(seen) == 2
    assert not any(canary in text for text in seen)


def test_an_edited_strategy_runs_again(tmp_path: Path) -> None:
    prepared = bench(tmp_path)
    first = run_strategy(written(tmp_path, ASKS), 0, prepared)
    second = run_strategy(written(tmp_path, ASKS.replace("[c.text for", "['not ' + c.text for")), 0, prepared)
    assert first.id != second.id
    assert {outcome.score for outcome in second.outcomes} == {0.0}


@pytest.mark.parametrize("change", ["seed", "evalset", "model"])
def test_the_run_id_is_the_content_of_all_that_counts(tmp_path: Path, change: str) -> None:
    spec = written(tmp_path, ASKS)
    prepared = bench(tmp_path)
    one = run_strategy(spec, 0, prepared)
    if change == "model":
        prepared = replace(prepared, model=ScriptedModel(lambda request: "billing"))
    if change == "evalset":
        prepared = replace(prepared, evalset=replace(prepared.evalset, instruction="Another one."))
    other = run_strategy(spec, 1 if change == "seed" else 0, prepared)
    assert one.id != other.id


def interrupted(tmp_path: Path, after: int) -> tuple[Run, Run, int, int]:
    """Run a strategy undisturbed, and once interrupted after some answers and resumed."""
    base = toy_task.toy_evalset()
    many = tuple(
        replace(base.test[at % 18], id=f"t{at}", input=f"{base.test[at % 18].input} ({at})") for at in range(150)
    )
    evalset = replace(base, test=many)
    spec = written(tmp_path, ASKS)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole = run_strategy(spec, 0, bench(tmp_path / "a", evalset=evalset))

    class Stops(Log):
        def __call__(self, request: Request) -> str | Completion:
            if len(self.asked) >= after:
                raise KeyboardInterrupt
            return super().__call__(request)

    with pytest.raises(KeyboardInterrupt):
        run_strategy(spec, 0, bench(tmp_path / "b", Stops(), evalset))
    stored = len(Store(tmp_path / "b" / "s.sqlite").outcomes(whole.id))
    log = Log()
    resumed = run_strategy(spec, 0, bench(tmp_path / "b", log, evalset))
    return whole, resumed, stored, len(log.asked)


@pytest.mark.parametrize("after", [1, CHUNK, CHUNK + 1, 2 * CHUNK])
def test_an_interrupted_run_resumes_and_is_the_same(tmp_path: Path, after: int) -> None:
    whole, resumed, stored, asked = interrupted(tmp_path, after)
    assert stored == (after // CHUNK) * CHUNK
    assert asked == 150 - stored
    assert [(o.example_id, o.output, o.score) for o in resumed.outcomes] == [
        (o.example_id, o.output, o.score) for o in whole.outcomes
    ]


@pytest.mark.parametrize(("wait", "kept"), [(0.0, [64, 64, 64, 8]), (60.0, [200])])
def test_outcomes_that_take_no_time_are_committed_together(
    tmp_path: Path, wait: float, kept: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many are committed at once depends on the time; how many are asked for at once must not."""
    monkeypatch.setattr(runner, "WAIT_SECONDS", wait)
    base = toy_task.toy_evalset()
    inputs = [f"{base.test[at % 18].input} ({at})" for at in range(200)]
    test = tuple(replace(base.test[0], id=f"t{at}", input=each) for at, each in enumerate(inputs))
    prepared, sizes, asked = bench(tmp_path, evalset=replace(base, test=test)), list[int](), list[int]()
    keep, generate = prepared.store.add_outcomes, prepared.model.generate
    monkeypatch.setattr(prepared.store, "add_outcomes", lambda run, rows: (sizes.append(len(rows)), keep(run, rows)))
    monkeypatch.setattr(prepared.model, "generate", lambda rows: (asked.append(len(rows)), generate(rows))[1])
    assert len(run_strategy("zero_shot", 0, prepared).outcomes) == 200
    assert [size for size in sizes if size] == kept
    assert asked == [64, 64, 64, 8]


def test_what_stands_beside_outcomes_is_kept_in_the_same_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill between two steps would keep the answers of a probe and lose how many requests it had changed."""
    prepared = bench(tmp_path)
    attempt = Attempt.of("zero_shot", 0, prepared)
    attempt.fit()
    steps: list[list[str]] = []
    keep = prepared.store.add_outcomes
    monkeypatch.setattr(
        prepared.store,
        "add_outcomes",
        lambda run, rows: (steps.append([row.example_id for row in rows]), keep(run, rows)),
    )
    examples = prepared.evalset.test[:3]
    attempt.answer(examples, "k", beside=lambda: [Outcome("", "3", None)])
    assert steps == [[*(example.id for example in examples), ""]]
    assert prepared.store.outcomes("k")[""].output == "3"


def test_the_budget_is_a_hard_stop_and_what_was_answered_is_kept(tmp_path: Path) -> None:
    purse = Purse(budget_usd=0.5, price=lambda usage: 0.1 * usage.calls)
    prepared = bench(tmp_path, purse=purse)
    run = run_strategy(written(tmp_path, ASKS), 0, prepared)
    again = written(tmp_path, ASKS.replace("str(i)", "'again ' + str(i)"))
    with pytest.raises(BudgetReached, match=r"\$0.5 is reached"):
        run_strategy(again, 0, prepared)
    assert len(prepared.store.outcomes(run.id)) == 18


def test_a_dead_model_stops_the_comparison(tmp_path: Path) -> None:
    def dead(request: Request) -> str:
        raise ModelError("the key was refused")

    with pytest.raises(ModelError, match="the key was refused"):
        run_strategy(written(tmp_path, ASKS), 0, bench(tmp_path, dead))


def test_usage_of_bare_answers_is_shared_out_without_loss(tmp_path: Path) -> None:
    run = run_strategy(written(tmp_path, ASKS), 0, bench(tmp_path))
    total = sum((outcome.usage for outcome in run.outcomes), Usage())
    assert total.calls == 18
    assert total.input_tokens > 18
    assert total.seconds >= 0


def test_tuning_is_noticed(tmp_path: Path) -> None:
    run = run_strategy("fine_tuning", 0, bench(tmp_path))
    assert run.tuned
    assert run.kind == "fine_tuning"
    assert run.fit_cost.training_tokens > 0


@pytest.mark.parametrize("selection", ["['k']", "{'k': object()}"])
def test_a_selection_that_cannot_be_recorded_breaks_its_strategy_only(tmp_path: Path, selection: str) -> None:
    source = f"""
    class Selects:
        name = "selects"
        def fit(self, train, ctx):
            self.selection = {selection}
        def predict(self, inputs): return [str(i) for i in inputs]
    """
    run = run_strategy(written(tmp_path, source), 0, bench(tmp_path))
    assert "selection is a" in run.error


def test_what_numpy_counted_can_be_recorded(tmp_path: Path) -> None:
    source = """
    class Counts:
        name = "counts"
        def fit(self, train, ctx):
            import numpy
            self.selection = {"k": numpy.int64(3), "rows": numpy.zeros(2)}
        def predict(self, inputs): return [str(i) for i in inputs]
    """
    run = run_strategy(written(tmp_path, source), 0, bench(tmp_path))
    assert run.error == ""
    assert run.selection == {"k": 3, "rows": [0.0, 0.0]}


def test_metadata_that_one_strategy_changes_is_whole_for_the_next(tmp_path: Path) -> None:
    toy_set = toy_task.toy_evalset()
    train = tuple(replace(example, metadata={"answers": ["a"]}) for example in toy_set.train)
    prepared = bench(tmp_path, evalset=replace(toy_set, train=train))
    source = """
    class Changes:
        name = "changes"
        def fit(self, train, ctx):
            train[0].metadata["answers"].append("hacked")
        def predict(self, inputs): return [str(i) for i in inputs]
    """
    assert run_strategy(written(tmp_path, source), 0, prepared).error == ""
    assert prepared.evalset.train[0].metadata == {"answers": ["a"]}


METRIC = """
    class Metric:
        name = "mine"
        def score(self, output, example):
            {body}
        def summarise(self, pairs):
            return {{}}
"""


def own_metric(tmp_path: Path, body: str) -> Bench:
    path = tmp_path / "metric.py"
    path.write_text(dedent(METRIC.format(body=body)), encoding="utf-8")
    return bench(tmp_path, evalset=replace(toy_task.toy_evalset(), metric=f"{path}:Metric"))


def test_an_edited_metric_scores_anew(tmp_path: Path) -> None:
    spec = written(tmp_path, ASKS)
    first = run_strategy(spec, 0, own_metric(tmp_path, "return 1.0"))
    second = run_strategy(spec, 0, own_metric(tmp_path, "return 0.0"))
    assert ({each.score for each in first.outcomes}, {each.score for each in second.outcomes}) == ({1.0}, {0.0})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise KeyError('gone')", r"the metric 'mine': score raised KeyError: 'gone' \(metric.py, line \d\)"),
        ("return 5", r"the metric 'mine' gave 5.0 to example .*; allowed are 0 to 1"),
        ("return float('nan')", "the metric 'mine' gave nan"),
    ],
)
def test_a_broken_metric_is_said_and_no_score(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        run_strategy(written(tmp_path, ASKS), 0, own_metric(tmp_path, body))


# --- a second model that helps to fit ---------------------------------------------------------------------------------


HELPED = """
from advisor.core.model import Request
from advisor.core.types import Message


class Helped:
    name = "helped"
    stochastic = False

    def fit(self, train, ctx):
        helper = ctx.other_model("helper")
        self.answer = helper.generate([Request((Message("user", "what then?"),))])[0].text

    def predict(self, inputs):
        return [self.answer for _ in inputs]
"""


def helped(tmp_path: Path, price: float | None, budget: float | None = None) -> tuple[Run, Bench, list[str]]:
    opened: list[str] = []

    def open_other(spec: str) -> tuple[ScriptedModel, Any]:
        opened.append(spec)
        return ScriptedModel({"what then?": "billing"}, name=spec), lambda usage: price and price * usage.calls

    purse = Purse(budget, lambda usage: 100.0 * usage.calls)
    used = bench(tmp_path, purse=purse, open_other=open_other)
    return run_strategy(written(tmp_path, HELPED), 0, used), used, opened


def test_a_second_model_is_paid_for_at_its_own_price_out_of_the_same_purse(tmp_path: Path) -> None:
    run, used, opened = helped(tmp_path, 0.25)
    assert not run.error
    assert opened == ["helper"]
    assert run.fit_cost.other_usd == used.purse.spent_usd == 0.25
    assert run.fit_cost.usage.calls == 0
    assert {outcome.output for outcome in run.outcomes} == {"billing"}
    assert fit_usd(run.fit_cost, Prices(1.0, 1.0), tuned=False) == 0.25


def test_an_unknown_price_of_a_second_model_is_unknown_and_never_0(tmp_path: Path) -> None:
    run, _, _ = helped(tmp_path, None)
    assert run.fit_cost.other_usd is None
    assert fit_usd(run.fit_cost, Prices(1.0, 1.0), tuned=False) is None


def test_a_second_model_is_not_asked_past_the_budget(tmp_path: Path) -> None:
    with pytest.raises(BudgetReached, match="budget"):
        helped(tmp_path, 0.25, budget=0.0)
