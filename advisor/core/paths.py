"""Where things are kept: results under `ADVISOR_HOME`, everything that can be fetched again under `ADVISOR_CACHE`."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from advisor._util.files import tighten
from advisor.core.errors import ConfigurationError, StoreError


def home() -> Path:
    """The folder with stored runs, comparisons and adapters; made on first use, and closed to other users."""
    folder = _folder("ADVISOR_HOME", "user_data_path", 0o700)
    if (folder / "store.sqlite").exists():  # else it may be a folder of other things
        tighten(folder)
    return folder


def cache() -> Path:
    """The folder with weights, embeddings and downloads; may be deleted at any time."""
    return _folder("ADVISOR_CACHE", "user_cache_path")


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return a path that somebody typed or wrote, with the home folder for ``~``, and another user's for ``~name``.

    Raises:
        ConfigurationError: this user has no home folder.
    """
    found = Path(os.path.expanduser(path))
    if found.parts[:1] == ("~",):
        raise ConfigurationError(
            f"{str(path)!r} begins with ~, which is your home folder, and you have none: HOME is not set",
            hint="write the whole path, or type: export HOME=A_FOLDER_OF_YOURS",
        )
    return found


def _folder(variable: str, default: str, mode: int = 0o777) -> Path:
    chosen = os.environ.get(variable)
    folder = expanded(chosen) if chosen else _usual(variable, default)
    try:
        folder.mkdir(mode, parents=True, exist_ok=True)
    except OSError as error:
        in_the_way = isinstance(error, FileExistsError | NotADirectoryError)
        raise StoreError(
            f"the folder {str(folder)!r} cannot be made: {'a file is in its place' if in_the_way else error.strerror}",
            hint=f"set {variable} to a folder you may write to, e.g. export {variable}=$PWD/tuneworthy",
        ) from error
    return folder


def _usual(variable: str, default: str) -> Path:
    import platformdirs

    folder = Path()
    with contextlib.suppress(RuntimeError):  # earlier versions return a path that begins with ~
        folder = getattr(platformdirs, default)("tuneworthy", appauthor=False)
    if not folder.is_absolute():
        raise StoreError(
            f"this user has no home folder (HOME is not set), so {variable} has to say where things are kept",
            hint=f"export {variable}=$PWD/tuneworthy",
        )
    return folder
