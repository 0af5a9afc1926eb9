"""Weights laid out once the way the processor multiplies them, where torch would lay them out anew at every call.

oneDNN reads weights in blocks. `torch.nn.functional.linear` hands them over row by row, so a pass over few tokens
spends much of its time on putting the weights in order. Packed, a whole pass over 1 to 16 tokens takes 0.75 times the
processor time in bf16, with products that are the same to the last bit, and one over 16 tokens 0.6 times in fp32
(AVX-512, 135 million weights); long passes take about as long as before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

_TOKENS = 16
"""About so many rows a product is laid out for; others go through at the same speed or nearly."""
MOST_BYTES = 1_500_000_000
"""Larger networks are not packed: it would double what they hold in memory."""
_packed: Any = WeakTensorKeyDictionary()
"""By weight, so that networks that share layers share these too."""


class PackedLinears:
    """The linear layers of one network that serves and does not train."""

    def __init__(self, *parts: torch.nn.Module) -> None:
        found = (module for part in parts for module in part.modules() if type(module) is torch.nn.Linear)
        linear = list(dict.fromkeys(found))
        fits = sum(module.weight.nbytes for module in linear) <= MOST_BYTES
        fits = fits and all(module.weight.device.type == "cpu" for module in linear)
        fits = fits and all(_supported(dtype) for dtype in {module.weight.dtype for module in linear})
        self._linear = [(module, _pack(module.weight)) for module in linear] if fits else []

    @contextmanager
    def used(self) -> Iterator[None]:
        """Multiply by the packed weights inside this block, and by the plain ones behind it.

        The modules are as before afterwards, so that copies made for training take nothing along.
        """
        for module, packed in self._linear:
            module.forward = _Product(packed, module.bias)  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            for module, _ in self._linear:
                del module.forward


class _Product:
    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight, self._bias = weight, bias

    def __call__(self, states: Tensor) -> Any:
        return torch.ops.mkldnn._linear_pointwise(states, self._weight, self._bias, "none", [], "")


def _pack(weight: Tensor) -> Tensor:
    found: Tensor | None = _packed.get(weight)
    if found is None:
        found = _packed[weight] = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), _TOKENS)
    return found


def _supported(dtype: torch.dtype = torch.float32) -> bool:
    """Say whether torch can pack weights of this type for this processor; an operator it lacks or changed says no."""
    try:
        weight, states = torch.eye(32, dtype=dtype), torch.arange(64.0, dtype=dtype).view(2, 32)
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, _TOKENS)
        return torch.equal(_Product(packed, None)(states), states)
    except (AttributeError, RuntimeError, TypeError, NotImplementedError):
        return False
