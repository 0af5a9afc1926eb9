"""What a metric is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from advisor.core.types import Example

Pairs = Sequence[tuple[str | None, Example]]
"""Outputs with their examples; the output is `None` where the call failed."""


@runtime_checkable
class Metric(Protocol):
    """What a metric is."""

    name: str

    def score(self, output: str, example: Example) -> float | None:
        """Return how right `output` is, from 0 to 1; `None` if `example` has nothing to compare with."""

    def summarise(self, pairs: Pairs) -> dict[str, float | None]:
        """Return figures over the whole set, by name; failed calls (`None`) are left out, undefined is `None`."""
