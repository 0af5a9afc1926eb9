"""Everything tuneworthy raises on purpose.

    AdvisorError                 exit code 1: a run could not be done
    ├── ConfigurationError       2: what the user typed or wrote cannot be used
    │   ├── EvalSetError         2: an eval set is malformed; names file, line and field
    │   └── RegistryError        2: an unknown, broken or ambiguous plug-in
    ├── ModelError               1: a model cannot be loaded or reached
    │   └── CallFailed           1: one request failed; the runner records it, never scores it
    ├── StoreError               1: results cannot be kept or read
    └── IncompleteError          3: stopped early, can be resumed
        └── BudgetReached        4: the user's own limit

An error says what was wrong, what was allowed, and what to type; the last part travels in `hint`.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    pass


LONGEST = 700
"""Characters of a message, and of a hint."""


class AdvisorError(Exception):
    """Base of every expected failure; the command line prints it as one sentence, without a traceback."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(_readable(message))
        self.hint = _readable(hint)

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}\n  {self.hint}" if self.hint else message


def _readable(text: str) -> str:
    """Cut the middle out of a text that nobody would read to its end: names and values come from files."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 200]} […] {text[-190:]}"


class ConfigurationError(AdvisorError):
    """What the user typed or wrote cannot be used."""

    exit_code = 2


class EvalSetError(ConfigurationError):
    """An eval set is malformed."""


class RegistryError(ConfigurationError):
    """A plug-in is unknown, broken or ambiguous."""


class ModelError(AdvisorError):
    """A model cannot be loaded or reached."""


class CallFailed(ModelError):
    """One model request failed for good. The runner records the example as failed, never as wrong.

    `cause` is one of `advisor.core.errors.Cause`, and is kept with the example.
    """

    def __init__(self, message: str, *, hint: str = "", cause: Cause = "other") -> None:
        super().__init__(message, hint=hint)
        self.cause: Cause = cause


class StoreError(AdvisorError):
    """Results cannot be kept or read."""


class IncompleteError(AdvisorError):
    """Stopped before the end; everything obtained so far is stored and the same command resumes."""

    exit_code = 3


class BudgetReached(IncompleteError):
    """The user's own spending limit was reached."""

    exit_code = 4


LISTED = 100
"""How many allowed words an error lists."""


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Return ``did you mean 'few_shot'? Allowed: ...`` for an unknown word."""
    names = sorted(allowed)
    close = get_close_matches(word, names, n=1, cutoff=0.5)
    guess = f"did you mean {close[0]!r}? " if close else ""
    shown = [" ".join(name.split()) for name in names[:LISTED]]  # a label of a data set may have lines
    more = f", … ({len(names):,} in all)" if len(names) > LISTED else ""
    return f"{guess}Allowed: {', '.join(shown) or '(nothing)'}{more}"


Cause = Literal["", "overdue", "connection", "rate_limit", "server", "refused", "malformed", "filtered", "cut", "other"]
"""Why a call failed for good: no whole answer in time; no connection, or one that broke; too many calls (429); the
server's own fault (5xx); this request refused (4xx); an answer that cannot be read; one that a content filter withheld;
one for which no room was left before it began; something else. Empty where nothing failed."""
