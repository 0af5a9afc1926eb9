"""Amounts of which some may be unknown, which is never 0."""

from __future__ import annotations

import math
from collections.abc import Iterable


def total(amounts: Iterable[float | None]) -> float | None:
    """Return the sum; `None` if one of them is unknown."""
    known: list[float] = []
    for amount in amounts:
        if amount is None:
            return None
        known.append(amount)
    return math.fsum(known)
