"""Which of the task's labels a prompt names: all, none, or for every question those that are likest to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from advisor import Context, Example, Input, query_text

FEW = 30
"""So many labels are named whole unless dev speaks against it; of more, the likest ones stand in the first prompt."""
COUNTS = (10, 20, 50, 100)
RECALL = 0.95
MOST_SHOTS = 8
ASSUMED_CONTEXT = 8192
"""Tokens, where the model does not say how many it holds."""
_ASKED = 200
"""Dev examples on which the count is chosen; no model is asked."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One way of naming labels: `k` of `of`, and the likest where that is not all; 0 names none."""

    k: int
    of: int

    @property
    def name(self) -> str:
        """What it is called in a report."""
        if not self.k:
            return "labels not listed"
        which = f"all {self.of}" if self.k >= self.of else f"the {self.k} likest of {self.of}"
        return f"{which} labels listed"


class LabelLists:
    """The labels of a task, and how like each is to a question.

    That is the largest cosine similarity of the question to the label's own words and to the examples that carry it.

    Args:
        ctx: gives the labels, the embeddings and the room in the model's context.
        examples: that carry labels; none where only the labels' own words shall count.
        max_tokens: room for the answer.
    """

    def __init__(self, ctx: Context, examples: Sequence[Example], max_tokens: int) -> None:
        self._ctx, self._labels = ctx, ctx.task.labels
        place = {label: at for at, label in enumerate(self._labels)}
        self._carriers = [example for example in examples if example.target in place]
        self._owners = np.array([*range(len(place)), *(place[one.target] for one in self._carriers)], dtype=np.intp)
        self._rows: NDArray[np.float32] | None = None
        self.tokens = ctx.count_tokens([", ".join(self._labels)])[0]
        self.room = self._room(examples, max_tokens)
        self.recall: dict[int, float] = {}

    def listings(self) -> list[Listing]:
        """Return the ways to try, the first of them to begin with; one way alone where there are no labels.

        All are among them where they fit the context. How many of the likest are named is the least count with which
        95 % of the right labels of dev are among them, or the largest that fits.
        """
        of = len(self._labels)
        everything, nothing = Listing(of, of), Listing(0, of)
        if not of:
            return [nothing]
        fits = self.tokens <= self.room
        if of <= FEW and fits:
            return [everything, nothing]
        likest = [Listing(k, of) for k in [self._count()] if k]
        return [*likest, *([everything] if fits else []), nothing]

    def fullest(self) -> Listing:
        """Return all labels, or as many of the likest as fit where all do not."""
        of = len(self._labels)
        return Listing(of if self.tokens <= self.room else max(self._possible(), default=0), of)

    def of_count(self, wanted: int) -> Listing:
        """Return a listing of `wanted` labels, or of as many as fit."""
        fullest = self.fullest()
        return fullest if wanted >= fullest.k else Listing(wanted, len(self._labels))

    def shown(self, listing: Listing, inputs: Sequence[Input]) -> list[Sequence[str]]:
        """Return the labels to name beside every question: all in their own order, or the likest first."""
        if listing.k in (0, len(self._labels)):
            return [self._labels[: listing.k] for _ in inputs]
        return [[self._labels[at] for at in row] for row in self._ranked(inputs)[:, : listing.k].tolist()]

    def record(self, listing: Listing) -> dict[str, Any]:
        """Return what is worth recording: how many are named, how many there are, and what fits."""
        found: dict[str, Any] = {
            "named": listing.name,
            "listed": listing.k,
            "of": listing.of,
            "tokens_of_all": self.tokens,
            "room_tokens": max(0, self.room),
        }
        return found | ({"recall_on_dev": self.recall[listing.k]} if listing.k in self.recall else {})

    # --- inside ------------------------------------------------------------------------------------------------------

    def _room(self, examples: Sequence[Example], max_tokens: int) -> int:
        """Return how many tokens instruction, examples, question and answer leave for labels."""
        texts = [f"{query_text(example.input)}\n{example.target}" for example in examples or self._ctx.dev]
        usual = int(np.quantile(self._ctx.count_tokens(texts), 0.995)) if texts else 0
        fixed = self._ctx.count_tokens([self._ctx.task.instruction])[0]
        return (self._ctx.context_tokens or ASSUMED_CONTEXT) - fixed - max_tokens - (MOST_SHOTS + 1) * (usual + 16)

    def _possible(self) -> list[int]:
        """Return the counts of the likest labels that fit, however long the labels are that are found."""
        longest = sorted(self._ctx.count_tokens([f"{label}, " for label in self._labels]), reverse=True)
        return [k for k in COUNTS if k < len(self._labels) and sum(longest[:k]) <= self.room]

    def _count(self) -> int:
        possible, dev = self._possible(), [one for one in self._ctx.dev if one.target in self._labels][:_ASKED]
        if not possible or not dev:
            return possible[min(1, len(possible) - 1)] if possible else 0
        ranked = self._ranked([example.input for example in dev])
        right = np.array([self._labels.index(example.target) for example in dev])
        places = (ranked == right[:, None]).argmax(axis=1)
        self.recall = {k: float(np.mean(places < k)) for k in possible}
        return next((k for k in possible if self.recall[k] >= RECALL), possible[-1])

    def _ranked(self, inputs: Sequence[Input]) -> NDArray[np.intp]:
        """Return the places of the labels for every question, the likest first, int (n, labels)."""
        return np.argsort(-self._likeness(inputs), axis=1, kind="stable")

    def _likeness(self, inputs: Sequence[Input]) -> NDArray[np.float32]:
        """Return the similarity of every question to every label, float32 (n, labels)."""
        if self._rows is None:
            words = [label.replace("_", " ").replace("-", " ") for label in self._labels]
            rows = self._ctx.embed([*words, *(query_text(example.input) for example in self._carriers)])
            order = np.argsort(self._owners, kind="stable")
            self._rows, self._owners = rows[order], self._owners[order]
        starts = np.searchsorted(self._owners, np.arange(len(self._labels)))
        asked = self._ctx.embed([query_text(input) for input in inputs])
        return np.maximum.reduceat(asked @ self._rows.T, starts, axis=1)
