"""The words of a verdict, in one place: a table from the key of a statement to the function that makes its sentence.

To change what is said, change a function here; nothing else depends on it. To say something new, add a function with
its figures as arguments, and its key to the table of its module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from advisor.core.statement import Action, Statement

from . import curves, data_guards, guards, headlines, money, probe_guards, reasons, steps, tuning, turning_points


def _said(*, text: str) -> str:
    return text


SENTENCES: Mapping[str, Callable[..., str]] = {
    "said": _said,  # what was put into words elsewhere: an error, a probe's remark, an earlier version of this program
    **headlines.SENTENCES,
    **reasons.SENTENCES,
    **money.SENTENCES,
    **turning_points.SENTENCES,
    **steps.SENTENCES,
    **guards.SENTENCES,
    **data_guards.SENTENCES,
    **probe_guards.SENTENCES,
    **tuning.SENTENCES,
    **curves.SENTENCES,
}
"""By key, the function that makes the sentence from the values; a statement among them comes as its own sentence."""


def sentence(statement: Statement) -> str:
    """Return a statement in words."""
    made = {name: _worded(value) for name, value in statement.values.items()}
    return SENTENCES[statement.key](**made)


def instruction(action: Action) -> str:
    """Return what to do as one text, the line to type at its end."""
    what = sentence(action.what)
    return f"{what}: {action.command}" if action.command else what


def _worded(value: Any) -> Any:
    if isinstance(value, Statement):
        return sentence(value)
    if isinstance(value, tuple):
        return tuple(_worded(part) for part in value)
    return value
