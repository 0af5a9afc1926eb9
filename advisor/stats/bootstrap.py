"""Paired statistics: joint bootstrap draws over clusters and training seeds.

The unit is the cluster (metadata `group`, else the example). A `Contrast` is one mean or one difference of means,
reduced to its sums by cluster; `bootstrap` draws all contrasts of a comparison with the same resampled clusters and
seeds. `advisor.stats.intervals` reads the intervals off them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

SEED_SD_PRIOR = 0.01
"""Assumed standard deviation of a tuned strategy's mean score between training seeds: 1 point.

It is an assumption and not a measurement. It counts as one further observation of the spread where several seeds were
run; `Interval.method` says so wherever it was used."""

SINGLE_SEED_SD = 0.015
"""What is assumed in its place where one seed was run: 1.5 points.

One training tells nothing of its own spread, so more caution is due: with 1.5 points a wrong yes stays below 5 % even
where trainings truly differ by 2 (`advisor selftest`)."""

_CHUNK_CELLS = 2_000_000


@dataclass(frozen=True, slots=True)
class Draws:
    """Joint bootstrap draws of the strategies of one comparison: the same resampled examples for every strategy.

    Attributes:
        labels: the S strategies, in column order.
        quality: float64 (D, S), mean score in [0, 1].
        usage: per `Usage` field (`input_tokens`, `seconds`, …) float64 (D, S), mean of one request.
    """

    labels: tuple[str, ...]
    quality: FloatArray
    usage: Mapping[str, FloatArray]


@dataclass(frozen=True, slots=True)
class Panel:
    """The scores of S strategies on the same n examples.

    Attributes:
        labels: the S strategies.
        scores: per strategy float64 (R, n), one row a training seed, in [0, 1]; NaN where missing.
        tuned: per strategy, whether training made it, so that another seed would give another one.
        clusters: int (n,), the cluster of each example, 0 … K-1.
        usage: per `Usage` field float64 (n, S), mean over seeds; NaN where nothing was answered.
    """

    labels: tuple[str, ...]
    scores: tuple[FloatArray, ...]
    tuned: tuple[bool, ...]
    clusters: IntArray
    usage: Mapping[str, FloatArray] = field(default_factory=dict)

    @property
    def n_clusters(self) -> int:
        """How many clusters there are, K."""
        return int(self.clusters.max()) + 1 if self.clusters.size else 0


@dataclass(frozen=True, slots=True)
class Contrast:
    """The mean of `a`, or of `a` minus `b`, on the examples that every seed of both scored.

    Attributes:
        a, b: columns of the panel; `b` is `None` for a mean.
        parts: per strategy (column, float64 (R, K) signed sums by seed and cluster).
        counts: float64 (K,), examples by cluster.
        values: float64 (n,), the seed-averaged score or difference of each example used.
        seed_sd: standard deviation of the estimate that comes from training seeds.
        missing_sd: the share of `seed_sd` that resampling the seeds at hand cannot show.
        prior_used: `SEED_SD_PRIOR` or `SINGLE_SEED_SD` went into `seed_sd`.
    """

    a: int
    b: int | None
    parts: tuple[tuple[int, FloatArray], ...]
    counts: FloatArray
    values: FloatArray
    seed_sd: float
    missing_sd: tuple[float, ...]
    prior_used: bool

    @property
    def sums(self) -> FloatArray:
        """Seed-averaged sums by cluster, float64 (K,)."""
        return np.asarray(np.sum([part.mean(axis=0) for _, part in self.parts], axis=0), dtype=np.float64)

    @property
    def estimate(self) -> float:
        """The mean, or the difference of means."""
        return float(self.values.mean())

    @property
    def bounds(self) -> tuple[float, float]:
        """The range the estimate cannot leave."""
        return (0.0, 1.0) if self.b is None else (-1.0, 1.0)

    @property
    def clusters(self) -> int:
        """Clusters with at least one example."""
        return int(np.count_nonzero(self.counts))

    @property
    def standard_error(self) -> float:
        """Analytic: clusters (Miller 2024) and training seeds."""
        return float(np.hypot(self.cluster_error, self.seed_sd))

    @property
    def cluster_error(self) -> float:
        """Analytic, for the training seeds at hand: the clustered standard error of Miller 2024."""
        return standard_error_of_ratio(self.sums, self.counts)


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What `bootstrap` drew: float64 (D, C) of the contrasts, and float64 (D, S) by `Usage` field."""

    contrasts: FloatArray
    usage: Mapping[str, FloatArray]


