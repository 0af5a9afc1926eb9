"""Suites of general questions: what a tuned model must not have lost against the model it was tuned from.

An item's `metadata` says which suite it belongs to (`suite`: `retention` or `refusals`), and may list the allowed
answers (`choices`). Both models are asked the bare question in one user turn; `evalsets/suites` reads and judges them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from advisor.core.fingerprints import digest
from advisor.core.model import Request
from advisor.core.types import Chat, Example, Message

Suite = Literal["retention", "refusals"]
SUITES: tuple[Suite, ...] = ("retention", "refusals")
ANSWER_TOKENS = 32


def suite_of(example: Example) -> Suite:
    """Return the suite an item belongs to; `retention` where it does not say."""
    return "refusals" if example.metadata.get("suite") == "refusals" else "retention"


def fingerprint(examples: Iterable[Example]) -> str:
    """Return the content address of a suite."""
    return digest([[e.id, e.input, e.target, dict(e.metadata)] for e in examples])


def request_for(example: Example) -> Request:
    """Return the bare question, held to the item's allowed answers where it has any."""
    asked = example.input
    messages = asked.messages if isinstance(asked, Chat) else (Message("user", asked),)
    choices = tuple(str(choice) for choice in example.metadata.get("choices", ()) or ())
    longest = max((len(choice) for choice in choices), default=0)
    room = max(8, longest) if choices else ANSWER_TOKENS
    return Request(messages, max_tokens=room, choices=choices, may_be_cut=not choices)
