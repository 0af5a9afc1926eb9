"""Looking up passages: documents in pieces, found by meaning, by words or by both, and what of them fits a prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean
from typing import Any

from advisor import (
    Context,
    Document,
    Embed,
    Example,
    Index,
    IndexKind,
    Input,
    Message,
    Piece,
    Task,
    gold_documents,
    holds_answer,
    query_text,
)

from .prompts import passage_text

SIZES = (128, 256, 512)
KINDS: tuple[IndexKind, ...] = ("hybrid", "dense", "lexical")
COUNTS = (1, 2, 4, 8)
MOST_SHOWN_TOKENS = 1024
"""Candidates show no more than this; a piece that fits the prompt is always shown whole."""
MOST_PIECES = 2000
"""Of the smallest size: with more, embedding every size takes too long, and the middle one is taken."""
LEAST_NAMED, MOST_NAMED = 5, 300
"""How many examples of dev and train that name gold documents are needed to choose by recall, and are looked at."""
TURN_TOKENS = 8
"""What a chat template puts around a turn, at most."""

RankedPiece = tuple[Piece, float]
"""A piece with how like the question it is."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """How passages are looked up: pieces of at most so many tokens, found in this way, `k` of them."""

    tokens: int = 256
    kind: IndexKind = "hybrid"
    k: int = 2

    @property
    def shown(self) -> int:
        """The most tokens of passages in a prompt."""
        return self.k * self.tokens

    def finds_as(self, other: Lookup) -> bool:
        """Whether the two differ at most in how many pieces they show."""
        return (self.tokens, self.kind) == (other.tokens, other.kind)

    def __str__(self) -> str:
        return f"{self.kind} k={self.k} of {self.tokens} tokens"


class Library:
    """Documents in pieces of any size; each size is split once, and indexed once for each way of searching."""

    def __init__(self, documents: Sequence[Document], ctx: Context, embed: Embed | None = None) -> None:
        self.by_id = {document.id: document for document in documents}
        self._ctx, self._documents, self._embed = ctx, tuple(documents), embed
        self._pieces: dict[int, list[Piece]] = {}
        self._by_document: dict[int, dict[str, list[Piece]]] = {}
        self._indexes: dict[tuple[int, IndexKind], Index] = {}
        self._counts: dict[str, int] = {}

    def pieces(self, tokens: int) -> list[Piece]:
        """Return all documents in pieces of at most so many tokens."""
        if tokens not in self._pieces:
            self._pieces[tokens] = self._ctx.split(self._documents, tokens)
        return self._pieces[tokens]

    def search(self, inputs: Sequence[Input], way: Lookup) -> list[list[RankedPiece]]:
        """Return the pieces found for every input, best first; of words no more than share one with the question."""
        pieces, key = self.pieces(way.tokens), (way.tokens, way.kind)
        if key not in self._indexes:
            self._indexes[key] = self._ctx.index([passage_text(piece) for piece in pieces], way.kind, self._embed)
        hits = self._indexes[key].search([query_text(input) for input in inputs], way.k)
        return [[(pieces[hit.position], hit.similarity) for hit in each] for each in hits]

    def holding(self, name: str, example: Example, tokens: int) -> list[Piece]:
        """Return the pieces of one document, those that hold the example's answer first."""
        if tokens not in self._by_document:
            shelves = self._by_document.setdefault(tokens, {})
            for piece in self.pieces(tokens):
                shelves.setdefault(piece.id, []).append(piece)
        pieces = self._by_document[tokens].get(name, [])
        return sorted(pieces, key=lambda piece: not holds_answer(example, [piece.text]))

    def fitting(self, pieces: Sequence[Piece], room: int | None) -> list[Piece]:
        """Return the first pieces that fit into so many tokens together, each whole; all where no limit is known."""
        if room is None:
            return list(pieces)
        kept: list[Piece] = []
        for piece, tokens in zip(pieces, self.count([passage_text(piece) for piece in pieces]), strict=True):
            room -= tokens + TURN_TOKENS
            if room < 0:
                break
            kept.append(piece)
        return kept

    def given(self, input: Input, documents: Sequence[Document], way: Lookup, room: int | None) -> list[Piece]:
        """Return documents whole where all fit, else the pieces of them that do, the likest to the question first."""
        whole = [Piece(document.id, document.title, document.text) for document in documents]
        if len(self.fitting(whole, room)) == len(whole):
            return whole
        ids = {document.id for document in documents}
        every = replace(way, k=len(self.pieces(way.tokens)))
        return self.fitting([piece for piece, _ in self.search([input], every)[0] if piece.id in ids], room)

    def room(self, turns: Sequence[Message], answer_tokens: int) -> int | None:
        """Return how many tokens these turns and an answer leave; `None` where the model does not say what it holds."""
        context = self._ctx.context_tokens
        return None if context is None else context - answer_tokens - self.size(turns)

    def size(self, turns: Sequence[Message]) -> int:
        """Return how many tokens turns take, estimated high: the chat template is not asked."""
        return sum(self.count([turn.content for turn in turns])) + TURN_TOKENS * (len(turns) + 1)

    def count(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text takes; each is counted once."""
        missing = list(dict.fromkeys(text for text in texts if text not in self._counts))
        self._counts.update(zip(missing, self._ctx.count_tokens(missing), strict=True))
        return [self._counts[text] for text in texts]

    @cached_property
    def longest(self) -> int:
        """Tokens of the longest document; 0 without any."""
        return max(self._ctx.count_tokens([document.text for document in self._documents]), default=0)

    def sizes(self) -> tuple[int, ...]:
        """Return the sizes worth trying: up to one at which every document is whole, one alone where there are many."""
        if len(self.pieces(SIZES[0])) > MOST_PIECES:
            return (SIZES[1],)
        return tuple(size for at, size in enumerate(SIZES) if at == 0 or SIZES[at - 1] < self.longest)


def reach(found: Sequence[Piece], example: Example, gold: Sequence[str], documents: Mapping[str, Document]) -> float:
    """Return the share of the gold documents of which a piece is shown, in [0, 1].

    It is 0 where an accepted answer stands in them word for word and in no piece that is shown (Karpukhin et al. 2020,
    arXiv 2004.04906, count a passage as right if it holds the answer).
    """
    shown = [piece for piece in found if piece.id in gold]
    written = holds_answer(example, [documents[name].text for name in gold])
    if written and not holds_answer(example, [piece.text for piece in shown]):
        return 0.0
    return len({piece.id for piece in shown}) / len(gold)


def reaches(library: Library, ways: Sequence[Lookup], examples: Sequence[Example], task: Task) -> dict[Lookup, float]:
    """Return the mean reach of each way over the examples that name gold documents; no model is asked."""
    gold = {
        example.id: names
        for example in examples
        if (names := gold_documents(example, task.gold_document_field, library.by_id))
    }
    named = [example for example in examples if example.id in gold]
    means: dict[Lookup, float] = {}
    for tokens, kind in dict.fromkeys((way.tokens, way.kind) for way in ways):
        counts = [way.k for way in ways if (way.tokens, way.kind) == (tokens, kind)]
        found = library.search([example.input for example in named], Lookup(tokens, kind, max(counts)))
        for k in counts:
            values = [
                reach([piece for piece, _ in each[:k]], example, gold[example.id], library.by_id)
                for example, each in zip(named, found, strict=True)
            ]
            means[Lookup(tokens, kind, k)] = fmean(values)
    return means


def trace_of(shown: Sequence[Document], found: Sequence[RankedPiece] = ()) -> dict[str, Any]:
    """Return what the reports need: the ids of what was shown, best first, and from where to where in their texts.

    `found` are the pieces that were found, with their similarity; those that had no room are counted.
    """
    trace: dict[str, Any] = {"retrieved": [document.id for document in shown]}
    pieces = [one for one in shown if isinstance(one, Piece)]
    if len(pieces) == len(shown):
        trace["spans"] = [[piece.start, piece.start + len(piece.text)] for piece in pieces]
    if found:
        trace["similarity"] = [similarity for _, similarity in found[: len(shown)]]
    if len(found) > len(shown):
        trace["left_out"] = len(found) - len(shown)
    return trace
