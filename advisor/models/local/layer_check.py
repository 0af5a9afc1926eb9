"""Before a training: whether a network is what its layers, run one by one, say; some do more than their layers show."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor

from advisor.core.errors import ModelError
from advisor.models.local.frozen import Item, Rows, Trainable
from advisor.models.local.layers import run_layers

APART = 0.02
"""How far the logits of a row may differ, as a share of their own spread (root mean squares).

In fp32 rounding comes to some millionths of it (the test measures it), in bf16 to several hundredths, which is why
both are computed in fp32. A network that scales or adds anything beside its layers differs by a tenth and more.
"""
ROWS = 4
"""Rows that are compared: the longest, the shortest, and some between them."""
_ELSEWHERE = "train it at an endpoint, choose another --model, or leave fine-tuning out with --strategy"


def check_layers(model: Trainable, rows: Rows) -> None:
    """Make sure that the layers of a network say of several rows what the whole network says.

    A model is compared once, and again where a row is longer than all before, since positions may differ by length.

    Raises:
        ModelError: they do not; the architecture does more than its layers show.
    """
    by_length = sorted(rows.items, key=lambda item: len(item.ids))
    longest = len(rows.ids) + len(by_length[-1].ids)
    window = getattr(model.network.config, "sliding_window", None)
    if window and window < longest:
        raise ModelError(
            f"{model.name} cannot be trained here: its layers see the last {window:,} tokens only, and the longest "
            f"training example has {longest:,}",
            hint=_ELSEWHERE,
        )
    if longest <= model.compared_tokens:
        return
    places = torch.linspace(0, len(by_length) - 1, min(ROWS, len(by_length))).round().int().tolist()
    apart, row = _largest_difference(model, rows.ids, [by_length[place] for place in places])
    if not apart <= APART:  # of not-a-number too
        raise ModelError(
            f"{model.name} cannot be trained here: run one by one, its layers give other scores than the whole network "
            f"(they differ by {apart:.0%} on a training example of {row:,} tokens)",
            hint=_ELSEWHERE,
        )
    model.compared_tokens = longest


@torch.inference_mode()
def _largest_difference(model: Trainable, prefix: Tensor, items: list[Item]) -> tuple[float, int]:
    """Return the largest difference in fp32 among these rows behind a prefix, and the tokens of the row that has it."""
    given = model.network
    network = given if given.dtype == torch.float32 else copy.deepcopy(given).float()
    decoder, head = network.get_decoder(), network.get_output_embeddings()
    embedded = [decoder.embed_tokens(item.ids) for item in items]
    _, states = run_layers(decoder, decoder.layers, decoder.embed_tokens(prefix), embedded)
    found = []
    for item, own in zip(items, states, strict=True):
        ours = head(decoder.norm(own[item.places - 1]))
        ids, at = torch.cat([prefix, item.ids]), len(prefix) + item.places - 1
        theirs = network(input_ids=ids.unsqueeze(0), use_cache=False).logits[0, at]
        spread = theirs - theirs.mean(-1, keepdim=True)
        found.append((float((ours - theirs).norm() / spread.norm()), len(ids)))
    return max(found, key=lambda pair: math.inf if math.isnan(pair[0]) else pair[0])
