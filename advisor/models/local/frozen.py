"""Training rows behind the frozen layers: run through them once, kept, and cut into parts that fit into memory.

Up to `HELD_BYTES` of states are held in memory. More lie in a file of the training's folder that is mapped into memory,
so that the system may put them away; the file has no name once it is mapped and is gone with the process.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import torch
from torch import Tensor

from advisor._util.files import sweep
from advisor.core.errors import ModelError
from advisor.core.fingerprints import digest
from advisor.core.model import Trainer, TuningExample, TuningJob
from advisor.models.local.chat import ChatFormat
from advisor.models.local.layers import room, run_layers
from advisor.models.local.rows import common_prefix

CACHE_TOKENS = 2048
LONGEST = 1024
"""Tokens of a training row that are read; what stands behind them is not learned."""
KEPT_STATES = 4
HELD_BYTES = 2**28
_PIECE = 2**20
_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))  # Windows has no second name


@dataclass(frozen=True, slots=True)
class Item:
    """One example behind the frozen layers: hidden states (tokens, width), ids, and which ids are learned.

    They are those of its own tokens, behind what all rows begin with; `is_cut` says that its end was too long to be
    read. `ids` is where the model computes, `states` may be elsewhere (see `_memory`).
    """

    states: Tensor
    ids: Tensor
    learned: Tensor
    is_cut: bool = False

    @property
    def places(self) -> Tensor:
        """Where its tokens to learn stand; the first of a row has nothing before it to be told from."""
        return (self.learned[1:].nonzero().flatten() + 1).to(self.ids.device)


@dataclass(frozen=True, slots=True)
class Rows:
    """Examples behind the frozen layers; of the prefix that they share its hidden states (tokens, width) and ids.

    `weights` is how much memory each takes, in tokens; `examples` is which one of those that were read it is.
    """

    prefix: Tensor
    ids: Tensor
    items: list[Item]
    weights: list[int]
    examples: list[int]

    @property
    def tokens(self) -> int:
        """All tokens of all rows, the prefix counted with each."""
        return sum(len(self.prefix) + len(item.ids) for item in self.items)

    def taken(self, examples: Iterable[int]) -> Rows:
        """Return the rows of these examples alone, in this order; those with nothing to learn have none."""
        place = {example: at for at, example in enumerate(self.examples)}
        chosen = [example for example in examples if example in place]
        at = [place[example] for example in chosen]
        return Rows(self.prefix, self.ids, [self.items[i] for i in at], [self.weights[i] for i in at], chosen)


def read_for(job: TuningJob, first: int) -> tuple[TuningExample, ...]:
    """Return the examples to read for a job: its pool, where it has one and that spares anything, else what it learns.

    The states of a row differ in their last bits with those that are read beside it. So every size of a learning curve
    takes its rows from the whole, and an interrupted curve goes on to the very same adapters. Below layer `first` = 0
    there is nothing to spare.
    """
    if not first or job.train == job.pool:
        return job.train
    return job.pool if set(_names(job.train)) <= set(_names(job.pool)) else job.train


class Trainable(Protocol):
    """What training needs of a local model: its network, how it writes a chat, and where states are kept."""

    name: str
    fingerprint: str
    chat: ChatFormat
    frozen: dict[str, Any]
    compared_tokens: int

    @property
    def network(self) -> Any:
        """The layers."""

    @property
    def trainer(self) -> Trainer:
        """How large it is."""


def training_rows(model: Trainable, job: TuningJob, first: int) -> Rows:
    """Return what is to be learned behind the frozen layers; of equal rows of a pool the first stands for all."""
    read = read_for(job, first)
    rows = frozen_states(model, job, read, first, "reading the training examples")
    if read is job.train:
        return rows
    place: dict[str, int] = {}
    for at, name in enumerate(_names(read)):
        place.setdefault(name, at)
    return rows.taken([place[name] for name in _names(job.train)])


@torch.inference_mode()
def frozen_states(model: Trainable, job: TuningJob, examples: tuple[TuningExample, ...], first: int, what: str) -> Rows:
    """Run every example through the frozen layers once; returns those with anything to learn, in their order.

    The model keeps the last few results, so that a second seed or another learning rate starts at once.
    """
    key = digest([plain(examples), first])
    if key in model.frozen:
        model.frozen[key] = model.frozen.pop(key)  # the last to go
        return cast("Rows", model.frozen[key])
    most = longest(model)
    read = [model.chat.training_pair(example) for example in examples]
    kept = [at for at, (_, learned) in enumerate(read) if any(learned[1:most])]
    pairs = [(read[at][0][:most], read[at][1][:most]) for at in kept]
    shared = _shared(pairs)
    decoder = model.network.get_decoder()
    embedding = decoder.embed_tokens.weight
    prefix = embedding.new_empty(0)
    items: dict[int, Item] = {}
    weights = [room(decoder, shared, len(ids) - shared) for ids, _ in pairs]
    ends = [0, *accumulate(len(ids) - shared for ids, _ in pairs)]
    held = _memory(ends[-1], embedding, job.workdir)
    for batch in cut(range(len(pairs)), weights, CACHE_TOKENS):
        ids = [torch.tensor(pairs[index][0], device=embedding.device) for index in batch]
        embedded = [decoder.embed_tokens(row) for row in ids]
        below = embedded[0][:shared]
        prefix, states = run_layers(decoder, decoder.layers[:first], below, [row[shared:] for row in embedded])
        for index, row, own in zip(batch, ids, states, strict=True):
            states_of = held[ends[index] : ends[index + 1]].copy_(own)
            is_cut = len(read[kept[index]][0]) > most
            items[index] = Item(states_of, row[shared:], torch.tensor(pairs[index][1][shared:]), is_cut)
        job.progress(what, len(items), len(pairs))
    while len(model.frozen) >= KEPT_STATES:
        del model.frozen[next(iter(model.frozen))]
    start = torch.tensor(pairs[0][0][:shared] if pairs else [], dtype=torch.long, device=embedding.device)
    model.frozen[key] = Rows(prefix.clone(), start, [items[index] for index in range(len(pairs))], weights, kept)
    return cast("Rows", model.frozen[key])


def longest(model: Trainable) -> int:
    """Return how many tokens of a training row are read."""
    return min(LONGEST, int(model.network.config.max_position_embeddings))


def _memory(tokens: int, like: Tensor, folder: Path) -> Tensor:
    """Return room for states, (tokens, width), numbers as in `like`, (any, width).

    Where the file system of `folder` cannot map files it is in memory, however much it is.

    Raises:
        ModelError: the disk has no room for the file.
    """
    count = tokens * like.shape[1]
    if count * like.itemsize > HELD_BYTES:
        try:
            return _mapped(count, like, folder).view(tokens, like.shape[1])
        except (OSError, RuntimeError) as error:  # torch says the second of what the system says as the first
            if getattr(error, "errno", None) in _FULL:
                raise ModelError(
                    f"the training examples take {count * like.itemsize / 1e9:.1f} GB behind the frozen layers, and "
                    f"{str(folder)!r} has no room for them",
                    hint="free disk space, or train on fewer examples, e.g. --train-limit 1000, then run it again",
                ) from error
        return torch.empty(tokens, like.shape[1], dtype=like.dtype)
    return like.new_empty(tokens, like.shape[1])


def _mapped(count: int, like: Tensor, folder: Path) -> Tensor:
    """Return so many numbers that lie in a file without a name; files of processes that were killed are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder, "states-*.part")
    number, name = tempfile.mkstemp(prefix="states-", suffix=".part", dir=folder)
    try:
        with open(number, "wb") as file:
            _claim(file, count * like.itemsize)
        return torch.from_file(name, shared=True, size=count, dtype=like.dtype)
    finally:
        with contextlib.suppress(OSError):  # Windows keeps the name as long as it is mapped
            Path(name).unlink()


