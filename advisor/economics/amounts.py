"""Amounts the user states: a number with its unit, or a 90 % range of a positive quantity, and how they are written."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from advisor.core.errors import ConfigurationError

LARGEST, SMALLEST = 1e15, 1e-12
"""Beyond these no amount means anything, and products of several would leave what a float can hold."""
Z95 = 1.6448536269514715
"""The 95 % point of the normal distribution; written out, because importing `statistics` would slow the help down."""


@dataclass(frozen=True, slots=True)
class Range:
    """A 90 % range of a positive quantity; drawn log-normally, so that both ends are equally surprising.

    Raises:
        ConfigurationError: an end is not from `SMALLEST` to `LARGEST`, or they are reversed.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not SMALLEST <= self.low <= self.high <= LARGEST:
            raise ConfigurationError(
                f"the range {self.low!r}..{self.high!r} cannot be used; allowed: a number from 0 to 1e15 (500), or a "
                "90 % range with its low end first (500..2000), from 1e-12 to 1e15"
            )


Amount = float | Range


def ends(amount: Amount | None) -> tuple[float, ...]:
    """Return an amount as it was given: one number, the two ends of a range, or nothing."""
    if amount is None:
        return ()
    return (amount.low, amount.high) if isinstance(amount, Range) else (amount,)


@dataclass(frozen=True, slots=True)
class Unit:
    """What a number counts.

    Attributes:
        name: of the format it has in a report (`advisor.decision.words.money.FORMATS`).
        noun: what it is called in an error, ``"a share"``.
        example: how it may be written.
        sign: what may be written at it: ``$`` before, ``%`` after the number (``40%`` is 0.4).
    """

    name: str
    noun: str
    example: str
    sign: Literal["", "$", "%"] = ""


COUNT = Unit("count", "a number", "20000 or 20k")
HOURS = Unit("hours", "a number of hours", "20")
MONTHS = Unit("months", "a number of months", "12")
FACTOR = Unit("factor", "a factor", "1.7")
USD = Unit("usd", "a sum of money", "0.40 or $0.40", "$")
SHARE = Unit("share", "a share", "0.4 or 40%", "%")
POINTS = Unit("points", "a share", "0.02 or 2%", "%")
"""A difference of two shares."""

_DIGITS = r"([0-9]+(?:_[0-9]+)*(?:\.[0-9]+(?:_[0-9]+)*)?|\.[0-9]+(?:_[0-9]+)*)"
_POWER = r"([eE][+-]?[0-9]{1,4}|[kKM])?"
_POWERS = {"": 0, "k": 3, "K": 3, "M": 6}
"""No small m: after a number of months it could be read as their unit."""
_NUMBER = re.compile(rf"\+?(\$?){_DIGITS}{_POWER}(%?)")


class WrongUnitError(ValueError):
    """A sum of money where a share or a count is needed, or a share where one of these is."""


def pattern(unit: Unit) -> str:
    """Return the regular expression (of JSON Schema too) of a number as it may be written in `unit`."""
    before, after = (r"\$?" if unit.sign == "$" else ""), ("%?" if unit.sign == "%" else "")
    return rf"\+?{before}{_DIGITS}{_POWER}{after}"


def parse_number(value: Any, unit: Unit = COUNT) -> float:
    """Read a number, or a text such as ``1_000``, ``20k``, ``1.5M`` and, where the unit has that sign, $0.40 or 40%.

    Whether it lies in the range that is allowed, and is not negative, is for the caller to say.

    Raises:
        ValueError: it is no number, or of another unit.
    """
    if isinstance(value, str):
        return _parse_text(value, unit)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"input should be a valid number, such as {unit.example}, found {value!r}")
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _parse_text(text: str, unit: Unit) -> float:
    bare = text.strip()
    found = _NUMBER.fullmatch(bare.removeprefix("-"))
    if found is None:
        raise ValueError(f"input should be a valid number, such as {unit.example}, found {text!r}")
    dollar, digits, power, percent_sign = found.groups(default="")
    for sign, kind in ((dollar, USD), (percent_sign, SHARE)):
        if sign and sign != unit.sign:
            raise WrongUnitError(f"{text!r} is {kind.noun}; {unit.noun} is needed, such as {unit.example}")
    exponent = _POWERS[power] if power in _POWERS else int(power[1:])
    exponent -= 2 if percent_sign else 0
    size = float(f"{digits.replace('_', '')}e{exponent}")  # read at once, not multiplied: 2.3k is 2300 exactly
    return -size if bare.startswith("-") else size


