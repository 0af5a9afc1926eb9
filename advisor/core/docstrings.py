"""Docstrings that are shown to a user or a model; ``python -OO`` and ``PYTHONOPTIMIZE=2`` leave them out."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from typing import Any

DROPPED = sys.flags.optimize >= 2
"""Whether this Python leaves out docstrings."""
KEEPING = min(sys.flags.optimize, 1)
"""The level at which `compile` does not."""


def docstring_of(thing: Any) -> str:
    """Return the docstring of a function or class without its indentation; where Python left it out, from its source.

    Empty where there is none.
    """
    if not DROPPED:
        return inspect.getdoc(thing) or ""
    try:
        [node] = ast.parse(textwrap.dedent(inspect.getsource(thing))).body
    except (OSError, TypeError, SyntaxError, ValueError):  # made without a file, or one that is not there
        return ""
    return ast.get_docstring(node) or "" if isinstance(node, ast.ClassDef | ast.FunctionDef) else ""
