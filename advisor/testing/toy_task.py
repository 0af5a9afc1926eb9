"""A toy task on which a strategy's contract can be checked in a second, without a model and without a download."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from advisor.core.types import Document, EvalSet, Example, JSONObject, Tool, ToolSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KEYWORDS = {
    "billing": ("invoice", "refund", "charged"),
    "delivery": ("parcel", "courier", "shipment"),
    "account": ("password", "login", "profile"),
}
"""The labels of the toy task, and the words that decide them."""

_SENTENCES = (
    "My {word} from Monday is not right.",
    "Please look at the {word} again.",
    "Something is wrong with my {word}, can you help?",
    "I wrote twice about this {word}.",
    "Who can tell me more about the {word}?",
    "The {word} looks strange to me today.",
)
_DIMENSIONS = 256


def toy_evalset(variant: Literal["plain", "documents", "tools"] | str = "plain") -> EvalSet:
    """Return 27 training, 9 dev and 18 test messages to sort into three labels.

    ``documents`` adds one document a label; ``tools`` adds documents, a tool that looks a word up, and the gold call in
    the metadata of every training and dev example.
    """
    with_calls = variant == "tools"
    rows = [
        (label, word, text.format(word=word))
        for label, words in KEYWORDS.items()
        for word in words
        for text in _SENTENCES
    ]
    train = [row for at, row in enumerate(rows) if at % 6 in (0, 2, 4)]
    dev = [row for at, row in enumerate(rows) if at % 6 == 1]
    test = [row for at, row in enumerate(rows) if at % 6 in (3, 5)]
    return EvalSet(
        name=variant,
        instruction=f"Which team should answer this message? One of: {', '.join(KEYWORDS)}.",
        metric="label_accuracy",
        train=_examples("train", train, with_calls),
        dev=_examples("dev", dev, with_calls),
        test=_examples("test", test, False),
        docs=() if variant == "plain" else _documents(),
        tools=(Tool(_SPEC, _team_of),) if with_calls else (),
        labels=tuple(KEYWORDS),
    )


def _examples(split: str, rows: Sequence[tuple[str, str, str]], with_calls: bool) -> tuple[Example, ...]:
    found = []
    for at, (label, word, text) in enumerate(rows):
        calls = {"calls": [{"name": "team_of", "arguments": {"word": word}}]} if with_calls else {}
        found.append(Example(f"{split}-{at}", text, label, calls))
    return tuple(found)


def _documents() -> tuple[Document, ...]:
    return tuple(
        Document(label, f"The {label} team", f"The {label} team answers questions about: {', '.join(words)}.")
        for label, words in KEYWORDS.items()
    )


_SPEC = ToolSpec(
    "team_of",
    "Return the team that answers questions about a word.",
    {
        "type": "object",
        "properties": {"word": {"type": "string", "description": "the word the message is about"}},
        "required": ["word"],
        "additionalProperties": False,
    },
)


def _team_of(arguments: JSONObject) -> str:
    word = arguments.get("word")
    for label, words in KEYWORDS.items():
        if word in words:
            return label
    raise ValueError(f"no team answers questions about {json.dumps(word)}")


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """Embed texts by their hashed words: float32 rows of unit length, shape (n, 256). For checks only."""
    import numpy as np

    rows = np.zeros((len(texts), _DIMENSIONS), dtype=np.float32)
    for at, text in enumerate(texts):
        for word in text.lower().replace(".", " ").replace(",", " ").replace("?", " ").split():
            rows[at, zlib.crc32(word.encode()) % _DIMENSIONS] += 1.0 if len(word) > 4 else 0.2
        rows[at, 0] += 1e-3  # never a row of zeros, which has no direction
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows
