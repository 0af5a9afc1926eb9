"""Code that a file brings: read once, asked about once a content, and run from the bytes in hand.

An eval set may bring tools and a metric, and a comparison file may name strategies and models. Nothing of it runs until
`BroughtCode.after_consent`, which only a comparison calls. What was agreed to is remembered by content under
``ADVISOR_HOME/trusted-code``.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import importlib.machinery
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from advisor._util.files import UnusableFileError, exists, read_bounded, write_whole
from advisor.core.errors import EvalSetError, StoreError
from advisor.core.paths import home
from advisor.core.source_modules import failing_line, run_source
from advisor.core.specs import Spec

MAX_BYTES = 1_000_000
"""Of one file."""
MOST_FILES = 100


@dataclass(frozen=True, slots=True)
class BroughtCode:
    """The code of one eval set; what a comparison file names is held in the same way, to be asked about.

    Attributes:
        folder: where the set lies, links resolved.
        sources: by path inside the folder the content of each file that may run: those that ``evalset.yaml`` names,
            and those beside them that they import.
        named: what ``evalset.yaml`` says of them, e.g. ``metric.py:Metric(k=3)``.
        tools: which of them is the file of tools; empty where there is none.
        may_run: whether it is shipped, or was agreed to for this comparison.
        modules: what is named without a file, e.g. ``package.module:Class``.
        what: how it is called in the question.
    """

    folder: Path
    sources: Mapping[str, bytes]
    named: tuple[str, ...]
    tools: str = ""
    may_run: bool = False
    modules: tuple[str, ...] = ()
    what: str = "this eval set brings code"

    @classmethod
    def read(cls, folder: Path, tools: str, metric: str, *, may_run: bool = False) -> BroughtCode:
        """Read the files that a set names, and what they import beside them; nothing is run.

        Args:
            folder: the set's folder.
            tools: the file of tools, inside the folder; empty where there is none.
            metric: ``metric.py:Metric(k=3)`` of a metric of its own; empty where there is none.
            may_run: for shipped sets.

        Raises:
            EvalSetError: a file cannot be read, is no Python, or leads out of the folder.
        """
        root = Path(os.path.realpath(folder))
        sources: dict[str, bytes] = {}
        names = [name for name in (tools, Spec.parse(metric).target.rpartition(":")[0] if metric else "") if name]
        keys = [collect(root, Path(name), sources) for name in names]
        return cls(root, sources, tuple(filter(None, (tools, metric))), keys[0] if tools else "", may_run)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of all that may run, and of what is said of it."""
        parts = [[name, hashlib.sha256(source).hexdigest()] for name, source in sorted(self.sources.items())]
        return hashlib.sha256(json.dumps([parts, self.named]).encode()).hexdigest()

    @property
    def told(self) -> str:
        """The files with the beginnings of their SHA-256, and the modules."""
        files = [(name, hashlib.sha256(source).hexdigest()) for name, source in self.sources.items()]
        return ", ".join([*(f"{name} (sha256 {digest[:12]}…)" for name, digest in files), *self.modules])

    @property
    def is_trusted(self) -> bool:
        """Whether it may run, or would without being asked about again."""
        return self.may_run or self._agreed.is_file()

    def after_consent(self, trust_code: bool) -> BroughtCode:
        """Return the code as it may be run: it is shipped, `trust_code` says so now, or this content was agreed to.

        Raises:
            EvalSetError: nobody has agreed to it.
            StoreError: the consent cannot be remembered.
        """
        if not self.is_trusted:
            if not trust_code:
                raise self.refusal()
            self._remember()
        return replace(self, may_run=True)

    def refusal(self) -> EvalSetError:
        """Return the error that asks for consent."""
        return EvalSetError(
            f"{self.what}: {self.told}",
            hint="read it, then run with --trust-code (remembered for this content)",
        )

    def module(self, path: Path) -> ModuleType:
        """Run one of the files, once a process, from the bytes that were hashed.

        Args:
            path: of the file, inside the folder.

        Raises:
            EvalSetError: it is none of them, may not run, or breaks.
        """
        name = self._name_of(path)
        if not self.may_run:
            raise self.refusal()
        place = self.folder / name
        known = hashlib.sha256(f"{place} {self.digest}".encode()).hexdigest()[:16]
        try:
            return run_source(
                place, self.sources[name], f"advisor_set_{place.stem}_{known}", partial(self._import, place.parent)
            )
        except BaseException as error:
            if not isinstance(error, Exception | SystemExit):
                raise
            line = failing_line(error, place)
            raise EvalSetError(
                f"{place.name}{f' line {line}' if line else ''}: it cannot be run: {type(error).__name__}: {error}",
                hint=f"to see where: python {place}",
            ) from error

    def _name_of(self, path: Path) -> str:
        place = Path(os.path.realpath(path if path.is_absolute() else self.folder / path))
        name = place.relative_to(self.folder).as_posix() if place.is_relative_to(self.folder) else ""
        if name not in self.sources:
            raise EvalSetError(f"{str(path)!r} is no file of the eval set that may run")
        return name

    def _import(
        self,
        place: Path,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: tuple[str, ...] = (),
        level: int = 0,
    ) -> Any:
        """Import as a file of the set does: what stands beside it comes from the hashed bytes, or not at all."""
        head = name.partition(".")[0]
        if level == 0 and (beside := place / f"{head}.py").is_file():
            return self.module(beside)
        if level == 0 and head not in sys.modules and _could_be_imported(place / head):
            raise ImportError(f"{head!r} stands beside this file and is no .py file that could have been shown to you")
        return builtins.__import__(name, globals, locals, fromlist, level)

    @property
    def _agreed(self) -> Path:
        return home() / "trusted-code" / self.digest

    def _remember(self) -> None:
        try:
            self._agreed.parent.mkdir(mode=0o700, exist_ok=True)
            write_whole(self._agreed, f"{self.told}\n".encode(), 0o600)
        except OSError as error:
            raise StoreError(f"that the code is trusted cannot be kept: {error.strerror or error}") from error


