"""Batched generation behind one shared prefix, in passes without padding.

The longest common prefix of all prompts is computed once and kept for the next call (see `attention`). Within a batch,
rows that begin alike behind it are computed once and copied; a conversation that goes on takes up what its last turn
left. Tokens that a constraint leaves no choice about are written without logits of their own: they join the next pass,
or none, where they end the row. Rows that are done leave the batch; logits are computed only where a token is to be
chosen.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any, NamedTuple

import torch
from torch import Tensor

from advisor.core.errors import CallFailed
from advisor.models.local.attention import Prefix
from advisor.models.local.cache import OwnCache, Tail
from advisor.models.local.packing import PackedLinears
from advisor.models.local.rows import TokenSequence, alike, common_prefix
from advisor.models.local.runtime import give_back, memory_errors

PREFILL_TOKENS = 512
"""About so many new tokens a pass while prompts are read; longer prompts are read in parts."""
DECODE_ROWS = 128
DECODE_TOKENS = 12_000
"""Room for this many tokens of keys and values at once, answers included; it bounds the memory."""
KEPT_TOKENS = 8_000
"""At most so many tokens are kept of conversations that may go on."""
MIN_PREFIX = 8
KEPT_PREFIXES = 6
LOST_TOKENS = 16
BRANCH = 8
"""Rows that begin alike for at least so many tokens behind the prefix share their computation."""


class Engine:
    """Writes with one decoder. `decode` turns token ids into text, `ends` are the ids that finish an answer."""

    def __init__(self, model: Any, ends: frozenset[int], decode: Callable[[list[int]], str]) -> None:
        self.decoder = model.get_decoder()
        self.head = model.get_output_embeddings()
        self.ends = ends
        self.decode = decode
        self.no_prefix = _empty_prefix(self.decoder.config, self.head.weight)
        named = inspect.signature(self.decoder.forward).parameters
        self.cache_is_called = "cache" if "cache" in named else "past_key_values"  # before transformers 5.24
        self._prefixes: list[Prefix] = []
        self._tails: dict[tuple[int, ...], Tail] = {}

    @cached_property
    def _packed(self) -> PackedLinears:
        return PackedLinears(self.decoder, self.head)

    def forget(self) -> None:
        """Drop the prefixes and conversations that were kept."""
        self._prefixes, self._tails = [], {}

    @torch.inference_mode()
    def run(self, rows: Sequence[TokenSequence]) -> None:
        """Write every row to its end, in place.

        Raises:
            CallFailed: a single row does not fit into memory.
        """
        started = time.perf_counter()
        known = self._known(rows)
        with self._packed.used():
            prefix = self._prefix(rows, known)
            self._tails = {}
            for batch in _decode_batches(rows, len(prefix)):
                self._write(batch, prefix, known, started)
        give_back()

    @torch.inference_mode()
    def logits(self, ids: list[int]) -> Tensor:
        """Return the logits behind a prompt whose first half is taken for a prefix that prompts share."""
        prefix = self._longer(self.no_prefix, ids[: len(ids) // 2])
        found: Tensor = self.head(_Batch(self, [TokenSequence(ids, max_tokens=1)], prefix, {}, 0.0).read())[0]
        return found

    def keep(self, row: TokenSequence, cache: OwnCache, slot: int, skip: int) -> None:
        """Keep what a finished row held, for the next turn of its conversation."""
        if sum(len(tail.ids) - len(tail.prefix) for tail in self._tails.values()) + row.held - skip <= KEPT_TOKENS:
            written = (*row.ids, *row.written)[: row.held]
            self._tails[tuple(row.ids)] = Tail(tuple(row.ids[:skip]), written, *cache.take(slot, row.held - skip))

    def _write(self, rows: list[TokenSequence], prefix: Prefix, known: Mapping[int, Tail], started: float) -> None:
        try:
            with memory_errors():
                _Batch(self, rows, prefix, known, started).run()
            return
        except MemoryError as error:
            if len(rows) == 1:
                raise too_long(rows[0]) from error
        give_back()  # outside the handler, whose error holds on to all that the batch had in memory
        middle = len(rows) // 2
        for half in (rows[:middle], rows[middle:]):
            self._write(half, prefix, {}, started)

    def _known(self, rows: Sequence[TokenSequence]) -> dict[int, Tail]:
        """Return by position which rows go on where an earlier one stopped."""
        lengths = sorted({len(ids) for ids in self._tails}, reverse=True)
        found: dict[int, Tail] = {}
        for row in rows:
            starts = (tuple(row.ids[:length]) for length in lengths if length < len(row.ids))
            tail = next((self._tails[start] for start in starts if start in self._tails), None)
            if tail is not None:
                found[id(row)] = tail
        return found

    def _prefix(self, rows: Sequence[TokenSequence], known: Mapping[int, Tail]) -> Prefix:
        """Return the keys and values of what all prompts start with, at best those of an earlier call."""
        common = common_prefix([row.ids for row in rows])
        length = min(len(common), min(len(row.ids) for row in rows) - 1)
        best = max(self._prefixes, key=lambda kept: alike(kept.ids, common[:length]), default=self.no_prefix)
        held = alike(best.ids, common[:length])
        if best is not self.no_prefix:
            self._prefixes.remove(best)
            self._prefixes.insert(0, best)
        if any(len(tail.prefix) == held == len(best) for tail in known.values()):
            return best
        if length - held <= LOST_TOKENS or len(rows) < 2:
            return best.cut(held) if held >= MIN_PREFIX else self.no_prefix
        if length < MIN_PREFIX:
            return self.no_prefix
        try:
            with memory_errors():
                prefix = self._longer(best.cut(held), common[:length])
        except MemoryError:
            return best.cut(held) if held >= MIN_PREFIX else self.no_prefix
        self._prefixes = [prefix, *self._prefixes[: KEPT_PREFIXES - 1]]
        return prefix

    def _longer(self, prefix: Prefix, ids: list[int]) -> Prefix:
        """Compute what `ids` has behind `prefix` and return both as one."""
        row = TokenSequence(ids, max_tokens=0)
        reading = _Batch(self, [row], prefix, {}, 0.0)
        reading.read()
        new_keys, new_values = reading.cache.take(0, len(ids) - len(prefix))
        keys, values = (
            tuple(torch.cat([old, new], dim=1) for old, new in zip(*pair, strict=True))
            for pair in ((prefix.keys, new_keys), (prefix.values, new_values))
        )
        return Prefix(tuple(ids), keys, values)


class _Batch:
    """One batch from reading the prompts to the last row's end; `rows` are those not done yet, in order of slots."""

    def __init__(
        self, engine: Engine, rows: Sequence[TokenSequence], prefix: Prefix, known: Mapping[int, Tail], started: float
    ) -> None:
        self.engine, self.prefix, self.known, self.started = engine, prefix, known, started
        self.skip = len(prefix)
        for row in rows:
            row.start()
            row.held = row.reused = self.skip
            row.write_forced(engine.ends, engine.decode)
            if row.finish:
                row.latency_seconds = time.perf_counter() - started
        begun = [row for row in rows if row.finish is None]
        self.levels = _levels(begun, self.skip)
        self.rows = [each.row for level in self.levels for each in level]
        room = max((len(row.ids) + row.max_tokens for row in begun), default=0) - self.skip
        self.cache = OwnCache(len(begun), room, engine.no_prefix)

    def run(self) -> None:
        states = self.read() if self.rows else None
        while states is not None:
            logits = self.engine.head(states).float()
            likeliest_of = logits.argmax(-1).tolist()
            if any(row.constraint or row.random for row in self.rows):
                logits = logits.cpu()  # where grammars and random numbers are
            for row, own, likeliest in zip(self.rows, logits, likeliest_of, strict=True):
                row.write(row.choose(own, likeliest), self.engine.ends, self.engine.decode)
            self._let_go()
            states = self._pass(0, [row.pending for row in self.rows]) if self.rows else None

    def read(self) -> Tensor:
        """Read all prompts; returns the states at their last tokens."""
        states, place, first = list[Tensor](), dict[int, int](), 0
        for level in self.levels:
            for slot, (row, leader, shared) in enumerate(level, first):
                place[id(row)] = slot
                self._take_up(slot, row)
                if leader is not None and self.skip + shared > row.held:
                    self.cache.copy(place[id(leader)], slot, shared)
                    row.held = row.reused = self.skip + shared
            states += self._read_slots(first, first + len(level))
            first += len(level)
        return torch.cat(states)

    def _take_up(self, slot: int, row: TokenSequence) -> None:
        """Give a row what the last turn of its conversation left."""
        tail = self.known.get(id(row))
        if tail is None or tail.prefix != self.prefix.ids:
            return
        length = min(alike(tail.ids, row.ids), len(row.ids) - 1) - self.skip
        self.cache.put(slot, tail, length)
        row.held = row.reused = self.skip + length

    def _read_slots(self, first: int, end: int) -> Iterator[Tensor]:
        while first < end:
            pieces = [self.rows[first].pending]
            while len(pieces[0]) > PREFILL_TOKENS:
                self._pass(first, [pieces[0][:PREFILL_TOKENS]])
                pieces = [self.rows[first].pending]
            total = len(pieces[0])
            for row in self.rows[first + 1 : end]:
                total += len(row.pending)
                if total > PREFILL_TOKENS:
                    break
                pieces.append(row.pending)
            yield self._pass(first, pieces)
            first += len(pieces)

    def _pass(self, first: int, pieces: Sequence[list[int]]) -> Tensor:
        """Compute new tokens of the rows from slot `first` on; returns the states at the last one of each."""
        rows = self.rows[first : first + len(pieces)]
        layout, mask = self.cache.aim(first, [row.held - self.skip for row in rows], [len(piece) for piece in pieces])
        spans = [range(row.held, row.held + len(piece)) for row, piece in zip(rows, pieces, strict=True)]
        device = self.engine.head.weight.device
        output = self.engine.decoder(
            input_ids=torch.tensor([[token for piece in pieces for token in piece]], device=device),
            position_ids=torch.tensor([[at for span in spans for at in span]], device=device),
            attention_mask=mask,
            use_cache=True,
            shared_prefix=self.prefix,
            layout=layout,
            **{self.engine.cache_is_called: self.cache},
        )
        for row, piece in zip(rows, pieces, strict=True):
            row.held += len(piece)
        states: Tensor = output.last_hidden_state[0]
        return states[torch.tensor([end - 1 for end in accumulate(map(len, pieces))], device=device)]

    def _let_go(self) -> None:
        """Let the finished rows go; the last row moves into the slot of each."""
        for slot in reversed(range(len(self.rows))):
            row = self.rows[slot]
            if row.finish is None:
                continue
            row.latency_seconds = time.perf_counter() - self.started
            if row.stays:
                self.engine.keep(row, self.cache, slot, self.skip)
            last = self.rows.pop()
            if last is not row:
                self.rows[slot] = last
                self.cache.copy(len(self.rows), slot, last.held - self.skip)


