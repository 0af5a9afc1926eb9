"""The figures of a comparison: scores with their intervals, quality against cost, the break-even volume."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from advisor.core.types import Interval
from advisor.decision.comparison import Comparison
from advisor.economics.amounts import Amount, Range
from advisor.economics.break_even import BreakEven
from advisor.stats.summaries import StrategySummary

from . import numbers
from .drawing import (
    BAND,
    INK,
    MUTED,
    ROW,
    WIDTH,
    Figure,
    axis_labels,
    by_tuning,
    figure_of,
    shape,
    written,
)
from .layout import Axis, place
from .safe import line, shorten


def figures(comparison: Comparison) -> tuple[Figure, ...]:
    """Return the figures that the comparison's data allows, in reading order."""
    drawn = (quality(comparison), lead(comparison), quality_cost(comparison), break_even(comparison))
    return tuple(figure for figure in drawn if figure is not None)


# --- scores with their intervals --------------------------------------------------------------------------------------


def quality(comparison: Comparison) -> Figure | None:
    """Draw the mean score of every strategy with its interval, best first; `None` if nothing could be scored."""
    from . import view

    scored = sorted((s for s in comparison.strategies if s.quality), key=lambda s: -_estimate(s))
    if not scored:
        return None
    rows = [_interval_row(s.label, s.quality, s.tuned, numbers.interval(s.quality)) for s in scored if s.quality]
    chart = _intervals(rows, "mean score (1 is perfect)", Axis(0.0, 1.0))
    best = f"Best on average: {scored[0].label} with {numbers.interval(scored[0].quality)}."
    return figure_of(
        "quality",
        "How good each strategy is",
        chart,
        "The mark is the average score, the bar where the true average plausibly lies: bars that overlap widely are "
        f"no proof of a difference. Diamonds are tuned strategies. {best}",
        f"{comparison.metric}, averaged over the test examples and, where tuning was repeated, over its seeds; "
        f"intervals hold the true value in {view.level(comparison)} cases ({view.methods(comparison)}).",
    )


def lead(comparison: Comparison) -> Figure | None:
    """Draw the paired difference of each other strategy minus the pivot; `None` without differences."""
    pairs = sorted((d for d in comparison.differences if d.a == comparison.pivot), key=lambda d: d.interval.estimate)
    if not pairs:
        return None
    tuned = {s.label: s.tuned for s in comparison.strategies}
    rows = []
    for pair in pairs:
        shown = Interval(pair.interval.estimate, pair.simultaneous.low, pair.simultaneous.high).turned()
        text = f"{numbers.interval(shown, numbers.signed)} {'clear' if pair.real else 'could be chance'}"
        rows.append(_interval_row(pair.b, shown, tuned.get(pair.b, False), text))
    margin = comparison.economics.margin
    low, high = min(-margin, *(row["low"] for row in rows)), max(margin, *(row["high"] for row in rows))
    room = max((high - low) * 0.06, 0.01)
    title = f"lead over {shorten(line(comparison.pivot), 34)} in score"
    chart = _intervals(rows, title, Axis(max(low - room, -1.0), min(high + room, 1.0)), margin)
    return figure_of(
        "lead",
        f"How far the others are ahead of {line(comparison.pivot)}, or behind",
        chart,
        f"Right of the line at 0 a strategy is better than {line(comparison.pivot)}, left of it worse. A bar "
        "that crosses 0 could be chance. The shaded strip is the "
        f"{numbers.score(margin)} you said is too little to matter.",
        "both strategies answered the same examples, so each is compared with itself; the intervals are widened "
        f"so that all of them hold at once. Tests used: {', '.join(sorted({p.test for p in pairs}))}.",
    )


def _estimate(summary: StrategySummary) -> float:
    return summary.quality.estimate if summary.quality else -math.inf


def _interval_row(label: str, interval: Interval, tuned: bool, text: str) -> dict[str, Any]:
    mean = interval.estimate
    low = interval.low if math.isfinite(interval.low) else mean
    high = interval.high if math.isfinite(interval.high) else mean
    name = shorten(line(label), 54 - len(text))
    return {"row": "", "name": name, "mean": mean, "low": low, "high": high, "tuned": tuned, "text": text}


