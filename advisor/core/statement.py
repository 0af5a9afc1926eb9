"""What is to be said, as values: a key with its figures. The sentence is made by `advisor.decision.words` alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from advisor._util.redaction import OURS
from advisor.core.types import Interval


@dataclass(frozen=True, slots=True)
class Statement:
    """Something to be said: which of the sentences in `advisor.decision.words`, and the figures that stand in it.

    `values` has the arguments of that sentence by name, numbers in their own unit (shares from 0 to 1, USD, months). A
    statement among them is a part of the sentence.
    """

    key: str = field(metadata=OURS)
    values: Mapping[str, Value] = field(default_factory=dict, metadata=OURS)


Value: TypeAlias = (
    bool
    | int
    | float
    | str
    | Interval
    | Statement
    | tuple[str, ...]
    | tuple[float, ...]
    | tuple[Statement, ...]
    | tuple[Interval, ...]
    | tuple[tuple[str, float], ...]
    | None
)


@dataclass(frozen=True, slots=True)
class Action:
    """Something to be done.

    Attributes:
        what: what to do.
        command: the line to type; empty where it is not done by typing one.
        adds: what that line adds to the one that was typed before, where that is all it does (``--checks full``).
    """

    what: Statement
    command: str = ""
    adds: str = ""


def say(key: str, /, **values: Value) -> Statement:
    """Return the statement with these values."""
    return Statement(key, values)