def _decode_batches(rows: Sequence[TokenSequence], shared: int) -> list[list[TokenSequence]]:
    """Cut rows into batches within `DECODE_ROWS` and `DECODE_TOKENS` (a longer row stands alone).

    The shortest come first, but rows that have most of their prompts in common stay together.
    """
    batches: list[list[TokenSequence]] = []
    most = longest = 0
    for row in _by_length(rows, shared):
        most, longest = max(most, row.max_tokens), max(longest, len(row.ids))
        count = len(batches[-1]) + 1 if batches else 1
        if batches and count <= DECODE_ROWS and count * (longest - shared + most) <= DECODE_TOKENS:
            batches[-1].append(row)
        else:
            batches.append([row])
            longest = len(row.ids)
    return batches


def _by_length(rows: Sequence[TokenSequence], skip: int) -> list[TokenSequence]:
    """Sort rows by length; those that share more than half of what stands behind the prefix count as the longest."""
    groups: list[list[TokenSequence]] = []
    for row in sorted(rows, key=lambda row: row.ids):
        if groups and 2 * (alike(groups[-1][-1].ids, row.ids) - skip) > len(row.ids) - skip:
            groups[-1].append(row)
        else:
            groups.append([row])
    groups.sort(key=lambda group: max(len(row.ids) for row in group))
    return [row for group in groups for row in sorted(group, key=lambda row: len(row.ids))]


