"""Intervals of one mean or difference, by the method its number of clusters supports, and of all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from advisor.core.types import Interval
from advisor.stats.bootstrap import Contrast, FloatArray, resampled_totals, standard_error_of_ratio

FEW_CLUSTERS = 30
"""Below this many clusters the plain bootstrap is too narrow and the wild cluster bootstrap-t takes over."""

LEAST_CLUSTERS = 6
"""Below this many clusters no sign pattern is rarer than 5 %, so nothing can be excluded at 95 %."""

FEW_DISCORDANT = 20
"""Below this many pairs that differ resampling repeats too few of them: at 5 the bootstrap covers 88 % and not 95 %."""

_WILD_SIGNS = 13
_BLOCK_COLUMNS = 64
_TINY = 1e-12


def interval(target: Contrast, draws: FloatArray, rng: np.random.Generator, *, level: float = 0.95) -> Interval:
    """Return the interval of one contrast by the method its number of clusters supports.

    No variation at all: the exact bound on how many examples of an unseen kind there may be. From 30 clusters on: BCa
    over `draws`, or percentile-t where the jackknife is not defined; for a difference of 0/1 scores in which fewer than
    20 pairs differ, the adjusted Wald interval. Below: the exact binomial for a share of 0/1 scores, else the wild
    cluster bootstrap-t, and below 6 clusters the whole range.

    Args:
        target: what to estimate.
        draws: float64 (D,), its column of `bootstrap`.
        rng: used by the wild and the percentile-t bootstrap only.
        level: coverage, in (0, 1).
    """
    sums, counts, clusters = target.sums, target.counts, target.clusters
    single = clusters == len(target.values)
    seeds = max(part.shape[0] for _, part in target.parts)
    if _constant(sums, counts):
        found, method = unseen_interval(target.estimate, clusters, target.bounds, level), "exact bound, no variation"
    elif target.b is None and single and clusters < FEW_CLUSTERS and np.isin(target.values, (0.0, 1.0)).all():
        found, method = binomial_interval(int(target.values.sum()), clusters, level), "exact binomial"
    elif clusters < LEAST_CLUSTERS:
        found, method = target.bounds, f"whole range, fewer than {LEAST_CLUSTERS} clusters"
    elif clusters < FEW_CLUSTERS:
        found, method = wild_interval(sums, counts, target.bounds, rng, level=level), "wild cluster bootstrap-t"
    elif single and _few_discordant(target):
        found = paired_interval(int((target.values > 0).sum()), int((target.values < 0).sum()), clusters, level)
        method = "adjusted Wald, few pairs differ"
    else:
        return _bootstrap_interval(target, draws, rng, level, seeds)
    low, high = _add_spread(target.estimate, found, target.seed_sd, level)
    method = f"{method}{_prior_note(target)}"
    return _clipped(Interval(target.estimate, low, high, level, method, clusters, seeds), target.bounds)


def _few_discordant(target: Contrast) -> bool:
    if target.b is None or not np.isin(target.values, (-1.0, 0.0, 1.0)).all():
        return False
    return int(np.count_nonzero(target.values)) < FEW_DISCORDANT


def _bootstrap_interval(
    target: Contrast, draws: FloatArray, rng: np.random.Generator, level: float, seeds: int
) -> Interval:
    found = bca_interval(draws, target.estimate, jackknife(target), level=_expanded(level, target.clusters))
    name = "two-level BCa bootstrap"
    if found is None:
        name = "percentile-t cluster bootstrap"
        found = percentile_t_interval(target.sums, target.counts, rng, draws=len(draws), level=level)
        found = _add_spread(target.estimate, found, target.seed_sd, level)
    method = f"{name}{_prior_note(target)}"
    return _clipped(Interval(target.estimate, *found, level, method, target.clusters, seeds), target.bounds)


def _prior_note(target: Contrast) -> str:
    return ", widened by an assumed spread between seeds" if target.prior_used else ""


def bca_interval(
    draws: FloatArray, estimate: float, jackknifes: Sequence[FloatArray], *, level: float = 0.95
) -> tuple[float, float] | None:
    """Return the bias-corrected and accelerated interval, or `None` where it is not defined.

    Source: Efron and Tibshirani 1993, chapter 14; the acceleration over several independent samples (clusters, seeds)
    follows Davison and Hinkley 1997, equation 5.29.

    Args:
        draws: float64 (D,), bootstrap draws of the estimate.
        estimate: the statistic on the full sample.
        jackknifes: per sample float64 (m,), the statistic without its i-th member.
        level: coverage, in (0, 1).
    """
    from scipy.special import ndtr, ndtri

    below = (np.mean(draws < estimate) + np.mean(draws <= estimate)) / 2
    influences = [(len(left_out) - 1) * (left_out.mean() - left_out) for left_out in jackknifes]
    spread = sum(float(np.sum(values**2)) / len(values) ** 2 for values in influences)
    if not 0.0 < below < 1.0 or spread <= 0.0:
        return None
    acceleration = sum(float(np.sum(values**3)) / len(values) ** 3 for values in influences) / (6.0 * spread**1.5)
    bias = ndtri(below)
    z = bias + ndtri(np.array([(1 - level) / 2, (1 + level) / 2]))
    if np.any(1.0 - acceleration * z <= 0.0):
        return None
    low, high = np.quantile(draws, ndtr(bias + z / (1.0 - acceleration * z)))
    return float(low), float(high)


def jackknife(target: Contrast) -> list[FloatArray]:
    """Return the estimate without each cluster, and without each training seed of each strategy with two or more."""
    kept = target.counts > 0
    sums, counts = target.sums[kept], target.counts[kept]
    n = counts.sum()
    found = [(sums.sum() - sums) / (n - counts)] if len(counts) > 1 else []
    for _, part in target.parts:
        seeds = part.shape[0]
        if seeds > 1:
            by_seed = part.sum(axis=1) / n
            found.append(target.estimate - by_seed.mean() + (by_seed.sum() - by_seed) / (seeds - 1))
    return found


def percentile_t_interval(
    sums: FloatArray, counts: FloatArray, rng: np.random.Generator, *, draws: int = 10_000, level: float = 0.95
) -> tuple[float, float]:
    """Return the studentised cluster bootstrap interval of ``sum(sums) / sum(counts)``.

    Source: Davison and Hinkley 1997, section 5.2, with the clustered standard error of each draw. A draw without
    spread counts as infinitely far out, so the interval may be infinite; it is never NaN.

    Args:
        sums: float64 (K,), score sums by cluster.
        counts: float64 (K,), examples by cluster; clusters without any are left out.
        rng: the one source of randomness.
        draws: how many.
        level: coverage, in (0, 1).
    """
    sums, counts = sums[counts > 0], counts[counts > 0]
    estimate, error = sums.sum() / counts.sum(), standard_error_of_ratio(sums, counts)
    t, n, tt, tn, nn = resampled_totals(
        np.stack([sums, counts, sums**2, sums * counts, counts**2], axis=1), draws, rng
    ).T
    means = t / n
    errors = np.sqrt(np.maximum(tt - 2 * means * tn + means**2 * nn, 0.0)) / n
    studentised = _studentised(means - estimate, errors)
    # No interpolation between order statistics: some may be infinite.
    low, high = np.quantile(studentised, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    return float(estimate - high * error), float(estimate - low * error)


def wild_interval(
    sums: FloatArray,
    counts: FloatArray,
    bounds: tuple[float, float],
    rng: np.random.Generator,
    *,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return the values that the wild cluster bootstrap-t with the null imposed does not reject.

    Source: Cameron, Gelbach and Miller 2008 (WCR, Rademacher weights), inverted by bisection between the estimate and
    the bounds. All sign patterns are used up to 14 clusters, 8,192 random ones above; opposite patterns give the same
    |t|, so only half of them are looked at.

    Args:
        sums: float64 (K,), score sums by cluster.
        counts: float64 (K,), examples by cluster; clusters without any are left out.
        bounds: the smallest and largest value possible; an end that is never rejected stays there.
        rng: used above 14 clusters only.
        level: coverage, in (0, 1).
    """
    sums, counts = sums[counts > 0], counts[counts > 0]
    estimate = float(sums.sum() / counts.sum())
    signs = _sign_patterns(len(sums), rng)
    ends = []
    for bound in bounds:
        inside, outside = estimate, bound
        if _wild_p(sums - bound * counts, counts, signs) >= 1 - level:
            ends.append(bound)
            continue
        for _ in range(30):
            middle = (inside + outside) / 2
            if _wild_p(sums - middle * counts, counts, signs) >= 1 - level:
                inside = middle
            else:
                outside = middle
        ends.append(outside)
    return ends[0], ends[1]