def contrast(panel: Panel, a: int, b: int | None = None) -> Contrast | None:
    """Reduce strategy `a`, or `a` minus `b`, to sums by cluster; `None` where no example was scored by all."""
    columns = [a] if b is None else [a, b]
    mask = np.logical_and.reduce([np.isfinite(panel.scores[column]).all(axis=0) for column in columns])
    if not mask.any():
        return None
    values, parts, spreads = np.zeros(int(mask.sum())), [], []
    for column, sign in zip(columns, (1.0, -1.0), strict=False):
        rows = sign * panel.scores[column][:, mask]
        values += rows.mean(axis=0)
        parts.append((column, np.stack([_by_cluster(panel, mask, row) for row in rows])))
        spreads.append(seed_spread(rows.mean(axis=1), panel.tuned[column]))
    return Contrast(
        a=a,
        b=b,
        parts=tuple(parts),
        counts=_by_cluster(panel, mask, np.ones_like(values)),
        values=values,
        seed_sd=float(np.hypot.reduce([total for total, _ in spreads])),
        missing_sd=tuple(missing for _, missing in spreads),
        prior_used=any(panel.tuned[column] for column in columns),
    )


def seed_spread(seed_means: FloatArray, tuned: bool) -> tuple[float, float]:
    """Return the standard deviation that training seeds put on the mean over seeds, in two readings.

    The first is the whole of it; the second the part that resampling R seeds with replacement lacks, since that gives
    (R-1)/R of the unbiased variance, and nothing at all for one seed. For a tuned strategy `SEED_SD_PRIOR` enters as
    one further observation of the spread (a scaled inverse-chi-squared prior with one degree of freedom); with one seed
    there is nothing to add it to, and `SINGLE_SEED_SD` stands for the spread.

    Args:
        seed_means: float64 (R,), mean score by seed.
        tuned: whether the prior applies.
    """
    seeds = len(seed_means)
    between = float(np.sum((seed_means - seed_means.mean()) ** 2))
    freedom = seeds - 1 + int(tuned)
    if freedom == 0:
        return 0.0, 0.0
    if seeds == 1:
        return SINGLE_SEED_SD, SINGLE_SEED_SD
    variance = (between + int(tuned) * SEED_SD_PRIOR**2) / freedom / seeds
    return float(np.sqrt(variance)), float(np.sqrt(max(0.0, variance - between / seeds**2)))


def bootstrap(panel: Panel, contrasts: Sequence[Contrast], *, draws: int, rng: np.random.Generator) -> Bootstrap:
    """Draw all contrasts together: clusters with replacement, and within each strategy its seeds with replacement.

    Every strategy and every contrast sees the same clusters and the same seeds in a draw, so differences between
    columns are paired. Memory is flat in the number of draws: the cluster counts of a chunk meet all columns in one
    matrix product. A draw in which a contrast has no example left takes the estimate.

    Source: Davison and Hinkley 1997, section 3.8 (resampling at two levels), with clusters crossed with seeds. Departs
    from it by adding normal noise for the seed variance that resampling few seeds cannot show (`seed_spread`).

    Args:
        panel: where the contrasts come from; its `usage` is drawn along.
        contrasts: C contrasts of `panel`.
        draws: D, how many.
        rng: the one source of randomness.
    """
    columns = _Columns()
    wanted = [([[columns.add(row) for row in part] for _, part in c.parts], columns.add(c.counts)) for c in contrasts]
    usage = _usage_columns(panel, columns)
    seeds = [_seed_weights(scores.shape[0], draws, rng) for scores in panel.scores]
    noise = rng.standard_normal((draws, len(panel.labels)))
    totals = resampled_totals(columns.matrix(panel.n_clusters), draws, rng)
    drawn = np.empty((draws, len(contrasts)))
    for j, (c, (parts, count)) in enumerate(zip(contrasts, wanted, strict=True)):
        top = sum((seeds[s] * totals[:, rows]).sum(axis=1) for (s, _), rows in zip(c.parts, parts, strict=True))
        drawn[:, j] = _ratio(np.asarray(top), totals[:, count], c.estimate)
        for (s, _), missing, sign in zip(c.parts, c.missing_sd, (1.0, -1.0), strict=False):
            drawn[:, j] += sign * missing * noise[:, s]
    return Bootstrap(drawn, {name: _usage_draws(totals, pairs) for name, pairs in usage.items()})


