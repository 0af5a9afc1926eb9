from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.core.types import Interval
from advisor.stats.bootstrap import Contrast, Panel, bootstrap, contrast
from advisor.stats.intervals import (
    _student_factor,
    bca_interval,
    binomial_interval,
    interval,
    jackknife,
    paired_interval,
    percentile_t_interval,
    simultaneous_intervals,
    unseen_interval,
    wild_interval,
)


def target(
    values: object, clusters: object = None, *, other: object = None, tuned: bool = False
) -> tuple[Panel, Contrast]:
    rows = [np.atleast_2d(np.asarray(one, dtype=float)) for one in (values, other) if one is not None]
    n = rows[0].shape[1]
    numbered = np.arange(n) if clusters is None else np.asarray(clusters)
    panel = Panel(("a", "b")[: len(rows)], tuple(rows), (tuned,) + (False,) * (len(rows) - 1), numbered)
    one = contrast(panel, 0, None if other is None else 1)
    assert one is not None
    return panel, one


def found(
    values: object, clusters: object = None, *, other: object = None, tuned: bool = False, draws: int = 2_000
) -> Interval:
    panel, one = target(values, clusters, other=other, tuned=tuned)
    rng = np.random.default_rng(0)
    return interval(one, bootstrap(panel, [one], draws=draws, rng=rng).contrasts[:, 0], rng)


# --- oracles ---------------------------------------------------------------------------------------------------------


def test_bca_is_scipys() -> None:
    from scipy.stats import bootstrap as scipy_bootstrap

    values = np.random.default_rng(0).beta(0.4, 2, 60)
    oracle = scipy_bootstrap((values,), np.mean, n_resamples=9_999, method="BCa", rng=np.random.default_rng(1))
    _, one = target(values)
    mine = bca_interval(oracle.bootstrap_distribution, float(values.mean()), jackknife(one))
    assert mine == pytest.approx(oracle.confidence_interval, abs=1e-12)


