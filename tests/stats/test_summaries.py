from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from advisor.core.errors import ConfigurationError
from advisor.core.types import EvalSet, Example, FitCost, Interval, Outcome, Run, Usage
from advisor.stats.summaries import disagreements, group_runs, mean_fit, panel_of, summarise, tabulate

QUALITY = Interval(0.5, 0.4, 0.6)


def evalset(n: int = 6, **metadata: Sequence[object]) -> EvalSet:
    test = tuple(
        Example(f"t{i}", f"question {i}", "yes", {key: values[i] for key, values in metadata.items()}) for i in range(n)
    )
    return EvalSet("toy", "Answer.", "exact_match", (Example("a", "train", "yes"),), (), test)


def run(
    strategy: str,
    scores: Sequence[float | None],
    *,
    seed: int = 0,
    params: Mapping[str, object] | None = None,
    **more: object,
) -> Run:
    """A run whose outcomes fail where the score is `None`."""
    outcomes = tuple(
        Outcome(f"t{i}", None, None, error="timed out")
        if score is None
        else Outcome(f"t{i}", f"{strategy} says {score}", score, usage=Usage(10 * (i + 1), 0, 2, 1, 0.5, 0.1 * (i + 1)))
        for i, score in enumerate(scores)
    )
    fixed = {
        "model": "m",
        "evalset": "toy",
        "evalset_fingerprint": "f",
        "metric": "exact_match",
        "outcomes": outcomes,
        **more,
    }
    return Run(id=f"{strategy}-{params}-{seed}", strategy=strategy, params=params or {}, seed=seed, **fixed)  # type: ignore[arg-type]


def test_seeds_of_one_strategy_are_one_group_in_order() -> None:
    groups = group_runs([run("ft", [1], seed=2), run("zero", [1]), run("ft", [0], seed=1)])
    assert [(g.label, [r.seed for r in g.runs]) for g in groups] == [("ft", [1, 2]), ("zero", [0])]


def test_labels_carry_the_parameters_that_tell_strategies_apart() -> None:
    shots = [run("few_shot", [1], params={"k": k, "pick": "nearest"}) for k in (4, 8)]
    assert [g.label for g in group_runs([*shots, run("rag", [1], params={"k": 3})])] == [
        "few_shot(k=4)",
        "few_shot(k=8)",
        "rag",
    ]
    assert [g.label for g in group_runs([run("x", [1]), run("x", [1], params={"k": None})])] == ["x", "x(k=null)"]


def test_runs_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="no runs"):
        group_runs([])
    with pytest.raises(ConfigurationError, match="different metric"):
        group_runs([run("a", [1]), run("b", [1], metric="token_f1")])
    with pytest.raises(ConfigurationError, match="different evalset_fingerprint"):
        group_runs([run("a", [1]), run("b", [1], evalset_fingerprint="other")])
    with pytest.raises(ConfigurationError, match="'a' stands there 2 times with seed 0"):
        group_runs([run("a", [1]), run("a", [1])])
    with pytest.raises(ConfigurationError, match="'t5', which the test split"):
        tabulate(group_runs([run("a", [1] * 6)])[0], evalset(5).test)


def test_outcomes_are_lined_up_by_id_and_not_by_position() -> None:
    one = run("a", [0.0, 0.5, 1.0])
    shuffled = Run(**{**{n: getattr(one, n) for n in Run.__slots__}, "outcomes": one.outcomes[::-1][:2]})
    table = tabulate(group_runs([shuffled])[0], evalset(3).test)
    assert np.array_equal(table.scores, [[np.nan, 0.5, 1.0]], equal_nan=True)


def test_a_row_counts_failures_and_undefined_apart() -> None:
    data = evalset(4)
    runs = [run("ft", [1, 0, None, 1], seed=0, tuned=True), run("ft", [1, 1, 1, None], seed=1, tuned=True)]
    undefined = Outcome("t0", "what", None, usage=Usage(10, 0, 2, 1, 0.5, 0.1))
    runs[1] = Run(**{**{n: getattr(runs[1], n) for n in Run.__slots__}, "outcomes": (undefined, *runs[1].outcomes[1:])})
    group = group_runs(runs)[0]
    row = summarise(group, tabulate(group, data.test), QUALITY, data.test)
    assert (row.n, row.failed, row.undefined, row.seeds, row.tuned) == (1, 2, 1, (0, 1), True)
    assert row.errors == {"timed out": 2}
    assert row.usage.output_tokens == 2
    assert row.usage.input_tokens == pytest.approx((10 + 20 + 40 + 10 + 20 + 30) / 6)
    waits = [0.1, 0.2, 0.4, 0.1, 0.2, 0.3]
    assert row.latency_p50 == pytest.approx(np.percentile(waits, 50))
    assert row.latency_p95 == pytest.approx(np.percentile(waits, 95))


