"""Fine-tuning for retrieval: trained with the passages it will be served with (RAFT, arXiv 2403.10131).

Departures from RAFT: no chain of thought in the answers, and far fewer distractors (the passages are most of the cost
here, in training and in serving).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from advisor import (
    Context,
    Document,
    Example,
    Input,
    Message,
    Prediction,
    TuningConfig,
    TuningExample,
    gold_documents,
)

from .demonstrations import Neighbours
from .fine_tuning import bare
from .prompts import predictions_of, request_for, task_messages
from .recipe_search import Given, checked_budget, tune
from .retrieval import Library, Lookup, trace_of


class FineTuningRAG:
    """Fine-tuning + retrieval: trained to answer from retrieved passages, among them distractors.

    Over the task's documents, or, where there are none, over the other training examples with their answers.

    Args:
        distractors: retrieved passages beside the gold one; `distractors + 1` are shown when serving.
        p_without_gold: share of the training rows whose gold passage is withheld, so that the model also learns what
            it must know by itself.
        piece_tokens: documents are split into pieces of at most so many tokens, found by meaning and by words.
        epochs: passes over the training examples at most; the one best on dev is kept. 0: as usual (3).
        learning_rate: peak of the schedule. 0: as usual for a model of this size.
        layers: how many of the top layers are adapted; 0 means all, the default.
        search: epochs that all recipes together may train (learning rate, epochs and depth, as in `fine_tuning`; what
            is given is not searched). 0: one recipe, the usual one for a model of this size.
    """

    name = "fine_tuning_rag"
    kind = "fine_tuning"
    stochastic = True
    by_default = False

    def __init__(
        self,
        distractors: int = 1,
        p_without_gold: float = 0.2,
        piece_tokens: int = 256,
        epochs: int = 0,
        learning_rate: float = 0.0,
        layers: int | None = None,
        search: int = 0,
    ) -> None:
        self.distractors, self.p_without_gold = distractors, p_without_gold
        self.piece_tokens, self.epochs = piece_tokens, epochs
        self.learning_rate, self.layers = learning_rate, layers
        self.search = checked_budget(self.name, search)

    def fit(self, train: Sequence[Example], ctx: Context) -> None:
        """Index, retrieve for every training row, and tune on rows with their passages."""
        self._task, self._over_examples = ctx.task, not ctx.task.docs
        self._way = Lookup(self.piece_tokens, "hybrid", self.distractors + 1)
        if self._over_examples:  # found by their question alone, since a question is all there is when serving
            self._neighbours = Neighbours(train, ctx.index)
        else:
            self._library = Library(ctx.task.docs, ctx)
        self._max_tokens = ctx.answer_tokens((*train, *ctx.dev))
        rng = np.random.default_rng(ctx.seed)
        rows = [self._row(e, shown) for e, shown in zip(train, self._training_passages(train, rng), strict=True)]
        served = self._retrieve([example.input for example in ctx.dev])
        dev = [self._row(example, shown) for example, shown in zip(ctx.dev, served, strict=True)]
        given = Given(self.learning_rate or None, self.epochs or None, self.layers, instruction=False)
        config = TuningConfig(seed=ctx.seed)
        self._model, self.selection = tune(lambda instruction: (rows, dev, ()), given, config, ctx, self.search)

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Retrieve and ask the tuned model; the trace holds the ids, best first."""
        return self._answers(inputs, self._retrieve(inputs))

    def predict_from(self, inputs: Sequence[Input], documents: Sequence[Sequence[Document]]) -> list[Prediction]:
        """Ask with these documents in place of what would be found; for the check of knowledge against retrieval."""
        shown = [
            self._library.given(input, given, self._way, self._room(input))
            for input, given in zip(inputs, documents, strict=True)
        ]
        return self._answers(inputs, shown)

    def _answers(self, inputs: Sequence[Input], served: Sequence[Sequence[Document]]) -> list[Prediction]:
        requests = [
            request_for(self._task, self._messages(input, shown), self._max_tokens)
            for input, shown in zip(inputs, served, strict=True)
        ]
        return predictions_of(self._model.generate(requests), self._task, [trace_of(shown) for shown in served])

    def _retrieve(self, inputs: Sequence[Input]) -> list[Sequence[Document]]:
        if self._over_examples:
            found = self._neighbours.nearest(inputs, self.distractors + 1)
            return [[_as_document(example) for example, _ in hits] for hits in found]
        hits = self._library.search(inputs, self._way)
        return [
            self._library.fitting([piece for piece, _ in each], self._room(input))
            for input, each in zip(inputs, hits, strict=True)
        ]

    def _room(self, input: Input) -> int | None:
        return self._library.room(self._messages(input, ()), self._max_tokens)

    def _training_passages(self, train: Sequence[Example], rng: np.random.Generator) -> list[list[Document]]:
        """Gold passage (else the best one found) among distractors, in random order; sometimes without it."""
        inputs = [example.input for example in train]
        if self._over_examples:  # a row's own answer, or its duplicate's, would teach nothing but to copy
            near = self._neighbours.nearest(inputs, self.distractors + 3)
            unlike = [
                [e for e, _ in hits if str(e.input) != str(asked)] for asked, hits in zip(inputs, near, strict=True)
            ]
            return [[_as_document(example) for example in each[: self.distractors + 1]] for each in unlike]
        found = self._library.search(inputs, replace(self._way, k=self.distractors + 3))
        rows: list[list[Document]] = []
        for example, hits in zip(train, found, strict=True):
            names = gold_documents(example, self._task.gold_document_field, self._library.by_id)
            names, ranked = names or tuple(piece.id for piece, _ in hits[:1]), [piece for piece, _ in hits]
            gold = [self._library.holding(name, example, self._way.tokens)[0] for name in names]
            others = [piece for piece in ranked if piece.id not in names]
            withheld = rng.random() < self.p_without_gold
            shown = ([] if withheld else gold) + others
            rows.append([shown[at] for at in rng.permutation(min(len(shown), self.distractors + 1))])
        return rows

    def _messages(self, input: Input, shown: Sequence[Document]) -> tuple[Message, ...]:
        return task_messages(bare(self._task), input, context=shown)

    def _row(self, example: Example, shown: Sequence[Document]) -> TuningExample:
        return TuningExample((*self._messages(example.input, shown), Message("assistant", example.target)))


def _as_document(example: Example) -> Document:
    """A training example as a passage."""
    return Document(example.id, "", f"{example.input}\nAnswer: {example.target}")
