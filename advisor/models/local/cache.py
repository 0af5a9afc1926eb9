"""Keys and values of a batch's own tokens, in buffers that are allocated once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import Cache

from advisor.models.local.attention import Layout, Prefix


@dataclass(frozen=True, slots=True)
class Tail:
    """What one finished row held behind the prefix: all its token ids, and a layer its keys and values."""

    prefix: tuple[int, ...]
    ids: tuple[int, ...]
    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]


class OwnCache(Cache):  # type: ignore[misc]  # transformers is untyped here
    """A slot for each row of a batch; what stands in a slot may be moved, copied and cut.

    `aim` says, before each pass, which slots it concerns and where its tokens go.
    """

    def __init__(self, slots: int, room: int, like: Prefix) -> None:
        super().__init__(layers=[])
        self.room = room
        self.keys, self.values = (
            [each.new_zeros(slots, each.shape[0], room, each.shape[2]) for each in kept]
            for kept in (like.keys, like.values)
        )
        self._slots, self._seen = slice(0, 0), 0
        self._row = self._column = torch.zeros(0, dtype=torch.long)
        self._device = self.keys[0].device

    def aim(self, first: int, before: Sequence[int], new: Sequence[int]) -> tuple[Layout, Tensor]:
        """Get ready for `new` tokens behind the `before` that stand in each slot from `first` on.

        Returns their layout, and the additive mask of their own keys: (rows, 1, width, tokens seen).
        """
        layout = Layout.of(new, self._device)
        held = torch.tensor(before, device=self._device)
        self._slots = slice(first, first + len(new))
        self._seen = max(start + count for start, count in zip(before, new, strict=True))
        if max(new) == 1 and 4 * self._seen >= 3 * self.room:
            self._seen = self.room  # products would copy a part; some hidden columns at its end cost less
        rows = [row for row, n in enumerate(new) for _ in range(n)]
        columns = [at for start, n in zip(before, new, strict=True) for at in range(start, start + n)]
        self._row, self._column = (torch.tensor(each, device=self._device) for each in (rows, columns))
        last = held.unsqueeze(1) + torch.arange(layout.width, device=self._device)
        hidden = torch.arange(self._seen, device=self._device) > last.unsqueeze(-1)
        mask = self.keys[0].new_zeros(hidden.shape).masked_fill_(hidden, float("-inf"))
        return layout, mask.unsqueeze(1)

    def update(self, key: Tensor, value: Tensor, layer_idx: int, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write the new tokens, (1, key-value heads, tokens, size), into their slots and return all up to them."""
        keys, values = self.keys[layer_idx][self._slots], self.values[layer_idx][self._slots]
        keys[self._row, :, self._column] = key[0].transpose(0, 1)
        values[self._row, :, self._column] = value[0].transpose(0, 1)
        return keys[:, :, : self._seen], values[:, :, : self._seen]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Return how many tokens are seen in the slots aimed at."""
        return self._seen

    def copy(self, source: int, target: int, length: int) -> None:
        """Copy the first tokens of one slot into another."""
        for kept in (*self.keys, *self.values):
            kept[target, :, :length] = kept[source, :, :length]

    def put(self, slot: int, tail: Tail, length: int) -> None:
        """Put the first tokens of a tail into a slot."""
        for kept, new in zip((*self.keys, *self.values), (*tail.keys, *tail.values), strict=True):
            kept[slot, :, :length] = new[:, :length]

    def take(self, slot: int, length: int) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Return copies of the keys and values of a slot's first tokens."""
        keys, values = ([kept[slot, :, :length].clone() for kept in each] for each in (self.keys, self.values))
        return tuple(keys), tuple(values)
