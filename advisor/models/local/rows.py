"""One sequence on its way through the engine: what was asked, what has been written, and where it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import torch
from torch import Tensor


class Constraint(Protocol):
    """What may be written next."""

    def mask(self) -> Tensor | None:
        """Return a boolean tensor over the vocabulary (True is allowed), or `None` where all is allowed."""

    def allowed(self) -> Tensor | None:
        """Return the ids that may come next, ascending; `None` where all may."""

    def only(self) -> int | None:
        """Return the token that must come next; `None` where there is a choice."""

    def accept(self, token: int) -> None:
        """Take note of the token that was chosen."""

    def restart(self) -> None:
        """Forget what was written."""


@dataclass(slots=True, eq=False)
class TokenSequence:
    """One sequence: `held` is how many of its tokens have their keys and values computed, those of the prefix included.

    `stays` asks for them to be kept when it is done, because the conversation may go on.
    """

    ids: list[int]
    max_tokens: int
    temperature: float = 0.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    constraint: Constraint | None = None
    stays: bool = False
    written: list[int] = field(default_factory=list)
    text: str = ""
    finish: Literal["stop", "length"] | None = None
    latency_seconds: float = 0.0
    held: int = 0
    reused: int = 0
    random: torch.Generator | None = None

    @property
    def pending(self) -> list[int]:
        """The tokens whose keys and values are still to be computed."""
        start = self.held - len(self.ids)
        return self.written[start:] if start >= 0 else self.ids[self.held :] + self.written

    def start(self) -> None:
        """Put it back to where nothing has been written."""
        self.written, self.text, self.finish, self.held, self.reused = [], "", None, 0, 0
        self.random = torch.Generator().manual_seed(self.seed) if self.temperature > 0 else None
        if self.constraint:
            self.constraint.restart()

    def choose(self, logits: Tensor, likeliest: int) -> int:
        """Pick the next token from the logits over the vocabulary; `likeliest` is where they are largest."""
        allowed = self.constraint.allowed() if self.constraint else None
        if self.random is not None:
            if allowed is not None:
                logits = torch.full_like(logits, float("-inf")).index_copy_(0, allowed, logits[allowed])
            odds = (logits / self.temperature).softmax(-1)
            return int(torch.multinomial(odds, 1, generator=self.random))
        return likeliest if allowed is None else int(allowed[logits[allowed].argmax()])

    def write(self, token: int, ends: frozenset[int], decode: Callable[[list[int]], str]) -> None:
        """Take the chosen token, then all that its constraint leaves no choice about; note whether that ends it."""
        self._take(token, ends, decode)
        self.write_forced(ends, decode)

    def write_forced(self, ends: frozenset[int], decode: Callable[[list[int]], str]) -> None:
        """Write on as long as there is only one way to do so: such tokens need no logits."""
        while self.finish is None and self.constraint and (token := self.constraint.only()) is not None:
            self._take(token, ends, decode)

    def _take(self, token: int, ends: frozenset[int], decode: Callable[[list[int]], str]) -> None:
        if self.constraint:
            self.constraint.accept(token)
        if token in ends:
            self.finish = "stop"
        else:
            self.written.append(token)
            if self.stop:
                self._look_for_stop(decode)
            if self.finish is None and len(self.written) >= self.max_tokens:
                self.finish = "length"
        if self.finish and not self.stop:
            self.text = decode(self.written)

    def _look_for_stop(self, decode: Callable[[list[int]], str]) -> None:
        self.text = decode(self.written)
        cuts = [at for at in (self.text.find(text) for text in self.stop) if at >= 0]
        if cuts:
            self.text, self.finish = self.text[: min(cuts)], "stop"


def alike(one: Sequence[int], other: Sequence[int]) -> int:
    """Return for how many tokens two sequences begin alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (left, right) in pairs if left != right), min(len(one), len(other)))


def common_prefix(sequences: Sequence[list[int]]) -> list[int]:
    """Return what all sequences begin with; there must be one."""
    low, high = min(sequences), max(sequences)
    return low[: alike(low, high)]