def _wild_p(residuals: FloatArray, counts: FloatArray, signs: FloatArray) -> float:
    shifted, cross = (signs @ np.stack([residuals, residuals * counts], axis=1)).T
    means = shifted / counts.sum()
    variance = np.sum(residuals**2) - 2 * means * cross + means**2 * np.sum(counts**2)
    t = np.abs(_studentised(shifted, np.sqrt(np.maximum(variance, 0.0))))
    return float(np.mean(t >= t[0] * (1 - 1e-12)))  # row 0 is the pattern that was observed


def _sign_patterns(clusters: int, rng: np.random.Generator) -> FloatArray:
    free = clusters - 1
    if free <= _WILD_SIGNS:
        bits = np.arange(2**free)[:, None] >> np.arange(free) & 1
    else:
        bits = rng.integers(0, 2, size=(2**_WILD_SIGNS, free))
        bits[0] = 0
    return np.hstack([np.ones((len(bits), 1)), 1.0 - 2.0 * bits])


def unseen_interval(
    estimate: float, clusters: int, bounds: tuple[float, float], level: float = 0.95
) -> tuple[float, float]:
    """Return what can be said where all K clusters agree: an unseen kind has at most a share 1 - tail^(1/K).

    With tail = (1 - level) / 2. That share, taken to score the worst and the best possible, gives the ends. For K
    answers that are all right it is the Clopper-Pearson interval.
    """
    share = 1.0 - ((1.0 - level) / 2) ** (1.0 / max(clusters, 1))
    return estimate - share * (estimate - bounds[0]), estimate + share * (bounds[1] - estimate)


