"""What a test knows better than the types: that something is there, and that near is equal."""

from __future__ import annotations

from typing import Any, TypeVar

import pytest

T = TypeVar("T")


def known(value: T | None) -> T:
    """Return what must be there."""
    assert value is not None
    return value


def about(value: float, abs: float | None = None) -> Any:
    """Stand in for a number that is nearly `value`, wherever a number is expected."""
    return pytest.approx(value, abs=abs)
