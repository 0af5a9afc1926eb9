"""Files: those that somebody gave us are opened with limits, and ours are written whole or not at all.

This is the one place where a pipe, a device or a bomb is turned away.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO


class UnusableFileError(ValueError):
    """A file cannot be read as it is; the message says why, without its name."""


@contextlib.contextmanager
def opened(path: Path, limit_bytes: int) -> Iterator[BinaryIO]:
    """Open a regular file of at most so many bytes.

    What is looked at is what was opened, so that nothing can be put in its place in between; and a pipe without a
    writer is not waited for.

    Raises:
        FileNotFoundError: there is none.
        UnusableFileError: it is a folder, a pipe or a device, is too large, or may not be read.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        raise UnusableFileError(f"it cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        info = os.fstat(number)
        if not stat.S_ISREG(info.st_mode):
            what = "a folder" if stat.S_ISDIR(info.st_mode) else "a device, pipe or socket"
            raise UnusableFileError(f"it is {what}; a regular file is needed")
        if info.st_size > limit_bytes:
            raise UnusableFileError(f"it has {info.st_size:,} bytes; at most {limit_bytes:,} are read")
    except BaseException:
        os.close(number)
        raise
    with os.fdopen(number, "rb") as file:
        yield file


def exists(path: Path) -> bool:
    """Return whether there is something at `path`; what cannot be a path is nothing."""
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, or with a NUL in it
        return False


def size_of(file: BinaryIO) -> int:
    """Return how many bytes an open file has."""
    return os.fstat(file.fileno()).st_size


def tree_bytes(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder; no link is followed."""
    with contextlib.suppress(OSError):
        if not path.is_dir() or path.is_symlink():
            return path.lstat().st_size
        return sum(tree_bytes(Path(entry.path)) for entry in os.scandir(path))
    return 0


def read_bounded(path: Path, limit_bytes: int) -> bytes:
    """Return the content of a regular file; see `opened`. It may have grown since: that is noticed too.

    Raises:
        FileNotFoundError, UnusableFileError: see `opened`.
    """
    with opened(path, limit_bytes) as file:
        content = file.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise UnusableFileError(f"it has more than {limit_bytes:,} bytes; that many are read at most")
    return content


def write_whole(path: Path, content: bytes | Iterable[bytes], mode: int = 0o666) -> None:
    """Write beside `path`, have it on disk, and put it in its place: a crash leaves the old file or the new one.

    A link stays a link: the file it points to is replaced. What is no file (see `written_through`) is written to, and
    nothing takes its place. What a killed process had begun is named ``.NAME.HEX.part``.

    Args:
        path: where to.
        content: in one piece or in several.
        mode: permissions, less what the user's umask takes away and what an older file in its place did not allow.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    pieces = [content] if isinstance(content, bytes) else content
    if written_through(path):
        _write_through(path, pieces)
        return
    path = Path(os.path.realpath(path))
    with contextlib.suppress(FileNotFoundError):
        mode &= stat.S_IMODE(path.stat().st_mode)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with open(draft, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()


def written_through(path: Path) -> bool:
    """Return whether what is written to `path` goes on elsewhere: to a device, a pipe, or what this process has open.

    The last is what ``/dev/stdout`` and ``/dev/fd/3`` stand for; where it is a file, somebody may have written to it
    before and may go on.
    """
    if _own_descriptor(path) is not None:
        return True
    try:
        kind = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(kind) or stat.S_ISDIR(kind))


def _own_descriptor(path: Path) -> int | None:
    """Return the number of the open file that a path such as ``/dev/stdout`` stands for, through any links."""
    with contextlib.suppress(OSError, ValueError):
        for _ in range(40):  # as many links as Linux follows
            if re.fullmatch("[0-9]{1,9}", path.name) and os.path.realpath(path.parent) == os.path.realpath("/dev/fd"):
                return int(path.name)
            path = path.parent / os.readlink(path)
    return None


def _write_through(path: Path, pieces: Iterable[bytes]) -> None:
    number = _own_descriptor(path)
    for stream in filter(None, (sys.stdout, sys.stderr)):  # what was printed before stays before
        stream.flush()
    with open(os.open(path, os.O_WRONLY) if number is None else os.dup(number), "wb") as file:
        file.writelines(pieces)


@contextlib.contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to write into; in the end its files are on disk, and it becomes `folder`, which was not there.

    What a killed process had begun is named ``.NAME.part``, and is removed by the next one.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    draft = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True)
        yield draft
        for path in draft.iterdir():
            flush(path)
        flush(draft)
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    flush(folder.parent)


def make_private(path: Path) -> None:
    """Make an empty file that its owner alone can read and write; what is there is made so, see `tighten`.

    An older file is not opened: to close it would free the locks that this process has on it.
    """
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    tighten(path)


def tighten(path: Path) -> None:
    """Take from all but the owner what they may do with a file or folder.

    Without effect on Windows, on what is another user's, and on a folder for everybody's files such as ``/tmp``.
    """
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077 and not mode & stat.S_ISVTX:
            path.chmod(mode & 0o700)


def flush(path: Path) -> None:
    """Have a file, or the names in a folder, on disk; where a system cannot flush a folder, it is left to it."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        if path.is_dir():
            return
        raise
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(folder: Path, pattern: str, seconds: float = 0.0) -> None:
    """Remove what killed processes had begun to write; with `seconds`, only what is older: others may be at work."""
    for path in folder.glob(pattern):
        with contextlib.suppress(OSError):
            if not seconds or time.time() - path.stat().st_mtime > seconds:
                path.unlink()
