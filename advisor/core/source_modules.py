"""Running a Python file as a module of its own, from bytes in hand: what was looked at is what runs."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from advisor.core.docstrings import KEEPING

Importer = Callable[..., Any]
"""Stands in for ``__import__`` inside a module."""


def run_source(path: Path, source: bytes, name: str, importer: Importer | None = None) -> ModuleType:
    """Run `source` once a process as the module `name`, and return it; no bytecode is read or written.

    Args:
        path: where it stands, for ``__file__`` and tracebacks; it is not opened.
        source: the content of the file.
        name: in ``sys.modules``; one that is there already is returned as it is.
        importer: what its import statements call.

    Raises:
        BaseException: whatever the code raises; the module is then taken out of ``sys.modules`` again.
    """
    if name in sys.modules:
        return sys.modules[name]
    module = ModuleType(name)
    module.__file__ = str(path)
    if importer is not None:
        vars(module)["__builtins__"] = {**vars(builtins), "__import__": importer}
    sys.modules[name] = module  # before it runs: dataclasses and type hints look their module up there
    try:
        exec(compile(source, str(path), "exec", dont_inherit=True, optimize=KEEPING), vars(module))
    except BaseException:
        del sys.modules[name]
        raise
    return module


def failing_line(error: BaseException, path: Path) -> int:
    """Return the line of the file `path` at which `error` came up; 0 where it is not known."""
    if isinstance(error, SyntaxError):
        return error.lineno or 0
    trace, line = error.__traceback__, 0
    while trace:
        line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == str(path) else line
        trace = trace.tb_next
    return line
