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

from advisor.core.errors import BudgetReached, ConfigurationError, ModelError
from advisor.core.model import Request
from advisor.core.types import Example, Usage
from advisor.runs.metering import Budget
from advisor.runs.runner import RunContext, run_strategy
from advisor.testing import toy_task
from tests.runs.one_run import ASKS, Log, context, written


def test_every_test_example_has_one_outcome_in_order(tmp_path: Path) -> None:
    prepared = context(tmp_path)
    run = run_strategy(written(tmp_path, ASKS), 0, prepared)
    assert [outcome.example_id for outcome in run.outcomes] == [example.id for example in prepared.evalset.test]
    assert {outcome.score for outcome in run.outcomes} == {1.0}
    assert run.usage.calls == len(prepared.evalset.test)
    assert not run.tuned
    assert run.error == ""


def test_a_second_run_asks_nothing(tmp_path: Path) -> None:
    log = Log()
    prepared = context(tmp_path, log)
    spec = written(tmp_path, ASKS)
    first = run_strategy(spec, 0, prepared)
    asked = len(log.asked)
    assert run_strategy(spec, 0, prepared) == first
    assert len(log.asked) == asked


def test_a_failed_call_is_missing_and_its_neighbours_are_not(tmp_path: Path) -> None:
    log = Log(fails="invoice looks strange")
    run = run_strategy(written(tmp_path, ASKS), 0, context(tmp_path, log))
    failed = [outcome for outcome in run.outcomes if outcome.error]
    assert [outcome.error for outcome in failed] == ["timed out"]
    assert failed[0].score is None
    assert failed[0].output is None
    assert all(outcome.score == 1.0 for outcome in run.outcomes if not outcome.error)


def test_what_was_answered_before_the_failure_is_not_asked_again(tmp_path: Path) -> None:
    log = Log(fails="invoice looks strange")
    run_strategy(written(tmp_path, ASKS), 0, context(tmp_path, log))
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
    run = run_strategy(written(tmp_path, source.lstrip("\n")), 0, context(tmp_path))
    assert run.outcomes == ()
    assert re.search(message, run.error), run.error


def test_a_fit_that_breaks_is_an_error(tmp_path: Path) -> None:
    source = """
    class Broken:
        name = "broken"
        def fit(self, train, ctx): 1 / 0
        def predict(self, inputs): return list(inputs)
    """
    assert "fit raised ZeroDivisionError" in run_strategy(written(tmp_path, source), 0, context(tmp_path)).error


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
        prepared = context(tmp_path, evalset=replace(base, test=test))
        run = run_strategy("spy_module:Spy", 0, prepared)
    finally:
        del sys.modules["spy_module"]
    assert len(run.outcomes) == len(test)
    assert len(seen) == 2
    assert not any(canary in text for text in seen)


def test_the_budget_is_a_hard_stop_and_what_was_answered_is_kept(tmp_path: Path) -> None:
    budget = Budget(limit_usd=0.5, price=lambda usage: 0.1 * usage.calls)
    prepared = context(tmp_path, budget=budget)
    run = run_strategy(written(tmp_path, ASKS), 0, prepared)
    again = written(tmp_path, ASKS.replace("str(i)", "'again ' + str(i)"))
    with pytest.raises(BudgetReached, match=r"\$0.5 is reached"):
        run_strategy(again, 0, prepared)
    assert len(prepared.store.outcomes(run.id)) == 18


def test_a_dead_model_stops_the_comparison(tmp_path: Path) -> None:
    def dead(request: Request) -> str:
        raise ModelError("the key was refused")

    with pytest.raises(ModelError, match="the key was refused"):
        run_strategy(written(tmp_path, ASKS), 0, context(tmp_path, dead))


def test_usage_of_bare_answers_is_shared_out_without_loss(tmp_path: Path) -> None:
    run = run_strategy(written(tmp_path, ASKS), 0, context(tmp_path))
    total = sum((outcome.usage for outcome in run.outcomes), Usage())
    assert total.calls == 18
    assert total.input_tokens > 18
    assert total.seconds >= 0


def test_tuning_is_noticed(tmp_path: Path) -> None:
    run = run_strategy("fine_tuning", 0, context(tmp_path))
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
    run = run_strategy(written(tmp_path, source), 0, context(tmp_path))
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
    run = run_strategy(written(tmp_path, source), 0, context(tmp_path))
    assert run.error == ""
    assert run.selection == {"k": 3, "rows": [0.0, 0.0]}


def test_metadata_that_one_strategy_changes_is_whole_for_the_next(tmp_path: Path) -> None:
    toy_set = toy_task.toy_evalset()
    train = tuple(replace(example, metadata={"answers": ["a"]}) for example in toy_set.train)
    prepared = context(tmp_path, evalset=replace(toy_set, train=train))
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


def own_metric(tmp_path: Path, body: str) -> RunContext:
    path = tmp_path / "metric.py"
    path.write_text(dedent(METRIC.format(body=body)), encoding="utf-8")
    return context(tmp_path, evalset=replace(toy_task.toy_evalset(), metric=f"{path}:Metric", origin="user"))


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
