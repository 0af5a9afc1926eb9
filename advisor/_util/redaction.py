"""Keys stay inside: blotted out of everything that is logged, stored, printed or written to a report.

Known are the keys that were used and those that the environment holds under a name such as ``OPENAI_API_KEY``. What
only looks like a key is blotted out of errors and logs, and left alone in answers, which are data.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Iterable
from types import TracebackType

BLOT = "***"
SHORTEST = 12
"""Characters. Shorter ones (``EMPTY``, ``ollama``) are no secrets, and words that answers may well hold."""

_NAMES = re.compile(r"(?:API_?KEY|ADMIN_KEY|ACCESS_KEY|TOKEN|SECRET|PASSWORD)$")
_LOOKS = re.compile(r"\bsk-[\w*.-]{6,}|(?<=Bearer )[\x21-\x7e]{6,}")
_LOGGERS = ("", "openai", "httpx", "httpx2", "httpcore", "httpcore2")
_used: set[str] = set()


def remember(key: str) -> None:
    """Blot out this key from now on, wherever it would be shown."""
    if len(key) >= SHORTEST:
        _used.add(key)


def hide_known(text: str) -> str:
    """Return `text` without the known keys, also as JSON spells them."""
    return hide_known_in([text])[0]


def hide_known_in(texts: Iterable[str]) -> list[str]:
    """Do as `hide_known` does with many texts; the environment is read once."""
    environment = {value for name, value in os.environ.items() if len(value) >= SHORTEST and _NAMES.search(name)}
    keys = sorted(_used | environment, key=len, reverse=True)
    spellings = [spelled for key in keys for spelled in dict.fromkeys((key, json.dumps(key)[1:-1]))]
    hidden = list(texts)
    for spelled in spellings:
        hidden = [text.replace(spelled, BLOT) for text in hidden]
    return hidden


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
