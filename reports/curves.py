"""The learning curves: what each report says of them, and their drawings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from advisor.core.types import Interval
from advisor.decision.comparison import Comparison
from advisor.decision.learning_curve import BandPoint, Crossing, LearningCurve, MoreLabels
from advisor.decision.request import command_line

from . import drawing, numbers
from .layout import Axis
from .safe import line, shorten
from .view import Fact, Typed

HEIGHT = 250
METHOD = (
    "How this was computed: strategies were trained on nested parts of the training examples (which ones, and the "
    "training, changed with the seed) and answered the same test examples; dev stayed whole. Three families of curves "
    "(rectified power law, arXiv 2402.02314; pow3 and exp3, Domhan et al. 2015) were drawn in proportion to their "
    "binomial quasi-likelihood, with the test examples resampled and the scatter between seeds; what stands between "
    "two figures holds in 90 of 100 draws. Nothing is said of more than 4 times the examples at hand."
)


def not_run(comparison: Comparison) -> Typed:
    """Return what to type where no learning curve was asked for."""
    words = "Not run: what more training examples would bring. It is measured with:"
    return Typed(words, command_line(comparison.evidence.request, None, "--learning-curve"))


def facts(curve: LearningCurve) -> tuple[Fact, ...]:
    """Return one curve as facts; what was not found out is not listed, and why it was not is said."""
    found = [_measured(curve)]
    if curve.refusal:
        found.append(Fact("Mind", curve.refusal))
    if curve.crossing is not None:
        found.append(_crossing(curve.crossing, curve))
    found += [_more(one) for one in curve.more]
    if curve.calibration is not None:
        hidden = curve.calibration
        verdict = "as predicted" if hidden.inside else "not as predicted: take the band for too narrow"
        expected = numbers.bounds(hidden.predicted)
        size = numbers.count(hidden.size)
        meaning = f"{expected} was predicted for {size} training examples from the smaller sizes alone"
        found.append(Fact("Put to the test", f"{numbers.score(hidden.measured)}, {verdict}", meaning))
    return tuple(found)


def _measured(curve: LearningCurve) -> Fact:
    sizes = sorted({point.size for point in curve.points})
    if not sizes:
        return Fact("Measured", "nothing")
    means = [_mean([point.score for point in curve.points if point.size == size]) for size in sizes]
    shown = [f"{numbers.score(mean)} at {numbers.count(size)}" for size, mean in zip(sizes, means, strict=True)]
    runs = f"{numbers.count(len(curve.points))} {'trainings' if curve.tuned else 'runs'}"
    return Fact("Mean score", f"{', '.join(shown)} training examples", f"over {runs}")


def _crossing(crossing: Crossing, curve: LearningCurve) -> Fact:
    rival, reach = line(crossing.rival), numbers.count(curve.band[-1].size)
    name = f"Above {rival} from"
    now, never = numbers.percent(crossing.probability_now), numbers.percent(crossing.probability_never)
    chances = f"already above: {now} of draws; not with {reach} examples either: {never}"
    if crossing.size is None:
        return Fact(name, "no size within reach", chances)
    size = numbers.between(crossing.size, numbers.about)
    return Fact(name, f"{size} training examples", f"in the draws that cross; {chances}")


def _more(more: MoreLabels) -> Fact:
    gain = numbers.between(more.gain, numbers.signed)
    cost = "what that costs is not known" if more.usd is None else f"labels and training: {numbers.usd(more.usd)}"
    if more.worth_usd is not None:
        cost += f"; worth after that, if it is what you use: {numbers.between(more.worth_usd, numbers.usd)}"
    return Fact(f"Gain from {numbers.count(more.factor)} times the examples ({numbers.count(more.labels)})", gain, cost)


def lines(comparison: Comparison) -> list[str | Typed]:
    """Return the section as lines; one that says how to get it where no curves were run."""
    if not comparison.curves:
        return [not_run(comparison)]
    found: list[str | Typed] = []
    for curve in comparison.curves:
        said = [f"{fact.name}: {fact.value}{f' ({fact.meaning})' if fact.meaning else ''}" for fact in facts(curve)]
        found += [f"{line(curve.label)} - {one}" for one in said]
    return found


def content(comparison: Comparison) -> dict[str, Any]:
    """Return what the HTML section shows."""
    from markupsafe import Markup

    drawn = [(curve, figure(curve, comparison, at)) for at, curve in enumerate(comparison.curves)]
    return {
        "curves": [
            {"label": curve.label, "facts": facts(curve), "figure": one, "svg": Markup(one.svg) if one else ""}
            for curve, one in drawn
        ],
        "curve_method": METHOD,
        "curves_not_run": not_run(comparison),
    }


# --- the drawing -----------------------------------------------------------------------------------------------------


def figure(curve: LearningCurve, comparison: Comparison, at: int) -> drawing.Figure | None:
    """Draw one curve: points, band, the rival's level, and dashed what lies beyond the measured; `None` without points.

    `at` tells its parts in the page from those of the other curves.
    """
    if not curve.points:
        return None
    rival = _rival(curve, comparison)
    reading = "Each dot is one run on a part of the training examples; the line is the fitted average, the strip its "
    reading += "90% band. Dashed: beyond what was measured."
    if rival:
        reading += f" The thin level line is {line(curve.crossing.rival) if curve.crossing else ''} as measured."
    if not curve.band:
        reading = "Each dot is one run on a part of the training examples. No curve was fitted."
    name = f"curve{at}"
    title = f"How {line(curve.label)} grows with training examples"
    svg = drawing.draw(_chart(curve, rival), name, title, reading)
    return drawing.Figure(name, title, svg, reading, "")


def _rival(curve: LearningCurve, comparison: Comparison) -> Interval | None:
    if curve.crossing is None:
        return None
    named = (s.quality for s in comparison.strategies if s.label == curve.crossing.rival)
    return next(named, None)


def _chart(curve: LearningCurve, rival: Interval | None) -> Any:
    import altair as alt

    sizes = [*(p.size for p in curve.points), *(b.size for b in curve.band)]
    scores = [*(p.score for p in curve.points), *(end for b in curve.band for end in (b.score.low, b.score.high))]
    scores += [rival.estimate] if rival else []
    x = Axis(min(sizes) / 1.15, max(sizes) * 1.15, "log")
    y = Axis.of_scores(scores)
    ticks = _ticks(sorted({point.size for point in curve.points}), sizes)
    below = alt.Axis(
        title="training examples", values=ticks, labelExpr=drawing.axis_labels(ticks, numbers.count), labelOverlap=False
    )
    xs = alt.X("size:Q", scale=x.scale(alt), axis=below)
    up = alt.Axis(title="mean score", format=".1f", values=y.ticks())
    colour = drawing.TUNED if curve.tuned else drawing.OTHER
    points = alt.Chart(alt.Data(values=[{"size": p.size, "score": p.score} for p in curve.points]))
    ys = alt.Y("score:Q", scale=y.scale(alt), axis=up)
    layers = [*_band(alt, curve, xs, y, colour)]
    layers.append(points.mark_point(filled=True, size=45, opacity=0.9, color=colour).encode(x=xs, y=ys))
    if rival is not None and curve.crossing is not None:
        layers += _level(alt, rival.estimate, line(curve.crossing.rival), y)
    return alt.layer(*layers).properties(width=drawing.WIDTH, height=HEIGHT)


def _ticks(measured: Sequence[int], sizes: Sequence[int]) -> list[float]:
    """Name the measured sizes, every other one where they are many, and the end of the reach."""
    kept = list(measured)[:: -(-len(measured) // 5)]
    return [float(size) for size in sorted({*kept, measured[-1], max(sizes)})]


def _band(alt: Any, curve: LearningCurve, xs: Any, y: Axis, colour: str) -> list[Any]:
    if not curve.band:
        return []
    last = max(point.size for point in curve.band if point.measured)
    strip = alt.Chart(alt.Data(values=[_row(point) for point in curve.band]))
    area = strip.mark_area(color=colour, opacity=0.16).encode(
        x=xs, y=alt.Y("low:Q", scale=y.scale(alt)), y2=alt.Y2("high:Q")
    )
    found = [area]
    for kept, dash in (
        ([point for point in curve.band if point.measured], [1, 0]),
        ([point for point in curve.band if point.size >= last], [5, 4]),
    ):
        path = alt.Chart(alt.Data(values=[_row(point) for point in kept]))
        drawn = path.mark_line(color=colour, strokeWidth=2.5, strokeDash=dash)
        found.append(drawn.encode(x=xs, y=alt.Y("score:Q", scale=y.scale(alt))))
    return found


def _row(point: BandPoint) -> dict[str, float]:
    return {"size": point.size, "score": point.score.estimate, "low": point.score.low, "high": point.score.high}


def _level(alt: Any, score: float, name: str, y: Axis) -> list[Any]:
    data = alt.Chart(alt.Data(values=[{"score": score, "name": shorten(name, 30)}]))
    rule = data.mark_rule(color=drawing.MUTED, strokeWidth=1.2).encode(y=alt.Y("score:Q", scale=y.scale(alt)))
    where = data.encode(y=alt.Y("score:Q", scale=y.scale(alt)), text="name:N")
    return [rule, *drawing.written(where, drawing.INK, align="right", x=drawing.WIDTH - 2, dy=-11, fontWeight=600)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