def binomial_interval(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a share (Clopper and Pearson 1934)."""
    from scipy.special import betaincinv

    tail = (1.0 - level) / 2
    low = float(betaincinv(successes, n - successes + 1, tail)) if successes else 0.0
    high = float(betaincinv(successes + 1, n - successes, 1.0 - tail)) if successes < n else 1.0
    return low, high


def paired_interval(only_a: int, only_b: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return the adjusted Wald interval of a difference of paired shares (Bonett and Price 2012): one pair added each.

    Args:
        only_a: examples that only the first strategy got right.
        only_b: examples that only the second got right.
        n: all examples.
        level: coverage, in (0, 1).
    """
    from scipy.special import ndtri

    a, b = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    half = float(ndtri((1 + level) / 2)) * float(np.sqrt((a + b - (a - b) ** 2) / (n + 2)))
    return a - b - half, a - b + half


def simultaneous_intervals(
    intervals: Sequence[Interval],
    draws: FloatArray,
    clusters: Sequence[int],
    *,
    family: FloatArray | None = None,
    bounds: tuple[float, float] = (-1.0, 1.0),
) -> list[Interval]:
    """Return intervals that hold for a whole family of differences at once.

    Single-step max-T: the quantile of ``max_j |draw_j - estimate_j| / se_j`` (Romano and Wolf 2005) times each standard
    error, widened to Student's t. Never narrower than the interval it comes from; below `FEW_CLUSTERS`, where draws
    are too narrow, that interval is stretched in the ratio of the critical values. Differences without any variation
    take their exact bound at a level divided by the size of the family.

    Args:
        intervals: m intervals of one level.
        draws: float64 (D, m), joint draws of the m differences.
        clusters: per difference, its number of clusters.
        family: float64 (D, F), draws minus estimates of all differences that must hold together, the m among them.
            Wider than the m where one side of them was picked after looking; the m alone if left out.
        bounds: the smallest and largest difference possible.
    """
    from scipy.special import ndtri

    if not intervals:
        return []
    level = intervals[0].level
    centres = np.array([one.estimate for one in intervals]) if family is None else np.zeros(family.shape[1])
    family = draws if family is None else family
    size, tail = family.shape[1], (1 - level) / 2
    pointwise, critical = float(ndtri(1 - tail)), _max_t_critical(family, centres, level)
    errors = np.concatenate([some.std(axis=0) for some in _blocks(draws)])
    found = []
    for one, error, k in zip(intervals, errors, clusters, strict=True):
        ratio = critical / pointwise if error > _TINY else float(np.log(tail / size) / np.log(tail))
        low, high = (one.estimate + ratio * (end - one.estimate) for end in (one.low, one.high))
        if error > _TINY and k >= FEW_CLUSTERS:
            half = critical * float(error) * _student_factor(level, k)
            low, high = min(one.low, one.estimate - half), max(one.high, one.estimate + half)
        method = f"max-T over {size} difference{'s' if size > 1 else ''}; {one.method}"
        found.append(_clipped(replace(one, low=low, high=high, method=method), bounds))
    return found


def _max_t_critical(draws: FloatArray, centres: FloatArray, level: float) -> float:
    """Return the quantile of the largest studentised distance from `centres`, 64 differences at a time."""
    from scipy.special import ndtri

    farthest = np.zeros(len(draws))
    for some, centre in zip(_blocks(draws), _blocks(centres[None]), strict=True):
        centred = some - centre
        errors = centred.std(axis=0)
        moving = errors > _TINY
        distances = np.abs(centred[:, moving]) / errors[moving]
        np.maximum(farthest, distances.max(axis=1, initial=0.0), out=farthest)
    return max(float(ndtri((1 + level) / 2)), float(np.quantile(farthest, level)))


def _blocks(matrix: FloatArray) -> list[FloatArray]:
    """Split the columns into views of at most 64, of two or more: a sum over one alone is added in another order."""
    return np.array_split(matrix, -(-matrix.shape[1] // _BLOCK_COLUMNS), axis=1)


def _constant(sums: FloatArray, counts: FloatArray) -> bool:
    return standard_error_of_ratio(sums, counts) <= _TINY


def _studentised(shifts: FloatArray, errors: FloatArray) -> FloatArray:
    still = np.where(np.abs(shifts) <= _TINY, 0.0, np.copysign(np.inf, shifts))
    return np.divide(shifts, errors, out=still, where=errors > _TINY)


def _student_factor(level: float, clusters: int) -> float:
    from scipy.special import ndtri, stdtrit

    tail = (1 + level) / 2
    return float(stdtrit(clusters - 1, tail) / ndtri(tail) * np.sqrt(clusters / (clusters - 1)))


def _expanded(level: float, clusters: int) -> float:
    """The level at which a percentile interval is as wide as Student's t (Hesterberg 2015, section 4.3)."""
    from scipy.special import ndtr, ndtri

    return float(2 * ndtr(_student_factor(level, clusters) * ndtri((1 + level) / 2)) - 1)


def _add_spread(estimate: float, found: tuple[float, float], sd: float, level: float) -> tuple[float, float]:
    from scipy.special import ndtri

    extra = float(ndtri((1 + level) / 2)) * sd
    return estimate - float(np.hypot(estimate - found[0], extra)), estimate + float(
        np.hypot(found[1] - estimate, extra)
    )


def _clipped(one: Interval, bounds: tuple[float, float]) -> Interval:
    low, high = min(one.low, one.estimate), max(one.high, one.estimate)
    return replace(one, low=max(low, bounds[0]), high=min(high, bounds[1]))