def _intervals(rows: list[dict[str, Any]], title: str, x: Axis, margin: float | None = None) -> Any:
    """One row a strategy: its name and figures above, its interval below; names never fight with an axis."""
    import altair as alt

    for number, row in enumerate(rows):
        row["row"] = f"{number:04}"
    scale, form = x.scale(alt), numbers.score if margin is None else numbers.signed
    base = alt.Chart(alt.Data(values=rows)).encode(y=alt.Y("row:N", axis=None))
    axis = alt.Axis(title=title, values=x.ticks(), labelExpr=axis_labels(x.ticks(), form))
    span = base.encode(x=alt.X("low:Q", scale=scale, axis=axis), x2="high:Q", color=by_tuning(alt))
    layers = [
        span.mark_rule(strokeWidth=3, yOffset=9, strokeCap="round", opacity=0.55),
        base.encode(x=alt.X("mean:Q", scale=scale), color=by_tuning(alt), shape=shape(alt)).mark_point(
            filled=True, size=85, opacity=1, yOffset=9
        ),
        *written(base.encode(text="name:N"), INK, align="left", x=0, yOffset=-7, fontWeight=600),
        *written(base.encode(text="text:N"), MUTED, align="right", x=WIDTH, yOffset=-7),
    ]
    if margin is not None:
        zero = alt.Chart(alt.Data(values=[{"from": -margin, "to": margin, "zero": 0}]))
        strip = zero.mark_rect(color=BAND).encode(x=alt.X("from:Q", scale=scale, axis=axis), x2="to:Q")
        layers = [strip, zero.mark_rule(color=INK).encode(x=alt.X("zero:Q", scale=scale)), *layers]
    return alt.layer(*layers).properties(width=WIDTH, height=ROW * len(rows))


# --- quality against cost ---------------------------------------------------------------------------------------------


def quality_cost(comparison: Comparison) -> Figure | None:
    """Draw mean score against the price of 1,000 requests; `None` unless two strategies have both."""
    prices = {m.label: m.usd_per_1000_requests for m in comparison.money.strategies}
    points = [_point(s, prices.get(s.label), comparison) for s in comparison.strategies]
    known = [point for point in points if point]
    if len(known) < 2:
        return None
    unpriced = [line(s.label) for s, point in zip(comparison.strategies, points, strict=True) if not point]
    chart, unnamed = _scatter(known)
    missing = f" Not drawn, because a price or a score is unknown: {', '.join(unpriced)}." if unpriced else ""
    crowded = f" Too crowded to be named in the drawing: {', '.join(unnamed)}." if unnamed else ""
    return figure_of(
        "cost",
        "What quality costs",
        chart,
        "Up is better, left is cheaper. Along the thin line are the best buys: nothing else is both better and cheaper."
        + crowded
        + missing,
        "measured tokens and seconds of one request times their price, times 1,000; one-off costs are not in it. Faint "
        "bars are the intervals of both.",
    )


def _point(s: StrategySummary, cost: Interval | None, comparison: Comparison) -> dict[str, Any] | None:
    if s.quality is None or cost is None or not math.isfinite(cost.estimate):
        return None
    row = _interval_row(s.label, s.quality, s.tuned, "")
    first, last = (end if math.isfinite(end) else cost.estimate for end in (cost.low, cost.high))
    best = s.label in comparison.money.pareto
    rank = (s.label != comparison.pivot, s.label != comparison.verdict.recommended, not best)
    return {**row, "name": shorten(line(s.label), 30), "cost": cost.estimate, "from": first, "to": last} | {
        "best": best,
        "rank": list(rank),
    }