class _Branch(NamedTuple):
    """A row that begins as another one, its `leader`, for so many tokens behind the prefix; alone without a leader."""

    row: TokenSequence
    leader: TokenSequence | None
    shared: int


def _levels(rows: Sequence[TokenSequence], skip: int) -> list[list[_Branch]]:
    """Return the tree of what the prompts begin with, level by level.

    A row's leader, with which it shares as much as with any or nearly, stands in an earlier level, so its keys are
    there to be copied. Within a level the shortest ways to go come first.
    """
    levels: list[list[_Branch]] = []
    # from the trunk to the last row: how much it shares with the one before it
    path: list[tuple[TokenSequence, int, int]] = []
    last: TokenSequence | None = None
    for row in sorted(rows, key=lambda row: row.ids):
        shared = min(alike(last.ids, row.ids), len(row.ids) - 1) - skip if last else 0
        if shared < BRANCH:
            path, found = [], _Branch(row, None, 0)
        else:
            while path[-1][1] > shared - BRANCH:  # one level less is worth more than a few tokens
                shared = min(shared, path.pop()[1])
            found = _Branch(row, path[-1][0], shared)
        level = path[-1][2] + 1 if path else 0
        path.append((row, found.shared, level))
        if level == len(levels):
            levels.append([])
        levels[level].append(found)
        last = row
    for each in levels:
        each.sort(key=lambda branch: len(branch.row.ids) - branch.shared)
    return levels


def _empty_prefix(config: Any, like: Tensor) -> Prefix:
    """A prefix of no tokens, so that one attention path serves both cases."""
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    empty = like.new_zeros(config.num_key_value_heads, 0, size)
    return Prefix((), (empty,) * config.num_hidden_layers, (empty,) * config.num_hidden_layers)


def too_long(row: TokenSequence) -> CallFailed:
    """The error of a prompt that is too much for this machine by itself; others may still be answered."""
    return CallFailed(
        f"a prompt of {len(row.ids):,} tokens does not fit into memory",
        hint="shorten the inputs, close other programs, or choose a smaller --model",
    )
