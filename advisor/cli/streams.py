"""What is printed to where nobody reads: closed from the start, a broken pipe, a full disk. No work is lost to it."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TextIO


def open_all() -> None:
    """Open what was closed before the start (``>&-``, ``2>&-``, ``<&-``), onto nothing.

    Else the first file that is opened gets its number, and what is printed would be written into it: into the store.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            os.set_inheritable(number, True)
    sys.stdin = sys.stdin or _nowhere("r")
    sys.stdout = sys.stdout or _nowhere("w")
    sys.stderr = sys.stderr or _nowhere("w")


def _nowhere(mode: str) -> TextIO:
    return open(os.devnull, mode, encoding="utf-8")  # type: ignore[return-value]


def silence() -> None:
    """Point what cannot be written to at nothing, so that the end of the interpreter does not complain."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)
