"""Runs whose scores follow a planted learning curve: the same test examples at every size, training noise on top."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from advisor.core.types import Example, FitCost, Outcome, Run
from advisor.stats.bootstrap import Panel
from advisor.stats.curve_points import SizedRun

SIZES = (19, 38, 75, 150, 300)
Error = Callable[[float], float]


def pow3(size: float, drop: float = 0.5, rate: float = 0.6, end: float = 0.1) -> float:
    return float(end + drop * (size / 19) ** -rate)


def flat(size: float) -> float:
    return 0.4


def worse(size: float) -> float:
    return float(0.2 + 0.3 * np.log(size / 19) / np.log(300 / 19))


@dataclass(frozen=True)
class Planted:
    """Test examples of lasting difficulty, and whatever is run on them."""

    difficulty: np.ndarray
    test: tuple[Example, ...]
    rng: np.random.Generator
    shared: float

    @classmethod
    def of(cls, n: int, seed: int, *, shared: float = 0.7, groups: int | None = None) -> Planted:
        rng = np.random.default_rng(seed)
        test = tuple(
            Example(f"t{at}", f"question {at}", "x", {"group": f"g{at % groups}"} if groups else {}) for at in range(n)
        )
        return cls(rng.standard_normal(n), test, rng, shared)

    def scores(self, error: float, noise: float = 0.0) -> np.ndarray:
        """Score one training: right where ability is above a difficulty that is in part the example's own."""
        level = np.clip(error + noise * self.rng.standard_normal(), 0.0, 1.0)
        own = self.rng.standard_normal(len(self.test))
        felt = np.sqrt(self.shared) * self.difficulty + np.sqrt(1 - self.shared) * own
        return np.asarray(felt >= norm.ppf(level), dtype=float)

    def run(self, label: str, size: int, seed: int, scores: Sequence[float] | np.ndarray, *, tuned: bool = True) -> Run:
        outcomes = tuple(
            Outcome(example.id, "x", None if np.isnan(score) else float(score))
            for example, score in zip(self.test, scores, strict=True)
        )
        cost = FitCost(seconds=size * 0.1, examples=size, training_seconds=size * 0.1 * tuned)
        return Run(
            f"{label}-{size}-{seed}", label, {}, seed, "smollm2", "planted", "f", "exact_match", outcomes, cost, tuned
        )

    def sized(
        self, label: str, error: Error, *, seeds: int = 3, noise: float = 0.01, sizes: Sequence[int] = SIZES,
        tuned: bool = True,
    ) -> list[SizedRun]:  # fmt: skip
        return [
            SizedRun(label, size, self.run(label, size, seed, self.scores(error(size), noise), tuned=tuned))
            for size in sizes
            for seed in range(seeds)
        ]

    def panel(self, **rivals: float) -> Panel:
        """Return strategies without tuning, each with its error."""
        scores = tuple(self.scores(error)[None] for error in rivals.values())
        clusters = np.arange(len(self.test), dtype=np.intp)
        return Panel(tuple(rivals), scores, (False,) * len(rivals), clusters)
