"""What would turn the answer round, and the inputs of the decision by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from advisor._util import formats
from advisor.core.types import Interval

INPUTS: Mapping[str, str] = {
    "value": "Value of a correct answer",
    "volume": "Volume",
    "horizon": "Horizon",
    "one_off": "One-off cost of tuning",
    "price": "Price of requests and training",
    "lead": "Quality",
    "labels": "Price of a label",
    "engineering": "Engineering",
    "retraining": "Retraining",
    "margin": "Margin",
    "margin_needless": "Margin",
    "margin_as_good": "Margin",
    "value_allowed": "Value of a correct answer",
}
"""What each input of `advisor.decision.evidence.Flip` is called."""


def amount(name: str, unit: str, value: float | None, *, brief: bool = False) -> str:
    """Return a value of an input with its unit, one of `FlipUnit`; `brief` as a drawing needs it."""
    forms: dict[str, Callable[[float | None], str]] = {
        "usd": formats.usd,
        "months": formats.months,
        "points": formats.points,
        "times": lambda factor: f"{formats.times(factor)}{'' if brief else ' what it is now'}",
        "hours": lambda hours: f"{formats.number(hours)} hours",
    }
    if value is None:
        return "not given"
    if name == "volume":
        return f"{formats.count(value)}{'' if brief else ' requests'} a month"
    if name == "retraining":
        return f"{formats.number(value)} times a year"
    return forms[unit](value)


def _yours(ends: tuple[float, ...], form: Callable[[float | None], str]) -> str:
    """`ends`: the amount that was given, the two ends of a range, or nothing."""
    if not ends:
        return "yours: not given"
    if len(ends) == 1:
        return f"yours: {form(ends[0])}"
    return f"yours: {form(ends[0])} to {form(ends[1])} (90% range)"


def _input(*, name: str, unit: str, at: float, above: bool, now: float | None) -> str:
    side = "above" if above else "below"
    return f"{INPUTS[name]}: tuning pays {side} {amount(name, unit, at)} (now {amount(name, unit, now)})."


def _price(*, at: float, above: bool) -> str:
    side = "above" if above else "below"
    return f"{INPUTS['price']}: tuning pays {side} {amount('price', 'times', at)}."


def _value(*, at: float, above: bool, yours: tuple[float, ...]) -> str:
    side = "above" if above else "below"
    return f"{INPUTS['value']}: tuning pays {side} {formats.usd(at)} ({_yours(yours, formats.usd)})."


def _volume(*, at: float, above: bool, yours: tuple[float, ...]) -> str:
    side = "above" if above else "below"
    return f"{INPUTS['volume']}: tuning pays {side} {amount('volume', 'count', at)} ({_yours(yours, formats.count)})."


def _value_allowed(*, at: float, yours: tuple[float, ...]) -> str:
    return (
        f"{INPUTS['value_allowed']}: tuning, cheaper and worse, pays below {formats.usd(at)} "
        f"({_yours(yours, formats.usd)})."
    )


def _lead(*, at: float, now: float | None, other: str) -> str:
    return (
        f"Quality: tuning pays from a lead of {formats.points(at)} over {other} on (measured: {formats.points(now)})."
    )


def _margin(*, at: float, now: float | None) -> str:
    return f"Margin: better by more than the margin up to {formats.points(at)} (yours: {formats.points(now)})."


def _margin_as_good(*, at: float, now: float | None, tuned: str) -> str:
    return (
        f"Margin: {tuned}, which costs less, counts as no worse from {formats.points(at)} on (yours: "
        f"{formats.points(now)})."
    )


def _margin_needless(*, at: float, now: float | None, instead: str) -> str:
    return f"Margin: {instead} counts as no worse from {formats.points(at)} on (yours: {formats.points(now)})."


def _more_labels(*, more: float, tuned: str, rival: str, size: Interval, never: float) -> str:
    ends = f"{formats.count(max(size.low, 0.0))} to {formats.count(size.high)}"
    return (
        f"Labels: {formats.count(more)} more examples would bring {tuned} above {rival} by its learning curve ({ends} "
        f"in all; not within reach in {formats.percent(never)} of draws)."
    )


def _contest() -> str:
    return "A fine-tuned strategy and one that is not, both with a score: 1 of each is enough."


def _price_missing(*, lead: float) -> str:
    return f"The price that is missing: without it no flip point is known; tuning is {_distance(lead)}."


def _none(*, lead: float) -> str:
    return f"No flip point was found for value, volume or margin: tuning is {_distance(lead)}."


def _distance(lead: float) -> str:
    return f"{formats.points(abs(lead))} {'ahead' if lead > 0.0 else 'behind'}"


SENTENCES: Mapping[str, Callable[..., str]] = {
    "turn.input": _input,
    "turn.price": _price,
    "turn.value": _value,
    "turn.volume": _volume,
    "turn.value_allowed": _value_allowed,
    "turn.lead": _lead,
    "turn.margin": _margin,
    "turn.margin_as_good": _margin_as_good,
    "turn.margin_needless": _margin_needless,
    "turn.more_labels": _more_labels,
    "turn.contest": _contest,
    "turn.price_missing": _price_missing,
    "turn.none": _none,
}
