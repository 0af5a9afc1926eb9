"""Attention over a prefix that is kept once and shared by the whole batch.

Every prompt of a strategy starts with the same instruction and demonstrations. Their keys and values are computed once
(batch 1) and every sequence attends to them and to its own part without copying: batch, head group and position are
folded into one matrix product against the prefix, the scores are joined with those of the sequence's own cache, and one
softmax is taken over both. This is Hydragen (arXiv 2402.05099) without its log-sum-exp, since both score blocks are at
hand. It is registered with transformers under `NAME` and serves any architecture that uses its attention interface.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

NAME = "advisor_shared_prefix"


@dataclass(frozen=True, slots=True)
class Prefix:
    """The prefix's token ids and, a layer, its keys and values of shape (1, key-value heads, tokens, head size)."""

    ids: tuple[int, ...]
    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]

    def __len__(self) -> int:
        return len(self.ids)


def shared_prefix_attention(  # noqa: PLR0913  (the signature is transformers')
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    shared_prefix: Prefix | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """Attend to the shared prefix and to the sequence's own keys.

    Args:
        module: the attention layer; its `layer_idx` picks the prefix's keys.
        query: (batch, heads, positions, size).
        key: (batch, key-value heads, own tokens, size), the sequence's own part.
        value: as `key`.
        attention_mask: additive, (batch, 1, positions, own tokens); the prefix is always visible.
        scaling: factor on the scores.
        dropout: must be 0 when a prefix is given.
        shared_prefix: `None` falls back to transformers' own attention.
        **kwargs: passed on.

    Returns:
        (batch, positions, heads, size), and no weights.
    """
    if shared_prefix is None:
        output, weights = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
        return output, weights
    batch, heads, positions, size = query.shape
    groups = key.shape[1]
    share = heads // groups
    scale = size**-0.5 if scaling is None else scaling
    layer = module.layer_idx
    before_key, before_value = shared_prefix.keys[layer][0], shared_prefix.values[layer][0]

    folded = (query * scale).reshape(batch, groups, share * positions, size)
    across = folded.transpose(0, 1).reshape(groups, batch * share * positions, size)
    before = torch.matmul(across, before_key.transpose(-1, -2)).view(groups, batch, share * positions, -1)
    own = torch.matmul(folded, key.transpose(-1, -2))
    if attention_mask is not None:
        own = (own.view(batch, groups, share, positions, -1) + attention_mask.unsqueeze(2)).view_as(own)

    weights = torch.cat([before.transpose(0, 1).float(), own.float()], dim=-1).softmax(dim=-1).to(value.dtype)
    length = before.shape[-1]
    of_before = weights[..., :length].transpose(0, 1).reshape(groups, batch * share * positions, length)
    output = torch.matmul(of_before, before_value).view(groups, batch, share * positions, size).transpose(0, 1)
    output = output + torch.matmul(weights[..., length:], value)
    return output.reshape(batch, heads, positions, size).transpose(1, 2).contiguous(), None


AttentionInterface.register(NAME, shared_prefix_attention)
