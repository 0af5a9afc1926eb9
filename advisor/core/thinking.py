"""What a model writes before its answer: a `<think>` block is paid for, and is not the answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

OPEN, CLOSE = "<think>", "</think>"


class Written(NamedTuple):
    """A text in its parts: `thinking` as it stands there, the block's marks included, and the `answer` behind it.

    `is_whole` is False where a block was begun and never closed, so that there is no answer.
    """

    thinking: str
    answer: str
    is_whole: bool = True


def split_thinking(text: str) -> Written:
    """Take a leading block of thinking off a text.

    Some chat templates write the opening mark themselves, so that only the closing one is in the text.
    """
    if text.lstrip().startswith(OPEN):
        if CLOSE not in text:
            return Written(text, "", is_whole=False)
    elif CLOSE not in text or OPEN in text[: text.index(CLOSE)]:
        return Written("", text)
    end = text.index(CLOSE) + len(CLOSE)
    answer = text[end:].lstrip()
    return Written(text[: len(text) - len(answer)], answer)


def thinks(texts: Iterable[str]) -> bool:
    """Return whether thinking is part of what is wanted: one of these known answers has such a block."""
    return any(OPEN in text for text in texts)
