"""Amounts the user states: a number, or a 90 % range that is drawn log-normally."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from advisor.core.errors import ConfigurationError
from advisor.stats.bootstrap import FloatArray

LARGEST, SMALLEST = 1e15, 1e-12
"""Beyond these no amount means anything, and products of several would leave what a float can hold."""
ALLOWED = (
    "allowed: a number from 0 to 1e15 (500), or a 90 % range with its low end first (500..2000), from 1e-12 to 1e15"
)
_Z95 = NormalDist().inv_cdf(0.95)


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
            raise ConfigurationError(f"the range {self.low!r}..{self.high!r} cannot be used; {ALLOWED}")


Amount = float | Range


def parse_amount(text: str) -> Amount:
    """Read ``"1000"`` or ``"500..2000"``; ``_`` may group digits.

    Raises:
        ConfigurationError: not a number, negative, above `LARGEST` or reversed.
    """
    parts = [part.strip() for part in text.replace("_", "").split("..")]
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        raise ConfigurationError(f"{text!r} is not an amount; {ALLOWED}") from None
    if len(numbers) == 1:
        return check_not_negative("the amount", numbers[0])
    if len(numbers) == 2:
        return Range(*numbers)
    raise ConfigurationError(f"{text!r} is not an amount; {ALLOWED}")


def check_not_negative(name: str, value: float) -> float:
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
    return middle(amount) * math.exp(_spread(amount) ** 2 / 2)


def _spread(amount: Range) -> float:
    return (math.log(amount.high) - math.log(amount.low)) / (2 * _Z95)


def draw(amount: Amount, size: int, rng: np.random.Generator) -> FloatArray:
    """Return float64 (size,) draws: a constant, or a log-normal whose 5 % and 95 % points are the range's ends."""
    if not isinstance(amount, Range):
        return np.full(size, float(amount))
    return np.asarray(np.exp(math.log(middle(amount)) + _spread(amount) * rng.standard_normal(size)))
