"""Some layers of a decoder, run over rows that all start alike: the shared prefix is computed once for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from advisor.models.local.attention import NAME, Flat, causal


def run_layers(decoder: Any, layers: Any, prefix: Tensor, rows: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Run `layers` over the states of rows, (tokens, width) each, behind a prefix, (tokens, width), that may be empty.

    What comes out, gradients included, is what each row with the prefix in front would give by itself, where every
    token sees all before it. Where the architecture uses our attention nothing is padded; elsewhere the rows are run
    whole, padded on the right.

    Returns:
        The states of the prefix, and of each row's own tokens.
    """
    run = _flat if _is_ours(decoder) else _padded
    return run(decoder, layers, prefix, rows)


def room(decoder: Any, prefix: int, own: int) -> int:
    """Return how much memory a row of so many tokens of its own takes, counted in tokens without a prefix.

    Every token keeps a score for each token of the prefix; 512 of them take about as much as its other states.
    """
    return own + (own * prefix // 512 if _is_ours(decoder) else prefix)


def _is_ours(decoder: Any) -> bool:
    return bool(decoder.config._attn_implementation == NAME)


def _flat(decoder: Any, layers: Any, prefix: Tensor, rows: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    counts = [len(row) for row in rows]
    shared = len(prefix)
    places = [*range(shared), *(at for count in counts for at in range(shared, shared + count))]
    states = torch.cat([prefix, *rows]).unsqueeze(0)
    flat, positions = Flat.of(shared, counts, states), torch.tensor([places], device=states.device)
    states = _through(decoder, layers, states, positions, flat=flat)[0]
    first, *others = torch.split(states, [shared, *counts])
    return first, others


def _padded(decoder: Any, layers: Any, prefix: Tensor, rows: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """A causal mask is all that right padding needs; it is given, since not every attention takes it for granted."""
    whole = torch.nn.utils.rnn.pad_sequence([torch.cat([prefix, row]) for row in rows], batch_first=True)
    positions = torch.arange(whole.shape[1], device=whole.device).unsqueeze(0)
    states = _through(decoder, layers, whole, positions, mask=causal(whole.shape[1], whole))
    shared = len(prefix)
    return states[0, :shared], [each[shared : shared + len(row)] for each, row in zip(states, rows, strict=True)]


def _through(
    decoder: Any, layers: Any, states: Tensor, positions: Tensor, mask: Tensor | None = None, **options: Any
) -> Tensor:
    angles = decoder.rotary_emb(states, position_ids=positions)
    for layer in layers:
        states = layer(states, attention_mask=mask, position_ids=positions, position_embeddings=angles, **options)
    return states
