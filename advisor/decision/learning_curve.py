"""How a score grows with training examples, and what more would bring (docs/method.md, "Learning curves")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from advisor.core.statement import Statement, say
from advisor.core.types import Example, Interval, Run
from advisor.decision.words import sentence
from advisor.economics.amounts import mean
from advisor.economics.ledger import fit_usd, price_pair
from advisor.economics.sampling import draw
from advisor.stats.bootstrap import FloatArray, Panel
from advisor.stats.curve_fit import FAR, PRIOR_DISPERSION, Fitted, fit_curve
from advisor.stats.curve_points import CurvePoint, Points, Resampled, SizedRun, measured_errors, tabulate
from advisor.stats.summaries import mean_fit

if TYPE_CHECKING:
    from advisor.economics.inputs import Economics

EXTRAPOLATION = FAR
"""Nothing is said about more than this many times the largest size that was measured."""

CURVE_LEVEL = 0.90
DRAWS = 1000
MULTIPLES = (2.0, 4.0)
_SURE = 0.95
_SCATTER = 4.0
_METHOD = "examples resampled, curves drawn by quasi-likelihood"


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
        size: training examples, over the draws that cross within the reach of the curve; `None` where none does. Its
            estimate is their median; it starts at the smallest measured size.
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
        usd: what the new labels and one training on all of them cost; `None` where a price is not known.
        worth_usd: what the gain is worth over the horizon minus `usd`, for somebody who uses this strategy anyway;
            `None` without volume, value and `usd`.
    """

    factor: float
    labels: int
    gain: Interval
    usd: float | None
    worth_usd: Interval | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """The largest size hidden and predicted from the smaller ones: its mean over seeds, on the same test examples."""

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
        fits: the families and their weights; empty where `refused` says why nothing was fitted, and then there is
            neither band nor crossing nor `more`.
        band: the weighted fit with its 90 % band, at the measured sizes and up to `EXTRAPOLATION` times the largest.
        ceiling: the highest score that the labels allow, by the estimate of their noise; 1 where that is not known.
        crossing: against the best strategy without tuning; `None` for strategies that are not tuned.
        more: what 2 and 4 times the labels would bring.
        calibration: `None` where there are too few sizes to hide one.
        refused: why there is no fit, or why little is to be made of it; `None` where all is well.
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
    refused: Statement | None = None

    @property
    def refusal(self) -> str:
        """Why there is no fit, or why little is to be made of it, in words; empty where all is well."""
        return sentence(self.refused) if self.refused else ""


def learning_curves(
    sized: Sequence[SizedRun],
    panel: Panel,
    test: Sequence[Example],
    economics: Economics,
    rng: np.random.Generator,
    noise: Interval | None = None,
) -> tuple[LearningCurve, ...]:
    """Fit one learning curve a strategy.

    All curves and the rival see the same resampled test examples in a draw, so that differences between them are
    paired. The generator is a child of `rng`: whether curves were asked for changes no other figure.

    Args:
        sized: the runs on parts of the training examples, those on all of them included.
        panel: the scores of the comparison's rows, among them the rival's.
        test: the test split, in the order of the panel.
        economics: the user's side of the money, with the months that count as its horizon (`Ledger.horizon`).
        rng: the one source of randomness.
        noise: estimated share of wrong labels; bounds how high a curve can rise.
    """
    if not sized:
        return ()
    child = rng.spawn(1)[0]
    labels = dict.fromkeys(one.label for one in sized)
    tables = [tabulate(label, [one for one in sized if one.label == label], test) for label in labels]
    resampled = Resampled.of(tables, panel, test, DRAWS, child)
    sketches = [_sketch(table, resampled, noise, child) for table in tables]
    return tuple(_curve(sketch, sketches, resampled, economics, child) for sketch in sketches)


# --- from points to curves -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _DrawnCurve:
    """A fit, and the scores it draws, float64 (D, M), at the sizes `at` (M,); `shown` are those of the band."""

    fitted: Fitted
    shown: FloatArray
    at: FloatArray
    scores: FloatArray

    def score(self, size: float) -> FloatArray:
        """Return the draws at one of the sizes."""
        return np.asarray(self.scores[:, int(np.argmin(np.abs(self.at - size)))])


@dataclass(frozen=True, slots=True)
class _Sketch:
    """A curve so far: what was measured, and what was drawn; `None` where nothing could be fitted."""

    table: Points
    ceiling: float
    refused: Statement | None
    drawn: _DrawnCurve | None = None


