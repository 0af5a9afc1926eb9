"""Progress: one live line on a terminal, plain lines elsewhere (`CI`, no TTY); always on stderr."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from advisor._util.interrupts import PipeClosed
from advisor._util.redaction import for_terminal

if TYPE_CHECKING:
    from rich.status import Status

PLAIN_EVERY_SECONDS = 10.0


class ProgressLine:
    """Shows ``few_shot (2 of 5) | answering 40/200 | 12 s, about 48 s left``; a `advisor.core.progress.Progress`.

    Args:
        quiet: show nothing.
        stream: where to write; stderr by default.
        clock: seconds; for tests.
    """

    def __init__(
        self, *, quiet: bool = False, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._quiet, self._stream, self._clock = quiet, stream or sys.stderr, clock
        self._strategy = ""
        self._what, self._since, self._shown = "", clock(), float("-inf")
        self._status: Status | None = None

    def __enter__(self) -> Self:
        if not self._quiet and self._stream.isatty() and not os.environ.get("CI"):
            from rich.console import Console

            self._status = Console(file=self._stream).status("starting")
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status:
            self._status.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show that `done` of `total` units of `what` are done."""
        now = self._clock()
        if what != self._what:
            self._what, self._since, self._shown = what, now, float("-inf")
        elapsed = now - self._since
        parts = [f"{what} {done}/{total}"]
        if 0 < done < total and elapsed >= 1:
            parts.append(f"about {seconds(elapsed * (total - done) / done)} left")
        elif done >= total and elapsed >= 1:
            parts.append(seconds(elapsed))
        due = now - self._shown >= PLAIN_EVERY_SECONDS or done >= total > 1
        self._show(" | ".join([part for part in (self._strategy, *parts) if part]), due)

    def strategy_started(self, label: str, at: int, of: int) -> None:
        """Say that strategy `label`, the `at`-th of `of`, begins."""
        self._strategy, self._what = f"{label} ({at} of {of})", ""

    def strategy_finished(self, label: str, note: str = "") -> None:
        """Say that strategy `label` is done; `note` may hold its figure."""
        self._strategy = ""
        self._print(f"{label}: {note or 'done'}")

    def _show(self, text: str, due: bool) -> None:
        if self._status:
            from rich.text import Text

            self._status.update(Text(for_terminal(text)))
        elif due:
            self._shown = self._clock()
            self._print(text)

    def _print(self, text: str) -> None:
        text = for_terminal(text)
        if self._status:
            self._status.console.print(text, markup=False, highlight=False)
        elif not self._quiet:
            try:
                print(text, file=self._stream, flush=True)
            except BrokenPipeError as error:
                raise PipeClosed from error


def seconds(value: float) -> str:
    """Return ``48 s``, ``3 min`` or ``2 h 5 min``."""
    if value < 90:
        return f"{value:.0f} s"
    minutes = round(value / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