def _claim(file: BinaryIO, size: int) -> None:
    """Have the disk set so many bytes aside: a mapped file that runs full later ends the process without a word."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    for _ in range(-(-size // _PIECE)):
        file.write(bytes(_PIECE))


def _shared(pairs: list[tuple[list[int], list[bool]]]) -> int:
    """Return how many tokens all rows begin with; the token before the first to learn stays with its row."""
    most = min((learned.index(True, 1) - 1 for _, learned in pairs), default=0)
    return min(most, len(common_prefix([ids for ids, _ in pairs]))) if pairs else 0


def cut(indices: Iterable[int], weights: list[int], tokens: int) -> list[list[int]]:
    """Cut rows, lightest first, into parts of at most so many padded tokens (a heavier row stands alone)."""
    parts: list[list[int]] = []
    for index in sorted(indices, key=weights.__getitem__):
        if parts and weights[index] * (len(parts[-1]) + 1) <= tokens:
            parts[-1].append(index)
        else:
            parts.append([index])
    return parts


def plain(examples: tuple[TuningExample, ...]) -> list[Any]:
    """Return examples as what they are known by in a digest."""
    return [[example.messages, example.tools] for example in examples]


def _names(examples: tuple[TuningExample, ...]) -> list[str]:
    return [digest(each) for each in plain(examples)]
