"""What a model writes before its answer: a block of thinking is paid for, and is not the answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

MARKS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("[THINK]", "[/THINK]"),
)
"""What opens and closes a block, as the models that are known to us write it."""


class Written(NamedTuple):
    """A text in its parts: `thinking` as it stands there, the block's marks included, and the `answer` behind it.

    `is_whole` is False where a block was begun and never closed, so that there is no answer.
    """

    thinking: str
    answer: str
    is_whole: bool = True


def split_thinking(text: str) -> Written:
    """Take a leading block of thinking off a text.

    Some chat templates write the opening `<think>` themselves, so that only the closing one is in the text.
    """
    begun = text.lstrip()
    for opening, closing in MARKS:
        if begun.startswith(opening):
            return _cut_behind(text, closing) if closing in text else Written(text, "", is_whole=False)
    opening, closing = MARKS[0]
    if closing in text and opening not in text[: text.index(closing)]:
        return _cut_behind(text, closing)
    return Written("", text)


def _cut_behind(text: str, closing: str) -> Written:
    answer = text[text.index(closing) + len(closing) :].lstrip()
    return Written(text[: len(text) - len(answer)], answer)


def thinks(texts: Iterable[str]) -> bool:
    """Return whether thinking is part of what is wanted: one of these known answers has such a block."""
    return any(opening in text for text in texts for opening, _ in MARKS)