def test_a_run_that_failed_as_a_whole_stays_a_row_and_is_never_zero() -> None:
    data = evalset(4)
    group = group_runs([run("rag", [], error="no such index")])[0]
    table = tabulate(group, data.test)
    assert panel_of([group], [table], data.test).labels == ()
    row = summarise(group, table, None, data.test)
    assert (row.n, row.failed, row.quality, row.errors) == (0, 4, None, {"no such index": 1})
    assert (row.latency_p50, row.latency_p95, row.usage) == (None, None, Usage())
    silent = group_runs([run("rag", [])])[0]
    assert list(summarise(silent, tabulate(silent, data.test), None, data.test).errors) == [
        "the run has no outcomes and gives no reason"
    ]


def test_one_seed_that_failed_does_not_take_the_others_with_it() -> None:
    data = evalset(3)
    group = group_runs([run("ft", [1, 0, 1], seed=0), run("ft", [], seed=1, error="out of memory")])[0]
    row = summarise(group, tabulate(group, data.test), QUALITY, data.test)
    assert (row.n, row.failed, row.seeds, row.errors) == (3, 3, (0,), {"out of memory": 1})


def test_slices_carry_their_size() -> None:
    data = evalset(4, slice=["easy", "easy", "hard", "hard"])
    group = group_runs([run("a", [1, 0, 1, None])])[0]
    assert summarise(group, tabulate(group, data.test), QUALITY, data.test).slices == {
        "easy": (0.5, 2),
        "hard": (1.0, 1),
    }


def test_the_panel_numbers_clusters_and_averages_usage_over_seeds() -> None:
    data = evalset(4, group=["x", "y", "x", "z"])
    groups = group_runs([run("a", [1, 0, 1, None], seed=s) for s in (0, 1)])
    panel = panel_of(groups, [tabulate(g, data.test) for g in groups], data.test)
    assert panel.clusters.tolist() == [0, 1, 0, 2]
    assert panel.scores[0].shape == (2, 4)
    assert np.array_equal(panel.usage["input_tokens"][:, 0], [10, 20, 30, np.nan], equal_nan=True)


def test_mean_fit() -> None:
    costs = [FitCost(2.0, Usage(calls=3), 10, 1.0, 100), FitCost(4.0, Usage(calls=5), 10, 2.0, 101)]
    assert mean_fit(costs) == FitCost(3.0, Usage(calls=4), 10, 1.5, 100.5)
    assert mean_fit([]) == FitCost()


def test_disagreements_are_the_examples_with_most_variance() -> None:
    data = evalset(5)
    groups = group_runs([run("a", [1, 1, 0.5, 1, None]), run("b", [1, 0, 0, 1, 1]), run("c", [1, 0, 0, None, 1])])
    found = disagreements(groups, [tabulate(g, data.test) for g in groups], data)
    assert [d.example_id for d in found] == ["t1", "t2"]
    assert found[0].answers == {"a": ("a says 1", 1), "b": ("b says 0", 0), "c": ("c says 0", 0)}
    many = evalset(40)
    two = group_runs([run("a", [1] * 40), run("b", [0] * 39 + [None])])
    shown = disagreements(two, [tabulate(g, many.test) for g in two], many)
    assert [d.example_id for d in shown] == [f"t{i}" for i in range(12)]


def test_a_failed_answer_is_shown_as_such() -> None:
    data = evalset(1)
    groups = group_runs([run("a", [1]), run("b", [0]), run("c", [None])])
    (one,) = disagreements(groups, [tabulate(g, data.test) for g in groups], data)
    assert one.answers["c"] == ("[no answer: timed out]", None)
