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
    def of(cls, counts: Sequence[int], device: torch.device | str = "cpu") -> Layout:
        """Lay out rows with so many new tokens each."""
        rows, width = len(counts), max(counts)
        if min(counts) == width:
            return cls(rows, width)
        cells = [row * width + at for row, count in enumerate(counts) for at in range(count)]
        cell = torch.tensor(cells, device=device)
        token = torch.zeros(rows * width, dtype=torch.long, device=device)
        token[cell] = torch.arange(len(cells), device=device)
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


@dataclass(frozen=True, slots=True)
class Flat:
    """Rows that all start with one prefix, laid one behind the other: the prefix's tokens first, then each row's own.

    `mask` is additive, (1, 1, width, width): a row's tokens see those before them, and all of the prefix.
    `prefix_mask`, (1, 1, prefix, prefix), is that of the prefix's own tokens.
    """

    prefix: int
    layout: Layout
    mask: Tensor
    prefix_mask: Tensor

    @classmethod
    def of(cls, prefix: int, counts: Sequence[int], like: Tensor) -> Flat:
        """Lay out rows of so many tokens behind a prefix of so many, for states as `like`."""
        return cls(prefix, Layout.of(counts, like.device), causal(max(counts), like), causal(prefix, like))


def shared_prefix_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
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
        **kwargs: `shared_prefix`, a `Prefix`, and `layout`, a `Layout`, or `flat`, a `Flat`, where the prefix comes
            with the rows and `key` and `value` are laid out as `query` is. Without any, transformers' own attention
            is used, and all is passed on.

    Returns:
        (1, tokens, heads, size), and no weights.
    """
    prefix, layout, flat = (kwargs.pop(name, None) for name in ("shared_prefix", "layout", "flat"))
    asked = _by_group(query, key.shape[1], scaling)
    if flat is not None:
        output = _attend_flat(asked, key, value, flat)
    elif prefix is not None and layout is not None and attention_mask is not None:
        before = (prefix.keys[module.layer_idx], prefix.values[module.layer_idx])
        output = _attend(asked, (key, value), before, layout, attention_mask)
    else:
        plain = sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
        return plain[0], plain[1]
    return output.reshape(1, -1, *query.shape[2:]).transpose(1, 2).contiguous(), None


def _attend_flat(asked: Tensor, key: Tensor, value: Tensor, flat: Flat) -> Tensor:
    """As `_attend`, where the prefix's own tokens come first in `asked`, `key` and `value`."""
    shared = flat.prefix
    before = (key[0, :, :shared], value[0, :, :shared])
    own_key, own_value = (flat.layout.spread(each[0, :, shared:].unsqueeze(1)) for each in (key, value))
    output = _attend(asked[:, :, shared:], (own_key, own_value), before, flat.layout, flat.mask)
    if not shared:
        return output
    nothing = (key[0, :, :0], value[0, :, :0])
    itself = (key[:, :, :shared], value[:, :, :shared])
    first = _attend(asked[:, :, :shared], itself, nothing, Layout(1, shared), flat.prefix_mask)
    return torch.cat([first, output], dim=2)


def _by_group(query: Tensor, groups: int, scaling: float | None) -> Tensor:
    """Return the scaled queries as (key-value heads, heads that share one, tokens, size)."""
    _, heads, tokens, size = query.shape
    return (query[0] * (size**-0.5 if scaling is None else scaling)).reshape(groups, heads // groups, tokens, size)


def _attend(
    asked: Tensor, own: tuple[Tensor, Tensor], before: tuple[Tensor, Tensor], layout: Layout, mask: Tensor
) -> Tensor:
    """Attend to the keys and values `before`, (groups, tokens, size), and to the rows' own, (rows, groups, seen, size).

    `asked` and what is returned are (groups, share, tokens, size).
    """
    groups, share, tokens, size = asked.shape
    key, value = own
    length = before[0].shape[1]
    scores = torch.matmul(layout.spread(asked), key.transpose(-1, -2))
    scores = scores.view(layout.rows, groups, share, layout.width, -1) + mask.unsqueeze(2)
    scores = layout.gather(scores)
    if length:
        first = torch.matmul(asked.flatten(1, 2), before[0].transpose(-1, -2))
        scores = torch.cat([first.view(groups, share, tokens, length), scores], dim=-1)
    weights = scores.softmax(dim=-1)  # summed in fp32 whatever goes in and out

    output = torch.matmul(layout.spread(weights[..., length:]), value)
    output = layout.gather(output.view(layout.rows, groups, share, layout.width, size))
    if length:
        output = output + torch.matmul(weights[..., :length].flatten(1, 2), before[1]).view_as(output)
    return output


def causal(width: int, like: Tensor) -> Tensor:
    """What may not be seen, (1, 1, width, width): minus infinity above the diagonal."""
    return like.new_full((1, 1, width, width), float("-inf")).triu_(1)


AttentionInterface.register(NAME, shared_prefix_attention)
