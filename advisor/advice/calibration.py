"""How well the model of lifts predicts a task it has not seen: leave one task out, predict it, compare.

Two rivals stand beside it, so that a reader sees whether it has any skill: the share of the other tasks' fine-tunes
that were better (the base rate), and a straight line of the lift on the better GPT score with normal residuals.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import NormalDist

import numpy as np

from advisor.advice.lift_model import fit
from advisor.advice.published import HERE, arm, published_tunes
from advisor.economics.inputs import Economics
from advisor.stats.bootstrap import FloatArray

FILE = HERE / "calibration.json"
MARGIN = Economics().margin
ARMS = ("zero_shot", "strong")
DRAWS = 2_000
KEPT, BURN_IN = 400, 100
LEVELS = (0.50, 0.90)
SEED = 0


@dataclass(frozen=True, slots=True)
class ForecastSkill:
    """The model on tasks left out, in one arm; Brier scores are of "better by more than `margin`", lower is better.

    Attributes:
        arm: ``zero_shot`` or ``strong``.
        results, tasks: how many were predicted, and over how many tasks left out in turn.
        share_better: how often the event was true.
        brier, brier_base_rate, brier_gpt_line: mean squared error of the predicted chance: ours, and the two rivals'.
        coverage_50, coverage_90: share of lifts inside the predicted intervals.
    """

    arm: str
    margin: float
    results: int
    tasks: int
    share_better: float
    brier: float
    brier_base_rate: float
    brier_gpt_line: float
    coverage_50: float
    coverage_90: float
    made: str = ""

    @property
    def has_skill(self) -> bool:
        """Whether it beats the base rate."""
        return self.brier < self.brier_base_rate


def measure(
    name: str, *, seed: int = SEED, margin: float = MARGIN, progress: Callable[[int, int], None] | None = None
) -> ForecastSkill:
    """Leave each task of an arm out in turn and predict it from the others; the base model is taken as known.

    Args:
        name: the arm.
        seed: where randomness starts.
        margin: the lead that counts as better.
        progress: told how many tasks are done, and of how many.
    """
    rng = np.random.default_rng([seed, len(name), 1])
    whole = arm(name)
    tasks = np.array(whole.tasks)
    gpt = np.array([row.best_gpt for row in published_tunes()])
    lifts, names = whole.tuned - whole.reference, list(dict.fromkeys(whole.tasks))
    chances, base, line = (np.full(len(lifts), np.nan) for _ in range(3))
    inside = np.zeros((len(lifts), len(LEVELS)), dtype=bool)
    for done, task in enumerate(names):
        seen = tasks != task
        found = fit(whole.where(seen), rng, kept=KEPT, burn_in=BURN_IN)
        base[~seen] = float(np.mean(lifts[seen] > margin))
        line[~seen] = _line(gpt[seen], lifts[seen], gpt[~seen], margin)
        for at in np.flatnonzero(~seen):
            reference = np.full(DRAWS, whole.reference[at])
            drawn = found.tuned_scores(reference, (whole.models[at],), rng) - whole.reference[at]
            chances[at] = float(np.mean(drawn > margin))
            inside[at] = [_holds(drawn, lifts[at], level) for level in LEVELS]
        if progress:
            progress(done + 1, len(names))
    better = lifts > margin
    return ForecastSkill(
        arm=name,
        margin=margin,
        results=len(lifts),
        tasks=len(names),
        share_better=float(np.mean(better)),
        brier=_brier(chances, better),
        brier_base_rate=_brier(base, better),
        brier_gpt_line=_brier(line, better),
        coverage_50=float(np.mean(inside[:, 0])),
        coverage_90=float(np.mean(inside[:, 1])),
        made=datetime.now(UTC).date().isoformat(),
    )


def _holds(drawn: FloatArray, value: float, level: float) -> bool:
    low, high = np.quantile(drawn, ((1.0 - level) / 2.0, (1.0 + level) / 2.0))
    return bool(low <= value <= high)


def _brier(chances: FloatArray, happened: np.ndarray) -> float:
    return float(np.mean((chances - happened) ** 2))


def _line(gpt: FloatArray, lifts: FloatArray, new: FloatArray, margin: float) -> list[float]:
    """Return P(lift > margin) from a least-squares line of the lift on the better GPT score."""
    slope, start = np.polyfit(gpt, lifts, 1)
    spread = NormalDist(0.0, float(np.std(lifts - (start + slope * gpt), ddof=2)))
    return [1.0 - spread.cdf(margin - float(start + slope * score)) for score in new]


def shipped() -> dict[str, ForecastSkill]:
    """Return the shipped figures by arm; ``advisor ask --calibration --json`` prints that file anew."""
    return {one["arm"]: ForecastSkill(**one) for one in json.loads(FILE.read_text(encoding="utf-8"))}
