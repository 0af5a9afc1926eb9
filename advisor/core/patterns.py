"""Regular expressions that come from data: matched in time that grows with the text, or within a time limit.

Most are matched by Rust's regex through pydantic, whose time is linear in the text. What that one lacks (look-around,
references back) is matched by the package `regex`, which can be given a limit. Where both read a pattern, they agree on
what JSON Schema means, but for ``$``: it is the end of the text here, and not what stands before a last line break.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

LIMIT_SECONDS = 0.2
"""For one search of a pattern that needs a limit."""
LONGEST = 1_000
"""Characters of a pattern that needs a limit: reading it takes time too."""
MOST_REPEATS = 100_000
"""Of such a pattern, its counts (``{9}``) multiplied: a nested count is written out when it is read."""
_COUNT = re.compile(r"\{(\d*),?(\d*)\}")
_PROBES = (30, 300)
"""Lengths of the texts that such a pattern is tried on."""


class SlowPatternError(Exception):
    """A search took longer than `LIMIT_SECONDS`."""


def found(pattern: str, text: str) -> bool:
    """Return whether `pattern` is found somewhere in `text`.

    Raises:
        ValueError: it cannot be read.
        SlowPatternError: it took too long.
    """
    return _search(pattern)(text)


@lru_cache(maxsize=2_000)
def problem_of(pattern: str) -> str:
    """Return why a pattern cannot be used, in some words; empty where it can.

    One that needs a time limit is tried on texts of the characters that stand in it, repeated.
    """
    try:
        search = _search(pattern)
        if search is not _by_rust(pattern):
            for mark in [*dict.fromkeys(re.findall(r"[\w ,.-]", f"{pattern}a0 "))][:12]:
                for length in _PROBES:
                    search(mark * length + "\x00!")
    except ValueError as error:
        return f"it cannot be read: {error}"
    except SlowPatternError:
        return f"it takes longer than {LIMIT_SECONDS:g} seconds on a short text"
    return ""


@lru_cache(maxsize=2_000)
def _search(pattern: str) -> Callable[[str], bool]:
    return _by_rust(pattern) or _by_regex(pattern)


@lru_cache(maxsize=2_000)
def _by_rust(pattern: str) -> Callable[[str], bool] | None:
    from pydantic_core import SchemaError, SchemaValidator, core_schema

    try:
        validator = SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex", strict=True))
    except (SchemaError, ValueError, TypeError, UnicodeError):
        return None
    return validator.isinstance_python


def _by_regex(pattern: str) -> Callable[[str], bool]:
    import regex

    counts = [max(int(number or 1) for number in pair) for pair in _COUNT.findall(pattern[:LONGEST])]
    if len(pattern) > LONGEST or math.prod(counts) > MOST_REPEATS:
        raise ValueError(f"it is longer than {LONGEST:,} characters, or repeats too often")
    try:
        compiled: Any = regex.compile(pattern)
    except (regex.error, OverflowError, RecursionError, ValueError, TypeError) as error:
        raise ValueError(str(error) or "it is nested too deeply") from None

    def search(text: str) -> bool:
        try:
            return compiled.search(text, timeout=LIMIT_SECONDS) is not None
        except (TimeoutError, MemoryError, RecursionError):
            raise SlowPatternError from None

    return search
