"""How many tokens texts take, and how much room an answer needs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from advisor.core.model import CountsTokens, HasContext, Model

BYTES_PER_TOKEN = 2
"""UTF-8 bytes a token where a model hides its tokenizer: on the safe side for every script (English has about four)."""
USUAL_BYTES_PER_TOKEN = 4
LEAST_ROOM = 32
USUAL, MARGIN, EXTRA = 0.995, 1.5, 16


def count_tokens(model: Model, texts: Sequence[str]) -> list[int]:
    """Return how many tokens each text takes, by the model's own tokenizer; where it hides it, UTF-8 bytes ÷ 2."""
    return model.count_tokens(texts) if isinstance(model, CountsTokens) else estimated_tokens(texts)


def estimated_tokens(texts: Sequence[str]) -> list[int]:
    """Return UTF-8 bytes ÷ 2, rounded up: what stands for the tokens of a model whose tokenizer is unknown."""
    return [-(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN) for text in texts]


def usual_tokens(texts: Sequence[str]) -> list[int]:
    """Return UTF-8 bytes ÷ 4, rounded up: about what texts cost at a model whose tokenizer is not at hand.

    English has about four characters a token, Chinese three bytes a character and a little less than one token.
    """
    return [-(-len(text.encode("utf-8", "replace")) // USUAL_BYTES_PER_TOKEN) for text in texts]


def context_tokens(model: Model) -> int | None:
    """Return how many tokens a prompt and its answer may take together; `None` where the model does not say."""
    return model.context_tokens if isinstance(model, HasContext) else None


def answer_room(counts: Sequence[int]) -> int:
    """Return how many tokens an answer may take, given how many known answers take: at least 32.

    The 99.5th percentile (the smallest count that as many do not exceed), so that one freak answer does not set the
    price of all; times 1.5 and 16 more, for the end of the answer and what a model writes around it.
    """
    if not counts:
        return 2 * LEAST_ROOM
    usual = sorted(counts)[math.ceil(USUAL * len(counts)) - 1]
    return max(LEAST_ROOM, math.ceil(MARGIN * usual) + EXTRA)
