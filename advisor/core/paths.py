"""Where things are kept: results under `ADVISOR_HOME`, everything that can be fetched again under `ADVISOR_CACHE`."""

from __future__ import annotations

import os
from pathlib import Path

from advisor.core.errors import StoreError


def home() -> Path:
    """The folder with stored runs, comparisons and adapters; made on first use."""
    return _folder("ADVISOR_HOME", "user_data_path")


def cache() -> Path:
    """The folder with weights, embeddings and downloads; may be deleted at any time."""
    return _folder("ADVISOR_CACHE", "user_cache_path")


def _folder(variable: str, default: str) -> Path:
    chosen = os.environ.get(variable)
    if chosen:
        folder = Path(chosen).expanduser()
    else:
        import platformdirs

        folder = getattr(platformdirs, default)("tuneworthy", appauthor=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        in_the_way = isinstance(error, FileExistsError | NotADirectoryError)
        raise StoreError(
            f"the folder {str(folder)!r} cannot be made: {'a file is in its place' if in_the_way else error.strerror}",
            hint=f"set {variable} to a folder you may write to, e.g. export {variable}=$HOME/tuneworthy",
        ) from error
    return folder
