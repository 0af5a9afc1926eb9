"""Long sequences a few at a time; `itertools.batched`, which Python has from 3.12 on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batches(values: Iterable[T], size: int = 500) -> Iterator[list[T]]:
    """Go through values, at most `size` at a time."""
    left = iter(values)
    while some := list(islice(left, size)):
        yield some
