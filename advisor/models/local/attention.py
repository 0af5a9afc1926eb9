"""Attention over a prefix that is kept once and shared by the whole batch.

Every prompt of a strategy starts with the same instruction and demonstrations. Their keys and values are computed once
and every sequence attends to them and to its own part without copying. The new tokens of all sequences come one after
the other, without padding between them: one matrix product a head group against the prefix, whatever the sequence; only
the scores on the sequences' own keys are computed in a grid of (sequences, most new tokens of one). Both blocks of
scores are joined and one softmax is taken. This is Hydragen (arXiv 2402.05099) without its log-sum-exp, since both
blocks are at hand. It is registered with transformers under `NAME` and serves any architecture that uses its attention
interface.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

NAME = "advisor_shared_prefix"


@dataclass(frozen=True, slots=True)
class Prefix:
    """The prefix's token ids and, a layer, its keys and values of shape (key-value heads, tokens, head size)."""

    ids: tuple[int, ...]
    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def cut(self, length: int) -> Prefix:
        """Return its first tokens; nothing is computed or copied."""
        if length == len(self.ids):
            return self
        keys, values = ([each[:, :length] for each in kept] for kept in (self.keys, self.values))
        return Prefix(self.ids[:length], tuple(keys), tuple(values))


@dataclass(frozen=True, slots=True)
class Layout:
    """How the new tokens of one pass, a row's behind the other's, stand in a grid of (`rows`, `width`).

    `cell` is the place of every token in the flattened grid, `token` the token in every cell (some token where the
    cell is empty). Both are `None` where the two orders are the same.
    """

    rows: int
    width: int
    cell: Tensor | None = None
    token: Tensor | None = None

    @classmethod
    def of(cls, counts: Sequence[int]) -> Layout:
        """Lay out rows with so many new tokens each."""
        rows, width = len(counts), max(counts)
        if min(counts) == width:
            return cls(rows, width)
        cell = torch.tensor([row * width + at for row, count in enumerate(counts) for at in range(count)])
        token = torch.zeros(rows * width, dtype=torch.long)
        token[cell] = torch.arange(len(cell))
        return cls(rows, width, cell, token)

    def spread(self, flat: Tensor) -> Tensor:
        """Turn (groups, share, tokens, n) into (rows, groups, share × width, n)."""
        groups, share, _, last = flat.shape
        cells = flat if self.token is None else flat.index_select(2, self.token)
        grid = cells.view(groups, share, self.rows, self.width, last).permute(2, 0, 1, 3, 4)
        return grid.reshape(self.rows, groups, share * self.width, last)

    def gather(self, grid: Tensor) -> Tensor:
        """Turn (rows, groups, share, width, n) into (groups, share, tokens, n)."""
        _, groups, share, _, last = grid.shape
        cells = grid.permute(1, 2, 0, 3, 4).reshape(groups, share, self.rows * self.width, last)
        return cells if self.cell is None else cells.index_select(2, self.cell)


def shared_prefix_attention(  # noqa: PLR0913  (the signature is transformers')
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    shared_prefix: Prefix | None = None,
    layout: Layout | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """Attend to the shared prefix and to each sequence's own keys.

    Args:
        module: the attention layer; its `layer_idx` picks the prefix's keys.
        query: (1, heads, tokens, size), the new tokens of all rows.
        key: (rows, key-value heads, own tokens, size), the sequences' own parts.
        value: as `key`.
        attention_mask: additive, (rows, 1, width, own tokens); the prefix is always visible.
        scaling: factor on the scores.
        dropout: must be 0 when a prefix is given.
        shared_prefix: `None` falls back to transformers' own attention.
        layout: where each token stands; given with a prefix.
        **kwargs: passed on.

    Returns:
        (1, tokens, heads, size), and no weights.
    """
    if shared_prefix is None or layout is None:
        output, weights = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
        return output, weights
    assert attention_mask is not None
    _, heads, tokens, size = query.shape
    rows, groups, seen, _ = key.shape
    share = heads // groups
    before_key, before_value = shared_prefix.keys[module.layer_idx], shared_prefix.values[module.layer_idx]
    length = before_key.shape[1]

    asked = (query[0] * (size**-0.5 if scaling is None else scaling)).reshape(groups, share, tokens, size)
    own = torch.matmul(layout.spread(asked), key.transpose(-1, -2))
    own = own.view(rows, groups, share, layout.width, seen) + attention_mask.unsqueeze(2)
    scores = layout.gather(own)
    if length:
        before = torch.matmul(asked.flatten(1, 2), before_key.transpose(-1, -2))
        scores = torch.cat([before.view(groups, share, tokens, length), scores], dim=-1)
    weights = scores.softmax(dim=-1)  # summed in fp32 whatever goes in and out

    output = torch.matmul(layout.spread(weights[..., length:]), value)
    output = layout.gather(output.view(rows, groups, share, layout.width, size))
    if length:
        output = output + torch.matmul(weights[..., :length].flatten(1, 2), before_value).view_as(output)
    return output.reshape(1, heads, tokens, size).transpose(1, 2).contiguous(), None


AttentionInterface.register(NAME, shared_prefix_attention)
