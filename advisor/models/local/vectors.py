"""KeptVectors that were computed once, kept on disk: by what computed them and by the text's hash.

One SQLite file for each maker, with rows that carry a checksum. It is a cache: what cannot be read is computed again,
what cannot be written is not kept, and a file that is damaged is begun anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from advisor._util.batches import batches
from advisor.core import paths

MOST_BYTES = 4_000_000_000
"""A file does not grow beyond this: some 2.4 million vectors of 384 numbers."""
_PAGE_BYTES = 4096
_WAIT_SECONDS = 10.0
"""For another process that writes; what takes longer is computed again, or not kept."""
_UNREADABLE = {"SQLITE_CORRUPT", "SQLITE_NOTADB"}
_UNUSABLE = {*_UNREADABLE, "SQLITE_ERROR"}
"""The last one: its table is another one."""
_TABLE = "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL, sha256 BLOB NOT NULL)"
_PUT = "INSERT OR REPLACE INTO vectors (key, vector, sha256) VALUES (?, ?, ?)"
T = TypeVar("T")


class KeptVectors:
    """The kept vectors of one maker.

    Args:
        made_by: everything that a vector depends on besides its text.
        dimensions: numbers a vector; `None` where that is known by what made them alone.
    """

    def __init__(self, made_by: bytes, dimensions: int | None) -> None:
        self._name, self._size = f"{hashlib.sha256(made_by).hexdigest()}.sqlite", dimensions and 4 * dimensions

    def load(self, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """Return those that are kept and sound."""

        def found(base: sqlite3.Connection) -> dict[bytes, NDArray[np.float32]]:
            rows: list[tuple[bytes, bytes, bytes]] = []
            for some in batches(keys):
                marks = ", ".join("?" * len(some))
                rows += base.execute(f"SELECT key, vector, sha256 FROM vectors WHERE key IN ({marks})", some)
            return {key: np.frombuffer(row, dtype="<f4") for key, row, check in rows if self._is_sound(key, row, check)}

        return self._with(found, _UNREADABLE) or {}

    def keep(self, vectors: Mapping[bytes, NDArray[np.float32]]) -> None:
        """Keep vectors, all of them or none; where that cannot be, none."""
        plain = [(key, vector.astype("<f4").tobytes()) for key, vector in vectors.items()]

        def put(base: sqlite3.Connection) -> bool:
            base.execute(_TABLE)
            with base:
                base.executemany(_PUT, [(key, row, _checksum(key, row)) for key, row in plain])
            return True

        if self._with(put, _UNUSABLE, new=True) is None:
            self._with(put, _UNUSABLE, new=True)

    def _is_sound(self, key: object, row: object, check: object) -> bool:
        if not (isinstance(key, bytes) and isinstance(row, bytes)):
            return False
        return (len(row) == self._size if self._size else len(row) % 4 == 0) and check == _checksum(key, row)

    def _with(self, work: Callable[[sqlite3.Connection], T], damage: set[str], *, new: bool = False) -> T | None:
        """Do something with the file; `None` where it could not be done. What is damaged is removed."""
        try:
            path = paths.cache() / "embeddings" / self._name
            with _opened(path, new) as base:
                return work(base)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorname", "") in damage:
                _remove(path)
        except OSError:
            pass
        return None


@contextlib.contextmanager
def _opened(path: Path, new: bool) -> Iterator[sqlite3.Connection]:
    """Open the file; with `new`, make it where it is not there, so that nobody else can read it."""
    if new:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    if not stat.S_ISREG(path.stat().st_mode):
        raise FileNotFoundError(path)
    base = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_WAIT_SECONDS)
    try:
        base.execute(f"PRAGMA max_page_count = {MOST_BYTES // _PAGE_BYTES}")
        yield base
    finally:
        base.close()


def _remove(path: Path) -> None:
    for name in (path, path.with_name(f"{path.name}-journal")):
        with contextlib.suppress(OSError):
            name.unlink()


def _checksum(key: bytes, row: bytes) -> bytes:
    return hashlib.sha256(key + row).digest()
