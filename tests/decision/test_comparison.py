from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from advisor.core.errors import ConfigurationError
from advisor.core.types import EvalSet, Example, Outcome, Run, Usage
from advisor.decision.comparison import Comparison, compare_runs, conclude, gather
from advisor.decision.request import ComparisonRequest, Provenance
from advisor.economics.inputs import Economics
from advisor.stats.bootstrap import Panel
from advisor.stats.paired import paired_statistics
from tests.known import known

Scores = Sequence[float | None]


def evalset(n: int, groups: int = 0) -> EvalSet:
    test = tuple(Example(f"t{i}", f"question {i}", "yes", {"group": i % groups} if groups else {}) for i in range(n))
    return EvalSet("toy", "Answer.", "exact_match", (Example("a", "train", "yes"),), (), test)


def run(
    strategy: str, scores: Scores, *, seed: int = 0, tuned: bool = False, kind: str = "prompting", error: str = ""
) -> Run:
    outcomes = tuple(
        Outcome(f"t{i}", None, None, error="timed out")
        if score is None
        else Outcome(f"t{i}", "yes" if score == 1 else "no", score, usage=Usage(100, 0, 5, 1, 0.2, 0.3))
        for i, score in enumerate(scores)
    )
    return Run(
        id=f"{strategy}-{seed}",
        strategy=strategy,
        params={},
        seed=seed,
        model="scripted",
        evalset="toy",
        evalset_fingerprint="f",
        metric="exact_match",
        outcomes=outcomes,
        tuned=tuned,
        kind="fine_tuning" if tuned else kind,
        error=error,
    )


def coin(n: int, share: float, seed: int) -> list[float]:
    return [float(x) for x in np.random.default_rng(seed).random(n) < share]


def compared(*runs: Run, n: int, groups: int = 0, **options: object) -> Comparison:
    return compare_runs(runs, evalset(n, groups), Economics(), **{"draws": 500, **options})  # type: ignore[arg-type]


def no_nan(comparison: Comparison) -> None:
    for row in comparison.strategies:
        if row.quality:
            assert 0 <= row.quality.low <= row.quality.estimate <= row.quality.high <= 1
    for one in comparison.differences:
        for it in (one.interval, one.simultaneous):
            assert -1 <= it.low <= it.estimate <= it.high <= 1
        assert 0 <= one.p_value <= one.p_holm <= 1
        assert 0 <= one.probability_better <= 1
        assert 0 <= one.discordance <= 1


def test_a_planted_effect_is_found_and_no_effect_is_not() -> None:
    n = 300
    base = coin(n, 0.5, 1)
    better = [1.0 if i % 5 == 0 else score for i, score in enumerate(base)]
    other = coin(n, 0.5, 2)
    comparison = compared(run("ft", better, tuned=True), run("zero", base), run("same", other), n=n)
    assert comparison.pivot == "ft"
    zero, same = comparison.differences
    assert (zero.a, zero.b, zero.n, zero.clusters) == ("ft", "zero", n, n)
    assert zero.real
    assert zero.interval.estimate == pytest.approx(np.mean(better) - np.mean(base))
    assert zero.discordance == pytest.approx(zero.interval.estimate)
    assert zero.test == "McNemar mid-p"
    assert zero.probability_better > 0.99
    assert "max-T over 2 differences" in zero.simultaneous.method
    assert same.discordance > 0.3
    again = compared(run("ft", base, tuned=True), run("other", other), n=n)
    assert not again.differences[0].real
    no_nan(comparison)


def test_a_pair_without_both_answers_drops_out_and_n_says_so() -> None:
    ft: list[float | None] = coin(60, 0.8, 1)  # type: ignore[assignment]
    zero: list[float | None] = coin(60, 0.5, 2)  # type: ignore[assignment]
    ft[0] = ft[1] = zero[1] = zero[2] = None
    comparison = compared(run("ft", ft, tuned=True), run("zero", zero), n=60)
    assert [row.n for row in comparison.strategies] == [58, 58]
    assert [row.failed for row in comparison.strategies] == [2, 2]
    assert comparison.differences[0].n == 57
    both = [a - b for a, b in zip(ft, zero, strict=True) if a is not None and b is not None]
    assert comparison.differences[0].interval.estimate == pytest.approx(np.mean(both))


def test_the_pivot_is_the_best_tuned_and_else_the_best() -> None:
    rows = [
        run("good", [1.0] * 39 + [0.0]),
        run("ft_a", coin(40, 0.3, 1), tuned=True),
        run("ft_b", coin(40, 0.7, 2), tuned=True),
    ]
    assert compared(*rows, n=40).pivot == "ft_b"
    assert compared(rows[0], run("bad", coin(40, 0.3, 3)), n=40).pivot == "good"
    # Three could not have been the pivot; two could, so the family is 2 + 1 differences and not 2.
    assert "max-T over 3 differences" in compared(*rows, n=40).differences[0].simultaneous.method


