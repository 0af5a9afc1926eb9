"""Content addresses: of values, of metrics, of code with the data beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

_DATA_FILES = frozenset({".json", ".csv", ".tsv", ".txt", ".yaml", ".db", ".sqlite"})
_MOST_BYTES = 20_000_000


def digest(value: Any) -> str:
    """Return a 16-hex-digit content address of any JSON-like value (dataclasses included)."""
    return hashlib.sha256(_CANONICAL.encode(value).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {"type": type(value).__name__, **{one.name: getattr(value, one.name) for one in fields(value)}}
    raise TypeError(f"{type(value).__name__} has no content address")


_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, default=_plain)


def identity(spec: str) -> str:
    """Return what makes a metric the same one: its specification, or for one in a file its code and the data beside it.

    The folder it lies in is no part of it, so that an eval set is the same on another machine.
    """
    file, colon, rest = spec.partition(".py:")
    path = Path(f"{file}.py")
    if not colon or not path.is_file():
        return spec
    return f"{path.name}:{rest} {code_and_data(path)}"


def code_and_data(path: Path) -> str:
    """Address the file and the data files beside it, so that an edited order book is another eval set."""
    beside = {path, *(file for file in path.parent.iterdir() if file.suffix in _DATA_FILES and file.is_file())}
    small = sorted(file for file in beside if file.stat().st_size <= _MOST_BYTES)
    return digest([[file.name, hashlib.sha256(file.read_bytes()).hexdigest()] for file in small])