def _sketch(table: Points, resampled: Resampled, noise: Interval | None, rng: np.random.Generator) -> _Sketch:
    best = max((float(np.mean([table.points[r].score for r in table.at(s)])) for s in table.sizes), default=0.0)
    ceiling = 1.0 if noise is None else max(1.0 - noise.estimate, best)
    refused = _too_little(table, resampled.clusters)
    if refused is not None:
        return _Sketch(table, ceiling, refused)
    measured = measured_errors(table)
    fitted = fit_curve(measured, floor=1.0 - ceiling)
    drawn = resampled.points[table.label]
    means = np.stack([drawn[:, table.at(size)].mean(axis=1) for size in table.sizes], axis=1)
    shifts = (1.0 - means) - measured.errors
    remark, falls = _remark(fitted, shifts, table.sizes, rng)
    if falls:
        return _Sketch(table, ceiling, remark)
    first, last = table.sizes[0], table.sizes[-1]
    special = [*table.sizes, *(last * multiple for multiple in MULTIPLES)]
    shown = np.unique(np.round([*np.geomspace(first, last * EXTRAPOLATION, 25), *special]))
    at = np.unique([*np.geomspace(first, last * EXTRAPOLATION, 121), *shown])
    return _Sketch(table, ceiling, remark, _DrawnCurve(fitted, shown, at, 1.0 - fitted.draw(at, shifts, rng)))


def _too_little(table: Points, clusters: int) -> Statement | None:
    """Return why nothing can be fitted; `None` where something can."""
    sizes, errors = table.sizes, [1.0 - point.score for point in table.points]
    if len(sizes) < 3:
        return say("curve.few_sizes", sizes=len(sizes))
    if clusters < 2:
        return say("curve.one_group")
    if max(errors) <= 0.0:
        return say("curve.all_right")
    if min(errors) >= 1.0:
        return say("curve.all_wrong")
    return None


def _remark(
    fitted: Fitted, shifts: FloatArray, sizes: Sequence[int], rng: np.random.Generator
) -> tuple[Statement | None, bool]:
    """Say what is odd about a curve, and whether it falls, so that no family fits.

    The trend is the slope of the mean errors on the logarithm of the size, weighted by their precision, over draws of
    the test examples and of the training noise. The scatter is that around the trend itself: around a family that
    cannot fall with the score it would hide a fall.
    """
    measured, weights = fitted.measured, fitted.precision
    place = np.log(measured.sizes) - np.average(np.log(measured.sizes), weights=weights)
    centred = measured.errors - np.average(measured.errors, weights=weights)
    slope = float(weights * place @ centred / (weights * place @ place))
    freedom = len(sizes) - 2 + measured.freedom + 1
    around = float(weights @ (centred - slope * place) ** 2) + measured.between + PRIOR_DISPERSION
    spread = around / rng.chisquare(freedom, len(shifts))
    noise = rng.standard_normal(shifts.shape) * np.sqrt(spread[:, None] / weights)
    slopes = (measured.errors + shifts + noise) @ (weights * place)
    first, last = (1.0 - float(measured.errors[at]) for at in (0, -1))
    path = say("curve.path", smallest=sizes[0], first=first, largest=sizes[-1], last=last)
    if float(np.mean(slopes > 0.0)) >= _SURE:
        return say("curve.falls", path=path), True
    if float(np.mean(slopes < 0.0)) < _SURE:
        return say("curve.no_rise", path=path), False
    if fitted.dispersion > _SCATTER:
        return say("curve.scatter", times=float(np.sqrt(fitted.dispersion))), False
    return None, False


def _curve(
    sketch: _Sketch,
    sketches: Sequence[_Sketch],
    resampled: Resampled,
    economics: Economics,
    rng: np.random.Generator,
) -> LearningCurve:
    table, drawn = sketch.table, sketch.drawn
    plain = LearningCurve(table.label, table.tuned, table.points, ceiling=sketch.ceiling, refused=sketch.refused)
    if drawn is None:
        return plain
    largest = table.sizes[-1]
    return replace(
        plain,
        fits=tuple(CurveFit(one.family, one.parameters, one.weight) for one in drawn.fitted.fits),
        band=tuple(BandPoint(int(size), _interval(drawn.score(size)), bool(size <= largest)) for size in drawn.shown),
        crossing=_crossing(drawn, largest, sketches, resampled) if table.tuned else None,
        more=tuple(_more(table, drawn, multiple, economics, rng) for multiple in MULTIPLES),
        calibration=_calibration(drawn.fitted, rng),
    )