def test_bca_over_two_samples_is_scipys() -> None:
    from scipy.stats import bootstrap as scipy_bootstrap

    rng = np.random.default_rng(2)
    a, b = rng.exponential(size=30), rng.exponential(size=20)

    def difference(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.asarray(np.mean(x, axis=axis) - np.mean(y, axis=axis))

    oracle = scipy_bootstrap((a, b), difference, n_resamples=999, method="BCa", rng=rng, vectorized=True)
    left_out = [(a.sum() - a) / 29 - b.mean(), a.mean() - (b.sum() - b) / 19]
    mine = bca_interval(oracle.bootstrap_distribution, float(a.mean() - b.mean()), left_out)
    assert mine == pytest.approx(oracle.confidence_interval, abs=1e-12)


def test_jackknife_by_leaving_out() -> None:
    rng = np.random.default_rng(3)
    scores, clusters = rng.random((3, 10)), np.repeat(np.arange(5), 2)
    _, one = target(scores, clusters, other=rng.random(10))
    by_cluster, by_seed = jackknife(one)
    other = scores.mean(axis=0) - one.values
    assert by_cluster[1] == pytest.approx(np.delete(one.values, [2, 3]).mean())
    assert by_seed[2] == pytest.approx((scores[:2].mean(axis=0) - other).mean())


def test_exact_binomial_is_scipys() -> None:
    from scipy.stats import binomtest

    for successes, n in ((0, 5), (3, 11), (19, 20), (20, 20)):
        exact = binomtest(successes, n).proportion_ci(0.95, method="exact")
        assert binomial_interval(successes, n) == pytest.approx((exact.low, exact.high))


def test_agreement_of_all_is_clopper_pearson_at_the_ends() -> None:
    for n in (1, 7, 100):
        assert unseen_interval(1.0, n, (0.0, 1.0)) == pytest.approx(binomial_interval(n, n))
        assert unseen_interval(0.0, n, (0.0, 1.0)) == pytest.approx(binomial_interval(0, n))


def test_wild_interval_of_normal_data_is_near_students_t() -> None:
    from scipy import stats

    rng = np.random.default_rng(4)
    values = rng.normal(0.1, 0.2, 14)
    low, high = wild_interval(values, np.ones(14), (-1.0, 1.0), rng)
    t = stats.t.interval(0.95, 13, values.mean(), stats.sem(values))
    assert (low, high) == pytest.approx(t, abs=0.04)


def test_percentile_t_of_normal_data_is_near_students_t() -> None:
    from scipy import stats

    rng = np.random.default_rng(5)
    values = rng.normal(0.1, 0.2, 200)
    t = stats.t.interval(0.95, 199, values.mean(), stats.sem(values))
    assert percentile_t_interval(values, np.ones(200), rng) == pytest.approx(t, abs=0.004)


# --- coverage --------------------------------------------------------------------------------------------------------


def covers(values: np.ndarray, clusters: np.ndarray, truth: float, seed: int) -> bool:
    panel = Panel(("a",), (values[None],), (False,), clusters)
    one = contrast(panel, 0)
    assert one is not None
    rng = np.random.default_rng(seed)
    drawn = bootstrap(panel, [one], draws=400, rng=rng).contrasts[:, 0]
    it = interval(one, drawn, rng)
    return it.low <= truth <= it.high


@pytest.mark.parametrize(("clusters", "size"), [(60, 1), (60, 4), (12, 4)])
def test_intervals_cover_as_often_as_they_say(clusters: int, size: int) -> None:
    rng = np.random.default_rng(clusters + size)
    numbered = np.repeat(np.arange(clusters), size)
    hits = []
    for seed in range(250):
        share = rng.beta(6, 3, clusters)[numbered] if size > 1 else 2 / 3
        hits.append(covers((rng.random(clusters * size) < share).astype(float), numbered, 2 / 3, seed))
    # 250 tries at 95 % have a standard deviation of 1.4 points.
    assert 0.90 <= np.mean(hits) <= 0.99


@pytest.mark.parametrize(("n", "only_a", "only_b"), [(60, 0.05, 0.03), (150, 0.03, 0.01), (400, 0.01, 0.005)])
def test_few_pairs_that_differ_are_covered_too(n: int, only_a: float, only_b: float) -> None:
    rng = np.random.default_rng(n)
    hits = []
    for _ in range(300):
        u = rng.random(n)
        a, b = (u < only_a).astype(float), ((u >= only_a) & (u < only_a + only_b)).astype(float)
        one = contrast(panel := Panel(("a", "b"), (a[None], b[None]), (False, False), np.arange(n)), 0, 1)
        assert one is not None
        it = interval(one, bootstrap(panel, [one], draws=400, rng=rng).contrasts[:, 0], rng)
        hits.append(it.low <= only_a - only_b <= it.high)
    assert np.mean(hits) >= 0.94


def test_few_pairs_that_differ_by_hand() -> None:
    low, high = paired_interval(4, 1, 98)
    assert (low, high) == pytest.approx((0.03 - 1.96 * 0.0691**0.5 * 0.1, 0.03 + 1.96 * 0.0691**0.5 * 0.1), abs=1e-4)


def test_ignoring_clusters_would_not_cover() -> None:
    rng = np.random.default_rng(8)
    numbered = np.repeat(np.arange(40), 10)
    right, wrong = [], []
    for seed in range(60):
        values = (rng.random(40) < 0.5)[numbered].astype(float)
        right.append(covers(values, numbered, 0.5, seed))
        wrong.append(covers(values, np.arange(400), 0.5, seed))
    assert np.mean(right) > 0.88
    assert np.mean(wrong) < 0.65


# --- which method ----------------------------------------------------------------------------------------------------


def test_the_method_follows_the_number_of_clusters() -> None:
    rng = np.random.default_rng(9)
    graded = rng.random(60)
    whole, few, least = found(graded), found(graded[:20]), found([1, 0, 1, 1, 1, 1, 1, 1])
    assert (whole.method, whole.clusters, whole.seeds) == ("two-level BCa bootstrap", 60, 1)
    assert (few.method, few.clusters) == ("wild cluster bootstrap-t", 20)
    assert (least.method, least.clusters) == ("exact binomial", 8)
    assert found(np.ones(50)).method.startswith("exact bound, no variation")
    few = found(graded, np.repeat([0, 1, 2], 20))
    assert few.method.startswith("whole range")
    assert (few.low, few.high) == (0.0, 1.0)


def test_the_prior_is_named_and_widens() -> None:
    values = np.tile([0.0, 1.0], 2_000)
    tuned, plain = found(values, tuned=True), found(values)
    assert "widened by an assumed spread between seeds" in tuned.method
    assert "assumed" not in plain.method
    assert tuned.high - tuned.low > 1.1 * (plain.high - plain.low)


def test_percentile_t_steps_in_where_bca_is_not_defined() -> None:
    panel, one = target(np.random.default_rng(1).random(40))
    it = interval(one, np.full(100, one.estimate + 1e-6), np.random.default_rng(0))  # every draw above: bias undefined
    assert (it.method, it.clusters) == ("percentile-t cluster bootstrap", 40)
    assert it.low < one.estimate < it.high
    assert panel.n_clusters == 40


@pytest.mark.parametrize(
    ("values", "other"),
    [([1.0], None), ([0.3], None), ([1.0, 0.0], None), ([0.0] * 40, None), ([1.0], [0.0]), ([1, 0] * 30, [1, 0] * 30)],
)
def test_degenerate_inputs_give_wide_finite_intervals(values: list[float], other: list[float] | None) -> None:
    it = found(values, other=other)
    assert np.isfinite([it.estimate, it.low, it.high]).all()
    assert it.low <= it.estimate <= it.high
    assert it.high - it.low >= 0.05
    one_cluster = found(values, np.zeros(len(values), dtype=int), other=other)
    assert one_cluster.high - one_cluster.low > 0.9


def test_percentile_t_without_spread_in_most_draws_is_infinite_and_not_nan() -> None:
    sums = np.zeros(40)
    sums[0] = 1.0
    low, high = percentile_t_interval(sums, np.ones(40), np.random.default_rng(0), draws=1_000)
    assert not np.isnan([low, high]).any()
    assert high == np.inf


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 1.0])), min_size=1, max_size=45))
def test_any_scores_give_an_ordered_interval_in_range(pairs: list[tuple[float, float]]) -> None:
    a, b = zip(*pairs, strict=True)
    it = found(a, other=b, draws=200)
    assert -1.0 <= it.low <= it.estimate <= it.high <= 1.0


