"""Everything that was paid for, kept: completions, outcomes, runs and comparisons in one SQLite file.

Rows are only ever added; only an outcome that failed, and a comparison made again, are replaced. The attempt log
has a row before a call is sent and another one once it is over, so that calls which may be billed without an answer are
known, even after a power cut.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from advisor._util.redaction import known_secrets
from advisor.core.errors import StoreError
from advisor.core.paths import home
from advisor.core.progress import Progress, silent
from advisor.core.types import Outcome, Outcomes, Run
from advisor.runs import members
from advisor.runs.database import Database
from advisor.runs.removal import Removal, removable, remove
from advisor.runs.rows import completion_text, dumped, hidden_text, outcome_of, rows_of
from advisor.runs.stored import adapter

if TYPE_CHECKING:
    from advisor.decision.comparison import Comparison

SCHEMA_VERSION = 4
"""2 had no attempt log and no `members`; up to 3 each comparison had the outcomes of its runs once more in itself."""
CLEANING, AT_WORK = "cleaning", "at-work-"
"""Names of locks: of the one who cleans, and the beginning of those of all who are at work."""
_IMPORTED = '"imported": true'
"""How the mark of an imported run stands in a row; within a text its quotes would be escaped."""
Ending = Literal["answered", "failed", "unsent"]
_TABLES = (
    "CREATE TABLE IF NOT EXISTS completions ("
    "key TEXT PRIMARY KEY, value TEXT NOT NULL, run TEXT NOT NULL DEFAULT '') WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS outcomes ("
    "run TEXT NOT NULL, example TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, example)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS runs (id TEXT PRIMARY KEY, created TEXT NOT NULL, value TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS comparisons ("
    "id TEXT PRIMARY KEY, created TEXT NOT NULL, evalset TEXT NOT NULL, model TEXT NOT NULL, answer TEXT NOT NULL, "
    "value TEXT NOT NULL)",
    *members.TABLES,
    "CREATE TABLE IF NOT EXISTS looks ("
    "evalset TEXT NOT NULL, model TEXT NOT NULL, n_test INTEGER NOT NULL, first TEXT NOT NULL, "
    "PRIMARY KEY (evalset, model, n_test)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS attempts ("
    "id INTEGER PRIMARY KEY, run TEXT NOT NULL, key TEXT NOT NULL, opened TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS attempts_of_a_run ON attempts (run)",
    "CREATE TABLE IF NOT EXISTS endings (attempt INTEGER PRIMARY KEY, how TEXT NOT NULL)",
)


class Store:
    """One store file; safe to use from several processes and threads.

    Raises:
        StoreError: the file cannot be opened, is not a store, or was written by a newer version.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or home() / "store.sqlite"
        self._database = Database(self.path, _TABLES, SCHEMA_VERSION, upgrade=members.upgrade)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @contextlib.contextmanager
    def claimed(self, name: str, progress: Progress = silent, what: str = "") -> Iterator[None]:
        """Have something to oneself, among all processes that use this store; waits for whoever has it now.

        The lock is the operating system's: that of a process that died is free. Where the file system knows no locks,
        nothing is locked.

        Args:
            name: what is claimed; 16 or more hexadecimal digits.
            progress: told while waiting.
            what: how a person calls it.
        """
        from filelock import FileLock, Timeout

        folder = self.path.parent / "locks"
        try:
            folder.mkdir(exist_ok=True)
            lock, waited = FileLock(folder / f"{name}.lock", thread_local=False), 0
            while not lock.is_locked:
                try:
                    lock.acquire(timeout=0.5, poll_interval=0.05)
                except Timeout:
                    waited += 1
                    progress(f"{what}: another advisor is at it, waiting", 0, 1)
                except NotImplementedError:
                    break
        except OSError as error:
            raise StoreError(
                f"the folder {str(folder)!r} cannot be used: {error.strerror or error}",
                hint="free disk space, or set ADVISOR_HOME to a folder you may write to, then run the same command "
                "again; what was stored before is unharmed",
            ) from error
        try:
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def at_work(self, progress: Progress = silent) -> Iterator[None]:
        """Say for as long as this lasts that the store is in use, so that nothing is cleaned away; waits for who is."""
        token = f"{AT_WORK}{secrets.token_hex(8)}"
        with contextlib.ExitStack() as own:
            with self.claimed(CLEANING, progress, "clean"):
                own.enter_context(self.claimed(token))
            yield
        with contextlib.suppress(OSError):
            (self.path.parent / "locks" / f"{token}.lock").unlink()

    # --- removing ----------------------------------------------------------------------------------------------------

    def removable(self, before: str | None, keep: int | None) -> Removal:
        """Find what could be removed; see `advisor.runs.removal`."""
        return removable(self._database.read, before, keep)

    def remove(self, removal: Removal) -> None:
        """Remove it in one step; the file keeps its size until `compact`."""
        self._database.transaction(lambda connection: remove(connection, removal))

    def compact(self) -> None:
        """Give the file's free pages back to the disk; takes as much room again while it lasts."""
        self._database.read("VACUUM")

    def free_bytes(self) -> int:
        """Return how much of the file is free."""
        pages, size = (self._database.read(f"PRAGMA {name}")[0][0] for name in ("freelist_count", "page_size"))
        return int(pages * size)

    def knows(self, run_id: str) -> bool:
        """Say whether a run's `fit` was finished."""
        return bool(self._database.read("SELECT 1 FROM runs WHERE id = ?", (run_id,)))

    # --- completions -------------------------------------------------------------------------------------------------

    def completions(self, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the stored completions among `keys`."""
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(keys), 500):
            some = keys[start : start + 500]
            marks = ",".join("?" * len(some))
            rows = self._database.read(f"SELECT key, value FROM completions WHERE key IN ({marks})", tuple(some))
            found.update((key, json.loads(value)) for key, value in rows)
        return found

    def add_completions(
        self,
        completions: Mapping[str, Mapping[str, Any]],
        endings: Mapping[int, Ending] | None = None,
        opening: tuple[str, Sequence[str]] = ("", ()),
    ) -> list[int]:
        """Keep completions under their keys, and in the same step how attempts ended and which ones come next.

        Args:
            completions: by key.
            endings: how attempts ended, by their numbers.
            opening: the run that asks, and what the calls are known by that are about to be sent for it.

        Returns:
            The numbers of the attempts that were opened.
        """
        known = known_secrets()
        rows = [(key, completion_text(known, value), opening[0]) for key, value in completions.items()]
        if not rows and not endings and not opening[1]:
            return []

        def keep(connection: sqlite3.Connection) -> list[int]:
            connection.executemany("INSERT OR IGNORE INTO completions VALUES (?, ?, ?)", rows)
            _end(connection, endings or {})
            return _open(connection, *opening)

        return self._database.transaction(keep)

    # --- the attempt log --------------------------------------------------------------------------------------

    def open_attempts(self, run: str, keys: Sequence[str], failed: Sequence[int] = ()) -> list[int]:
        """Write down, before they are sent, that these calls are sent for a run; return the number of each.

        Args:
            run: for which run.
            keys: what each call is known by.
            failed: numbers of earlier attempts that these are sent in place of.
        """

        def open_(connection: sqlite3.Connection) -> list[int]:
            _end(connection, dict.fromkeys(failed, "failed"))
            return _open(connection, run, keys)

        return self._database.transaction(open_)

    def unanswered(self, runs: Iterable[str]) -> int:
        """Return how many calls were sent for these runs and brought no answer that was kept.

        Those of a call that is in flight now are among them, those of an earlier interruption, and each that was sent
        again after a failure; after a kill also those that were about to be sent. A provider may have billed them.
        """
        statement = (
            "SELECT COUNT(*) FROM attempts LEFT JOIN endings ON attempt = id WHERE run = ? "
            "AND (how IS NULL OR how = 'failed')"
        )
        return sum(int(self._database.read(statement, (run,))[0][0]) for run in runs)

    # --- runs --------------------------------------------------------------------------------------------------------

    def outcomes(self, run_id: str) -> dict[str, Outcome]:
        """Return what is stored of a run, by example id."""
        rows = self._database.read("SELECT example, value FROM outcomes WHERE run = ?", (run_id,))
        return {example: outcome_of(value) for example, value in rows}

    def outcomes_in_order(self, run_id: str, examples: Sequence[str]) -> Outcomes:
        """Return what is stored of a run, in the order of these examples, without ever holding all of it as objects."""
        return Outcomes(outcome_of(text) for _, text in members.outcomes_of(self._database.read, run_id, examples))

    def add_outcomes(self, run_id: str, outcomes: Iterable[Outcome]) -> None:
        """Keep outcomes; they are durable when this returns."""
        given = list(outcomes)
        known = known_secrets()
        rows: list[tuple[str | int, ...]] = [
            (run_id, outcome.example_id, hidden_text(known, Outcome, outcome)) for outcome in given
        ]
        self._write("INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?)", rows)

    def run(self, run_id: str) -> Run | None:
        """Return a run's header (no outcomes), or `None` if its `fit` has not been finished yet."""
        rows = self._database.read("SELECT value FROM runs WHERE id = ?", (run_id,))
        return adapter(Run).validate_python(json.loads(rows[0][0])) if rows else None

    def add_run(self, header: Run) -> None:
        """Keep a run's header: what `fit` chose and cost."""
        self._write("INSERT OR IGNORE INTO runs VALUES (?, ?, ?)", [(header.id, _now(), dumped(Run, header))])

    # --- comparisons -------------------------------------------------------------------------------------------------

    def add_comparison(self, comparison: Comparison) -> None:
        """Keep a comparison, so that `advisor report` can render it again."""
        self._database.transaction(lambda connection: _keep(connection, comparison))

    def take_in(self, comparison: Comparison) -> None:
        """Keep a comparison from elsewhere with its runs, in one step; what is here already stays as it is.

        Its runs are those of `advisor.runs.imported.marked`. Answers of a run that was begun here are shown in the
        comparison, and are no answers of that run.
        """

        def keep(connection: sqlite3.Connection) -> None:
            for run in comparison.runs:
                if not run.error:
                    header = (run.id, _now(), dumped(Run, replace(run, outcomes=(), summaries={})))
                    connection.execute("INSERT OR IGNORE INTO runs VALUES (?, ?, ?)", header)
            if not connection.execute("SELECT 1 FROM comparisons WHERE id = ?", (comparison.id,)).fetchone():
                headers = connection.execute("SELECT id FROM runs WHERE instr(value, ?)", (_IMPORTED,))
                _keep(connection, comparison, {run.id for run in comparison.runs} - {found for (found,) in headers})

        self._database.transaction(keep)

    def imported(self) -> set[str]:
        """Return the ids of comparisons with runs that were imported."""
        return {
            found for (found,) in self._database.read("SELECT id FROM comparisons WHERE instr(value, ?)", (_IMPORTED,))
        }

    def comparisons(self) -> list[tuple[str, str, str, str, str]]:
        """List (id, created, eval set, model, answer), the newest first."""
        return self._database.read(
            "SELECT id, created, evalset, model, answer FROM comparisons ORDER BY created DESC, id"
        )

    def members(self, comparison_id: str) -> list[str]:
        """Return the ids of a comparison's runs; none where it was stored by tuneworthy's second format."""
        rows = self._database.read("SELECT run FROM members WHERE comparison = ? ORDER BY run", (comparison_id,))
        return [run for (run,) in rows]

    def earlier_looks(self, evalset: str, model: str, n_test: int) -> tuple[int, ...]:
        """Return the other sizes of an eval set's test split on which a tuned strategy was compared before this one.

        Each size counts once, by when it was first looked at, so that the same comparison made again is no new look. A
        comparison without a tuned strategy, or on fewer than `LEAST_CLUSTERS` examples, could not have ended in a yes.
        """
        rows = self._database.read(
            "SELECT n_test FROM looks WHERE evalset = ?1 AND model = ?2 AND n_test != ?3 AND first < coalesce("
            "(SELECT first FROM looks WHERE evalset = ?1 AND model = ?2 AND n_test = ?3), '~') ORDER BY n_test",
            (evalset, model, n_test),
        )
        return tuple(size for (size,) in rows)

    def load_comparison(self, comparison_id: str | None = None) -> Comparison:
        """Return a stored comparison by its id or the unique start of it; the newest one without an id.

        Raises:
            StoreError: there is none, or it cannot be read.
        """
        from advisor.runs.stored import comparison_of

        ids = [row[0] for row in self.comparisons() if row[0].startswith(comparison_id or "")]
        if not ids or (comparison_id and len(ids) > 1):
            what = f"comparison {comparison_id!r}" if comparison_id else "comparison yet"
            raise StoreError(
                f"there is {'more than one' if ids else 'no'} {what} in {str(self.path)!r}",
                hint="see the ids: advisor list runs" if comparison_id else "make one: advisor compare",
            )
        rows = self._database.read("SELECT value FROM comparisons WHERE id = ?", (ids[0],))
        try:
            found = comparison_of(json.loads(rows[0][0]))
        except ValueError as error:
            raise StoreError(
                f"comparison {ids[0]!r} was stored by another version of tuneworthy and cannot be shown by this one",
                hint="make it again, its answers are kept: advisor compare",
            ) from error
        return replace(found, runs=tuple(self._with_outcomes(found.id, run) for run in found.runs))

    # --- inside ------------------------------------------------------------------------------------------------------

    def _with_outcomes(self, comparison_id: str, run: Run) -> Run:
        shown = members.shown(self._database.read, comparison_id, run.id)
        return run if run.outcomes or shown is None else replace(run, outcomes=Outcomes(map(outcome_of, shown)))

    def _write(self, statement: str, rows: list[tuple[str | int, ...]]) -> None:
        if rows:
            self._database.transaction(lambda connection: connection.executemany(statement, rows))


def _keep(connection: sqlite3.Connection, comparison: Comparison, apart: Collection[str] = ()) -> None:
    from advisor.decision.comparison import Comparison as Kept
    from advisor.stats.intervals import LEAST_CLUSTERS

    now, answer = _now(), comparison.verdict.answer
    bare = replace(comparison, runs=tuple(replace(run, outcomes=()) for run in comparison.runs))
    row = (comparison.id, now, comparison.evalset, comparison.model, answer, dumped(Kept, bare))
    if any(one.tuned for one in comparison.strategies) and comparison.n_test >= LEAST_CLUSTERS:
        look = (comparison.evalset, comparison.model, comparison.n_test, now)
        connection.execute("INSERT OR IGNORE INTO looks VALUES (?, ?, ?, ?)", look)
    connection.execute("INSERT OR REPLACE INTO comparisons VALUES (?, ?, ?, ?, ?, ?)", row)
    members.keep(connection, comparison.id, ((run.id, rows_of(run.outcomes)) for run in comparison.runs), apart)


def _open(connection: sqlite3.Connection, run: str, keys: Sequence[str]) -> list[int]:
    if not keys:
        return []
    first, now = 1 + int(connection.execute("SELECT coalesce(max(id), 0) FROM attempts").fetchone()[0]), _now()
    numbers = range(first, first + len(keys))
    rows = [(number, run, key, now) for number, key in zip(numbers, keys, strict=True)]
    connection.executemany("INSERT INTO attempts (id, run, key, opened) VALUES (?, ?, ?, ?)", rows)
    return list(numbers)


def _end(connection: sqlite3.Connection, endings: Mapping[int, Ending]) -> None:
    connection.executemany("INSERT OR IGNORE INTO endings VALUES (?, ?)", list(endings.items()))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
