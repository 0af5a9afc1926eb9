"""One SQLite file for several processes: one writes at a time, all read, and nobody ever sees that it was busy.

Every transaction is durable before it is acknowledged (``synchronous=FULL``). The write-ahead log is used only from
SQLite 3.51.3 on: earlier versions can corrupt it with several writers. Else the rollback journal; the locks are the
operating system's, so those of a process that died are gone with it.
"""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from advisor._util.files import make_private, tighten
from advisor.core.errors import StoreError

T = TypeVar("T")

SAFE_WAL = (3, 51, 3)
PATIENCE_SECONDS = 300.0
_EACH_SECONDS = 0.5
"""How long SQLite itself waits for a lock before we look whether somebody pressed Ctrl-C."""
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})


@dataclass(slots=True, eq=False)
class _Transaction:
    """What one thread wants done, and what came of it."""

    work: Callable[[sqlite3.Connection], Any]
    result: Any = None
    error: Exception | None = None
    done: bool = False


class Database:
    """A connection that waits for its turn; may be used from several threads.

    Args:
        path: the file; it is made if it is not there.
        tables: statements that make what is missing; each may be executed again.
        version: the format these make; an older file is brought to it, after a copy of it was made beside it.
        upgrade: what is to be done for that beside making tables, in the same step; it is told the older format.
        patience_seconds: how long to wait for other processes.

    Raises:
        StoreError: the file cannot be used, is another program's, or was written by a newer version.
    """

    def __init__(
        self,
        path: Path,
        tables: tuple[str, ...],
        version: int,
        *,
        upgrade: Callable[[sqlite3.Connection, int], None] | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.path, self._patience = path, patience_seconds
        self._lock, self._random = threading.RLock(), random.Random()
        self._turn, self._waiting = threading.RLock(), deque[_Transaction]()
        make_private(path)
        for name in ("-wal", "-shm", "-journal"):  # SQLite gives new ones the permissions of the file
            tighten(path.with_name(path.name + name))
        with self._translated():
            self._connection = sqlite3.connect(
                path, timeout=_EACH_SECONDS, isolation_level=None, check_same_thread=False
            )
        try:
            self._patiently(self._set_up)
            self._prepare(tables, version, upgrade)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def read(self, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """Return all rows."""
        return self._patiently(lambda: self._connection.execute(statement, values).fetchall())

    def transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` as one durable step; where others were in the way it is done again from its start.

        What several threads bring at the same time is made durable together, by whichever comes first: writing to the
        disk takes as long for one as for all of them.
        """
        step = _Transaction(work)
        self._waiting.append(step)
        with self._turn:
            if not step.done:
                self._do_waiting(step)
        if step.error is not None:
            raise step.error
        return step.result  # type: ignore[no-any-return]

    # --- inside ------------------------------------------------------------------------------------------------------

    def _do_waiting(self, own: _Transaction) -> None:
        steps = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            self._do(steps)
        finally:  # Ctrl-C is for this thread; the others' steps are done by the next one
            self._waiting.extendleft(step for step in reversed(steps) if not step.done and step is not own)

    def _do(self, steps: list[_Transaction]) -> None:
        """Do them together; where one is at fault, each for itself. A store that cannot be used fails them all."""
        try:
            self._patiently(lambda: self._whole(steps))
        except Exception as error:
            if len(steps) > 1 and not isinstance(error, StoreError):
                for step in steps:
                    self._do([step])
                return
            for step in steps:
                step.error, step.done = error, True

    def _whole(self, steps: list[_Transaction]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            results = [step.work(self._connection) for step in steps]
            self._connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            raise
        for step, result in zip(steps, results, strict=True):
            step.result, step.done = result, True

    def _set_up(self) -> None:
        mode = "wal" if sqlite3.sqlite_version_info >= SAFE_WAL else "delete"
        if self._connection.execute("PRAGMA journal_mode").fetchone()[0] != mode:
            self._connection.execute(f"PRAGMA journal_mode = {mode}")
        self._connection.execute("PRAGMA synchronous = FULL")

    def _prepare(
        self, tables: tuple[str, ...], version: int, upgrade: Callable[[sqlite3.Connection, int], None] | None
    ) -> None:
        found = self._version()
        if found > version:
            raise StoreError(
                f"the store {str(self.path)!r} was written by a newer tuneworthy (format {found}; "
                f"this one reads up to {version})",
                hint="update the checkout (git pull), or set ADVISOR_HOME to another folder",
            )
        if found == version:
            return

        def bring_up(connection: sqlite3.Connection) -> None:
            older = self._version_now(connection)
            if older >= version:
                return  # another process was quicker
            if older:
                self._copy(older)
            for statement in tables:
                connection.execute(statement)
            if older and upgrade:
                upgrade(connection, older)
            connection.execute(f"PRAGMA user_version = {version}")

        self.transaction(bring_up)

    def _version(self) -> int:
        return self._patiently(lambda: self._version_now(self._connection))

    def _version_now(self, connection: sqlite3.Connection) -> int:
        used = connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()  # first: another process may make
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])  # tables and number meanwhile, at once
        if used and not version:
            raise StoreError(
                f"the file {str(self.path)!r} is the database of another program",
                hint="move this file away, or set ADVISOR_HOME to another folder, then run the same command again",
            )
        return version

    def _copy(self, version: int) -> None:
        """Copy the file as it is, before its format changes; nobody can write meanwhile."""
        kept = self.path.with_name(f"{self.path.name}.format-{version}.bak")
        if kept.exists():
            return  # from a change of format that was interrupted
        part = kept.with_suffix(".part")
        part.unlink(missing_ok=True)
        make_private(part)
        source, target = sqlite3.connect(self.path, timeout=_EACH_SECONDS), sqlite3.connect(part)
        with contextlib.closing(source), contextlib.closing(target):
            source.backup(target)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(kept)

    def _patiently(self, work: Callable[[], T]) -> T:
        until = time.monotonic() + self._patience
        while True:
            with self._lock, self._translated():
                try:
                    return work()
                except sqlite3.OperationalError as error:
                    if not _is_busy(error):
                        raise
            if time.monotonic() > until:
                raise StoreError(
                    f"another process has kept the store {str(self.path)!r} to itself for {self._patience:g} seconds",
                    hint="end that process, then run the same command again; what was stored before is unharmed",
                )
            time.sleep(self._random.uniform(0.001, 0.03))

    @contextlib.contextmanager
    def _translated(self) -> Any:
        try:
            yield
        except (sqlite3.OperationalError, OSError) as error:
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


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY
