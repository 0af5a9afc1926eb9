"""Rows behind one shared prefix give what each of them gives by itself, gradients included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from advisor.models.local import attention
from advisor.models.local.layers import run_layers
from tests.models.tiny_models import SHAPES, tiny


def states_of(model: Any, lengths: Sequence[int]) -> list[Tensor]:
    width = model.config.hidden_size
    draw = torch.Generator().manual_seed(3)
    return [torch.randn(length, width, generator=draw) for length in lengths]


def by_itself(decoder: Any, prefix: Tensor, row: Tensor) -> Tensor:
    """One row through all layers as transformers itself would run it."""
    states = torch.cat([prefix, row]).unsqueeze(0)
    places = torch.arange(states.shape[1]).unsqueeze(0)
    angles = decoder.rotary_emb(states, position_ids=places)
    for layer in decoder.layers:
        states = layer(states, attention_mask=None, position_ids=places, position_embeddings=angles)
    return states[0]


def gradients(model: Any, values: Sequence[Tensor]) -> list[Tensor]:
    """What the weights get from a loss that weighs every token differently."""
    parts = [(value * torch.linspace(0.5, 1.5, value.numel()).view_as(value)).sum() for value in values]
    weights = [weight for weight in model.get_decoder().layers.parameters() if weight.requires_grad]
    return list(torch.autograd.grad(torch.stack(parts).sum(), weights))


@pytest.mark.parametrize("shape", [*SHAPES, "plain"])
@pytest.mark.parametrize(
    ("shared", "lengths"), [(9, (4, 1, 30)), (0, (5, 7)), (12, (6,)), (1, (3, 3, 3)), (40, (2, 2))]
)
def test_rows_behind_a_prefix_are_as_each_by_itself(shape: str, shared: int, lengths: tuple[int, ...]) -> None:
    model = tiny("Llama" if shape == "plain" else shape, initializer_range=0.1).train()
    decoder = model.get_decoder()
    decoder.layers.requires_grad_(True)
    prefix, *rows = states_of(model, (shared, *lengths))

    model.set_attn_implementation("sdpa")
    alone = [by_itself(decoder, prefix, row) for row in rows]
    wanted = [whole[shared:] for whole in alone]
    if shape != "plain":  # plain: an architecture that keeps its own attention is run padded
        model.set_attn_implementation(attention.NAME)
    first, found = run_layers(decoder, decoder.layers, prefix, rows)

    torch.testing.assert_close(first, alone[0][:shared], rtol=1e-4, atol=1e-4)
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    for ours, theirs in zip(gradients(model, found), gradients(model, wanted), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3 * float(theirs.abs().max()))


@pytest.mark.parametrize(("shape", "options"), [
    ("Gemma2", {}), ("GptOss", {"num_local_experts": 2, "num_experts_per_tok": 1}),
])  # fmt: skip
def test_no_token_sees_later_ones_whatever_the_attention(shape: str, options: dict[str, Any]) -> None:
    """transformers' eager attention, all that these have, hides nothing of itself."""
    model = tiny(shape, initializer_range=0.1, **options)
    decoder = model.get_decoder()
    assert decoder.config._attn_implementation == "eager"
    prefix, long, short = states_of(model, (3, 6, 4))
    other = torch.cat([long[:-1], long[:1]])
    with torch.inference_mode():
        first, (whole, beside) = run_layers(decoder, decoder.layers, prefix, [long, short])
        again, (changed,) = run_layers(decoder, decoder.layers, prefix, [other])
        _, (alone,) = run_layers(decoder, decoder.layers, prefix, [short])
    torch.testing.assert_close(first, again)
    torch.testing.assert_close(whole[:-1], changed[:-1])
    torch.testing.assert_close(beside, alone)
    assert not torch.allclose(whole[-1], changed[-1])