def _scatter(points: list[dict[str, Any]]) -> tuple[Any, list[str]]:
    import altair as alt

    height = 290
    x = Axis.of_costs([p[end] for p in points for end in ("cost", "to")])
    y = Axis.of_scores([p[end] for p in points for end in ("low", "high")])
    points.sort(key=lambda point: point["rank"])
    at = [(x.pixel(p["cost"], WIDTH), height - y.pixel(p["mean"], height)) for p in points]
    boxes = place(at, [p["name"] for p in points], (WIDTH, height))
    named = [{"name": p["name"], "at": b.x, "up": b.y} for p, b in zip(points, boxes, strict=True) if b]
    money = alt.Axis(title="USD for 1,000 requests", values=x.ticks(), labelExpr=axis_labels(x.ticks()))
    xs = alt.X("cost:Q", scale=x.scale(alt), axis=money)
    ys = alt.Y("mean:Q", scale=y.scale(alt), axis=alt.Axis(title="mean score", format=".1f", values=y.ticks()))
    base = alt.Chart(alt.Data(values=points)).encode(x=xs, y=ys, color=by_tuning(alt))
    bars = {"opacity": 0.3, "strokeWidth": 1.5}
    best = alt.Chart(alt.Data(values=sorted((p for p in points if p["best"]), key=lambda p: float(p["cost"]))))
    layers = [
        best.mark_line(color=MUTED, strokeWidth=1, strokeDash=[3, 3]).encode(x=xs, y=ys),
        base.mark_rule(**bars).encode(y=alt.Y("low:Q", scale=y.scale(alt)), y2="high:Q"),
        base.mark_rule(**bars).encode(x=alt.X("from:Q", scale=x.scale(alt)), x2="to:Q"),
        base.mark_point(filled=True, size=85, opacity=1).encode(shape=shape(alt)),
    ]
    spots = {"x": alt.X("at:Q", scale=None, axis=None), "y": alt.Y("up:Q", scale=None, axis=None)}
    texts = alt.Chart(alt.Data(values=named)).encode(text="name:N", **spots)
    layers += written(texts, INK, align="left", baseline="middle")
    chart = alt.layer(*layers).properties(width=WIDTH, height=height)
    return chart, [p["name"] for p, b in zip(points, boxes, strict=True) if b is None]


# --- the volume at which tuning pays ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Side:
    """One strategy's money: USD a request, once, a month; and its mean score."""

    label: str
    request: float
    once: float
    month: float
    quality: float

    def total(self, volume: float, horizon: float, value: float) -> float:
        """Return value minus cost over the horizon, at `volume` requests a month."""
        return volume * horizon * (value * self.quality - self.request) - self.month * horizon - self.once


def break_even(comparison: Comparison) -> Figure | None:
    """Draw the gain from tuning (or both costs, where the value of an answer is unknown) against the volume.

    `None` where a price is unknown, where no volume is known to draw up to, or where models are trained anew during the
    horizon, since what that costs is not part of a comparison.
    """
    money = comparison.money
    sides = _sides(comparison, money.break_even) if money.break_even else None
    volumes = [v for v in (_middle(comparison.economics.requests_per_month), _crossing(money.break_even)) if v]
    if sides is None or not volumes or comparison.economics.retrains_per_year:
        return None
    value = _middle(comparison.economics.usd_per_correct_answer)
    chart = _lines(sides, 2 * max(volumes), comparison, value)
    tuned, other = sides
    horizon = numbers.months(money.months)
    if value is None:
        title = "Total cost by volume"
        reading = f"Where the lines cross, {tuned.label} and {other.label} cost the same."
    else:
        title = "From which volume tuning pays"
        reading = f"Above the line at 0, {tuned.label} brings more than {other.label} over {horizon}; below it, less."
    return figure_of(
        "volume",
        title,
        chart,
        reading + _marks_in_words(comparison),
        f"volume × months × ({'value of the correct answers minus ' if value is not None else ''}cost of a request) "
        f"and one-off and hosting costs, over {horizon}, at the middle of every range.",
    )


def _sides(comparison: Comparison, point: BreakEven) -> tuple[_Side, _Side] | None:
    money = {m.label: m for m in comparison.money.strategies}
    summaries = {s.label: s for s in comparison.strategies}
    found = []
    for label in (point.tuned, point.alternative):
        side, summary = money.get(label), summaries.get(label)
        if side is None or summary is None or summary.quality is None:
            return None
        if side.usd_per_1000_requests is None or side.one_off_usd is None:
            return None
        request = side.usd_per_1000_requests.estimate / 1000
        score = summary.quality.estimate
        found.append(_Side(line(label), request, side.one_off_usd, side.hosting_usd_per_month, score))
    return found[0], found[1]


