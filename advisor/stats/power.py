"""How likely an eval set shows a difference, how small a one it can show, and how many examples one needs.

All three solve one equation for another of its letters (Connor 1987: McNemar's test, unconditional normal
approximation): ``n = ((z_level * sqrt(d) + z_power * sqrt(d - difference^2)) / difference)^2`` with discordance d.
Departs from it by counting n / `design_effect` for clustered examples.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from advisor.core.errors import ConfigurationError


def power(n: int, difference: float, discordance: float, *, level: float = 0.95, design_effect: float = 1.0) -> float:
    """Return the probability that `n` paired examples find `difference`.

    With 300 examples and 20 % discordance that is 49 of 100 tries for 5 points. The inverse of `required_examples`.

    Args:
        n: paired examples, at least 0.
        difference: in score units (0.03 = 3 points), in (0, 1].
        discordance: see `required_examples`.
        level: 1 minus the two-sided error rate, in (0, 1).
        design_effect: variance with clusters over variance without, at least 1.

    Raises:
        ConfigurationError: an argument outside its range.
    """
    _refuse_outside(0.5, level, design_effect)
    _refuse_difference(difference, discordance)
    if not n >= 0:
        raise ConfigurationError(f"n is {n!r}; allowed: a number of examples from 0 on")
    normal, moment = NormalDist(), max(discordance, difference)
    beyond = difference * math.sqrt(n / design_effect) - normal.inv_cdf((1 + level) / 2) * math.sqrt(moment)
    spread = math.sqrt(moment - difference**2)
    if spread == 0.0:
        return float(beyond >= 0.0)
    return normal.cdf(beyond / spread)


def required_examples(
    difference: float, discordance: float, *, power: float = 0.80, level: float = 0.95, design_effect: float = 1.0
) -> int:
    """Return how many paired examples find `difference` with probability `power`.

    At 20 % discordance 3 points need 1,742 examples, 5 points 626, 10 points 155.

    Args:
        difference: in score units (0.03 = 3 points), in (0, 1].
        discordance: share of examples on which the two strategies differ, in [0, 1]; at least `difference` is taken,
            since two strategies that differ on fewer examples cannot be that far apart. For graded scores the mean
            squared difference.
        power: probability of finding it, in (0, 1).
        level: 1 minus the two-sided error rate, in (0, 1).
        design_effect: variance with clusters over variance without, at least 1.

    Raises:
        ConfigurationError: an argument outside its range.
    """
    _refuse_outside(power, level, design_effect)
    _refuse_difference(difference, discordance)
    return math.ceil(design_effect * _needed(difference, max(discordance, difference), power, level))


def detectable_difference(
    n: int,
    discordance: float,
    *,
    power: float = 0.80,
    level: float = 0.95,
    design_effect: float = 1.0,
    graded: bool = False,
) -> float | None:
    """Return the smallest difference that `n` paired examples find with probability `power`, in score units.

    The inverse of `required_examples`, by bisection. `None` where not even a difference of 1 would be found.

    Args:
        n: paired examples, at least 0.
        discordance: share of examples on which the two differ; for graded scores the mean squared difference.
        power: probability of finding it, in (0, 1).
        level: 1 minus the two-sided error rate, in (0, 1).
        design_effect: variance with clusters over variance without, at least 1.
        graded: scores lie between 0 and 1, so that a difference needs no example on which the two differ by 1.

    Raises:
        ConfigurationError: an argument outside its range.
    """
    _refuse_outside(power, level, design_effect)

    def enough(difference: float) -> bool:
        moment = max(discordance, difference**2 if graded else difference)
        return n / design_effect >= _needed(difference, moment, power, level)

    if not enough(1.0):
        return None
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _needed(difference: float, moment: float, power: float, level: float) -> float:
    normal = NormalDist()
    null = normal.inv_cdf((1 + level) / 2) * math.sqrt(moment)
    alternative = normal.inv_cdf(power) * math.sqrt(max(0.0, moment - difference**2))
    return ((null + alternative) / difference) ** 2


def _refuse_difference(difference: float, discordance: float) -> None:
    if not 0.0 < difference <= 1.0:
        raise ConfigurationError(f"difference is {difference!r}; allowed: above 0 and at most 1 (0.03 is 3 points)")
    if not 0.0 <= discordance <= 1.0:
        raise ConfigurationError(f"discordance is {discordance!r}; allowed: 0 to 1")


def _refuse_outside(power: float, level: float, design_effect: float) -> None:
    for name, value in (("power", power), ("level", level)):
        if not 0.0 < value < 1.0:
            raise ConfigurationError(f"{name} is {value!r}; allowed: between 0 and 1, for example 0.8")
    if design_effect < 1.0:
        raise ConfigurationError(f"design_effect is {design_effect!r}; allowed: 1 and above")
