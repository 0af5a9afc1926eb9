"""Retrieval-augmented generation: look up, then ask with what was found.

Over the task's documents passages stand before the question (Lewis et al. 2020, arXiv 2005.11401). A task without
documents has its training examples: the nearest ones become demonstrations (Liu et al. 2022, arXiv 2101.06804).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from advisor import (
    Completion,
    ConfigurationError,
    Context,
    Document,
    Example,
    IndexKind,
    Input,
    Message,
    Piece,
    Prediction,
    Task,
    did_you_mean,
    gold_documents,
)

from .choosing import DevScores, choose_listing, choose_on_dev
from .demonstrations import Neighbours, varied
from .labels import LabelLists, Listing
from .prompts import demonstration, predictions_of, request_for, task_messages
from .retrieval import (
    COUNTS,
    KINDS,
    LEAST_NAMED,
    MOST_NAMED,
    MOST_SHOWN_TOKENS,
    Library,
    Lookup,
    RankedPiece,
    reaches,
    trace_of,
)

EXAMPLE_COUNTS = (2, 4, 8)


class RAG:
    """Retrieval: documents (or, without any, nearest training examples) looked up for every question.

    Documents are split into pieces; how long they are, how they are found and how many are shown is chosen on dev.
    Where examples name gold documents, first by their recall, without asking the model: the way that finds most, of
    equals the one that shows least. The metric chooses among what is left.

    Args:
        k: how many pieces or examples to show; by default chosen on dev among 1, 2, 4, 8 (pieces, together at most
            1,024 tokens) or 2, 4, 8 (examples).
        shots: worked examples with their passage in the shared prefix, so that a small model sees the form (documents
            only); fewer where they would leave the passages no room.
        piece_tokens: the most tokens of a piece; by default chosen on dev among 128, 256 and 512, and 256 where there
            are more than 2,000 pieces of 128.
        search: `"dense"` (by meaning), `"lexical"` (by words) or `"hybrid"` (both); by default chosen on dev.
        dev_limit: the most dev examples to ask the model on for choosing.
        embedder: where embeddings come from, `"openai:NAME"` or `"http://host/v1#NAME"`; by default this machine.
        embedder_usd_per_1m_tokens: what they cost, where that is not known.
    """

    name = "rag"
    kind = "rag"
    stochastic = False

    def __init__(
        self,
        k: int | None = None,
        shots: int = 3,
        piece_tokens: int | None = None,
        search: IndexKind | None = None,
        dev_limit: int = 30,
        embedder: str = "",
        embedder_usd_per_1m_tokens: float | None = None,
    ) -> None:
        if k is not None and k < 1:
            raise ConfigurationError(f"rag: k={k!r}; it must be at least 1", hint="--strategy 'rag(k=2)'")
        if search not in (None, *KINDS):
            raise ConfigurationError(
                f"rag: search={search!r} is no way to look up; {did_you_mean(str(search), KINDS)}",
                hint="--strategy 'rag(search=\"hybrid\")'",
            )
        self.k, self.shots, self.piece_tokens, self.search = k, shots, piece_tokens, search
        self.dev_limit = dev_limit
        self.embedder, self.embedder_usd_per_1m_tokens = embedder, embedder_usd_per_1m_tokens

    def learns(self, task: Task) -> bool:
        """Whether examples change the answers: over documents, a few of them only show the form."""
        return not task.docs

    def fit(self, train: Sequence[Example], ctx: Context) -> None:
        """Index the documents or the training examples, and choose on dev how to look up."""
        self._task, self._model, self._train = ctx.task, ctx.model, tuple(train)
        self._max_tokens, self._context_tokens = ctx.answer_tokens((*train, *ctx.dev)), ctx.context_tokens
        embed = ctx.other_embed(self.embedder, self.embedder_usd_per_1m_tokens) if self.embedder else ctx.embed
        self._library, self._way = Library(ctx.task.docs, ctx, embed), Lookup()
        self._worked: dict[Lookup, tuple[Message, ...]] = {}
        self._drawn = self._pool(ctx) if ctx.task.docs else []
        if ctx.task.docs:
            self._fit_documents(ctx)
        else:
            self._neighbours = Neighbours(train, partial(ctx.index, embed=embed))
            self._fit_examples(ctx)

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Look up and ask; the trace holds what was shown, best first, and how many found pieces had no room."""
        if not self._task.docs:
            return self._predict_from_examples(inputs)
        found = self._library.search(inputs, self._way)
        shown = [self._fitting(self._way, *pair) for pair in zip(inputs, found, strict=True)]
        traces = [trace_of(*pair) for pair in zip(shown, found, strict=True)]
        return predictions_of(self._ask(self._way, inputs, shown), self._task, traces)

    def predict_from(self, inputs: Sequence[Input], documents: Sequence[Sequence[Document]]) -> list[Prediction]:
        """Ask with these documents in place of what would be found; for the check of knowledge against retrieval.

        Whole where they fit the prompt, else those of their pieces that do, the likest to the question first.
        """
        way = self._way
        shown = [
            self._library.given(input, given, way, self._room(way, input))
            for input, given in zip(inputs, documents, strict=True)
        ]
        return predictions_of(self._ask(self._way, inputs, shown), self._task)

    # --- over documents ----------------------------------------------------------------------------------------------

    def _fit_documents(self, ctx: Context) -> None:
        ways = self._ways()
        way, record = self._chosen_by_recall(ways, ctx) or self._chosen_by_metric(ways, ctx)
        self._way = way
        self.selection: dict[str, Any] = {
            "over": "documents",
            "k": self._way.k,
            "piece_tokens": self._way.tokens,
            "search": self._way.kind,
            "shots": len(self._shown(self._way)) // 2,
            "documents": len(ctx.task.docs),
            "piece_sizes_tried": [self.piece_tokens] if self.piece_tokens else list(self._library.sizes()),
            "pieces": len(self._library.pieces(self._way.tokens)),
            "longest_document_tokens": self._library.longest,
            **record,
        }

    def _ways(self) -> list[Lookup]:
        """Every way to look up that the parameters leave open, what shows least first."""
        sizes = (self.piece_tokens,) if self.piece_tokens else self._library.sizes()
        kinds: tuple[IndexKind, ...] = (self.search,) if self.search else KINDS
        found = [Lookup(size, kind, k) for size in sizes for kind in kinds for k in self._counts(size)]
        return sorted(found, key=lambda way: (way.shown, KINDS.index(way.kind)))

    def _counts(self, size: int) -> tuple[int, ...]:
        return (self.k,) if self.k else tuple(k for k in COUNTS if k == 1 or k * size <= MOST_SHOWN_TOKENS)

    def _chosen_by_recall(self, ways: Sequence[Lookup], ctx: Context) -> tuple[Lookup, dict[str, Any]] | None:
        """Take the way that finds most; how many are shown says the metric, where more pieces find more."""
        asked = [*ctx.dev, *self._train]
        named = [e for e in asked if gold_documents(e, ctx.task.gold_document_field, self._library.by_id)][:MOST_NAMED]
        if len(named) < LEAST_NAMED:
            return None
        recall = reaches(self._library, ways, named, ctx.task)
        best = max(ways, key=lambda way: recall[way])
        same = [way for way in ways if way.finds_as(best)]
        steps = [way for at, way in enumerate(same) if all(recall[way] > recall[one] for one in same[:at])]
        beyond = same[same.index(best) + 1 :][:1]
        way, record = self._climbed([*steps, *beyond], ctx) if ctx.dev else (best, dict[str, Any]())
        told = {str(one): value for one, value in recall.items()}
        return way, {"gold_examples": len(named), "recall": told, **record}

    def _chosen_by_metric(self, ways: Sequence[Lookup], ctx: Context) -> tuple[Lookup, dict[str, Any]]:
        """Choose how to search, then the size of pieces at as many tokens, then how many: one thing a step."""
        best = min(ways, key=lambda way: (abs(way.shown - 512), abs(way.tokens - 256)))
        if not ctx.dev:
            return best, {"dev_examples": 0, "dev_scores": {}}
        shown = best.shown
        best, first = self._best([way for way in ways if (way.tokens, way.k) == (best.tokens, best.k)], ctx)
        sizes = [way for way in ways if way.kind == best.kind and (way.shown == shown or self.k)]
        best, second = self._best(sizes, ctx)
        best, third = self._climbed([way for way in ways if way.finds_as(best)], ctx)
        return best, _joined([first, second, third])

    def _climbed(self, steps: Sequence[Lookup], ctx: Context) -> tuple[Lookup, dict[str, Any]]:
        """Show more from step to step as long as dev scores more; where it scores the same, one step and no further.

        That one is worth its tokens: a few dev examples hardly ever ask for what stands across the seam of two pieces.
        """
        best, records = steps[0], list[dict[str, Any]]()
        for more in steps[1:]:
            _, record = self._best([best, more], ctx)
            records.append(record)
            before, after = (record["dev_scores"].get(str(way)) for way in (best, more))
            if before is None or after is None or after < before:
                break
            best = more
            if after == before:
                break
        return best, _joined(records)

    def _best(self, ways: Sequence[Lookup], ctx: Context) -> tuple[Lookup, dict[str, Any]]:
        by_name = {str(way): way for way in ways}
        candidates = {name: partial(self._look_up, way) for name, way in by_name.items()}
        name, record = choose_on_dev(candidates, ctx, self.dev_limit)
        return by_name[name], record

    def _look_up(self, way: Lookup, inputs: Sequence[Input]) -> list[Completion]:
        found = self._library.search(inputs, way)
        return self._ask(way, inputs, [self._fitting(way, *pair) for pair in zip(inputs, found, strict=True)])

    def _ask(self, way: Lookup, inputs: Sequence[Input], shown: Sequence[Sequence[Piece]]) -> list[Completion]:
        worked = self._shown(way)
        return self._generate(
            [task_messages(self._task, *pair) for pair in zip(inputs, [worked] * len(inputs), shown, strict=True)]
        )

    def _generate(self, conversations: Sequence[tuple[Message, ...]]) -> list[Completion]:
        return self._model.generate([request_for(self._task, turns, self._max_tokens) for turns in conversations])

    def _fitting(self, way: Lookup, input: Input, found: Sequence[RankedPiece]) -> list[Piece]:
        return self._library.fitting([piece for piece, _ in found], self._room(way, input))

    def _room(self, way: Lookup, input: Input) -> int | None:
        return self._library.room(task_messages(self._task, input, self._shown(way)), self._max_tokens)

    def _pool(self, ctx: Context) -> list[Example]:
        """Training examples to show, of different groups, four times as many as asked for."""
        gold = [
            example
            for example in self._train
            if gold_documents(example, ctx.task.gold_document_field, self._library.by_id)
        ]
        rng = np.random.default_rng(ctx.seed)
        return varied(gold or self._train, 4 * self.shots, rng, lambda example: example.group)

    def _shown(self, way: Lookup) -> tuple[Message, ...]:
        """Worked examples with a piece of their gold document, else with the one that is found for them.

        First those whose answer can be read off the piece: the others teach to answer past it. All together take at
        most half of what the model can hold.
        """
        key = replace(way, k=1)
        if key not in self._worked:
            found = self._library.search([example.input for example in self._drawn], key)
            pairs = [
                (example, piece)
                for example, hits in zip(self._drawn, found, strict=True)
                for piece in self._passage(example, hits, way)
            ]
            pairs.sort(key=lambda pair: pair[0].target.lower() not in pair[1].text.lower())
            turns = [turn for example, piece in pairs[: self.shots] for turn in demonstration(example, [piece])]
            while turns and self._context_tokens and self._library.size(turns) > self._context_tokens / 2:
                turns = turns[:-2]
            self._worked[key] = tuple(turns)
        return self._worked[key]

    def _passage(self, example: Example, hits: Sequence[RankedPiece], way: Lookup) -> list[Piece]:
        """Return the piece of a gold document that holds the answer, else its first one, else what was found."""
        gold = gold_documents(example, self._task.gold_document_field, self._library.by_id)[:1]
        pieces = [piece for name in gold for piece in self._library.holding(name, example, way.tokens)]
        return [*pieces, *(piece for piece, _ in hits)][:1]

    # --- over training examples --------------------------------------------------------------------------------------

    def _fit_examples(self, ctx: Context) -> None:
        counts = (self.k,) if self.k else EXAMPLE_COUNTS
        by_name = {f"k={k}": k for k in dict.fromkeys(min(k, len(self._train)) for k in counts)}
        self._labels, scores = LabelLists(ctx, self._train, self._max_tokens), DevScores()
        listings = self._labels.listings()[: 1 if self.k else None]
        candidates = {name: partial(self._nearest_and_ask, k, listings[0]) for name, k in by_name.items()}
        name, record = choose_on_dev(candidates, ctx, self.dev_limit, scores)
        self._k, self._listing = by_name[name], listings[0]
        self.selection = {"over": "examples", "k": self._k, **record}
        if ctx.task.labels:
            ways = {one: partial(self._nearest_and_ask, self._k, one) for one in listings}
            found = choose_listing(ways, self._labels, ctx, self.dev_limit, scores, name)
            self._listing, self.selection["labels"] = found

    def _nearest_and_ask(self, k: int, listing: Listing, inputs: Sequence[Input]) -> list[Completion]:
        return self._ask_behind(inputs, self._neighbours.nearest(inputs, k), listing)

    def _predict_from_examples(self, inputs: Sequence[Input]) -> list[Prediction]:
        found = self._neighbours.nearest(inputs, self._k)
        traces = [
            {"retrieved": [example.id for example, _ in hits], "similarity": [similarity for _, similarity in hits]}
            for hits in found
        ]
        return predictions_of(self._ask_behind(inputs, found, self._listing), self._task, traces)

    def _ask_behind(
        self, inputs: Sequence[Input], found: Sequence[Sequence[tuple[Example, float]]], listing: Listing
    ) -> list[Completion]:
        turns = [[turn for example, _ in reversed(hits) for turn in demonstration(example)] for hits in found]
        each = zip(inputs, turns, self._labels.shown(listing, inputs), strict=True)
        return self._generate([task_messages(self._task, input, shown, labels=named) for input, shown, named in each])


def _joined(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what `choose_on_dev` recorded in several steps as one."""
    scores = {name: score for record in records for name, score in record["dev_scores"].items()}
    return {"dev_examples": max((record["dev_examples"] for record in records), default=0), "dev_scores": scores}
