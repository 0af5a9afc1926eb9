"""The only place that rounds: every figure of every report passes through one of these functions.

`None` and NaN are shown as an en dash, never as 0 and never as "nan". An infinite bound reads "no limit". No share is
rounded up to certainty: "100%" and "0%" appear only for exactly 1 and 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from advisor._util.formats import MISSING, NO_LIMIT, change, count, months, per_100, percent, points, usd
from advisor.core.types import Interval

__all__ = [
    "MISSING", "NO_LIMIT", "about", "between", "bounds", "brier", "change", "count", "count_planned",
    "interval", "minutes_planned", "months", "p_value", "per_100", "percent",
    "points", "score", "seconds", "signed", "usd", "usd_once", "usd_planned", "usd_tick",
]  # fmt: skip

Formatter = Callable[[float | None], str]
UNKNOWN = "unknown"
"""What a plan says where nobody can know: a word, since a dash in a sum could be taken for nothing."""


def _special(value: float | None) -> str | None:
    """Return how an absent or infinite value reads, and `None` where there is a plain number to round."""
    if value is None or math.isnan(value):
        return MISSING
    return NO_LIMIT if math.isinf(value) else None


def _unsign(text: str) -> str:
    """Drop the sign of a value that was rounded to nothing (``-0.00``)."""
    return text[1:] if text.startswith("-") and not any(digit in text for digit in "123456789") else text


def score(value: float | None) -> str:
    """Format a score in [0, 1], or a difference of scores, with two decimals: ``0.62``."""
    return _special(value) or _unsign(f"{value:.2f}")


def signed(value: float | None) -> str:
    """Format a difference with its sign: ``+0.12``; nothing but zeros carries none."""
    if (special := _special(value)) or value is None:
        return special or MISSING
    text = _unsign(f"{value:+.2f}")
    return text if any(digit in text for digit in "123456789") else text.lstrip("+-")


def bounds(interval: Interval | None, form: Formatter = score) -> str:
    """Format only the ends of an interval: ``[0.55, 0.69]``."""
    if interval is None or math.isnan(interval.low) or math.isnan(interval.high):
        return MISSING
    return f"[{form(interval.low)}, {form(interval.high)}]"


def interval(value: Interval | None, form: Formatter = score) -> str:
    """Format an estimate with its interval: ``0.62 [0.55, 0.69]``."""
    return MISSING if value is None else f"{form(value.estimate)} {bounds(value, form)}".replace(f" {MISSING}", "")


def between(value: Interval | None, form: Formatter = score) -> str:
    """Format an interval in words: ``0.62 (between 0.55 and 0.69)``, ``$40 (at least $12)``."""
    if value is None:
        return MISSING
    low, high = form(value.low), form(value.high)
    if MISSING in (low, high) or (math.isinf(value.low) and math.isinf(value.high)):
        return form(value.estimate)
    if math.isinf(value.estimate):
        return f"at least {low}" if value.estimate > 0 else f"at most {high}"
    if math.isinf(value.high):
        return f"{form(value.estimate)} (at least {low})"
    if math.isinf(value.low):
        return f"{form(value.estimate)} (at most {high})"
    return f"{form(value.estimate)} (between {low} and {high})"


def usd_tick(value: float | None) -> str:
    """Format dollars for an axis: as `usd`, without trailing zeros: ``$500``, ``$0.05``."""
    text = usd(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def usd_once(value: float | None) -> str:
    """Format a sum that is paid once, to the cent: ``$600.01``, ``<$0.01``."""
    return "<$0.01" if value is not None and 0 < value < 0.01 else usd(value)


def seconds(value: float | None) -> str:
    """Format a duration: ``42 ms``, ``1.3 s``, ``4.2 min``, ``1.6 h``."""
    if (special := _special(value)) or value is None:
        return special or MISSING
    if value == 0:
        return "0 s"
    for below, divisor, unit, digits in ((0.0995, 0.001, "ms", 0), (59.95, 1.0, "s", 1), (3570.0, 60.0, "min", 1)):
        if abs(value) < below:
            shown = f"{value / divisor:.{digits}f}"
            return "<1 ms" if shown == "0" else f"{shown} {unit}"
    return f"{value / 3600:,.1f} h"


def about(value: float | None) -> str:
    """Format a large number to two significant digits, for what is only roughly known: ``12,000``."""
    if (special := _special(value)) or value is None:
        return special or MISSING
    if value == 0:
        return "0"
    digits = 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, digits):,.{max(digits, 0)}f}" if abs(value) < 10 else f"{round(value, digits):,.0f}"


def brier(value: float | None) -> str:
    """Format a Brier score: ``0.164``."""
    return _special(value) or f"{value:.3f}"


def count_planned(value: float | None) -> str:
    """Format a number of calls or tokens that is expected: ``1,742``, ``unknown``."""
    return UNKNOWN if value is None else count(value)


def usd_planned(value: float | None) -> str:
    """Format expected dollars, to the hundredth of a cent, for a column: ``0.0313``, ``unknown``."""
    return UNKNOWN if value is None else f"{value:.4f}"


def minutes_planned(seconds: float | None) -> str:
    """Format an expected duration in minutes: ``4.2``, ``unknown``."""
    return UNKNOWN if seconds is None else f"{seconds / 60:.1f}"


def p_value(value: float | None) -> str:
    """Format a p value: ``0.034``, ``<0.001``."""
    if (special := _special(value)) or value is None:
        return special or MISSING
    return "<0.001" if value < 0.001 else f"{value:.3f}"
