from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from advisor.stats.bootstrap import Contrast, Panel, contrast
from advisor.stats.hypothesis_tests import (
    equivalence_p,
    holm,
    mcnemar_mid_p,
    non_inferiority,
    paired_tests,
    sign_flip_p,
)


def difference(a: object, b: object, clusters: object = None) -> Contrast:
    rows = tuple(np.atleast_2d(np.asarray(one, dtype=float)) for one in (a, b))
    numbered = np.arange(rows[0].shape[1]) if clusters is None else np.asarray(clusters)
    one = contrast(Panel(("a", "b"), rows, (False, False), numbered), 0, 1)
    assert one is not None
    return one


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


# --- McNemar ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("b", "c"), [(3, 9), (0, 5), (20, 41), (1, 2), (300, 420), (9, 3)])
def test_mid_p_is_the_exact_p_less_half_the_probability_of_the_observed(b: int, c: int) -> None:
    from scipy.stats import binom
    from statsmodels.stats.contingency_tables import mcnemar

    exact = float(mcnemar([[5, b], [c, 5]], exact=True).pvalue)
    assert mcnemar_mid_p(b, c) == pytest.approx(exact - float(binom.pmf(min(b, c), b + c, 0.5)))


def test_mid_p_is_one_where_nothing_speaks_for_either() -> None:
    assert mcnemar_mid_p(0, 0) == 1.0
    assert mcnemar_mid_p(7, 7) == 1.0


@given(st.integers(0, 500), st.integers(0, 500))
def test_mid_p_is_a_probability_and_symmetric(b: int, c: int) -> None:
    assert 0.0 <= mcnemar_mid_p(b, c) <= 1.0
    assert mcnemar_mid_p(b, c) == mcnemar_mid_p(c, b)


# --- sign flips ------------------------------------------------------------------------------------------------------


def test_exact_sign_flips_are_scipys() -> None:
    from scipy.stats import permutation_test

    values = np.random.default_rng(1).normal(0.4, 1, 10)
    oracle = permutation_test(
        (values,), lambda x, axis: x.sum(axis=axis), permutation_type="samples", vectorized=True, n_resamples=np.inf
    )
    assert sign_flip_p(values[:, None], rng())[0] == pytest.approx(oracle.pvalue)


def test_sampled_sign_flips_are_near_the_t_test_and_never_zero() -> None:
    from scipy.stats import ttest_1samp

    values = np.random.default_rng(2).normal(0.1, 1, (400, 2))
    mine = sign_flip_p(values, rng())
    assert mine == pytest.approx(ttest_1samp(values, 0).pvalue, abs=0.02)
    assert sign_flip_p(np.full((400, 1), 1.0), rng())[0] == 1 / 10_001


def test_clusters_that_tie_do_not_count() -> None:
    few = np.array([1.0, 1.0, 1.0, -0.5])[:, None]
    padded = np.vstack([few, np.zeros((500, 1))])
    assert sign_flip_p(padded, rng())[0] == sign_flip_p(few, rng())[0]
    assert sign_flip_p(np.zeros((30, 1)), rng())[0] == 1.0


@settings(max_examples=50)
@given(st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=1, max_size=11), st.randoms(use_true_random=False))
def test_sign_flips_ignore_order_and_direction(values: list[float], random: object) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    p = [sign_flip_p(np.array(some)[:, None], rng())[0] for some in (values, shuffled, [-v for v in values])]
    assert 0.0 < p[0] <= 1.0
    assert p[1:] == pytest.approx([p[0], p[0]])


# --- which test ------------------------------------------------------------------------------------------------------


def test_the_test_follows_the_scores_and_the_clusters() -> None:
    a, b = [1, 1, 0, 1, 1, 1], [0, 1, 0, 0, 0, 1]
    graded = [0.5, 1, 0, 0, 0.2, 1]
    ones = (difference(a, b), difference(a, graded), difference(a, b, [0, 0, 1, 1, 2, 2]))
    found = [paired_tests([one], rng())[0] for one in ones]
    assert [name for _, name in found] == ["McNemar mid-p", "cluster sign flip", "cluster sign flip"]
    assert found[0][0] == pytest.approx(0.125)  # three against none: 2 * 1/8 - 1/8
    assert found[2][0] == pytest.approx(0.25)  # all three clusters point one way: 2 of 8 patterns
    assert paired_tests([], rng()) == []


def test_the_tests_hold_their_level_and_find_planted_effects() -> None:
    world = np.random.default_rng(3)
    real: list[bool] = []
    none: list[bool] = []
    for _ in range(300):
        base = world.random(626)
        # 20 % discordance: 5 points planted are 12.5 % wins against 7.5 % losses.
        for gap, kept in ((0.05, real), (0.0, none)):
            a = np.where(base < 0.1 + gap / 2, 1.0, np.where(base < 0.2, 0.0, 1.0))
            b = np.where(base < 0.1 + gap / 2, 0.0, 1.0)
            kept.append(paired_tests([difference(a, b)], world)[0][0] < 0.05)
    assert 0.74 <= np.mean(real) <= 0.88  # 80 % promised; 300 tries have a standard deviation of 2.3 points
    assert np.mean(none) <= 0.09


def test_treating_clustered_examples_as_independent_would_not_hold() -> None:
    world = np.random.default_rng(4)
    numbered = np.repeat(np.arange(60), 8)
    flips, naive = [], []
    for _ in range(60):
        sign = world.integers(0, 2, 60)[numbered]
        a, b = sign.astype(float), 1.0 - sign
        flips.append(paired_tests([difference(a, b, numbered)], world, draws=400)[0][0] < 0.05)
        naive.append(mcnemar_mid_p(int(a.sum()), int(b.sum())) < 0.05)
    assert np.mean(flips) <= 0.15
    assert np.mean(naive) >= 0.3


# --- several at once, and margins ------------------------------------------------------------------------------------


@settings(max_examples=8)  # statsmodels collects garbage in every call
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_statsmodels(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_holm_of_nothing() -> None:
    assert holm([]) == ()


def test_non_inferiority_and_tost_are_statsmodels() -> None:
    from statsmodels.stats.weightstats import DescrStatsW

    values = np.random.default_rng(5).normal(-0.005, 0.2, 400)
    described = DescrStatsW(values)
    found = non_inferiority(float(values.mean()), float(described.std_mean), 0.02, clusters=400)
    assert found.p_value == pytest.approx(described.ttest_mean(-0.02, alternative="larger")[1])
    assert found.shown == (found.p_value < 0.05)
    tost = equivalence_p(float(values.mean()), float(described.std_mean), 0.02, clusters=400)
    assert tost == pytest.approx(described.ttost_mean(-0.02, 0.02)[0])


def test_margins_without_any_spread_rest_on_what_was_not_seen() -> None:
    many, few = (non_inferiority(0.0, 0.0, 0.02, clusters=k) for k in (500, 50))
    assert many.p_value == pytest.approx(0.98**500)
    assert many.shown
    assert not few.shown
    assert few.low == pytest.approx(-(1 - 0.05 ** (1 / 50)))
    worst = non_inferiority(-1.0, 0.0, 0.02, clusters=5)
    assert (worst.p_value, worst.shown) == (1.0, False)
