"""Training rows behind the frozen layers: run through them once, kept, and cut into parts that fit into memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from advisor.models.base import TuningExample, TuningJob
from advisor.models.local.layers import room, run_layers
from advisor.models.local.rows import common_prefix
from advisor.types import digest

if TYPE_CHECKING:
    from advisor.models.local.engine import LocalModel

CACHE_TOKENS = 2048
LONGEST = 1024
"""Tokens of a training row that are read; what stands behind them is not learned."""
KEPT_STATES = 4


@dataclass(frozen=True, slots=True)
class Item:
    """One example behind the frozen layers: hidden states (tokens, width), ids, and which ids are learned.

    They are those of its own tokens, behind what all rows begin with.
    """

    states: Tensor
    ids: Tensor
    learned: Tensor

    @property
    def places(self) -> Tensor:
        """Where its tokens to learn stand; the first of a row has nothing before it to be told from."""
        return self.learned[1:].nonzero().flatten() + 1


@dataclass(frozen=True, slots=True)
class Rows:
    """Examples behind the frozen layers; of the prefix that they share its hidden states (tokens, width) and ids.

    `weights` is how much memory each takes, in tokens.
    """

    prefix: Tensor
    ids: Tensor
    items: list[Item]
    weights: list[int]

    @property
    def tokens(self) -> int:
        """All tokens of all rows, the prefix counted with each."""
        return sum(len(self.prefix) + len(item.ids) for item in self.items)


@torch.inference_mode()
def frozen_states(
    model: LocalModel, job: TuningJob, examples: tuple[TuningExample, ...], first: int, what: str
) -> Rows:
    """Run every example through the frozen layers once; returns those with anything to learn, in their order.

    The model keeps the last few results, so that a second seed or another learning rate starts at once.
    """
    key = digest([plain(examples), first])
    if key in model.frozen:
        return cast("Rows", model.frozen[key])
    pairs = [(ids[:LONGEST], learned[:LONGEST]) for ids, learned in map(model.chat.training_pair, examples)]
    pairs = [pair for pair in pairs if any(pair[1][1:])]
    shared = _shared(pairs)
    decoder = model.network.get_decoder()
    prefix = torch.empty(0)
    items: dict[int, Item] = {}
    weights = [room(decoder, shared, len(ids) - shared) for ids, _ in pairs]
    for batch in cut(range(len(pairs)), weights, CACHE_TOKENS):
        ids = [torch.tensor(pairs[index][0]) for index in batch]
        embedded = [decoder.embed_tokens(row) for row in ids]
        below = embedded[0][:shared]
        prefix, states = run_layers(decoder, decoder.layers[:first], below, [row[shared:] for row in embedded])
        for index, row, own in zip(batch, ids, states, strict=True):
            items[index] = Item(own.clone(), row[shared:], torch.tensor(pairs[index][1][shared:]))
        job.progress(what, len(items), len(pairs))
    while len(model.frozen) >= KEPT_STATES:
        del model.frozen[next(iter(model.frozen))]
    start = torch.tensor(pairs[0][0][:shared] if pairs else [], dtype=torch.long)
    model.frozen[key] = Rows(prefix.clone(), start, [items[index] for index in range(len(pairs))], weights)
    return cast("Rows", model.frozen[key])


def _shared(pairs: list[tuple[list[int], list[bool]]]) -> int:
    """Return how many tokens all rows begin with; the token before the first to learn stays with its row."""
    most = min((learned.index(True, 1) - 1 for _, learned in pairs), default=0)
    return min(most, len(common_prefix([ids for ids, _ in pairs]))) if pairs else 0


def cut(indices: Iterable[int], weights: list[int], tokens: int) -> list[list[int]]:
    """Cut rows, lightest first, into parts of at most so many padded tokens (a heavier row stands alone)."""
    parts: list[list[int]] = []
    for index in sorted(indices, key=weights.__getitem__):
        if parts and weights[index] * (len(parts[-1]) + 1) <= tokens:
            parts[-1].append(index)
        else:
            parts.append([index])
    return parts


def plain(examples: tuple[TuningExample, ...]) -> list[Any]:
    """Return examples as what they are known by in a digest."""
    return [[example.messages, example.tools] for example in examples]
