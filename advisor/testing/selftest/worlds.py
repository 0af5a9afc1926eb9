"""One simulated world: eval set and runs whose truth is known, built from the types the real pipeline reads."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from advisor.core.types import EvalSet, Example, FitCost, Outcome, Run, Usage
from advisor.stats.bootstrap import FloatArray
from advisor.testing.selftest.settings import Setting, Simulated

PARTS = 4
"""Parts of a graded score."""

SHARED = 0.5
"""Share of the examples on which all trainings of a strategy answer alike."""

_WAITS = np.array([0.4, 0.8, 1.2, 1.6])


@lru_cache(maxsize=32)
def evalset_of(n: int, cluster_size: int) -> EvalSet:
    """Return an eval set of `n` test examples, in clusters where their size is above 1."""
    test = tuple(
        Example(f"t{i}", f"question {i}", "yes", {"group": f"g{i // cluster_size}"} if cluster_size > 1 else {})
        for i in range(n)
    )
    return EvalSet("selftest", "Answer.", "exact_match", (Example("a", "train", "yes"),), (), test)


def simulate(setting: Setting, rng: np.random.Generator) -> tuple[Run, ...]:
    """Return the runs of one world.

    The first arm is right with probability `score`. Every other one differs from it on a share `discordance` of the
    examples, in favour of the one or the other so that its expected score is ahead by its `lead`, which for each
    training is drawn anew around the true one. An example takes its luck from its cluster with probability sqrt(icc),
    so that the differences of two examples of a cluster have correlation icc. An example takes every strategy equally
    long, but for the strategies' own means, so that equal prices are equal in every bootstrap draw.
    """
    size = (PARTS if setting.graded else 1, setting.n)
    cluster = np.arange(setting.n) // setting.cluster_size
    together = rng.random(size) < np.sqrt(setting.icc)

    def luck() -> FloatArray:
        of_cluster = rng.random((size[0], int(cluster[-1]) + 1))[:, cluster]
        return np.asarray(np.where(together, of_cluster, rng.random(size)))

    right = luck() < setting.score
    tables = [[right.mean(axis=0)]]
    for arm in setting.arms[1:]:
        common, alike = luck(), rng.random(size) < SHARED
        rows = []
        for _ in range(arm.seeds):
            lead = arm.lead + arm.seed_sd * rng.standard_normal()
            gains, losses = (setting.discordance + lead) / 2, (setting.discordance - lead) / 2
            own = np.where(alike, common, luck()) if arm.seeds > 1 else common
            rows.append(np.where(right, own >= losses / setting.score, own < gains / (1 - setting.score)).mean(axis=0))
        tables.append(rows)
    if setting.permuted:
        swapped = (rng.random(int(cluster[-1]) + 1) < 0.5)[cluster]
        first, second = tables[0][0], tables[1][0]
        tables = [[np.where(swapped, second, first)], [np.where(swapped, first, second)], *tables[2:]]
    waits = _WAITS[rng.integers(0, len(_WAITS), setting.n)]
    return tuple(
        _run(arm, seed, scores, waits)
        for arm, rows in zip(setting.arms, tables, strict=True)
        for seed, scores in enumerate(rows)
    )


def cut(run: Run, n: int) -> Run:
    """Return a run as it was when the test set had its first `n` examples."""
    return replace(run, id=f"{run.id}-{n}", outcomes=run.outcomes[:n])


def _run(arm: Simulated, seed: int, scores: FloatArray, waits: FloatArray) -> Run:
    usages = {wait: Usage(100, 0, 5, 1, arm.seconds * wait, arm.seconds * wait) for wait in _WAITS.tolist()}
    outcomes = tuple(
        Outcome(f"t{i}", "yes", score, usage=usages[wait])
        for i, (score, wait) in enumerate(zip(scores.tolist(), waits.tolist(), strict=True))
    )
    return Run(
        id=f"{arm.label}-{seed}",
        strategy=arm.label,
        params={},
        seed=seed,
        model="smollm2",
        evalset="selftest",
        evalset_fingerprint="selftest",
        metric="exact_match",
        outcomes=outcomes,
        fit_cost=FitCost(60.0, Usage(), 400, 60.0, 50_000) if arm.tuned else FitCost(),
        tuned=arm.tuned,
        kind="fine_tuning" if arm.tuned else "prompting",
        # What is measured is the statistics: the prompting strategies count as the strong baselines that are owed.
        selection={} if arm.tuned else {"budget": 1_000, "fine_tuning_calls": 0},
    )
