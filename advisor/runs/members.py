"""The runs of stored comparisons: every outcome stands in the store once, however many comparisons show it.

A comparison keeps of each run the order of its examples, and in full only those outcomes that the table of outcomes
does not hold, or may not hold for long: a failure is replaced once it was tried again, and what came from elsewhere
never replaces what is here.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from advisor._util.batches import batches
from advisor.core.fingerprints import digest

Read = Callable[[str, tuple[Any, ...]], list[Any]]
"""Executes a statement and returns all rows."""
TABLES = (
    "CREATE TABLE IF NOT EXISTS members (comparison TEXT NOT NULL, run TEXT NOT NULL, examples TEXT NOT NULL, "
    "own TEXT NOT NULL, PRIMARY KEY (comparison, run)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, examples TEXT NOT NULL)",
)


class StoredOutcome(NamedTuple):
    """An outcome as it is stored; `fails` says that another one may take its place."""

    example: str
    text: str
    fails: bool


def keep(
    connection: sqlite3.Connection,
    comparison: str,
    runs: Iterable[tuple[str, Iterable[StoredOutcome]]],
    apart: Collection[str] = (),
) -> None:
    """Keep which runs a comparison shows, in place of what was kept of it before; outcomes that are new are added.

    Those of the runs `apart` are not: this comparison shows them, and nothing else knows of them.
    """

    def read(statement: str, values: tuple[Any, ...]) -> list[Any]:
        return connection.execute(statement, values).fetchall()

    connection.execute("DELETE FROM members WHERE comparison = ?", (comparison,))
    for run, outcomes in runs:
        order: list[str] = []
        own: dict[str, str] = {}
        for some in batches(outcomes):
            here = dict(outcomes_of(read, run, [one.example for one in some]))
            new = [(run, one.example, one.text) for one in some if one.example not in here and run not in apart]
            connection.executemany("INSERT OR IGNORE INTO outcomes VALUES (?, ?, ?)", new)
            here = {example: text for _, example, text in new} | here
            own.update((one.example, one.text) for one in some if one.fails or here.get(one.example) != one.text)
            order.extend(one.example for one in some)
        connection.execute("INSERT OR IGNORE INTO orders VALUES (?, ?)", (digest(order), json.dumps(order)))
        connection.execute("INSERT INTO members VALUES (?, ?, ?, ?)", (comparison, run, digest(order), json.dumps(own)))


def outcomes_of(read: Read, run: str, examples: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Go through what is stored of a run, in the order of these examples; those without an outcome are left out."""
    for some in batches(examples):
        marks = ",".join("?" * len(some))
        found = dict(read(f"SELECT example, value FROM outcomes WHERE run = ? AND example IN ({marks})", (run, *some)))
        yield from ((example, found[example]) for example in some if example in found)


def shown(read: Read, comparison: str, run: str) -> Iterator[str] | None:
    """Go through the outcomes of a run as a comparison showed them; `None` where nothing is known of that."""
    rows = read(
        "SELECT orders.examples, own FROM members JOIN orders ON id = members.examples "
        "WHERE comparison = ? AND run = ?",
        (comparison, run),
    )
    if not rows:
        return None
    own: Mapping[str, str] = json.loads(rows[0][1])
    order: Sequence[str] = json.loads(rows[0][0])
    return _with_own(read, run, order, own)


def _with_own(read: Read, run: str, order: Sequence[str], own: Mapping[str, str]) -> Iterator[str]:
    for some in batches(order):
        found = dict(outcomes_of(read, run, some))
        yield from (text for example in some if (text := own.get(example) or found.get(example)))


def upgrade(connection: sqlite3.Connection, older: int) -> None:
    """Bring a store up in which each comparison had its outcomes in itself: those of format 3 and before."""
    if older > 3:
        return
    connection.execute("DROP TABLE members")
    connection.execute(TABLES[0])
    if "run" not in [column[1] for column in connection.execute("PRAGMA table_info(completions)")]:
        connection.execute("ALTER TABLE completions ADD COLUMN run TEXT NOT NULL DEFAULT ''")
    for (comparison,) in connection.execute("SELECT id FROM comparisons").fetchall():
        value = connection.execute("SELECT value FROM comparisons WHERE id = ?", (comparison,)).fetchone()[0]
        try:
            plain = json.loads(value)
            runs = [(run["id"], [_kept(outcome) for outcome in run["outcomes"]]) for run in plain["runs"]]
        except (KeyError, TypeError, ValueError):
            continue  # no version of ours wrote it
        keep(connection, comparison, runs)
        stripped = {**plain, "runs": [{**run, "outcomes": []} for run in plain["runs"]]}
        connection.execute("UPDATE comparisons SET value = ? WHERE id = ?", (json.dumps(stripped), comparison))


def _kept(outcome: Mapping[str, Any]) -> StoredOutcome:
    return StoredOutcome(outcome["example_id"], json.dumps(outcome), bool(outcome["error"]))
