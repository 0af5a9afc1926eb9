"""Taking comparisons and their runs out of the store: only what was named, nothing that another one shows."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from advisor.runs.members import Read

_OF_A_RUN = (
    "DELETE FROM endings WHERE attempt IN (SELECT id FROM attempts WHERE run = ?)",
    "DELETE FROM attempts WHERE run = ?",
    "DELETE FROM completions WHERE run = ?",
    "DELETE FROM outcomes WHERE run = ?",
    "DELETE FROM runs WHERE id = ?",
)
_SIZE_OF_A_RUN = (
    "SELECT coalesce((SELECT sum(length(value) + length(example)) FROM outcomes WHERE run = ?1), 0) "
    "+ coalesce((SELECT sum(length(value) + length(key)) FROM completions WHERE run = ?1), 0)"
)
_LEFTOVERS = ("outcomes", "completions", "attempts", "endings")


@dataclass(frozen=True, slots=True)
class Removal:
    """What is to be removed.

    Attributes:
        comparisons: their ids, with what a person knows each by.
        runs: ids of runs that no other comparison shows, probes left aside.
        everything: nothing else is in the store, so that all answers go too.
        size: bytes, about.
    """

    comparisons: tuple[tuple[str, str], ...] = ()
    runs: tuple[str, ...] = ()
    everything: bool = False
    size: int = 0


def removable(read: Read, before: str | None, keep: int | None) -> Removal:
    """Find the comparisons that were made before a time, and those but the newest; with both, what is both.

    A run that belongs to no comparison (an interrupted one, a part of a learning curve) goes with the comparisons that
    are younger than it.

    Args:
        read: of the store.
        before: a time as the store writes it.
        keep: how many comparisons stay whatever their age.
    """
    rows = read("SELECT id, created, evalset, length(value) FROM comparisons ORDER BY created DESC, id", ())
    gone = [row for at, row in enumerate(rows) if at >= (keep or 0) and (before is None or row[1] < before)]
    ids = {row[0] for row in gone}
    latest = before or max((row[1] for row in gone), default="")
    shown: dict[str, set[str]] = {}
    for comparison, run in read("SELECT comparison, run FROM members", ()):
        shown.setdefault(run, set()).add(comparison)
    loose = [run for (run,) in read("SELECT id FROM runs WHERE created < ?", (latest,)) if run not in shown]
    runs = sorted({run for run, by in shown.items() if by <= ids} | set(loose))
    size = sum(row[3] for row in gone) + sum(int(read(_SIZE_OF_A_RUN, (run,))[0][0]) for run in runs)
    stay = {run for (run,) in read("SELECT id FROM runs", ())} - set(runs)
    everything = keep == 0 and before is None and len(gone) == len(rows) and not stay
    named = tuple((row[0], f"{row[2]}, {row[1][:10]}") for row in gone)
    return Removal(named, tuple(runs), everything, size)


def remove(connection: sqlite3.Connection, removal: Removal) -> None:
    """Remove them; what looks at a test set there were stays counted."""
    for comparison, _ in removal.comparisons:
        connection.execute("DELETE FROM comparisons WHERE id = ?", (comparison,))
        connection.execute("DELETE FROM members WHERE comparison = ?", (comparison,))
    for run in removal.runs:
        for statement in _OF_A_RUN:
            connection.execute(statement, (run,))
    connection.execute("DELETE FROM orders WHERE id NOT IN (SELECT examples FROM members)")
    if removal.everything:
        for table in _LEFTOVERS:
            connection.execute(f"DELETE FROM {table}")