def parse_amount(value: Any, unit: Unit = COUNT) -> Amount:
    """Read a number as `parse_number` does, ``low..high``, ``[low, high]`` or ``{low:, high:}``: a 90 % range.

    Raises:
        ValueError: it is none of these, of another unit, negative, too large or too small, or not in order.
    """
    if isinstance(value, Range):
        return value
    try:
        numbers = [parse_number(end, unit) for end in _ends(value)]
    except WrongUnitError:
        raise
    except ValueError:
        numbers = []
    if len(numbers) == 1 and not isinstance(value, list | tuple) and 0 <= numbers[0] <= LARGEST:
        return numbers[0]
    if len(numbers) == 2 and SMALLEST <= numbers[0] <= numbers[1] <= LARGEST:
        return Range(*numbers)
    raise ValueError(
        f"{value!r} is neither a number from 0 to 1e15 nor a range such as 5000..20000 (low end first, both from 1e-12 "
        "to 1e15)"
    )


def _ends(value: Any) -> list[Any]:
    if isinstance(value, str):
        return value.split("..")
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, Mapping) and set(value) == {"low", "high"}:
        return [value["low"], value["high"]]
    return [value]


def number_schema(unit: Unit, bounds: Mapping[str, float]) -> dict[str, Any]:
    """Return the JSON Schema of what `parse_number` reads; `bounds` are keywords such as ``minimum``."""
    text = {"type": "string", "pattern": rf"^\s*{pattern(unit)}\s*$"}
    return {"anyOf": [{"type": "number", **bounds}, text]}


def amount_schema(unit: Unit) -> dict[str, Any]:
    """Return the JSON Schema of what `parse_amount` reads."""
    number = pattern(unit)
    end = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": rf"^\s*{number}\s*$"}]}
    return {
        "anyOf": [
            {"type": "number", "minimum": 0, "maximum": LARGEST},
            {"type": "string", "pattern": rf"^\s*{number}(\s*\.\.\s*{number})?\s*$"},
            {"type": "array", "items": end, "minItems": 2, "maxItems": 2},
            {
                "type": "object",
                "properties": {"low": end, "high": end},
                "required": ["low", "high"],
                "additionalProperties": False,
            },
        ]
    }


def typed(value: object) -> str:
    """Return a value as a flag takes it: ``500``, ``0.1``, ``500..2000``; no digit is lost."""
    if isinstance(value, Range):
        return f"{typed(value.low)}..{typed(value.high)}"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def refuse_negative(name: str, value: float) -> float:
    """Return `value`.

    Raises:
        ConfigurationError: it is negative, above `LARGEST` or not a number.
    """
    if not 0.0 <= value <= LARGEST:
        raise ConfigurationError(f"{name} is {value!r}; allowed: a number from 0 to 1e15")
    return value


def middle(amount: Amount) -> float:
    """Return the median of an amount: itself, or the geometric mean of the ends of its range."""
    return math.sqrt(amount.low) * math.sqrt(amount.high) if isinstance(amount, Range) else float(amount)


def mean(amount: Amount) -> float:
    """Return the mean of an amount: itself, or that of its log-normal."""
    if not isinstance(amount, Range):
        return float(amount)
    return middle(amount) * math.exp(log_spread(amount) ** 2 / 2)


def log_spread(amount: Range) -> float:
    """Return the standard deviation of the logarithm of a range's log-normal."""
    return (math.log(amount.high) - math.log(amount.low)) / (2 * Z95)
