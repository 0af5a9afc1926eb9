"""What `advisor check` found out about an eval set: one finding a check, with its gate, its figure and a remedy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Gate = Literal["fail", "warn", "ok", "unknown"]
GATES: tuple[Gate, ...] = ("fail", "warn", "unknown", "ok")
"""From the worst to the best. `unknown`: could not be looked at, so it is never counted as passed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check says.

    Attributes:
        check: the name of the check, as the rule table has it.
        family: what it is about: sizes, duplicates, labels, texts, privacy, answers, metric.
        gate: `fail` stops a gate (exit code 100), `warn` is to be read, `unknown` could not be looked at.
        figure: what was found, as one sentence with its numbers.
        todo: what to do about it; empty where there is nothing to do.
        shown: a few of the rows or pairs, as they are to be read.
        rows: ids of all the examples concerned, where there are any.
    """

    check: str
    family: str
    gate: Gate
    figure: str
    todo: str = ""
    shown: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Checkup:
    """All findings on one eval set, in the order of the rule table.

    Attributes:
        evalset: its name.
        asked_as: what was typed for it.
        counts: number of examples by split, and of documents.
        notes: what was not looked at whole, and what the reader should know.
        not_asked: checks that have nothing to look at here, with the reason.
    """

    evalset: str
    asked_as: str
    counts: Mapping[str, int]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    not_asked: Mapping[str, str] = field(default_factory=dict)

    @property
    def gate(self) -> Gate:
        """The worst gate of all findings, where `unknown` is no worse than a warning."""
        return min((one.gate for one in self.findings), key=GATES.index, default="ok")

    def with_gate(self, gate: Gate) -> tuple[Finding, ...]:
        """Return the findings that have this gate."""
        return tuple(one for one in self.findings if one.gate == gate)
