"""How a strategy's score grows with training examples, and what more of them would bring (decision.md, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from advisor.stats import Draws, Interval, Panel
from advisor.types import Run

if TYPE_CHECKING:
    from advisor.costs import Economics

EXTRAPOLATION = 4.0
"""Nothing is said about more than this many times the largest size that was measured."""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One measured point: a strategy trained on `size` examples with one seed, its mean score on `n` test examples."""

    size: int
    seed: int
    score: float
    n: int


@dataclass(frozen=True, slots=True)
class BandPoint:
    """The fitted score at one training size; `measured` is False where it is an extrapolation."""

    size: int
    score: Interval
    measured: bool


@dataclass(frozen=True, slots=True)
class CurveFit:
    """One family's fit: its parameters, and the weight it has in the band (all weights sum to 1)."""

    family: str
    parameters: tuple[tuple[str, float], ...]
    weight: float


@dataclass(frozen=True, slots=True)
class Crossing:
    """From how many training examples on the curve is above `rival`, the best strategy without tuning.

    Attributes:
        rival: its label.
        size: training examples, over the draws that cross within the reach of the curve; `None` where none does.
        probability_never: share of draws that do not cross within the reach.
        probability_now: share of draws in which it is above already at the largest measured size.
    """

    rival: str
    size: Interval | None
    probability_never: float
    probability_now: float


@dataclass(frozen=True, slots=True)
class MoreLabels:
    """What `factor` times the labels at hand would bring.

    Attributes:
        factor: 2 or 4.
        labels: training examples then.
        gain: expected gain in score over the largest measured size, with its interval.
        usd: what the new labels and the training cost; `None` where the price of a label is not known.
        worth_usd: what the gain is worth over the horizon minus `usd`; `None` without volume and value.
    """

    factor: float
    labels: int
    gain: Interval
    usd: float | None
    worth_usd: Interval | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """The largest size hidden and predicted from the smaller ones."""

    size: int
    predicted: Interval
    measured: float
    inside: bool


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """The learning curve of one strategy.

    Attributes:
        label: the strategy.
        tuned: a model is trained for it.
        points: what was measured, by size and seed.
        fits: the families and their weights; empty where `refusal` says why nothing was fitted.
        band: the weighted fit with its 90 % band, at the measured sizes and up to `EXTRAPOLATION` times the largest.
        ceiling: the highest score that the labels allow, by the estimate of their noise; 1 where that is not known.
        crossing: against the best strategy without tuning; `None` for strategies that are not tuned.
        more: what 2 and 4 times the labels would bring.
        calibration: `None` where there are too few sizes to hide one.
        refusal: why there is no fit, or why its extrapolation is not shown; empty where all is well.
    """

    label: str
    tuned: bool
    points: tuple[CurvePoint, ...]
    fits: tuple[CurveFit, ...] = ()
    band: tuple[BandPoint, ...] = ()
    ceiling: float = 1.0
    crossing: Crossing | None = None
    more: tuple[MoreLabels, ...] = ()
    calibration: Calibration | None = None
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class SizedRun:
    """A run on a nested part of the training examples; `label` is that of the strategy's row, `size` how many."""

    label: str
    size: int
    run: Run


def learning_curves(
    sized: Sequence[SizedRun], panel: Panel, draws: Draws, economics: Economics, rng: np.random.Generator
) -> tuple[LearningCurve, ...]:
    """Fit one learning curve a strategy."""
    return ()
