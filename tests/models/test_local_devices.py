"""Where tensors are: the engine and training compute wherever the weights are. No GPU is needed to see that.

On torch's `meta` device operators compute shapes only. What mixes it with the processor is caught at every operator, as
a GPU would refuse it, or slow down by waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from advisor.core.errors import ConfigurationError
from advisor.models.local import attention
from advisor.models.local.engine import Engine, _Batch
from advisor.models.local.frozen import Item
from advisor.models.local.layers import run_layers
from advisor.models.local.rows import TokenSequence
from advisor.models.local.training_loop import TopLayers
from tests.models.tiny_models import tiny

SHAPES = ("Llama", "Qwen2", "Qwen3", "Mistral", "Gemma")
MOVES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)


class OnePlace(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Refuses operators whose tensors are in two places; single numbers may come from anywhere, and moving is fine."""

    def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = [each for each in tree_leaves((args, kwargs or {})) if isinstance(each, torch.Tensor) and each.dim()]
        places = {each.device.type for each in found}
        assert len(places) < 2 or func in MOVES, f"{func} is given tensors on {places}"
        return func(*args, **(kwargs or {}))


def network(shape: str) -> Any:
    made = tiny(shape)
    made.set_attn_implementation(attention.NAME)
    return made.to("meta")


def read_and_write(made: Any) -> None:
    engine = Engine(made, frozenset({299}), str)
    prompts = [[5, 6, 7, 8, *range(9, 9 + at)] for at in (1, 3, 2)]
    with torch.inference_mode():
        prefix = engine._longer(engine.no_prefix, prompts[0][:4])
        batch = _Batch(engine, [TokenSequence(ids, max_tokens=4) for ids in prompts], prefix, {}, 0.0)
        states = batch.read()
        for _ in range(2):
            assert engine.head(states).device.type == "meta"
            for row in batch.rows:
                row.written.append(3)
            states = batch._pass(0, [row.pending for row in batch.rows])
        batch.cache.copy(0, 1, 2)


def train(made: Any) -> None:
    decoder, first = made.get_decoder(), 1
    ids = [torch.tensor(each, device="meta") for each in ([1, 2, 3, 4, 5], [1, 2, 3, 6, 7, 8])]
    embedded = [decoder.embed_tokens(each) for each in ids]
    prefix, states = run_layers(decoder, decoder.layers[:first], embedded[0][:2], [each[2:] for each in embedded])
    learned = [torch.arange(len(each)) > 0 for each in states]
    items = [Item(*each) for each in zip(states, (each[2:] for each in ids), learned, strict=True)]
    made.get_decoder().layers[2].requires_grad_(True)
    loss, right = TopLayers(made, first).losses(prefix, items)
    loss.sum().backward()  # type: ignore[no-untyped-call]
    assert loss.device.type == right.device.type == "meta"


@pytest.mark.parametrize("work", [read_and_write, train])
@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_is_left_on_the_processor(shape: str, work: Callable[[Any], None]) -> None:
    made = network(shape)
    with OnePlace():  # type: ignore[no-untyped-call]
        work(made)


def test_what_is_left_behind_would_be_noticed() -> None:
    with OnePlace(), pytest.raises(AssertionError, match=r"index\.Tensor is given tensors on"):  # type: ignore[no-untyped-call]
        torch.zeros(3, device="meta")[torch.tensor([0, 1])]


def test_a_device_that_is_not_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from advisor.models.local.model import open_local

    monkeypatch.setenv("ADVISOR_DEVICE", "cuda:99")
    with pytest.raises(ConfigurationError, match=r"'cuda:99', which torch does not see here; allowed: cpu") as caught:
        open_local("smollm2")
    assert caught.value.hint == "export ADVISOR_DEVICE=cpu"