def test_several_seeds_are_one_row_and_graded_differences_are_sign_flipped() -> None:
    seeds = [run("ft", coin(80, 0.8, s), seed=s, tuned=True) for s in (1, 2, 3)]
    comparison = compared(*seeds, run("zero", coin(80, 0.5, 9)), n=80)
    row = comparison.strategies[0]
    assert row.seeds == (1, 2, 3)
    assert row.quality is not None
    assert row.quality.estimate == pytest.approx(np.mean([coin(80, 0.8, s) for s in (1, 2, 3)]))
    assert (row.quality.clusters, row.quality.seeds) == (80, 3)
    assert "widened" in row.quality.method
    assert comparison.differences[0].test == "cluster sign flip"


def test_clusters_come_from_the_group_and_widen() -> None:
    a, b = coin(200, 0.8, 1), coin(200, 0.6, 2)
    free, grouped = (compared(run("ft", a, tuned=True), run("zero", b), n=200, groups=g) for g in (0, 40))
    assert grouped.differences[0].clusters == 40
    assert grouped.differences[0].test == "cluster sign flip"
    assert free.differences[0].clusters == 200
    assert compared(run("a", a), run("b", b), n=200, groups=5).differences[0].interval.low == -1.0


def test_a_strategy_that_failed_as_a_whole_stays_and_is_never_zero() -> None:
    comparison = compared(run("ft", coin(40, 0.7, 1), tuned=True), run("rag", [], error="no index"), n=40)
    rag = comparison.strategies[1]
    assert (rag.n, rag.quality, rag.failed) == (0, None, 40)
    assert comparison.differences == ()
    assert bool(comparison.to_frame()["quality"].isna()["rag"])
    assert "no index" in rag.errors


def test_nothing_scored_at_all_still_gives_an_honest_comparison() -> None:
    comparison = compared(run("zero", [], error="down"), run("ft", [], tuned=True, error="down"), n=10)
    assert comparison.pivot == "ft"
    assert comparison.differences == ()
    assert comparison.verdict.answer == "not_yet"


@pytest.mark.parametrize("n", [1, 2, 5, 40])
@pytest.mark.parametrize("score", [0.0, 1.0, 0.5])
def test_ties_everywhere_are_no_difference(n: int, score: float) -> None:
    comparison = compared(run("ft", [score] * n, tuned=True), run("zero", [score] * n), run("b", [score] * n), n=n)
    for one in comparison.differences:
        assert (one.p_value, one.p_holm, one.real, one.discordance) == (1.0, 1.0, False, 0.0)
        assert 0.05 < one.probability_better < 0.7
        assert one.simultaneous.low <= one.interval.low < 0 < one.interval.high <= one.simultaneous.high
    no_nan(comparison)


def test_one_strategy_alone() -> None:
    comparison = compared(run("zero", coin(40, 0.5, 1)), n=40)
    assert (comparison.pivot, comparison.differences) == ("zero", ())


def test_swapping_two_strategies_mirrors_the_difference() -> None:
    a, b = coin(90, 0.8, 1), coin(90, 0.6, 2)
    rng = np.random.default_rng
    panels = [
        Panel(("x", "y"), (np.array([p]), np.array([q])), tuned, np.arange(90))
        for p, q, tuned in ((a, b, (True, False)), (b, a, (False, True)))
    ]
    one, other = (paired_statistics(panel, 4_000, rng(0)).differences[0] for panel in panels)
    assert (one.a, other.a) == ("x", "y")
    assert one.interval.estimate == other.interval.estimate
    assert one.p_value == other.p_value
    assert one.interval.low == pytest.approx(other.interval.low, abs=0.01)


def test_same_runs_same_seed_same_comparison_whatever_the_order_of_outcomes() -> None:
    rows = [run("ft", coin(50, 0.8, 1), tuned=True), run("zero", coin(50, 0.5, 2))]
    turned = [Run(**{**{n: getattr(r, n) for n in Run.__slots__}, "outcomes": r.outcomes[::-1]}) for r in rows]
    one, again, other = compared(*rows, n=50), compared(*turned, n=50), compared(*rows, n=50, seed=1)
    assert one.differences == again.differences
    assert one.strategies == again.strategies
    assert one.id == again.id
    assert one.id != other.id