Origin = Literal["data", "user"] | BroughtCode
"""Who says a name that may lead to code: data, the user (the command line, Python), or a set that brings code."""


def collect(root: Path, name: Path, sources: dict[str, bytes]) -> str:
    """Read a file of the folder `root`, and those beside it that it imports; return its path there.

    Raises:
        EvalSetError: see `BroughtCode.read`.
    """
    place = Path(os.path.realpath(root / name))
    if not place.is_relative_to(root):
        raise EvalSetError(f"{name.as_posix()!r} leads out of the folder of the eval set")
    key = place.relative_to(root).as_posix()
    if key in sources:
        return key
    if len(sources) == MOST_FILES:
        raise EvalSetError(f"the eval set brings more than {MOST_FILES} files of code")
    try:
        sources[key] = read_bounded(place, MAX_BYTES)
    except FileNotFoundError:
        raise EvalSetError(f"there is no file {name.as_posix()!r} in {str(root)!r}") from None
    except UnusableFileError as error:
        raise EvalSetError(f"{name.as_posix()}: {error}") from None
    for head in imported_heads(parsed(key, sources[key])):
        beside = place.with_name(f"{head}.py")
        if exists(beside):
            collect(root, beside.relative_to(root), sources)
    return key


def parsed(name: str, source: bytes) -> ast.Module:
    """Return the syntax tree of a file called `name`.

    Raises:
        EvalSetError: it is no Python; names the line.
    """
    try:
        return ast.parse(source, name)
    except SyntaxError as error:
        line = f" line {error.lineno}" if error.lineno else ""
        raise EvalSetError(
            f"{name}{line}: it is not Python: {error.msg}", hint=f"to see where: python {name}"
        ) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise EvalSetError(f"{name}: it is not Python: {error or 'it is nested too deeply'}") from None


def imported_heads(tree: ast.Module) -> Iterator[str]:
    """Yield the first part of each name that is imported anywhere in a file, without relative imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]


def _could_be_imported(beside: Path) -> bool:
    """Whether Python could take something called so in this folder for a module: a package, or a compiled file."""
    return beside.is_dir() or any(
        beside.with_name(f"{beside.name}{suffix}").exists() for suffix in importlib.machinery.all_suffixes()
    )
