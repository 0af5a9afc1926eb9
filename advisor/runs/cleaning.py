"""What may be removed from ADVISOR_HOME and ADVISOR_CACHE: what is certainly garbage, and by wish what was paid for.

Certainly garbage are locks that nobody holds, drafts that a killed process left, and work folders with nothing in them.
Nothing is touched whose name is not ours, no link is followed, and while another process is at work only caches and
copies go.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from advisor._util import formats
from advisor._util.files import tree_bytes
from advisor.core.errors import StoreError
from advisor.core.paths import cache, home
from advisor.core.progress import Progress, silent
from advisor.runs.store import AT_WORK, CLEANING, Store

CACHES = ("embeddings",)
"""What is under ADVISOR_CACHE and made anew without a network."""
STALE_SECONDS = 86_400.0
"""A draft in the cache may be another home's; one that is older than a day is nobody's."""
_DRAFT = re.compile(r"\..+\.part|store\.sqlite\.format-\d+\.part")
_COPY = re.compile(r"store\.sqlite\.format-\d+\.bak")
_LOCK = re.compile(rf"(?:[0-9a-f]{{16,64}}|{AT_WORK}[0-9a-f]{{16}})\.lock")
_RUN = re.compile(r"[0-9a-f]{16}")
_LEAST_FREE = 1_000_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to go besides garbage: comparisons of some age or beyond a number, copies of the store, caches."""

    older_than_days: float | None = None
    keep: int | None = None
    copies: bool = False
    caches: bool = False

    @property
    def names_runs(self) -> bool:
        """Whether comparisons are to go."""
        return self.older_than_days is not None or self.keep is not None


@dataclass(frozen=True, slots=True)
class Removed:
    """One thing that goes: of which kind, its name, and its size in bytes."""

    kind: str
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What went, or would go; and in sentences what was left though it was asked for."""

    found: tuple[Removed, ...]
    left: tuple[str, ...] = ()


def clean(wish: Wish, *, dry_run: bool, progress: Progress = silent) -> Cleaned:
    """Remove garbage and what is wished, or only find it.

    Raises:
        StoreError: the store cannot be used.
    """
    folder, found, left = home(), list[Removed](), list[str]()
    found += _copies(folder, wish, dry_run) + _caches(wish, dry_run)
    if not (folder / "store.sqlite").exists():
        return Cleaned(tuple(found))
    with Store() as store, store.claimed(CLEANING, progress, "clean"):
        held = _held(folder / "locks")
        if held:
            left.append("another advisor is at work here: its store, locks and work folders are left as they are")
        else:
            found += _in_use_by_nobody(store, folder, wish, dry_run, left)
    return Cleaned(tuple(found), tuple(left))


def _in_use_by_nobody(store: Store, folder: Path, wish: Wish, dry_run: bool, left: list[str]) -> list[Removed]:
    before = None
    if wish.older_than_days is not None:
        before = (datetime.now(UTC) - timedelta(days=wish.older_than_days)).isoformat(timespec="milliseconds")
    found, runs, free = list[Removed](), frozenset[str](), store.free_bytes()
    if wish.names_runs:
        removal = store.removable(before, wish.keep)
        runs = frozenset(removal.runs)
        share = removal.size // max(1, len(removal.comparisons))
        found += [Removed("comparison", f"{name} ({known})", share) for name, known in removal.comparisons]
        if not removal.comparisons and removal.runs:
            found.append(Removed("runs of no comparison", str(len(removal.runs)), removal.size))
        if not dry_run:
            store.remove(removal)
    for path in _garbage(store, folder, runs, wish):
        found.append(Removed(_kind(path), str(path.relative_to(folder)), tree_bytes(path)))
        if not dry_run:
            _remove(path)
    if free >= _LEAST_FREE:
        found.append(Removed("free room in the store", "store.sqlite", free))
    if not dry_run and (free >= _LEAST_FREE or runs):
        try:
            store.compact()
        except StoreError:
            left.append(
                "the store keeps its size, as there is no room to write it anew; what is free in it is used again"
            )
    return found


def _garbage(store: Store, folder: Path, runs: frozenset[str], wish: Wish) -> Iterator[Path]:
    yield from (path for path in _ours(folder, _DRAFT) if path.is_file())
    yield from (path for path in _ours(folder / "locks", _LOCK) if path.is_file())
    for path in _ours(folder / "work", _RUN):
        empty = not any(files for _, _, files in os.walk(path))
        aged = wish.older_than_days is not None and _age(path) > wish.older_than_days * 86_400.0
        unfinished = not store.knows(path.name)  # an interrupted training goes on from there
        if empty or path.name in runs or (unfinished and (aged or (wish.keep == 0 and wish.older_than_days is None))):
            yield path
        else:
            yield from (draft for draft in sorted(path.rglob(".*.part")) if not draft.is_symlink())


def _age(path: Path) -> float:
    """Return the seconds since anything in a folder was written."""
    times = [
        path.stat().st_mtime,
        *(Path(root, name).lstat().st_mtime for root, _, names in os.walk(path) for name in names),
    ]
    return time.time() - max(times)


def _copies(folder: Path, wish: Wish, dry_run: bool) -> list[Removed]:
    found = []
    for path in _ours(folder, _COPY) if wish.copies else ():
        found.append(Removed("copy of an earlier store", path.name, tree_bytes(path)))
        if not dry_run:
            _remove(path)
    return found


def _caches(wish: Wish, dry_run: bool) -> list[Removed]:
    found, root = [], cache()
    places = [root / name for name in CACHES if not (root / name).is_symlink()]
    paths = [path for place in places for path in sorted(place.glob("*")) if not path.is_symlink()]
    for path in paths:
        if wish.caches or (_DRAFT.fullmatch(path.name) and _age(path) > STALE_SECONDS):
            found.append(Removed("cache", str(path.relative_to(root)), tree_bytes(path)))
            if not dry_run:
                _remove(path)
    return found


def _ours(folder: Path, name: re.Pattern[str]) -> list[Path]:
    """Return what has one of our names in a folder; no links."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    return [path for path in sorted(folder.iterdir()) if name.fullmatch(path.name) and not path.is_symlink()]


def _kind(path: Path) -> str:
    return "lock" if path.suffix == ".lock" else "draft" if path.suffix == ".part" else "work folder"


def _remove(path: Path) -> None:
    """Remove a file or folder; what is gone already or may not be removed is left."""
    with contextlib.suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def _held(locks: Path) -> list[str]:
    """Return the locks that some process holds now, or that cannot be asked for."""
    from filelock import FileLock, Timeout

    found = []
    for path in _ours(locks, _LOCK):
        lock = FileLock(path, thread_local=False)
        try:
            lock.acquire(timeout=0)
        except (Timeout, NotImplementedError, OSError):
            found.append(path.stem)
        else:
            lock.release()
    return found


def said(cleaned: Cleaned, dry_run: bool) -> str:
    """Return in one sentence how much went, or would go."""
    size = formats.size(sum(one.size for one in cleaned.found))
    if not cleaned.found:
        return "Nothing to remove."
    return f"{'Would free' if dry_run else 'Freed'} {size}."
