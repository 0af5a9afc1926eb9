"""Draws of what the user states as a 90 % range."""

from __future__ import annotations

import math

import numpy as np

from advisor.economics.amounts import Amount, Range, log_spread, middle
from advisor.stats.bootstrap import FloatArray


def draw(amount: Amount, size: int, rng: np.random.Generator) -> FloatArray:
    """Return float64 (size,) draws: a constant, or a log-normal whose 5 % and 95 % points are the range's ends."""
    if not isinstance(amount, Range):
        return np.full(size, float(amount))
    return np.asarray(np.exp(math.log(middle(amount)) + log_spread(amount) * rng.standard_normal(size)))
