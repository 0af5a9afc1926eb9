"""What the learning curves are fitted to: runs on parts of the training examples, lined up and resampled together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from advisor.core.types import Example, Outcomes, Run
from advisor.stats.bootstrap import FloatArray, IntArray, Panel, resampled_totals
from advisor.stats.curve_fit import Measured
from advisor.stats.summaries import clusters_of


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One measured point: a strategy trained on `size` examples with one seed, its mean score on `n` test examples.

    The seed is that of the training and of which examples are taken: those of a seed are nested.
    """

    size: int
    seed: int
    score: float
    n: int


@dataclass(frozen=True, slots=True)
class SizedRun:
    """A run on a nested part of the training examples; `label` is that of the strategy's row, `size` how many."""

    label: str
    size: int
    run: Run


@dataclass(frozen=True, slots=True)
class Points:
    """One strategy's scored runs, the smallest size first: its points, and scores float64 (P, n), NaN if missing."""

    label: str
    runs: tuple[SizedRun, ...]
    points: tuple[CurvePoint, ...]
    scores: FloatArray

    @property
    def tuned(self) -> bool:
        """Whether a model is trained for it."""
        return any(one.run.tuned for one in self.runs)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The training sizes with a score, ascending."""
        return tuple(sorted({point.size for point in self.points}))

    def at(self, size: int) -> list[int]:
        """Return the rows of one size."""
        return [row for row, point in enumerate(self.points) if point.size == size]


def tabulate(label: str, sized: Sequence[SizedRun], test: Sequence[Example]) -> Points:
    """Line the runs up with the test examples; a run twice is one, and one that broke or has no score is left out."""
    by_place = {(one.size, one.run.seed): one for one in sized}
    kept, points, rows = [], [], []
    for (size, seed), one in sorted(by_place.items(), key=lambda item: item[0]):
        outcomes = Outcomes.of(one.run.outcomes)
        scores = dict(zip(outcomes.ids, outcomes.scores, strict=True))
        row = np.array([scores.get(example.id, np.nan) for example in test], dtype=np.float64)
        if (known := int(np.isfinite(row).sum())) and not one.run.error:
            kept.append(one)
            rows.append(row)
            points.append(CurvePoint(size, seed, float(np.nanmean(row)), known))
    return Points(label, tuple(kept or sized), tuple(points), np.array(rows).reshape(len(rows), len(test)))


@dataclass(frozen=True, slots=True)
class Resampled:
    """Mean scores in every draw of the test examples: of each table float64 (D, P), of each rival float64 (D,).

    `widened` makes up for the K/(K-1) by which resampling K clusters falls short of their variance.
    """

    clusters: int
    points: Mapping[str, FloatArray]
    rivals: Mapping[str, FloatArray]

    @classmethod
    def of(
        cls, tables: Sequence[Points], panel: Panel, test: Sequence[Example], draws: int, rng: np.random.Generator
    ) -> Resampled:
        """Draw whole clusters, the same for all."""
        clusters = clusters_of(test)
        many = int(clusters.max()) + 1
        rivals = {
            label: scores.mean(axis=0)[None]
            for label, scores, tuned in zip(panel.labels, panel.scores, panel.tuned, strict=True)
            if not tuned
        }
        rows = [*(row for table in tables for row in table.scores), *(row for one in rivals.values() for row in one)]
        columns = [_by_cluster(clusters, many, np.nan_to_num(row)) for row in rows]
        columns += [_by_cluster(clusters, many, np.isfinite(row) * 1.0) for row in rows]
        totals = resampled_totals(np.array(columns).reshape(2 * len(rows), many).T, draws, rng)
        above, below = totals[:, : len(rows)], totals[:, len(rows) :]
        plain = np.array([np.nanmean(row) for row in rows])
        means = np.divide(above, below, out=np.tile(plain, (draws, 1)), where=below > 0.0)
        means = plain + (means - plain) * np.sqrt(many / max(many - 1, 1))
        ends = np.cumsum([len(table.points) for table in tables])
        points = {t.label: means[:, end - len(t.points) : end] for t, end in zip(tables, ends, strict=True)}
        first = int(ends[-1])
        return cls(many, points, {label: means[:, first + at] for at, label in enumerate(rivals)})


def _by_cluster(clusters: IntArray, many: int, values: FloatArray) -> FloatArray:
    return np.bincount(clusters, weights=values, minlength=many).astype(np.float64)


def measured_errors(table: Points) -> Measured:
    """Reduce the points to a mean error a size, and how far its seeds lie apart."""
    sizes, points = table.sizes, table.points
    rows = [[1.0 - points[row].score for row in table.at(size)] for size in sizes]
    errors = np.array([np.mean(row) for row in rows])
    n = min(point.n for point in points)
    edge = 0.5 / (n + 1)
    binomial = np.clip(errors, edge, 1.0 - edge)
    binomial = binomial * (1.0 - binomial) / n
    between = sum(float(np.sum((np.array(row) - np.mean(row)) ** 2)) / v for row, v in zip(rows, binomial, strict=True))
    repeats = np.array([float(len(row)) for row in rows])
    return Measured(np.array(sizes, dtype=np.float64), errors, repeats, n, between, int(repeats.sum()) - len(sizes))
