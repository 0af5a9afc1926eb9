"""The few number formats that the core's own sentences need; `reports/numbers.py` re-exports them.

`None` and NaN read as an en dash, never as 0. An infinite value reads "no limit". No probability is rounded up to
certainty.
"""

from __future__ import annotations

import math
from collections.abc import Callable

MISSING = "–"
_LEAST_USD = 1e-6
NO_LIMIT = "no limit"


def _special(value: float | None) -> str | None:
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return NO_LIMIT
    return None


def count(value: float | None) -> str:
    """Format a number of things: ``1,742``."""
    return _special(value) or f"{value:,.0f}"


def size(many: float) -> str:
    """Format a number of bytes: ``0 B``, ``34 kB``, ``1.2 GB``."""
    for unit in ("B", "kB", "MB"):
        if many < 999.5:
            return f"{many:.0f} {unit}" if unit == "B" or many >= 9.95 else f"{many:.1f} {unit}"
        many /= 1000
    return f"{many:.1f} GB"


def percent(value: float | None) -> str:
    """Format a share in [0, 1]: ``93%``, ``<1%``, ``>99%``."""
    if (special := _special(value)) or value is None:
        return special or MISSING
    if 0 < value < 0.01:
        return "<1%"
    if 0.99 < value < 1:
        return ">99%"
    return f"{value * 100:.0f}%"


def level(value: float | None) -> str:
    """Format a chance that is asked for, to two decimals where it has them: ``90%``, ``97.5%``, ``99.38%``."""
    if (special := _special(value)) or value is None:
        return special or MISSING
    return f"{math.floor(value * 1e4 + 1e-6) / 100:.2f}".rstrip("0").rstrip(".") + "%" if value < 1 else "100%"


def ordinal(number: int) -> str:
    """Return ``second``, ``third``, …, ``9th``, ``21st``."""
    words = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth"}
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return words.get(number, f"{number}{ending}")


def points(value: float | None) -> str:
    """Format a score or a difference of scores (0.042) in percentage points: ``4.2 points``, ``1 point``."""
    if (special := _special(value)) or value is None:
        return special or MISSING
    shown = f"{value * 100:.1f}".removesuffix(".0")
    if shown in ("0", "-0"):
        return "0 points" if value == 0 else "less than 0.1 points"
    return f"{shown} point{'' if shown in ('1', '-1') else 's'}"


def change(value: float | None) -> str:
    """Format a difference of scores (0.042) with its sign: ``+4.2 points``, ``-1 point``."""
    if (special := _special(value)) or value is None:
        return special or MISSING
    text = points(value)
    return f"+{text}" if value > 0 and text[0].isdigit() else text


def signed_ends(low: float, high: float) -> str:
    """Format the ends of an interval of a difference of scores in points, with their signs: ``-1.2 to +3.4``."""
    return f"{low * 100:+.1f} to {high * 100:+.1f}"


def shares(low: float, high: float) -> str:
    """Format the ends of an interval of a share: ``3% to 7%``."""
    return f"{percent(low)} to {percent(high)}"


def usd(value: float | None) -> str:
    """Format US dollars with a precision that fits their size: ``$1,235``, ``$12.30``, ``$0.0031``, ``-$5.00``."""
    if (special := _special(value)) or value is None:
        return special or MISSING
    size = abs(value)
    if 0.0 < size < _LEAST_USD:
        return f"<${_LEAST_USD:f}"
    return "$0" if size == 0 else f"{'-' if value < 0 else ''}${_dollars(size)}"


def _dollars(size: float) -> str:
    if size >= 999.5:
        return f"{size:,.0f}"
    if size >= 0.0995:
        return f"{size:.2f}"
    return f"{size:.{1 - math.floor(math.log10(size))}f}"


def per_100(value: float | None) -> str:
    """Format the price of one thing as that of a hundred: ``31 cents per 100``, ``$4.20 per 100``."""
    if (special := _special(value)) or value is None:
        return special or MISSING
    cents = value * 10_000
    if abs(cents) >= 99.5:
        return f"{usd(value * 100)} per 100"
    if abs(cents) >= 9.95 or cents == 0:
        shown = f"{cents:.0f}"
    else:
        shown = f"{cents:.{min(8, 1 - math.floor(math.log10(abs(cents))))}f}"
    return f"{shown} cent{'' if shown == '1' else 's'} per 100"


def months(value: float | None) -> str:
    """Format a number of months: ``3.2 months``, ``1 month``."""
    if (special := _special(value)) or value is None:
        return special or MISSING
    shown = f"{value:.1f}".removesuffix(".0") if abs(value) < 100 else f"{value:,.0f}"
    return f"{shown} month{'' if shown == '1' else 's'}"


def number(value: float | None) -> str:
    """Format a number that may have decimals: ``40``, ``2.5``, ``1,742``."""
    if (special := _special(value)) or value is None:
        return special or MISSING
    if 0.0 < value < 0.001:
        return "less than 0.001"
    return f"{value:,.0f}" if abs(value) >= 99.5 else f"{value:.2g}"


def times(value: float | None) -> str:
    """Format a factor: ``1.7 times``."""
    return f"{number(value)} times"


def amount(value: object, form: Callable[[float | None], str]) -> str:
    """Format an amount the user gave: ``$0.40``, or ``$0.10 to $0.50 (90% range)``."""
    low, high = getattr(value, "low", None), getattr(value, "high", None)
    if low is not None:
        return f"{form(low)} to {form(high)} (90% range)"
    return form(value) if isinstance(value, int | float) else "not given"
