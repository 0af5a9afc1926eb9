"""Batched generation behind one shared prefix: prefill in small batches, decode in large ones.

The longest common prefix of all prompts is computed once and kept for the next call (see `attention`). Own parts are
padded on the right and sorted by length; rows that are done leave the batch; logits are computed only where a token is
to be chosen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch
from torch import Tensor
from transformers import Cache

from advisor.models.local.attention import Prefix

PREFILL_TOKENS = 768
DECODE_ROWS = 64
DECODE_TOKENS = 12_000
"""Room for this many tokens of keys and values at once, answers included; it bounds the memory."""
MIN_PREFIX = 8
KEPT_PREFIXES = 6
LOST_TOKENS = 16


class Constraint(Protocol):
    """What may be written next."""

    def mask(self) -> Tensor | None:
        """Return a boolean tensor over the vocabulary (True is allowed), or `None` where all is allowed."""

    def accept(self, token: int) -> None:
        """Take note of the token that was chosen."""


@dataclass(slots=True)
class Row:
    """One sequence on its way: what was asked, what has been written, and what it took."""

    ids: list[int]
    max_tokens: int
    temperature: float = 0.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    constraint: Constraint | None = None
    written: list[int] = field(default_factory=list)
    text: str = ""
    finish: Literal["stop", "length"] | None = None
    latency_seconds: float = 0.0
    prefix_tokens: int = 0
    random: torch.Generator | None = None


class Engine:
    """Writes with one decoder. `decode` turns token ids into text, `ends` are the ids that finish an answer."""

    def __init__(self, model: Any, ends: frozenset[int], decode: Callable[[list[int]], str]) -> None:
        self.decoder = model.get_decoder()
        self.head = model.get_output_embeddings()
        self.ends = ends
        self.decode = decode
        self._prefixes: list[Prefix] = []
        self.no_prefix = _empty_prefix(self.decoder.config, self.head.weight.dtype)

    @torch.inference_mode()
    def run(self, rows: Sequence[Row]) -> None:
        """Write every row to its end, in place."""
        started = time.perf_counter()
        prefix = self._prefix(rows)
        for row in rows:
            row.prefix_tokens = len(prefix)
            if row.temperature > 0:
                row.random = torch.Generator().manual_seed(row.seed)
        for batch in _decode_batches(rows, len(prefix)):
            _Batch(self, batch, prefix, started).run()

    def _prefix(self, rows: Sequence[Row]) -> Prefix:
        """Return the keys and values of what all prompts start with, at best those of an earlier call."""
        common = _common_prefix([row.ids for row in rows])
        shortest = min(len(row.ids) for row in rows)
        length = min(len(common), shortest - 1)
        for kept in self._prefixes:
            if len(kept) <= length and common[: len(kept)] == list(kept.ids) and length - len(kept) <= LOST_TOKENS:
                self._prefixes.remove(kept)
                self._prefixes.insert(0, kept)
                return kept
        if length < MIN_PREFIX or len(rows) < 2:
            return self.no_prefix
        prefix = self._compute(common[:length])
        self._prefixes = [prefix, *self._prefixes[: KEPT_PREFIXES - 1]]
        return prefix

    def _compute(self, ids: list[int]) -> Prefix:
        cache = _Growing(len(ids))
        self.decoder(
            input_ids=torch.tensor([ids]),
            past_key_values=cache,
            use_cache=True,
            attention_mask=_causal(len(ids)),
            shared_prefix=self.no_prefix,
        )
        return Prefix(tuple(ids), tuple(cache.keys), tuple(cache.values))


def _decode_batches(rows: Sequence[Row], shared: int) -> list[list[Row]]:
    """Cut rows, shortest first, into batches within `DECODE_ROWS` and `DECODE_TOKENS` (a longer row stands alone)."""
    batches: list[list[Row]] = []
    most = 0
    for row in sorted(rows, key=lambda row: len(row.ids)):
        most = max(most, row.max_tokens)
        count = len(batches[-1]) + 1 if batches else 1
        if batches and count <= DECODE_ROWS and count * (len(row.ids) - shared + most) <= DECODE_TOKENS:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches


class _Growing(Cache):  # type: ignore[misc]  # transformers is untyped here
    """Keys and values in buffers allocated once; `start` is how many tokens are in them."""

    def __init__(self, room: int) -> None:
        super().__init__(layers=[])
        self.room = room
        self.start = 0
        self.keys: list[Tensor] = []
        self.values: list[Tensor] = []

    def update(self, key: Tensor, value: Tensor, layer_idx: int, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write the new tokens behind the old ones and return all so far."""
        if layer_idx == len(self.keys):
            shape = (*key.shape[:2], self.room, key.shape[3])
            self.keys.append(key.new_empty(shape))
            self.values.append(key.new_empty(shape))
        end = self.start + key.shape[2]
        self.keys[layer_idx][:, :, self.start : end] = key
        self.values[layer_idx][:, :, self.start : end] = value
        return self.keys[layer_idx][:, :, :end], self.values[layer_idx][:, :, :end]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Return how many tokens are held."""
        return self.start

    def join(self, other: _Growing, rows: slice, width: int) -> None:
        """Copy the first `width` tokens of another cache into `rows` of this one."""
        for layer, (key, value) in enumerate(zip(other.keys, other.values, strict=True)):
            if layer == len(self.keys):
                shape = (self.start, key.shape[1], self.room, key.shape[3])
                self.keys.append(key.new_zeros(shape))
                self.values.append(key.new_zeros(shape))
            self.keys[layer][rows, :, :width] = key[:, :, :width]
            self.values[layer][rows, :, :width] = value[:, :, :width]

    def keep(self, rows: Tensor) -> None:
        """Let the other rows go."""
        self.keys = [key.index_select(0, rows) for key in self.keys]
        self.values = [value.index_select(0, rows) for value in self.values]


class _Batch:
    """One batch from prefill to the last row's end."""

    def __init__(self, engine: Engine, rows: Sequence[Row], prefix: Prefix, started: float) -> None:
        self.engine, self.rows, self.prefix, self.started = engine, list(rows), prefix, started
        self.skip = len(prefix)
        self.own = [len(row.ids) - self.skip for row in self.rows]
        self.width = max(self.own)
        room = self.width + max(row.max_tokens for row in self.rows)
        self.cache = _Growing(room)
        self.cache.start = len(self.rows)
        self.hidden_mask = torch.zeros(len(self.rows), 1, 1, room)
        for index, length in enumerate(self.own):
            self.hidden_mask[index, :, :, length : self.width] = float("-inf")

    def run(self) -> None:
        logits = self._prefill()
        self.cache.start = self.width
        active = list(range(len(self.rows)))
        while True:
            likeliest = logits.argmax(-1).tolist()
            chosen = [self._choose(self.rows[index], logits[at], likeliest[at]) for at, index in enumerate(active)]
            open_rows = [at for at, index in enumerate(active) if self.rows[index].finish is None]
            if not open_rows:
                return
            if len(open_rows) < len(active):
                keep = torch.tensor(open_rows)
                self.cache.keep(keep)
                self.hidden_mask = self.hidden_mask.index_select(0, keep)
                active = [active[at] for at in open_rows]
                chosen = [chosen[at] for at in open_rows]
            logits = self._step(active, chosen)

    def _prefill(self) -> Tensor:
        lasts = []
        first = 0
        while first < len(self.rows):
            count = 1
            while first + count < len(self.rows) and self.own[first + count] * (count + 1) <= PREFILL_TOKENS:
                count += 1
            lasts.append(self._prefill_some(slice(first, first + count)))
            first += count
        return self.engine.head(torch.cat(lasts)).float()  # type: ignore[no-any-return]

    def _prefill_some(self, rows: slice) -> Tensor:
        lengths = self.own[rows]
        width = max(lengths)
        ids = torch.zeros(len(lengths), width, dtype=torch.long)
        for at, row in enumerate(self.rows[rows]):
            ids[at, : lengths[at]] = torch.tensor(row.ids[self.skip :])
        cache = _Growing(width)
        output = self.engine.decoder(
            input_ids=ids,
            position_ids=torch.arange(self.skip, self.skip + width).expand(len(lengths), -1),
            attention_mask=_causal(width),
            past_key_values=cache,
            use_cache=True,
            shared_prefix=self.prefix,
        )
        self.cache.join(cache, rows, width)
        states: Tensor = output.last_hidden_state
        return states[torch.arange(len(lengths)), torch.tensor(lengths) - 1]

    def _step(self, active: list[int], chosen: list[int]) -> Tensor:
        position = [self.skip + self.own[index] + len(self.rows[index].written) - 1 for index in active]
        seen = self.cache.start + 1
        output = self.engine.decoder(
            input_ids=torch.tensor(chosen).unsqueeze(1),
            position_ids=torch.tensor(position).unsqueeze(1),
            attention_mask=self.hidden_mask[..., :seen],
            past_key_values=self.cache,
            use_cache=True,
            shared_prefix=self.prefix,
        )
        self.cache.start = seen
        return self.engine.head(output.last_hidden_state[:, 0]).float()  # type: ignore[no-any-return]

    def _choose(self, row: Row, logits: Tensor, likeliest: int) -> int:
        """Pick the next token of one row and note whether that ends it."""
        token = likeliest
        mask = row.constraint.mask() if row.constraint else None
        if mask is not None:
            logits = logits.masked_fill(~mask, float("-inf"))
            token = int(logits.argmax())
        if row.random is not None:
            token = int(torch.multinomial((logits / row.temperature).softmax(-1), 1, generator=row.random))
        if row.constraint:
            row.constraint.accept(token)
        if token in self.engine.ends:
            row.finish = "stop"
        else:
            row.written.append(token)
            self._read(row)
        if row.finish:
            row.latency_seconds = time.perf_counter() - self.started
        return token

    def _read(self, row: Row) -> None:
        row.text = self.engine.decode(row.written)
        cuts = [at for at in (row.text.find(text) for text in row.stop) if at >= 0]
        if cuts:
            row.text, row.finish = row.text[: min(cuts)], "stop"
        elif len(row.written) >= row.max_tokens:
            row.finish = "length"


def _empty_prefix(config: Any, dtype: torch.dtype) -> Prefix:
    """A prefix of no tokens, so that one attention path serves both cases."""
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    empty = torch.zeros(1, config.num_key_value_heads, 0, size, dtype=dtype)
    return Prefix((), (empty,) * config.num_hidden_layers, (empty,) * config.num_hidden_layers)


def _causal(width: int) -> Tensor:
    return torch.full((1, 1, width, width), float("-inf")).triu(1)


def _common_prefix(sequences: Sequence[list[int]]) -> list[int]:
    low, high = min(sequences), max(sequences)
    length = 0
    while length < min(len(low), len(high)) and low[length] == high[length]:
        length += 1
    return list(low[:length])