def _interval(drawn: FloatArray, method: str = _METHOD) -> Interval:
    low, high = (float(end) for end in np.quantile(drawn, [(1.0 - CURVE_LEVEL) / 2, (1.0 + CURVE_LEVEL) / 2]))
    middle = float(np.mean(drawn))
    return Interval(middle, min(low, middle), max(high, middle), CURVE_LEVEL, method)


def _crossing(drawn: _DrawnCurve, largest: int, sketches: Sequence[_Sketch], resampled: Resampled) -> Crossing | None:
    """Return where the curve first rises above the best strategy without tuning, in every draw.

    The rival stands where it was measured, with all examples at hand. Beyond them it grows by its own curve, where it
    has one: it may use the new labels too.
    """
    rivals = {label: scores for label, scores in resampled.rivals.items() if np.isfinite(scores).all()}
    if not rivals:
        return None
    rival = max(rivals, key=lambda label: float(np.mean(rivals[label])))
    level = np.repeat(rivals[rival][:, None], len(drawn.at), axis=1)
    own = next((one for one in sketches if one.table.label == rival), None)
    if own is not None and own.drawn is not None and own.table.sizes[-1] == largest:
        grown, now = own.drawn, own.drawn.score(largest)[:, None]
        growth = np.stack([grown.score(size) for size in drawn.at], axis=1) - now
        level = np.clip(level + growth * (drawn.at > largest), 0.0, 1.0)
    above = drawn.scores > level
    crosses = above.any(axis=1)
    sizes = drawn.at[np.argmax(above, axis=1)][crosses]
    found = None
    if len(sizes):
        low, middle, high = (
            float(end) for end in np.quantile(sizes, [(1.0 - CURVE_LEVEL) / 2, 0.5, (1.0 + CURVE_LEVEL) / 2])
        )
        found = Interval(middle, low, high, CURVE_LEVEL, _METHOD)
    ahead = above[:, int(np.argmin(np.abs(drawn.at - largest)))]
    return Crossing(rival, found, float(np.mean(~crosses)), float(np.mean(ahead)))


def _more(
    table: Points, drawn: _DrawnCurve, multiple: float, economics: Economics, rng: np.random.Generator
) -> MoreLabels:
    largest = table.sizes[-1]
    gain = drawn.score(multiple * largest) - drawn.score(largest)
    usd = _usd(table, multiple, economics)
    volume, value = economics.requests_per_month, economics.usd_per_correct_answer
    worth = None
    if usd is not None and volume is not None and value is not None:
        answers = draw(volume, len(gain), rng) * economics.horizon_months
        worth = _interval(answers * draw(value, len(gain), rng) * gain - usd)
    return MoreLabels(multiple, round(multiple * largest), _interval(gain), usd, worth)


def _usd(table: Points, multiple: float, economics: Economics) -> float | None:
    """Return what the new labels and one more fit cost: training grows with the examples, choosing on dev does not."""
    largest = table.sizes[-1]
    runs: list[Run] = [one.run for one in table.runs if one.size == largest]
    fit = mean_fit([run.fit_cost for run in runs])
    if table.tuned:
        grown = {name: getattr(fit, name) * multiple for name in ("seconds", "training_seconds", "training_tokens")}
        fit = replace(fit, **grown)
    prices = price_pair(economics, runs[0].model)[1 if table.tuned else 0]
    training = fit_usd(fit, prices, table.tuned)
    return None if training is None else training + (multiple - 1.0) * largest * mean(economics.usd_per_label)


def _calibration(fitted: Fitted, rng: np.random.Generator) -> Calibration | None:
    """Hide the largest size, fit the others, and see whether its score lies where it was expected.

    The test examples are the same, so only the training noise is drawn, that of the hidden trainings included.
    """
    measured = fitted.measured
    if len(measured.sizes) < 4:
        return None
    shorter = fit_curve(measured.without_largest(), fitted.floor)
    still = np.zeros((DRAWS, len(measured.sizes) - 1))
    errors = shorter.draw(measured.sizes[-1:], still, rng)[:, 0]
    errors = np.clip(errors + shorter.noise(errors, float(measured.repeats[-1]), rng), 0.0, 1.0)
    predicted, score = _interval(1.0 - errors), 1.0 - float(measured.errors[-1])
    inside = bool(predicted.low <= score <= predicted.high)
    return Calibration(int(measured.sizes[-1]), predicted, score, inside)
