"""Differences that the guards need: paired by item, over clusters and seeds, by the statistics of the comparison.

A guard must be recomputable from the evidence alone, so the resampling starts from a fixed seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from advisor.core.types import Interval
from advisor.decision.evidence import Evidence
from advisor.decision.findings import Probe
from advisor.stats.bootstrap import Contrast, FloatArray, Panel, bootstrap, contrast
from advisor.stats.intervals import interval

DRAWS = 4_000
Scores = Mapping[str, float]
"""By item id, a score or another figure in [0, 1]."""


def scores_of(probe: Probe) -> Scores:
    """Return the scores of a probe, without what failed or is undefined."""
    return {one.example_id: one.score for one in probe.outcomes if one.score is not None}


def run_scores(evidence: Evidence, label: str) -> list[Scores]:
    """Return a strategy's scores in the runs themselves, one mapping a seed."""
    if evidence.panel is None or label not in evidence.panel.labels:
        return []
    rows = evidence.panel.scores[evidence.panel.labels.index(label)]
    return [
        {name: float(value) for name, value in zip(evidence.test_ids, row, strict=True) if np.isfinite(value)}
        for row in rows
    ]


def groups_of(evidence: Evidence) -> Mapping[str, str]:
    """Return the cluster of every test example."""
    if evidence.panel is None:
        return {}
    return {name: str(at) for name, at in zip(evidence.test_ids, evidence.panel.clusters, strict=True)}


def difference(
    ours: Sequence[Scores], theirs: Sequence[Scores], groups: Mapping[str, str], *, tuned: bool = False
) -> tuple[Interval, Contrast] | None:
    """Return the mean of `ours` minus that of `theirs` with its 95 % interval; `None` without a common item.

    Two-level bootstrap over clusters and seeds, see `advisor.stats.intervals.interval`.

    Args:
        ours: one mapping a seed; items that all of both have are compared.
        theirs: the same.
        groups: item id to its cluster; an item that is not there is its own.
        tuned: whether `ours` depends on a training seed, so the assumed spread between seeds applies.
    """
    if not ours or not theirs:
        return None
    common = sorted(set.intersection(*(set(each) for each in (*ours, *theirs))))
    if not common:
        return None
    numbers: dict[str, int] = {}
    clusters = [numbers.setdefault(groups.get(name, name), len(numbers)) for name in common]
    panel = Panel(
        labels=("ours", "theirs"),
        scores=(_rows(ours, common), _rows(theirs, common)),
        tuned=(tuned, False),
        clusters=np.array(clusters, dtype=np.intp),
    )
    found = contrast(panel, 0, 1)
    if found is None:
        return None
    rng = np.random.default_rng(0)
    drawn = bootstrap(panel, [found], draws=DRAWS, rng=rng).contrasts[:, 0]
    return interval(found, drawn, rng), found


def _rows(seeds: Sequence[Scores], names: Sequence[str]) -> FloatArray:
    return np.array([[each[name] for name in names] for each in seeds], dtype=np.float64)