@dataclass(frozen=True, slots=True)
class Unseen:
    """What the sample may not have shown: a share of examples of another kind, and how each strategy does on those.

    Resampling can only repeat what was drawn: of one example, or of five that agree, it is certain. The Dirichlet
    process posterior (Ferguson 1973) with concentration 1, of which the bootstrap is the limit at 0, gives unseen
    clusters a share Beta(1, K). Each strategy gets them all right or all wrong, with even odds. At 300 clusters this
    moves a draw by a third of a point; at 3 nobody can be sure of anything.

    Attributes:
        share: float64 (D, 1).
        scores: float64 (D, S), 0 or 1.
    """

    share: FloatArray
    scores: FloatArray

    @classmethod
    def draw(cls, clusters: int, draws: int, strategies: int, rng: np.random.Generator) -> Unseen:
        """Draw D shares for a sample of K clusters, and the scores of S strategies."""
        scores = rng.integers(0, 2, size=(draws, strategies)).astype(np.float64)
        return cls(rng.beta(1.0, clusters, size=(draws, 1)), scores)

    def of_means(self, drawn: FloatArray) -> FloatArray:
        """Mix it into draws of all S means, float64 (D, S)."""
        return np.asarray((1.0 - self.share) * drawn + self.share * self.scores)

    def of_difference(self, drawn: FloatArray, a: int, b: int) -> FloatArray:
        """Mix it into draws of strategy `a` minus strategy `b`, float64 (D,)."""
        share = self.share[:, 0]
        return np.asarray((1.0 - share) * drawn + share * (self.scores[:, a] - self.scores[:, b]))


class _Columns:
    """Vectors by cluster, each kept once however many contrasts need it."""

    def __init__(self) -> None:
        self._index: dict[bytes, int] = {}

    def add(self, vector: FloatArray) -> int:
        return self._index.setdefault(np.ascontiguousarray(vector, dtype=np.float64).tobytes(), len(self._index))

    def matrix(self, clusters: int) -> FloatArray:
        columns = [np.frombuffer(vector, dtype=np.float64) for vector in self._index]
        return np.stack(columns, axis=1) if columns else np.empty((clusters, 0))


def _by_cluster(panel: Panel, mask: NDArray[np.bool_], values: FloatArray) -> FloatArray:
    return np.bincount(panel.clusters[mask], weights=values, minlength=panel.n_clusters).astype(np.float64)


def _usage_columns(panel: Panel, columns: _Columns) -> dict[str, list[tuple[int, int]]]:
    found: dict[str, list[tuple[int, int]]] = {}
    for name, values in panel.usage.items():
        masks = np.isfinite(values)
        found[name] = [
            (
                columns.add(_by_cluster(panel, mask, column[mask])),
                columns.add(_by_cluster(panel, mask, mask[mask] * 1.0)),
            )
            for column, mask in zip(values.T, masks.T, strict=True)
        ]
    return found


def _usage_draws(totals: FloatArray, pairs: Sequence[tuple[int, int]]) -> FloatArray:
    drawn = [_ratio(totals[:, top], totals[:, below], _mean_ratio(totals, top, below)) for top, below in pairs]
    return np.stack(drawn, axis=1) if drawn else np.empty((len(totals), 0))


def _mean_ratio(totals: FloatArray, top: int, below: int) -> float:
    count = float(totals[:, below].sum())
    return float(totals[:, top].sum()) / count if count else 0.0


def _ratio(top: FloatArray, below: FloatArray, otherwise: float) -> FloatArray:
    return np.asarray(np.divide(top, below, out=np.full(len(below), otherwise), where=below > 0))


def _seed_weights(seeds: int, draws: int, rng: np.random.Generator) -> FloatArray:
    return np.asarray(rng.multinomial(seeds, np.full(seeds, 1.0 / seeds), size=draws) / seeds)


def resampled_totals(matrix: FloatArray, draws: int, rng: np.random.Generator) -> FloatArray:
    """Return the column sums of `matrix` (K, C) over its rows resampled with replacement: float64 (draws, C)."""
    totals = np.empty((draws, matrix.shape[1]))
    for start, counts in _cluster_counts(matrix.shape[0], draws, rng):
        totals[start : start + len(counts)] = counts @ matrix
    return totals


def _cluster_counts(clusters: int, draws: int, rng: np.random.Generator) -> Iterator[tuple[int, FloatArray]]:
    """Yield (first draw, float64 (rows, K)): how often each cluster is in a draw.

    Counting K uniform picks is the multinomial, and several times faster than drawing it as K binomials.
    """
    rows = max(1, _CHUNK_CELLS // max(clusters, 1))
    for start in range(0, draws, rows):
        size = min(rows, draws - start)
        picks = rng.integers(0, clusters, size=(size, clusters)) + np.arange(size)[:, None] * clusters
        counts = np.bincount(picks.ravel(), minlength=size * clusters)
        yield start, counts.reshape(size, clusters).astype(np.float64)


def standard_error_of_ratio(sums: FloatArray, counts: FloatArray) -> float:
    """Return the clustered standard error of ``sum(sums) / sum(counts)``, both float64 (K,) by cluster.

    Source: Miller 2024 (arXiv 2411.00640), equation 4: the residuals are summed by cluster before they are squared.
    """
    n = counts.sum()
    return float(np.sqrt(np.sum((sums - counts * (sums.sum() / n)) ** 2)) / n)
