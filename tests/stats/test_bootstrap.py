from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.stats.bootstrap import (
    SINGLE_SEED_SD,
    Contrast,
    FloatArray,
    IntArray,
    Panel,
    Unseen,
    bootstrap,
    contrast,
    seed_spread,
    standard_error_of_ratio,
)

NAN = float("nan")


def panel(*scores: object, tuned: tuple[bool, ...] | None = None, clusters: object = None) -> Panel:
    rows = tuple(np.atleast_2d(np.asarray(one, dtype=float)) for one in scores)
    n = rows[0].shape[1]
    return Panel(
        labels=tuple("abcdefgh"[: len(rows)]),
        scores=rows,
        tuned=tuned or (False,) * len(rows),
        clusters=np.arange(n) if clusters is None else np.asarray(clusters),
        usage={"seconds": np.tile(np.arange(1.0, n + 1)[:, None], (1, len(rows)))},
    )


def made(one: Contrast | None) -> Contrast:
    assert one is not None
    return one


def test_a_contrast_uses_the_examples_every_seed_of_both_scored() -> None:
    both = panel([[1, 1, NAN, 1], [0, 1, 1, 1]], [0, NAN, 1, 1])
    one = made(contrast(both, 0, 1))
    assert one.values.tolist() == [0.5, 0.0]  # examples 0 and 3
    assert one.estimate == 0.25
    assert one.counts.tolist() == [1, 0, 0, 1]
    assert one.clusters == 2
    assert one.bounds == (-1.0, 1.0)


def test_nothing_in_common_is_none_and_never_zero() -> None:
    assert contrast(panel([1, NAN], [NAN, 1]), 0, 1) is None
    assert contrast(panel([NAN, NAN]), 0) is None


def clustered_standard_error(values: FloatArray, clusters: IntArray) -> float:
    """Of the mean of `values` (n,), `clusters` (n,) being 0 … K-1."""
    sums = np.bincount(clusters, weights=values).astype(np.float64)
    return standard_error_of_ratio(sums, np.bincount(clusters).astype(np.float64))


def test_clustered_standard_error_by_hand() -> None:
    values, clusters = np.array([1.0, 1.0, 0.0, 0.0, 1.0]), np.array([0, 0, 1, 1, 2])
    expected = np.sqrt((2 - 1.2) ** 2 + (0 - 1.2) ** 2 + (1 - 0.6) ** 2) / 5
    assert clustered_standard_error(values, clusters) == pytest.approx(expected)


def test_clustered_standard_error_against_statsmodels() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(40), rng.integers(1, 9, 40))
    values = rng.random(len(clusters)) + rng.random(40)[clusters]
    fitted = sm.OLS(values, np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": False}
    )
    assert clustered_standard_error(values, clusters) == pytest.approx(float(fitted.bse[0]))


def test_bootstrap_spread_is_the_clustered_standard_error() -> None:
    rng = np.random.default_rng(2)
    clusters = np.repeat(np.arange(80), 5)
    hard = rng.random(80)[clusters]
    both = panel(rng.random(400) < hard, rng.random(400) < hard * 0.7, clusters=clusters)
    one = made(contrast(both, 0, 1))
    drawn = bootstrap(both, [one], draws=8_000, rng=rng).contrasts[:, 0]
    assert drawn.std() == pytest.approx(one.standard_error, rel=0.05)
    assert drawn.mean() == pytest.approx(one.estimate, abs=0.003)


def test_all_strategies_see_the_same_clusters() -> None:
    rng = np.random.default_rng(3)
    scores = rng.random(60)
    both = panel(scores, scores, 1 - scores)
    means = [made(contrast(both, column)) for column in range(3)]
    drawn = bootstrap(both, [*means, made(contrast(both, 0, 1)), made(contrast(both, 0, 2))], draws=500, rng=rng)
    a, b, c, same, other = drawn.contrasts.T
    assert np.array_equal(a, b)
    assert np.allclose(same, 0.0)
    assert np.allclose(a - c, other)
    assert np.allclose(a + c, 1.0)
    assert drawn.usage["seconds"].shape == (500, 3)
    assert np.array_equal(drawn.usage["seconds"][:, 0], drawn.usage["seconds"][:, 2])


def test_same_seed_same_draws_and_order_of_examples_does_not_matter_to_the_estimate() -> None:
    rng = np.random.default_rng(4)
    both = panel(rng.random(50), rng.random(50))
    one = made(contrast(both, 0, 1))
    first, again = (bootstrap(both, [one], draws=100, rng=np.random.default_rng(9)).contrasts for _ in range(2))
    assert np.array_equal(first, again)