# --- all at once -----------------------------------------------------------------------------------------------------


def family(effects: tuple[float, ...], rng: np.random.Generator, n: int = 80) -> tuple[list[Interval], np.ndarray]:
    columns = tuple((0.5 + effect / 2 + rng.normal(0, 0.1, n))[None] for effect in effects)
    panel = Panel(tuple(map(str, range(len(effects)))), columns, (False,) * len(effects), np.arange(n))
    contrasts = [c for c in (contrast(panel, 0, j) for j in range(1, len(effects))) if c is not None]
    drawn = bootstrap(panel, contrasts, draws=400, rng=rng).contrasts
    return [interval(c, drawn[:, j], rng) for j, c in enumerate(contrasts)], drawn


def test_simultaneous_intervals_hold_the_family_and_single_ones_do_not() -> None:
    rng = np.random.default_rng(10)
    single, together = [], []
    for _ in range(120):
        ones, drawn = family((0.0,) * 7, rng)
        wide = simultaneous_intervals(ones, drawn, [80] * 6)
        single.append(all(i.low <= 0 <= i.high for i in ones))
        together.append(all(i.low <= 0 <= i.high for i in wide))
    assert np.mean(together) >= 0.90
    assert np.mean(single) < np.mean(together) - 0.05


def test_simultaneous_is_never_narrower_and_one_alone_is_nearly_itself() -> None:
    rng = np.random.default_rng(11)
    ones, drawn = family((0.0, 0.1, -0.1, 0.0), rng)
    for narrow, wide in zip(ones, simultaneous_intervals(ones, drawn, [80] * 3), strict=True):
        assert wide.low <= narrow.low <= narrow.high <= wide.high
        assert wide.method.startswith("max-T over 3 differences")
    alone = simultaneous_intervals(ones[:1], drawn[:, :1], [80])[0]
    assert alone.high - alone.low == pytest.approx(ones[0].high - ones[0].low, rel=0.1)
    larger = simultaneous_intervals(ones[:1], drawn[:, :1], [80], family=drawn - drawn.mean(axis=0))[0]
    assert larger.high - larger.low > alone.high - alone.low


def test_thousands_of_differences_take_little_more_than_their_draws_and_the_same_intervals() -> None:
    """As where 64 strategies make 2,016 pairs; 65 columns would leave a block of one."""
    drawn = np.random.default_rng(12).normal(0.0, 0.05, size=(2_000, 641))
    ones = [Interval(float(column.mean()), -0.1, 0.1) for column in drawn.T]
    tracemalloc.start()
    wide = simultaneous_intervals(ones, drawn, [80] * 641)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * drawn.nbytes  # all at once would take four times as much
    centred = drawn - np.array([one.estimate for one in ones])
    critical = np.quantile((np.abs(centred) / centred.std(axis=0)).max(axis=1), 0.95)
    half = critical * drawn.std(axis=0) * _student_factor(0.95, 80)
    assert [one.high for one in wide] == [max(0.1, one.estimate + own) for one, own in zip(ones, half, strict=True)]


def test_simultaneous_without_variation_and_without_anything() -> None:
    assert simultaneous_intervals([], np.empty((10, 0)), []) == []
    constant = Interval(0.0, *unseen_interval(0.0, 50, (-1.0, 1.0)))
    two = simultaneous_intervals([constant, constant], np.zeros((10, 2)), [50, 50])
    exact = unseen_interval(0.0, 50, (-1.0, 1.0), level=0.975)
    assert two[0].high == pytest.approx(exact[1], rel=0.05)
    assert two[0].high >= exact[1]
