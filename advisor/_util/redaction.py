"""Keys stay inside: blotted out of everything that is logged, stored, printed or written to a report.

Known are the keys that were used and those that the environment holds under a name such as ``OPENAI_API_KEY``. What
only looks like a key is blotted out of errors and logs, and left alone in answers, which are data.
"""

from __future__ import annotations

import copy
import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache, lru_cache
from types import TracebackType
from typing import Any, Literal, TypeVar, get_origin, get_type_hints

T = TypeVar("T")

BLOT = "***"
SHORTEST = 8
"""Characters. Shorter ones (``EMPTY``, ``ollama``) are no secrets, and words that answers may well hold."""

_NAMES = re.compile(r"(?:API_?KEY|ADMIN_KEY|ACCESS_KEY|TOKEN|SECRET|PASSWORD)$")
_LOOKS = re.compile(r"\bsk-[\w*.-]{6,}|(?<=Bearer )[\x21-\x7e]{6,}")
_LOGGERS = ("", "openai", "httpx", "httpx2", "httpcore", "httpcore2")
_used: set[str] = set()


def remember(key: str) -> None:
    """Blot out this key from now on, wherever it would be shown."""
    if len(key) >= SHORTEST:
        _used.add(key)


@dataclass(frozen=True, slots=True)
class Secrets:
    """Keys to be blotted out, each as it is and as JSON spells it, the longest first."""

    spelled: tuple[str, ...]
    in_json: tuple[str, ...]
    """The same as they stand inside a text of JSON in ASCII."""

    @classmethod
    def of(cls, keys: Iterable[str]) -> Secrets:
        """Return what these keys are looked for as."""
        longest = sorted(set(keys), key=len, reverse=True)
        spelled = tuple(dict.fromkeys(one for key in longest for one in (key, json.dumps(key)[1:-1])))
        return cls(spelled, tuple(json.dumps(one)[1:-1] for one in spelled))

    def hide(self, text: str) -> str:
        """Return a text without them. It must not be JSON: a key of digits may be a part of a number there."""
        for one in self.spelled:
            text = text.replace(one, BLOT)
        return text

    def may_be_in(self, text: str) -> bool:
        """Say whether one could stand in this JSON: in a text of it, or as digits of a number."""
        return any(one in text for one in self.in_json)

    def hide_in(self, value: T) -> T:
        """Return a value of dataclasses, mappings and sequences without them in any of its texts; numbers stay.

        Names stay too: of fields, and what is annotated as a choice of words (`Literal`) or marked with `OURS`.
        """
        return self._hidden(value, False) if self.spelled else value

    def _hidden(self, value: Any, named: bool) -> Any:
        if isinstance(value, str):
            return self.hide(value)
        if is_dataclass(value) and not isinstance(value, type):
            copied, kept, named_by_us = copy.copy(value), *_names_of(type(value))
            for one in fields(value):
                if one.name not in kept:
                    inner = self._hidden(getattr(value, one.name), one.name in named_by_us)
                    object.__setattr__(copied, one.name, inner)
            return copied
        if isinstance(value, Mapping):
            return {
                self.hide(name) if isinstance(name, str) and not named else name: self._hidden(inner, False)
                for name, inner in value.items()
            }
        if isinstance(value, list):
            return [self._hidden(one, False) for one in value]
        return tuple(self._hidden(one, False) for one in value) if type(value) is tuple else value


OURS: Mapping[str, bool] = {"ours": True}
"""Metadata of a dataclass field whose text, or whose mapping's names, are this program's own words."""


@cache
def _names_of(kind: type) -> tuple[frozenset[str], frozenset[str]]:
    """Return the fields that hold words of ours, and those that hold mappings with names of ours."""
    try:
        hints = get_type_hints(kind)
    except (NameError, TypeError):  # of a class in a user's file
        hints = {}
    marked = {one.name for one in fields(kind) if one.metadata.get("ours")}
    mappings = {name for name in marked if get_origin(hints.get(name)) not in (None, Literal)}
    choices = {name for name, hint in hints.items() if get_origin(hint) is Literal}
    return frozenset(choices | (marked - mappings)), frozenset(mappings)


def known_secrets() -> Secrets:
    """Return the keys that were used and those that the environment holds now."""
    environment = {value for name, value in os.environ.items() if len(value) >= SHORTEST and _NAMES.search(name)}
    return _secrets_of(frozenset(_used | environment))


@lru_cache(maxsize=8)
def _secrets_of(keys: frozenset[str]) -> Secrets:
    return Secrets.of(keys)


def hide_known(text: str) -> str:
    """Return a text without the known keys; for values and for JSON see `Secrets.hide_in`."""
    return known_secrets().hide(text)


def redact(text: str) -> str:
    """Return `text` without the known keys, and without what looks like one."""
    return _LOOKS.sub(BLOT, hide_known(text))


class Redacting(logging.Formatter):
    """Formats as another formatter does, and takes the keys out: of the message, its arguments and the traceback."""

    def __init__(self, inner: logging.Formatter | None) -> None:
        super().__init__()
        self.inner = inner or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without keys."""
        return redact(self.inner.format(record))


def guard_logs() -> None:
    """Put `Redacting` around the formatter of every handler that a request could be logged through."""
    for name in _LOGGERS:
        for handler in logging.getLogger(name).handlers:
            if not isinstance(handler.formatter, Redacting):
                handler.setFormatter(Redacting(handler.formatter))


def for_terminal(text: str) -> str:
    """Return `text` without keys and without what a terminal would obey: escapes, control and bidirectional characters.

    Errors quote what strangers wrote: names of columns, answers of servers.
    """
    return "".join(mark for mark in redact(text) if mark in "\n\t" or mark.isprintable())


def guard_tracebacks() -> None:
    """Take the keys out of the traceback of an error that nobody expected."""

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))

    sys.excepthook = show
