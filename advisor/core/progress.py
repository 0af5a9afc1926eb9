"""Where long work says how far it is."""

from __future__ import annotations

from typing import Any, Protocol


class Progress(Protocol):
    """Where long work says how far it is; `done` of `total` units of `what`.

    It may also have ``strategy_started(label, at, of)`` and ``strategy_finished(label, note)``, which a comparison
    calls for each strategy that it runs.
    """

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show it."""


def silent(what: str, done: int, total: int) -> None:
    """Report progress to nobody."""


def strategy_started(progress: Progress, label: str, at: int, of: int) -> None:
    """Say that strategy `label`, the `at`-th of `of`, begins, where `progress` wants to know."""
    _tell(progress, "strategy_started", label, at, of)


def strategy_finished(progress: Progress, label: str, note: str) -> None:
    """Say that strategy `label` is done, where `progress` wants to know; `note` may hold its figure."""
    _tell(progress, "strategy_finished", label, note)


def _tell(progress: Progress, hook: str, *what: Any) -> None:
    told = getattr(progress, hook, None)
    if told is not None:
        told(*what)