def test_usage_of_strategies_that_failed_somewhere_is_the_mean_over_what_they_answered() -> None:
    both = panel([1, 0, 1, 1], [1, 0, 0, 1])
    both.usage["seconds"][1:, 1] = np.nan
    drawn = bootstrap(both, [made(contrast(both, 0))], draws=200, rng=np.random.default_rng(0))
    assert np.isfinite(drawn.usage["seconds"]).all()
    assert np.allclose(drawn.usage["seconds"][:, 1], 1.0)


# --- training seeds --------------------------------------------------------------------------------------------------


def test_seed_spread_by_hand() -> None:
    assert seed_spread(np.array([0.5]), tuned=False) == (0.0, 0.0)
    assert seed_spread(np.array([0.5]), tuned=True) == (SINGLE_SEED_SD, SINGLE_SEED_SD)
    total, missing = seed_spread(np.array([0.5, 0.6]), tuned=False)
    assert total == pytest.approx(np.std([0.5, 0.6], ddof=1) / np.sqrt(2))
    assert missing == pytest.approx(np.sqrt(total**2 - np.var([0.5, 0.6]) / 2))


def test_one_seed_of_a_tuned_strategy_is_widened_by_the_prior() -> None:
    scores = np.tile([0.0, 1.0], 1_000)
    plain, tuned = (
        bootstrap(p, [made(contrast(p, 0))], draws=4_000, rng=np.random.default_rng(5)).contrasts.std()
        for p in (panel(scores), panel(scores, tuned=(True,)))
    )
    assert tuned == pytest.approx(np.hypot(plain, SINGLE_SEED_SD), rel=0.06)


def test_spread_between_seeds_enters_the_draws_in_full() -> None:
    rng = np.random.default_rng(6)
    seeds = np.stack([rng.random(1_500) < share for share in (0.5, 0.6)])
    one_panel = panel(seeds)
    one = made(contrast(one_panel, 0))
    drawn = bootstrap(one_panel, [one], draws=4_000, rng=rng).contrasts[:, 0]
    assert one.seed_sd == pytest.approx(0.05, abs=0.015)
    assert drawn.std() == pytest.approx(one.standard_error, rel=0.1)


def test_unseen_kinds_matter_for_few_clusters_and_vanish_for_many() -> None:
    rng = np.random.default_rng(8)
    drawn = np.tile([1.0, 0.0], (4_000, 1))
    few, many = (Unseen.draw(k, 4_000, 2, rng) for k in (3, 300))
    for unseen, mean in ((few, 1 / 4), (many, 1 / 301)):
        assert unseen.share.mean() == pytest.approx(mean, rel=0.1)
        mixed = unseen.of_means(drawn)
        assert np.allclose(mixed[:, 0] - mixed[:, 1], unseen.of_difference(drawn[:, 0] - drawn[:, 1], 0, 1))
        assert mixed.min() >= 0.0
        assert mixed.max() <= 1.0
    assert few.of_difference(np.ones(4_000), 0, 1).std() > 30 * many.of_difference(np.ones(4_000), 0, 1).std()


# --- invariants ------------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from([0, 0.5, 1, NAN]), st.sampled_from([0, 0.5, 1, NAN])), min_size=1, max_size=30)
)
def test_swapping_the_two_strategies_changes_the_sign_only(pairs: list[tuple[float, float]]) -> None:
    a, b = zip(*pairs, strict=True)
    one, other = contrast(panel(a, b), 0, 1), contrast(panel(a, b), 1, 0)
    if one is None or other is None:
        assert one is other
        return
    assert one.estimate == -other.estimate
    assert one.standard_error == pytest.approx(other.standard_error)
    assert np.allclose(one.sums, -other.sums)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3)), min_size=1, max_size=25),
    st.randoms(use_true_random=False),
)
def test_the_order_of_examples_does_not_matter(rows: list[tuple[float, int]], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    errors = []
    for some in (rows, shuffled):
        values, clusters = (np.array(column, dtype=float) for column in zip(*some, strict=True))
        errors.append(clustered_standard_error(values, clusters.astype(int)))
    assert errors[0] == pytest.approx(errors[1], abs=1e-12)


# --- size ------------------------------------------------------------------------------------------------------------


def test_memory_is_flat_in_draws() -> None:
    rng = np.random.default_rng(7)
    many = panel(*(rng.random(5_000) < 0.7 for _ in range(8)))
    contrasts = [made(contrast(many, 0, column)) for column in range(1, 8)]
    tracemalloc.start()
    drawn = bootstrap(many, contrasts, draws=2_000, rng=rng)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert drawn.contrasts.shape == (2_000, 7)
    assert peak < 120e6  # 5,000 x 2,000 counts at once would take 80 MB each for picks, counts and their product


def test_no_contrast_at_all() -> None:
    empty = Panel((), (), (), np.arange(3), {})
    assert bootstrap(empty, [], draws=10, rng=np.random.default_rng(0)).contrasts.shape == (10, 0)