def _middle(amount: Amount | None) -> float | None:
    if isinstance(amount, Range):
        return math.sqrt(amount.low * amount.high)  # the median of the log-normal it is drawn from
    return amount


def _crossing(point: BreakEven | None) -> float | None:
    volume = point.volume if point else None
    return volume.estimate if volume and math.isfinite(volume.estimate) else None


def _marks_in_words(comparison: Comparison) -> str:
    money = comparison.money
    words = ""
    if money.break_even and money.break_even.volume:
        words += f" The strip is the break-even volume: {numbers.between(money.break_even.volume, numbers.about)}."
    volume = _middle(comparison.economics.requests_per_month)
    return words + (f" The dashed line is your volume, {numbers.about(volume)} a month." if volume else "")


def _lines(sides: tuple[_Side, _Side], most: float, comparison: Comparison, value: float | None) -> Any:
    import altair as alt

    horizon, height = comparison.money.months, 250
    tuned, other = sides
    curves: list[dict[str, Any]] = []
    for volume in (0.0, most):
        a, b = (side.total(volume, horizon, value or 0.0) for side in sides)
        if value is None:
            curves += [{"v": volume, "usd": -a, "who": tuned.label, "tuned": True}]
            curves += [{"v": volume, "usd": -b, "who": other.label, "tuned": False}]
        else:
            curves += [{"v": volume, "usd": a - b, "who": "gain", "tuned": True}]
    low, high = min(0.0, *(c["usd"] for c in curves)), max(0.0, *(c["usd"] for c in curves))
    room = (high - low) * 0.08 or 1.0
    x, y = Axis(0.0, most), Axis(low - room if low < 0 else 0.0, high + room)
    xs = alt.Axis(title="requests a month", values=x.ticks(), labelExpr=axis_labels(x.ticks(), numbers.about))
    what = "cost" if value is None else "gain from tuning"
    ys = alt.Axis(
        title=f"{what}, USD over {numbers.months(horizon)}", values=y.ticks(), labelExpr=axis_labels(y.ticks())
    )
    enc = {"x": alt.X("v:Q", scale=x.scale(alt), axis=xs), "y": alt.Y("usd:Q", scale=y.scale(alt), axis=ys)}
    line_layer = alt.Chart(alt.Data(values=curves)).mark_line(strokeWidth=2.5)
    layers = [
        *_volume_marks(alt, comparison, x),
        alt.Chart(alt.Data(values=[{"usd": 0}])).mark_rule(color=INK).encode(y=alt.Y("usd:Q", scale=y.scale(alt))),
        line_layer.encode(**enc, color=by_tuning(alt), detail="who:N", strokeDash=_dash(alt)),
    ]
    if value is None:
        layers += _line_names(alt, curves, enc)
    return alt.layer(*layers).properties(width=WIDTH, height=height)


def _dash(alt: Any) -> Any:
    return alt.condition("datum.tuned", alt.value([1, 0]), alt.value([6, 3]))


def _line_names(alt: Any, curves: list[dict[str, Any]], enc: dict[str, Any]) -> list[Any]:
    ends = sorted(curves[-2:], key=lambda c: float(c["usd"]))
    found = []
    for end, shift in zip(ends, (16, -12), strict=True):
        named = alt.Chart(alt.Data(values=[{**end, "who": shorten(end["who"], 30)}])).encode(**enc, text="who:N")
        found += written(named, INK, align="right", fontWeight=600, dx=-4, dy=shift)
    return found


def _volume_marks(alt: Any, comparison: Comparison, x: Axis) -> list[Any]:
    marks = []
    point, stated = comparison.money.break_even, _middle(comparison.economics.requests_per_month)
    if point and point.volume:
        ends = {"from": max(point.volume.low, 0.0), "to": min(point.volume.high, x.high)}
        strip = alt.Chart(alt.Data(values=[ends])).mark_rect(color=BAND)
        marks.append(strip.encode(x=alt.X("from:Q", scale=x.scale(alt)), x2="to:Q"))
    if stated:
        rule = alt.Chart(alt.Data(values=[{"v": stated}])).mark_rule(color=MUTED, strokeDash=[4, 3])
        marks.append(rule.encode(x=alt.X("v:Q", scale=x.scale(alt))))
    return marks
