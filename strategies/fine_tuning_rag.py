"""Fine-tuning for retrieval: trained with the passages it will be served with (RAFT, arXiv 2403.10131).

Departures from RAFT: no chain of thought in the answers, and far fewer distractors (the passages are most of the cost
here, in training and in serving).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from advisor import Context, Document, Example, Input, Message, Prediction, TuningConfig, TuningExample

from .fine_tuning import bare, tune
from .prompts import clip, passage_text, predictions_of, request_for, task_messages
from .rag import gold_documents


class FineTuningRAG:
    """Fine-tuning + retrieval: trained to answer from retrieved passages, among them distractors.

    Over the task's documents, or, where there are none, over the other training examples with their answers.

    Args:
        distractors: retrieved passages beside the gold one; `distractors + 1` are shown when serving.
        p_without_gold: share of the training rows whose gold passage is withheld, so that the model also learns what
            it must know by itself.
        max_document_words: a passage is cut to this many words.
        epochs: passes over the training examples at most (rows are longer than those of `fine_tuning`).
        rank: LoRA rank.
        learning_rate: peak of the schedule.
        layers: how many of the top layers are adapted; 0 means all.
    """

    name = "fine_tuning_rag"
    kind = "fine_tuning"
    stochastic = True
    by_default = False

    def __init__(
        self,
        distractors: int = 1,
        p_without_gold: float = 0.2,
        max_document_words: int = 120,
        epochs: int = 2,
        rank: int = 16,
        learning_rate: float = 0.002,
        layers: int = 8,
    ) -> None:
        self.distractors, self.p_without_gold = distractors, p_without_gold
        self.max_document_words, self.epochs, self.rank = max_document_words, epochs, rank
        self.learning_rate, self.layers = learning_rate, layers

    def fit(self, train: Sequence[Example], ctx: Context) -> None:
        """Index, retrieve for every training row, and tune on rows with their passages."""
        self._task, self._over_examples = ctx.task, not ctx.task.docs
        if self._over_examples:  # found by their question alone, since a question is all there is when serving
            self._docs = [self._as_document(example) for example in train]
            self._index = ctx.index([str(example.input) for example in train])
        else:
            self._docs = [clip(document, self.max_document_words) for document in ctx.task.docs]
            self._index = ctx.index([passage_text(document) for document in ctx.task.docs])
        self._max_tokens = ctx.answer_tokens((*train, *ctx.dev))
        rng = np.random.default_rng(ctx.seed)
        rows = [self._row(e, shown) for e, shown in zip(train, self._training_passages(train, rng), strict=True)]
        served = self._retrieve([example.input for example in ctx.dev])
        dev = [self._row(example, shown) for example, shown in zip(ctx.dev, served, strict=True)]
        config = TuningConfig(self.rank, self.learning_rate, self.epochs, layers=self.layers, seed=ctx.seed)
        self._model, self.selection = tune(rows, dev, ctx, config)

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Retrieve and ask the tuned model; the trace holds the ids, best first."""
        return self._answers(inputs, self._retrieve(inputs))

    def predict_from(self, inputs: Sequence[Input], documents: Sequence[Sequence[Document]]) -> list[Prediction]:
        """Ask with these documents in place of what would be found; for the check of knowledge against retrieval."""
        given = [[clip(document, self.max_document_words) for document in each] for each in documents]
        return self._answers(inputs, given)

    def _answers(self, inputs: Sequence[Input], served: Sequence[Sequence[Document]]) -> list[Prediction]:
        requests = [
            request_for(self._task, self._messages(input, shown), self._max_tokens)
            for input, shown in zip(inputs, served, strict=True)
        ]
        traces = [{"retrieved": [document.id for document in shown]} for shown in served]
        return predictions_of(self._model.generate(requests), self._task, traces)

    def _retrieve(self, inputs: Sequence[Input]) -> list[list[Document]]:
        found = self._index.search([str(input) for input in inputs], self.distractors + 1)
        return [[self._docs[hit.position] for hit in hits] for hits in found]

    def _training_passages(self, train: Sequence[Example], rng: np.random.Generator) -> list[list[Document]]:
        """Gold passage (else the best one found) among distractors, in random order; sometimes without it."""
        by_id = {document.id: document for document in self._docs}
        found = self._index.search([str(example.input) for example in train], self.distractors + 3)
        rows = []
        for example, hits in zip(train, found, strict=True):
            if self._over_examples:  # a row's own answer, or its duplicate's, would teach nothing but to copy
                unlike = [hit for hit in hits if str(train[hit.position].input) != str(example.input)]
                rows.append([self._docs[hit.position] for hit in unlike][: self.distractors + 1])
                continue
            ranked = [self._docs[hit.position] for hit in hits]
            gold = gold_documents(example, self._task, by_id) or [document.id for document in ranked[:1]]
            others = [document for document in ranked if document.id not in gold]
            withheld = rng.random() < self.p_without_gold
            shown = ([] if withheld else [by_id[name] for name in gold]) + others
            rows.append([shown[at] for at in rng.permutation(min(len(shown), self.distractors + 1))])
        return rows

    def _messages(self, input: Input, shown: Sequence[Document]) -> tuple[Message, ...]:
        return task_messages(bare(self._task), input, context=shown)

    def _row(self, example: Example, shown: Sequence[Document]) -> TuningExample:
        return TuningExample((*self._messages(example.input, shown), Message("assistant", example.target)))

    def _as_document(self, example: Example) -> Document:
        """A training example as a passage; only its question is cut, never its answer."""
        asked = " ".join(str(example.input).split()[: self.max_document_words])
        return Document(example.id, "", f"{asked}\nAnswer: {example.target}")
