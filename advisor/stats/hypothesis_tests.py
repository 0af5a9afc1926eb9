"""Tests of paired differences: McNemar, cluster sign flips, Holm's adjustment, and non-inferiority."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from advisor.stats.bootstrap import Contrast, FloatArray

EXACT_SIGN_PATTERNS = 2**14
"""Up to this many sign patterns all are looked at; above, a seeded sample."""

_CHUNK_CELLS = 2_000_000


@dataclass(frozen=True, slots=True)
class NonInferiority:
    """Whether a difference is above minus the margin, in score units.

    Attributes:
        margin: the loss that is still acceptable, above 0.
        p_value: one-sided, for "worse by the margin or more".
        low: one-sided lower bound of the difference at `level`.
        shown: the bound is above minus the margin.
    """

    margin: float
    p_value: float
    low: float
    shown: bool
    level: float = 0.95


def mcnemar_mid_p(only_a: int, only_b: int) -> float:
    """Return the two-sided mid-p value of McNemar's test.

    Source: Fagerland, Lydersen and Laake 2013 (mid-p is close to its level where the exact test is too cautious).

    Args:
        only_a: examples that only the first strategy got right.
        only_b: examples that only the second got right.
    """
    from scipy.special import bdtr

    n, smaller = only_a + only_b, min(only_a, only_b)
    if n == 0 or only_a == only_b:
        return 1.0
    at_most = float(bdtr(smaller, n, 0.5))
    below = float(bdtr(smaller - 1, n, 0.5)) if smaller else 0.0
    return at_most + below


def sign_flip_p(sums: FloatArray, rng: np.random.Generator, *, draws: int = 10_000) -> FloatArray:
    """Return two-sided p-values of cluster sign-flip permutation tests, float64 (P,).

    Under "no difference" the sign of each cluster's difference is arbitrary. Up to 2^14 patterns of the clusters that
    differ at all the test is exact; above, `draws` seeded patterns, shared by all P tests, with the observed pattern
    counted among them (Phipson and Smyth 2010), so that p is never 0.

    Args:
        sums: float64 (K, P), sum of the differences by cluster, for P tests.
        rng: used only above 2^14 patterns.
        draws: how many patterns then.
    """
    p_values = np.ones(sums.shape[1])
    sampled = []
    for j, column in enumerate(sums.T):
        moving = column[np.abs(column) > 1e-12]
        if 2 ** min(len(moving), 60) > EXACT_SIGN_PATTERNS:
            sampled.append(j)
        elif len(moving):
            p_values[j] = _exact_sign_flip(moving)
    if sampled:
        p_values[sampled] = _sampled_sign_flip(sums[:, sampled], rng, draws)
    return p_values


def _exact_sign_flip(moving: FloatArray) -> float:
    signs = 1.0 - 2.0 * (np.arange(2 ** len(moving))[:, None] >> np.arange(len(moving)) & 1)
    return float(np.mean(_as_extreme(signs @ moving, moving.sum())))


def _sampled_sign_flip(sums: FloatArray, rng: np.random.Generator, draws: int) -> FloatArray:
    sums = sums[(np.abs(sums) > 1e-12).any(axis=1)]  # a cluster that ties everywhere moves nothing
    clusters, observed = sums.shape[0], sums.sum(axis=0)
    hits = np.zeros(sums.shape[1])
    rows = max(1, _CHUNK_CELLS // clusters)
    for start in range(0, draws, rows):
        size = min(rows, draws - start)
        bits = np.frombuffer(rng.bytes(-(-size * clusters // 8)), dtype=np.uint8)
        flips = np.unpackbits(bits, count=size * clusters).reshape(size, clusters).astype(np.float64)
        hits += _as_extreme(observed - 2.0 * (flips @ sums), observed).sum(axis=0)
    return (hits + 1.0) / (draws + 1.0)


def _as_extreme(values: FloatArray, observed: FloatArray | float) -> NDArray[np.bool_]:
    # Patterns that tie with the observed one must count whatever the order of summation made of their last bits.
    return np.asarray(np.abs(values) >= np.abs(observed) - 1e-9)


def paired_tests(
    contrasts: Sequence[Contrast], rng: np.random.Generator, *, draws: int = 10_000
) -> list[tuple[float, str]]:
    """Return (p-value, name of the test) for each difference of one panel.

    Mid-p McNemar where every example is its own cluster and every seed-averaged score difference is -1, 0 or 1;
    cluster sign flips otherwise, since McNemar's test takes examples for independent. Both take the training seeds at
    hand as given; the spread between seeds is in the intervals.
    """
    found: list[tuple[float, str]] = [(1.0, "")] * len(contrasts)
    flipped = []
    for j, one in enumerate(contrasts):
        if one.clusters == len(one.values) and np.isin(one.values, (-1.0, 0.0, 1.0)).all():
            wins, losses = int((one.values > 0).sum()), int((one.values < 0).sum())
            found[j] = (mcnemar_mid_p(wins, losses), "McNemar mid-p")
        else:
            flipped.append(j)
    if flipped:
        p_values = sign_flip_p(np.stack([contrasts[j].sums for j in flipped], axis=1), rng, draws=draws)
        for j, p in zip(flipped, p_values, strict=True):
            found[j] = (float(p), "cluster sign flip")
    return found


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return p-values adjusted for all of them at once (Holm 1979), in the order given."""
    m = len(p_values)
    adjusted, running = [1.0] * m, 0.0
    for rank, j in enumerate(sorted(range(m), key=lambda index: p_values[index])):
        running = max(running, min(1.0, (m - rank) * p_values[j]))
        adjusted[j] = running
    return tuple(adjusted)


def non_inferiority(
    estimate: float, standard_error: float, margin: float, *, clusters: int, level: float = 0.95
) -> NonInferiority:
    """Test whether a difference is better than minus `margin`, by Student's t on the clustered standard error.

    Args:
        estimate: the difference, in score units.
        standard_error: its clustered standard error, seeds included (`Contrast.standard_error`).
        margin: the loss that is still acceptable (0.02 = 2 points), above 0.
        clusters: how many there are; without any spread between them the bound is the exact one on unseen kinds.
        level: of the one-sided bound.
    """
    from scipy.special import stdtr, stdtrit

    if standard_error <= 0.0 or clusters < 2:
        # All clusters agree. Whatever would lower the mean by the margin was not drawn `clusters` times in a row.
        p_value = min(1.0, max(0.0, 1.0 - (estimate + margin) / (1.0 + estimate))) ** clusters if estimate > -1 else 1.0
        low = estimate - (1.0 - (1.0 - level) ** (1.0 / max(clusters, 1))) * (1.0 + estimate)
        return NonInferiority(margin, p_value, low, low > -margin, level)
    p_value = float(stdtr(clusters - 1, -(estimate + margin) / standard_error))
    low = estimate - float(stdtrit(clusters - 1, level)) * standard_error
    return NonInferiority(margin, p_value, low, low > -margin, level)


def equivalence_p(estimate: float, standard_error: float, margin: float, *, clusters: int) -> float:
    """Return the p-value of two one-sided tests (TOST, Schuirmann 1987) for "differs by less than `margin`".

    The arguments are those of `non_inferiority`.
    """
    sides = (non_inferiority(side, standard_error, margin, clusters=clusters) for side in (estimate, -estimate))
    return max(side.p_value for side in sides)
