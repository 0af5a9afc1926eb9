"""Everything that was paid for, kept: completions, outcomes, runs and comparisons in one SQLite file.

Rows are only ever added or replaced by equal ones. Each batch is durable before it is acknowledged
(``synchronous=FULL``). The write-ahead log is used only from SQLite 3.51.3 on: earlier versions can corrupt it with
several writers.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.errors import StoreError
from advisor.paths import home
from advisor.redaction import hide_known
from advisor.types import Outcome, Run

if TYPE_CHECKING:
    from advisor.comparison import Comparison

SCHEMA_VERSION = 2
SAFE_WAL = (3, 51, 3)
_TABLES = """
CREATE TABLE IF NOT EXISTS completions (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outcomes (
    run TEXT NOT NULL, example TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, example)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (id TEXT PRIMARY KEY, created TEXT NOT NULL, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS comparisons (
    id TEXT PRIMARY KEY, created TEXT NOT NULL, evalset TEXT NOT NULL, model TEXT NOT NULL, answer TEXT NOT NULL,
    value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS looks (
    evalset TEXT NOT NULL, model TEXT NOT NULL, n_test INTEGER NOT NULL, first TEXT NOT NULL,
    PRIMARY KEY (evalset, model, n_test)
) WITHOUT ROWID;
"""


class Store:
    """One store file; safe to open from several processes.

    Raises:
        StoreError: the file cannot be opened, is not a store, or was written by a newer version.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or home() / "store.sqlite"
        with self._translated():
            self._connection = sqlite3.connect(self.path, timeout=60, isolation_level=None)
            wal = sqlite3.sqlite_version_info >= SAFE_WAL
            self._connection.execute(f"PRAGMA journal_mode = {'WAL' if wal else 'DELETE'}")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._prepare()

    def _prepare(self) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"the store {str(self.path)!r} was written by a newer tuneworthy (format {version}; "
                f"this one reads up to {SCHEMA_VERSION})",
                hint="pip install --upgrade tuneworthy, or set ADVISOR_HOME to another folder",
            )
        if version < SCHEMA_VERSION:
            self._connection.executescript(f"{_TABLES}PRAGMA user_version = {SCHEMA_VERSION};")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # --- completions -------------------------------------------------------------------------------------------------

    def completions(self, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the stored completions among `keys`."""
        found: dict[str, dict[str, Any]] = {}
        with self._translated():
            for start in range(0, len(keys), 500):
                some = keys[start : start + 500]
                marks = ",".join("?" * len(some))
                rows = self._connection.execute(f"SELECT key, value FROM completions WHERE key IN ({marks})", some)
                found.update((key, json.loads(value)) for key, value in rows)
        return found

    def add_completions(self, completions: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep completions under their keys."""
        self._write(
            "INSERT OR IGNORE INTO completions VALUES (?, ?)",
            [(key, _text(value)) for key, value in completions.items()],
        )

    # --- runs --------------------------------------------------------------------------------------------------------

    def outcomes(self, run_id: str) -> dict[str, Outcome]:
        """Return what is stored of a run, by example id."""
        with self._translated():
            rows = self._connection.execute("SELECT example, value FROM outcomes WHERE run = ?", (run_id,)).fetchall()
        return {example: _adapter(Outcome).validate_python(json.loads(value)) for example, value in rows}

    def add_outcomes(self, run_id: str, outcomes: Iterable[Outcome]) -> None:
        """Keep outcomes; they are durable when this returns."""
        self._write(
            "INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?)",
            [(run_id, outcome.example_id, _dump(Outcome, outcome)) for outcome in outcomes],
        )

    def run(self, run_id: str) -> Run | None:
        """Return a run's header (no outcomes), or `None` if its `fit` has not been finished yet."""
        with self._translated():
            row = self._connection.execute("SELECT value FROM runs WHERE id = ?", (run_id,)).fetchone()
        return None if row is None else _adapter(Run).validate_python(json.loads(row[0]))

    def add_run(self, header: Run) -> None:
        """Keep a run's header: what `fit` chose and cost."""
        self._write("INSERT OR IGNORE INTO runs VALUES (?, ?, ?)", [(header.id, _now(), _dump(Run, header))])

    # --- comparisons -------------------------------------------------------------------------------------------------

    def add_comparison(self, comparison: Comparison) -> None:
        """Keep a comparison, so that `advisor report` can render it again."""
        from advisor.comparison import Comparison as Kept

        row = (comparison.id, _now(), comparison.evalset, comparison.model, comparison.verdict.answer)
        text = _dump(Kept, comparison)
        if any(one.tuned for one in comparison.strategies):
            self._write("INSERT OR IGNORE INTO looks VALUES (?, ?, ?, ?)", [(*row[2:4], comparison.n_test, row[1])])
        self._write("INSERT OR REPLACE INTO comparisons VALUES (?, ?, ?, ?, ?, ?)", [(*row, text)])

    def comparisons(self) -> list[tuple[str, str, str, str, str]]:
        """List (id, created, eval set, model, answer), the newest first."""
        with self._translated():
            return self._connection.execute(
                "SELECT id, created, evalset, model, answer FROM comparisons ORDER BY created DESC"
            ).fetchall()

    def earlier_looks(self, evalset: str, model: str, n_test: int) -> tuple[int, ...]:
        """Return the other sizes of an eval set's test split on which a tuned strategy was compared before this one.

        Each size counts once, by when it was first looked at, so that the same comparison made again is no new look. A
        comparison without a tuned strategy could not have ended in a yes.
        """
        with self._translated():
            rows = self._connection.execute(
                "SELECT n_test FROM looks WHERE evalset = ?1 AND model = ?2 AND n_test != ?3 AND first < coalesce("
                "(SELECT first FROM looks WHERE evalset = ?1 AND model = ?2 AND n_test = ?3), '~') ORDER BY n_test",
                (evalset, model, n_test),
            ).fetchall()
        return tuple(size for (size,) in rows)

    def load_comparison(self, comparison_id: str | None = None) -> Comparison:
        """Return a stored comparison by its id or the unique start of it; the newest one without an id.

        Raises:
            StoreError: there is none.
        """
        from advisor.comparison import Comparison as Kept

        ids = [row[0] for row in self.comparisons() if row[0].startswith(comparison_id or "")]
        if not ids or (comparison_id and len(ids) > 1):
            what = f"comparison {comparison_id!r}" if comparison_id else "comparison yet"
            raise StoreError(
                f"there is {'more than one' if ids else 'no'} {what} in {str(self.path)!r}",
                hint="see the ids: advisor list runs" if comparison_id else "make one: advisor compare",
            )
        with self._translated():
            row = self._connection.execute("SELECT value FROM comparisons WHERE id = ?", (ids[0],)).fetchone()
        loaded: Comparison = _adapter(Kept).validate_python(json.loads(row[0]))
        return loaded

    # --- inside ------------------------------------------------------------------------------------------------------

    def _write(self, statement: str, rows: list[tuple[str | int, ...]]) -> None:
        if not rows:
            return
        with self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany(statement, rows)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StoreError(
                f"the store {str(self.path)!r} cannot be used: {error}",
                hint="what was stored before is unharmed; free disk space, or set ADVISOR_HOME to a folder you may "
                "write to, then run the same command again",
            ) from error
        except sqlite3.Error as error:
            raise StoreError(
                f"the store {str(self.path)!r} cannot be used: {error}",
                hint="move this file away, or set ADVISOR_HOME to another folder, then run the same command again",
            ) from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _text(value: Any) -> str:
    return hide_known(json.dumps(value))


@lru_cache
def _adapter(kind: type) -> Any:
    """Return pydantic's reader and writer of one of our frozen dataclasses."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _dump(kind: type, value: Any) -> str:
    return _text(_adapter(kind).dump_python(value, mode="json"))
