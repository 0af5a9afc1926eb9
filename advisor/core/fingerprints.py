"""What makes a thing the same one: addresses of values, metrics and code; the parameters a plug-in was built with."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from advisor.core.errors import RegistryError
from advisor.core.specs import recordable

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


def constructor_parameters(target: Callable[..., Any]) -> tuple[list[str], bool]:
    """Return the names of the keywords a constructor takes, and whether it takes any keyword at all."""
    if inspect.isclass(target) and target.__init__ is object.__init__ and target.__new__ is object.__new__:
        return [], False
    try:
        parameters = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):
        return [], True
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return named, any(p.kind is p.VAR_KEYWORD for p in parameters)


def params_of(strategy: object) -> dict[str, Any]:
    """Return the constructor parameters of `strategy` with their values, as JSON types, defaults included.

    Raises:
        RegistryError: a parameter is not stored under its own name, or its value cannot be recorded.
    """
    values: dict[str, Any] = {}
    for name in constructor_parameters(type(strategy))[0]:
        if not hasattr(strategy, name):
            raise RegistryError(
                f"{type(strategy).__name__} takes the parameter {name!r} and does not keep it, so the run cannot "
                "record it",
                hint=f"write self.{name} = {name} in its __init__",
            )
        values[name] = recordable(getattr(strategy, name), f"parameter {name!r} of {type(strategy).__name__}")
    return values


def source_digest(strategy: object) -> str:
    """Return the SHA-256 (hex) of the files that define the class of `strategy`, its bases and their sibling imports.

    Part of the run key: editing a strategy's code runs it again. A class without a file (typed at a prompt) is
    represented by its compiled methods.
    """
    files: set[Path] = set()
    codes: list[str] = []
    for cls in type(strategy).__mro__[:-1]:
        if cls.__module__.partition(".")[0] in sys.stdlib_module_names:
            continue
        path = _file_of(cls)
        if path is None:
            codes.append(_compiled(cls))
        else:
            _with_siblings(path, files)
    contents = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    return hashlib.sha256("\n".join([*contents, *codes]).encode()).hexdigest()


def _file_of(cls: type) -> Path | None:
    try:
        name = inspect.getsourcefile(cls)
    except (TypeError, OSError):
        return None
    return Path(name) if name and Path(name).is_file() else None


def _with_siblings(path: Path, seen: set[Path]) -> None:
    """Add `path` and every file of the same folder that it imports, relatively or (PYTHONPATH) by its bare name."""
    if path in seen:
        return
    seen.add(path)
    for node in ast.walk(ast.parse(path.read_bytes())):
        for head in _imported_heads(node):
            if (sibling := path.parent / f"{head}.py").is_file():
                _with_siblings(sibling, seen)


def _imported_heads(node: ast.AST) -> list[str]:
    """Return the first part of what an import statement names; nothing for what lies in a folder above."""
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    if not isinstance(node, ast.ImportFrom) or node.level > 1:
        return []
    return [node.module.split(".")[0]] if node.module else [alias.name for alias in node.names]


def _compiled(cls: type) -> str:
    """Describe a class by its methods' instructions and constants, without addresses."""

    def describe(value: Any) -> str:
        if inspect.iscode(value):
            return f"{value.co_code.hex()} {value.co_names} {[describe(constant) for constant in value.co_consts]}"
        return repr(value) if isinstance(value, str | bytes | int | float | tuple | None) else type(value).__name__

    members = sorted(
        (name, getattr(member, "__code__", member))
        for name, member in vars(cls).items()
        if name[:2] != "__" or name == "__init__"
    )
    return "\n".join(f"{name} {describe(member)}" for name, member in members)
