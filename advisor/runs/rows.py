"""What the rows of the store hold: JSON without keys and passwords, and outcomes read back from it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from advisor._util.batches import batches
from advisor._util.redaction import Secrets, known_secrets
from advisor.core.types import Outcome
from advisor.runs.members import StoredOutcome
from advisor.runs.stored import adapter, text_of


def rows_of(outcomes: Iterable[Outcome]) -> Iterator[StoredOutcome]:
    """Go through outcomes as they are stored."""
    for some in batches(outcomes):
        known = known_secrets()
        for outcome in some:
            yield StoredOutcome(outcome.example_id, hidden_text(known, Outcome, outcome), bool(outcome.error))


def outcome_of(text: str) -> Outcome:
    """Return the outcome that a row holds."""
    found: Outcome = adapter(Outcome).validate_python(json.loads(text))
    return found


def dumped(kind: type, value: Any) -> str:
    """Return `hidden_text` with the keys that are known now."""
    return hidden_text(known_secrets(), kind, value)


def hidden_text(known: Secrets, kind: type, value: Any) -> str:
    """Return the JSON of a value without keys; its numbers stay."""
    text = text_of(kind, value)
    return text_of(kind, known.hide_in(value)) if known.may_be_in(text) else text


def completion_text(known: Secrets, value: Mapping[str, Any]) -> str:
    """Do the same with a completion, whose names at the top and of its usage are ours."""
    text = json.dumps(value)
    if not known.may_be_in(text):
        return text
    return json.dumps({name: inner if name == "usage" else known.hide_in(inner) for name, inner in value.items()})