def test_provenance_is_carried_along() -> None:
    runs, whole = [run("zero", [1.0, 0.0])], evalset(2)
    known = Provenance(skipped={"rag": "no documents"}, notes=("n",), environment={"python": "3"})
    comparison = conclude(gather(runs, whole, ComparisonRequest("toy", draws=500), known), runs, whole, known)
    assert (comparison.skipped, comparison.notes, comparison.environment) == (
        {"rag": "no documents"},
        ("n",),
        {"python": "3"},
    )
    assert (comparison.n_train, comparison.n_dev, comparison.n_test) == (1, 0, 2)


def test_runs_of_another_test_split_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="'t2'"):
        compared(run("zero", [1.0, 0.0, 1.0]), n=2)


def test_frame_text_and_notebook() -> None:
    comparison = compared(run("ft", coin(40, 0.7, 1), tuned=True), run("<b>zero", coin(40, 0.5, 2)), n=40)
    frame = comparison.to_frame()
    assert list(frame["label"]) == ["ft", "<b>zero"]
    assert {
        "kind",
        "tuned",
        "n",
        "failed",
        "quality",
        "low",
        "high",
        "usd_per_1000",
        "latency_p50",
        "latency_p95",
    } <= set(frame)
    assert comparison.verdict.headline in str(comparison)
    assert "ft" in repr(comparison)
    assert "<b>zero" not in comparison._repr_html_()
    assert "&lt;b&gt;zero" in comparison._repr_html_()


def test_a_few_examples_that_agree_leave_doubt() -> None:
    sure = [compared(run("ft", [1.0] * n, tuned=True), run("zero", [0.0] * n), n=n, draws=4_000) for n in (1, 3, 100)]
    one, three, many = (comparison.differences[0].probability_better for comparison in sure)
    assert one < 0.95
    assert one < three < many
    assert many > 0.999
    assert not sure[1].differences[0].real


def test_what_can_be_shown_counts_all_differences_and_the_seeds() -> None:
    rng = np.random.default_rng(0)
    base = np.array(coin(626, 0.5, 1))
    flipped = [np.where(rng.random(626) < 0.2, 1 - base, base)[None] for _ in range(5)]

    def shown(others: int, tuned: bool) -> float | None:
        scores = (base[None], *flipped[:others])
        panel = Panel(tuple("abcdef"[: len(scores)]), scores, (tuned, *[False] * others), np.arange(626))
        family = paired_statistics(panel, 500, np.random.default_rng(0)).family
        return next(one.detectable for one in family if {one.a, one.b} == {"a", "b"})

    one, seeds, five = shown(1, False), shown(1, True), shown(5, True)
    assert one == pytest.approx(0.05, abs=0.004)
    # One seed adds a standard deviation of 1.5 points to 1.8 points; five differences ask for 2.58 instead of 1.96.
    assert seeds == pytest.approx(one * np.hypot(1.8, 1.5) / 1.8, rel=0.03)
    assert five == pytest.approx(known(seeds) * (2.58 + 0.84) / (1.96 + 0.84), rel=0.03)


def test_a_tuned_strategy_that_is_the_better_buy_and_not_the_best_is_tested_too() -> None:
    n, tuned = 60, [True, True, False]
    scores = tuple(np.array(coin(n, share, seed))[None] for share, seed in ((0.9, 1), (0.6, 2), (0.5, 3)))
    found = paired_statistics(Panel(("best", "cheap", "zero"), scores, tuple(tuned), np.arange(n) % 10), 500,
                              np.random.default_rng(0))  # fmt: skip
    assert [(one.a, one.b) for one in found.differences] == [("best", "cheap"), ("best", "zero")]
    other = next(one for one in found.family if (one.a, one.b) == ("cheap", "zero"))
    assert "wild cluster bootstrap-t" in other.simultaneous.method
    assert "max-T over 3 differences" in other.simultaneous.method


def test_strategies_without_a_common_example_have_no_difference() -> None:
    ft: list[float | None] = [1.0, 1.0, None, None, None, None]
    other: list[float | None] = [None, None, 1.0, 0.0, 1.0, None]
    late: list[float | None] = [None, None, 0.0, 1.0, 0.0, 0.0]
    rows = [run("ft_a", ft, tuned=True), run("ft_b", other, tuned=True), run("zero", late)]
    comparison = compared(*rows, n=6)
    assert (comparison.pivot, comparison.differences) == ("ft_a", ())
    no_nan(comparison)


def test_saving_picks_the_format_by_the_extension(tmp_path: Path) -> None:
    comparison = compared(run("ft", coin(40, 0.7, 1), tuned=True), run("zero", coin(40, 0.5, 2)), n=40)
    written = comparison.save(tmp_path / "results.csv")
    assert written.read_text(encoding="utf-8").count("\n") >= 3
    with pytest.raises(ConfigurationError, match="docx"):
        comparison.save(tmp_path / "results.docx")
