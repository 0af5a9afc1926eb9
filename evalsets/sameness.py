"""When two examples ask the same thing, and when they accept the same answer."""

from __future__ import annotations

from advisor.core.fingerprints import digest
from advisor.core.normalisation import normalise
from advisor.core.types import Chat, Example, Input


def text_of(asked: Input) -> str:
    """Return the text of an input as it is compared: all turns but the system's, which every row may share."""
    if isinstance(asked, Chat):
        own = [message.content for message in asked.messages if message.role != "system"]
        return "\n".join(own) or str(asked)
    return asked


def key_of(example: Example) -> str:
    """Return what two examples with the same question share: its text, normalised as answers are, and its tools.

    The normalisation is `advisor.core.normalisation.normalise`: case, punctuation and articles aside, figures intact.
    """
    tools = example.input.tools if isinstance(example.input, Chat) else ()
    return f"{normalise(text_of(example.input))} {digest(tools) if tools else ''}"


def answers_of(example: Example) -> frozenset[str]:
    """Return the accepted answers, normalised."""
    return frozenset(normalise(one) for one in example.references)
