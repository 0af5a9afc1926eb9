"""Statistics against published worked examples, closed forms, other libraries, and what must not change them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from advisor.stats.bootstrap import Panel, bootstrap, contrast
from advisor.stats.hypothesis_tests import equivalence_p, mcnemar_mid_p, non_inferiority, sign_flip_p
from advisor.stats.intervals import (
    bca_interval,
    interval,
    paired_interval,
    percentile_t_interval,
    unseen_interval,
    wild_interval,
)
from advisor.stats.paired import paired_statistics
from advisor.stats.power import detectable_difference, required_examples

SPATIAL = [48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6, 0, 33, 28, 34, 4, 32, 24, 47, 41, 24, 26, 30, 41]
"""Efron and Tibshirani 1993, table 14.1, test A of 26 children."""

PAIRS = st.lists(st.tuples(st.sampled_from([0.0, 0.25, 1.0]), st.sampled_from([0.0, 1.0])), min_size=2, max_size=45)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def two(a: object, b: object, clusters: object = None) -> Panel:
    rows = tuple(np.asarray(one, dtype=float)[None] for one in (a, b))
    n = rows[0].shape[1]
    return Panel(("a", "b"), rows, (False, False), np.arange(n) if clusters is None else np.asarray(clusters))


# --- worked examples and closed forms --------------------------------------------------------------------------------


def test_bca_of_efron_and_tibshiranis_variance() -> None:
    """Chapter 14: the variance of the spatial data is 171.5, its 90 % BCa interval (115.8, 259.6) at 2,000 draws."""
    values = np.array(SPATIAL, dtype=float)
    assert values.var() == pytest.approx(171.5, abs=0.05)
    draws = rng(1).choice(values, (40_000, 26)).var(axis=1)
    left_out = np.array([np.delete(values, i).var() for i in range(26)])
    low, high = bca_interval(draws, float(values.var()), [left_out], level=0.90) or (0.0, 0.0)
    assert low == pytest.approx(115.8, abs=4)
    assert high == pytest.approx(259.6, abs=6)
    assert low > np.quantile(draws, 0.05) + 10  # the percentile interval (100.8, 233.9) is corrected upwards


@pytest.mark.parametrize(("only_a", "only_b", "published"), [(1, 7, 0.039), (6, 16, 0.035)])
def test_mid_p_of_fagerland_lydersen_and_laake(only_a: int, only_b: int, published: float) -> None:
    """Their two examples: airway hyper-responsiveness (Bentur), and complete response to treatment (Cavo)."""
    assert mcnemar_mid_p(only_a, only_b) == pytest.approx(published, abs=5e-4)
    exact = sum(binom.pmf(k, only_a + only_b, 0.5) for k in range(only_a)) * 2
    mid = exact + binom.pmf(only_a, only_a + only_b, 0.5)
    assert mcnemar_mid_p(only_a, only_b) == pytest.approx(float(mid), abs=1e-12)


@pytest.mark.parametrize(("difference", "discordance"), [(0.05, 0.2), (0.03, 0.2), (0.1, 0.35), (0.02, 0.021)])
def test_the_sample_size_is_statsmodels(difference: float, discordance: float) -> None:
    from statsmodels.stats.power import normal_sample_size_one_tail

    oracle = normal_sample_size_one_tail(
        difference, 0.80, 0.025, std_null=discordance**0.5, std_alternative=(discordance - difference**2) ** 0.5
    )
    assert required_examples(difference, discordance) == np.ceil(oracle - 1e-9)
    found = detectable_difference(round(oracle * 1e6), discordance, design_effect=1e6)
    assert found == pytest.approx(difference, abs=1e-6)


def test_the_standard_error_of_a_difference_of_shares_is_mcnemars() -> None:
    a, b = np.repeat([1, 0, 1, 0], [37, 11, 29, 23]), np.repeat([0, 1, 1, 0], [37, 11, 29, 23])
    one = contrast(two(a, b), 0, 1)
    assert one is not None
    assert one.standard_error == pytest.approx(np.sqrt((37 + 11) / 100 - 0.26**2) / 10, abs=1e-12)


def test_the_standard_error_of_a_paired_difference_is_statsmodels_clustered_ols() -> None:
    import statsmodels.api as sm

    world = rng(2)
    clusters = np.repeat(np.arange(25), world.integers(1, 7, 25))
    a, b = world.random((2, len(clusters))) + world.random(25)[clusters]
    one = contrast(two(a, b, clusters), 0, 1)
    fitted = sm.OLS(a - b, np.ones(len(a))).fit(
        cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": False}
    )
    assert one is not None
    assert one.standard_error == pytest.approx(float(fitted.bse[0]), abs=1e-9)


def test_the_bounds_of_what_was_not_seen_are_the_rule_of_three() -> None:
    low, _ = unseen_interval(1.0, 300, (0.0, 1.0), level=0.90)
    assert 1 - low == pytest.approx(3 / 300, rel=0.01)


def test_wild_interval_of_six_equal_signs_ends_where_no_pattern_is_rarer() -> None:
    """Of 2^5 pairs of opposite patterns one is as extreme, p = 1/32: excluded at 95 %, not at 98 %."""
    sums = np.array([0.30, 0.31, 0.29, 0.32, 0.28, 0.30])
    assert wild_interval(sums, np.ones(6), (-1.0, 1.0), rng(), level=0.95)[0] > 0.0
    assert wild_interval(sums, np.ones(6), (-1.0, 1.0), rng(), level=0.98)[0] == -1.0


# --- what must not change anything -----------------------------------------------------------------------------------


@settings(max_examples=40)
@given(PAIRS)
def test_swapping_mirrors_every_interval(pairs: list[tuple[float, float]]) -> None:
    a, b = zip(*pairs, strict=True)
    panel = two(a, b)
    one, other = contrast(panel, 0, 1), contrast(panel, 1, 0)
    assert one is not None
    assert other is not None
    drawn = bootstrap(panel, [one], draws=300, rng=rng()).contrasts[:, 0]
    mine, theirs = interval(one, drawn, rng(1)), interval(other, -drawn, rng(1))
    # The percentile-t bootstrap takes an order statistic at each end, which on a few draws is one off the mirror.
    tolerance = 0.1 if "percentile-t" in mine.method else 1e-6
    assert (mine.low, mine.high) == pytest.approx((-theirs.high, -theirs.low), abs=tolerance)


@settings(max_examples=40)
@given(PAIRS, st.randoms(use_true_random=False))
def test_the_order_of_examples_changes_no_interval(pairs: list[tuple[float, float]], random: object) -> None:
    order = list(range(len(pairs)))
    random.shuffle(order)  # type: ignore[attr-defined]
    found = []
    drawn = None
    for some in (pairs, [pairs[i] for i in order]):
        panel = two(*zip(*some, strict=True))
        one = contrast(panel, 0, 1)
        assert one is not None
        drawn = bootstrap(panel, [one], draws=300, rng=rng()).contrasts[:, 0] if drawn is None else drawn
        found.append(interval(one, drawn, rng(1)))
    if "bootstrap-t" in found[0].method or "percentile-t" in found[0].method:
        return  # they draw signs or clusters by position
    assert (found[0].low, found[0].high) == pytest.approx((found[1].low, found[1].high), abs=1e-9)


@settings(max_examples=30)
@given(st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=15, max_size=30), st.sampled_from([0.01, 0.5]))
def test_the_scale_of_the_scores_changes_the_unit_and_nothing_else(values: list[float], scale: float) -> None:
    sums = np.round(np.array(values), 6)
    counts = np.ones(len(sums))
    assert sign_flip_p(sums[:, None] * 0.5, rng())[0] == pytest.approx(sign_flip_p(sums[:, None], rng())[0], abs=2e-3)
    if np.ptp(sums) < 1e-3:
        return
    plain, scaled = (np.array(percentile_t_interval(k * sums, counts, rng(), draws=400)) for k in (1.0, scale))
    assert scaled == pytest.approx(scale * plain, rel=1e-6, abs=1e-12)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 200))
def test_adjusted_wald_is_symmetric_and_shrinks_with_examples(only_a: int, only_b: int, ties: int) -> None:
    n = only_a + only_b + ties
    low, high = paired_interval(only_a, only_b, n)
    assert paired_interval(only_b, only_a, n) == pytest.approx((-high, -low), abs=1e-12)
    more = paired_interval(2 * only_a, 2 * only_b, 2 * n)
    assert more[1] - more[0] <= high - low + 1e-12


@given(st.floats(-0.3, 0.3), st.floats(0.001, 0.2), st.floats(0.001, 0.2), st.integers(2, 500))
def test_a_wider_margin_is_easier_and_both_sides_are_harder_than_one(
    estimate: float, error: float, margin: float, clusters: int
) -> None:
    one, wide = (non_inferiority(estimate, error, m, clusters=clusters) for m in (margin, margin + 0.05))
    assert wide.p_value <= one.p_value
    assert one.shown == (one.p_value < 0.05) or abs(one.p_value - 0.05) < 1e-9
    assert equivalence_p(estimate, error, margin, clusters=clusters) >= one.p_value
    assert equivalence_p(-estimate, error, margin, clusters=clusters) == pytest.approx(
        equivalence_p(estimate, error, margin, clusters=clusters)
    )


def test_non_inferiority_is_in_a_comparison_with_its_own_margin() -> None:
    a = (rng(3).random(500) < 0.7).astype(float)
    b = np.where(rng(4).random(500) < 0.05, 1 - a, a)
    [one] = paired_statistics(two(a, b), 400, rng(), margin=0.05).differences
    [bare] = paired_statistics(two(a, b), 400, rng()).differences
    assert one.not_worse is not None
    assert one.p_equivalent is not None
    assert (one.not_worse.margin, one.not_worse.shown) == (0.05, True)
    assert one.p_equivalent >= one.not_worse.p_value
    assert bare.not_worse is None
    assert bare.p_equivalent is None
