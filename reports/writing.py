"""Writing a report to a file: the format by its extension, and never half a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast

from advisor._util.files import write_whole
from advisor._util.redaction import hide_known, known_secrets
from advisor.core.errors import ConfigurationError, StoreError
from advisor.core.paths import expanded
from advisor.decision.comparison import Comparison

OWN = (".html", ".md", ".json", ".csv")
"""These hide keys in values, so that numbers stay."""


def save(comparison: Comparison, path: str | os.PathLike[str]) -> Path:
    """Write `comparison` to `path` in the format its extension names, and return the path.

    Built in are ``.html``, ``.md``, ``.json`` and ``.csv``; a plug-in of kind `reports` adds the extension of its own
    name. Missing folders are made. The file appears whole or not at all, and an older one is kept until then.

    Raises:
        ConfigurationError: the extension names no format.
        StoreError: the file cannot be written.
    """
    target = expanded(path)
    text = renderer(target)(known_secrets().hide_in(comparison))
    if target.suffix.lower() not in OWN:  # a plug-in's may say what it read of an answer
        text = hide_known(text) if isinstance(text, str) else map(hide_known, text)
    write_atomically(target, text)
    return target


def renderer(path: Path) -> Callable[[Comparison], str | Iterable[str]]:
    """Return the function that renders a report for the extension of `path`.

    Raises:
        ConfigurationError: the extension names no format.
    """
    from advisor.core import registry

    allowed = sorted(entry.name for entry in registry.names("reports"))
    extension = path.suffix.lower().removeprefix(".")
    if extension not in allowed:
        what = f"the extension {path.suffix!r}" if path.suffix else "no extension"
        raise ConfigurationError(
            f"{str(path)!r} has {what}, which names no report format; "
            f"allowed: {', '.join(f'.{name}' for name in allowed)}",
            hint=f"write for example --output {path.stem or 'report'}.html",
        )
    return cast("Callable[[Comparison], str | Iterable[str]]", registry.load("reports", extension))


def write_atomically(target: Path, text: str | Iterable[str]) -> None:
    """Write UTF-8 `text`, whole or in pieces; see `advisor._util.files.write_whole`.

    Raises:
        BrokenPipeError: nobody reads the pipe that it is written to.
        StoreError: the folder or the file cannot be written; nothing is left behind.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, (piece.encode() for piece in ([text] if isinstance(text, str) else text)))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StoreError(
            f"the report cannot be written to {str(target)!r}: {error.strerror or error}",
            hint="choose another place with --output",
        ) from error
