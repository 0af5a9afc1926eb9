"""Retrieval-augmented generation: look up, then ask with what was found.

Over the task's documents the passages stand before the question (Lewis et al. 2020, arXiv 2005.11401). A task without
documents has its training examples: the nearest ones become demonstrations (Liu et al. 2022, arXiv 2101.06804).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from advisor import Completion, ConfigurationError, Context, Document, Example, Hit, Input, Message, Prediction, Task

from .choosing import choose_on_dev
from .demonstrations import varied
from .prompts import clip, demonstration, passage_text, predictions_of, request_for, task_messages

DOCUMENT_COUNTS = (1, 2)
EXAMPLE_COUNTS = (2, 4, 8)


class RAG:
    """Retrieval: documents (or, without any, nearest training examples) looked up for every question.

    Args:
        k: how many documents or examples to show; by default chosen on dev among 1, 2 (documents) or 2, 4, 8.
        shots: worked examples with their passage in the shared prefix, so that a small model sees the form
            (documents only).
        max_document_words: a passage is cut to this many words.
        dev_limit: the most dev examples to choose on.
    """

    name = "rag"
    kind = "rag"
    stochastic = False

    def __init__(
        self, k: int | None = None, shots: int = 3, max_document_words: int = 120, dev_limit: int = 30
    ) -> None:
        if k is not None and k < 1:
            raise ConfigurationError(f"rag: k={k!r}; it must be at least 1", hint="--strategy 'rag(k=2)'")
        self.k, self.shots, self.max_document_words, self.dev_limit = k, shots, max_document_words, dev_limit

    def learns(self, task: Task) -> bool:
        """Whether examples change the answers: over documents, a few of them only show the form."""
        return not task.docs

    def fit(self, train: Sequence[Example], ctx: Context) -> None:
        """Index the documents or the training examples, and choose `k` on dev."""
        self._task, self._model, self._train = ctx.task, ctx.model, tuple(train)
        self._docs = [clip(document, self.max_document_words) for document in ctx.task.docs]
        texts = [passage_text(doc) for doc in ctx.task.docs] or [str(example.input) for example in train]
        self._index = ctx.index(texts)
        self._shown = self._demonstrations(ctx) if self._docs else ()
        self._max_tokens = ctx.answer_tokens((*train, *ctx.dev))
        counts: tuple[int, ...] = DOCUMENT_COUNTS if self._docs else EXAMPLE_COUNTS
        if self.k:
            counts = (self.k,)
        by_name = {f"k={k}": k for k in dict.fromkeys(min(k, len(texts)) for k in counts)}
        candidates = {name: partial(self._look_up_and_ask, k) for name, k in by_name.items()}
        name, record = choose_on_dev(candidates, ctx, self.dev_limit)
        self._k = by_name[name]
        self.selection: dict[str, Any] = {"over": "documents" if self._docs else "examples", "k": self._k, **record}

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Look up and ask; the trace holds what was retrieved, best first, with cosine similarities."""
        found = self._index.search([str(input) for input in inputs], self._k)
        return predictions_of(self._ask(inputs, found), self._task, [self._trace(hits) for hits in found])

    def predict_from(self, inputs: Sequence[Input], documents: Sequence[Sequence[Document]]) -> list[Prediction]:
        """Ask with these documents in place of what would be found; for the check of knowledge against retrieval."""
        given = [[clip(document, self.max_document_words) for document in each] for each in documents]
        conversations = [
            task_messages(self._task, input, self._shown, each) for input, each in zip(inputs, given, strict=True)
        ]
        return predictions_of(self._generate(conversations), self._task)

    def _look_up_and_ask(self, k: int, inputs: Sequence[Input]) -> list[Completion]:
        return self._ask(inputs, self._index.search([str(input) for input in inputs], k))

    def _ask(self, inputs: Sequence[Input], found: Sequence[list[Hit]]) -> list[Completion]:
        conversations = [self._conversation(input, hits) for input, hits in zip(inputs, found, strict=True)]
        return self._generate(conversations)

    def _generate(self, conversations: Sequence[tuple[Message, ...]]) -> list[Completion]:
        return self._model.generate([request_for(self._task, turns, self._max_tokens) for turns in conversations])

    def _conversation(self, input: Input, hits: Sequence[Hit]) -> tuple[Message, ...]:
        if self._docs:
            return task_messages(self._task, input, self._shown, [self._docs[hit.position] for hit in hits])
        neighbours = [self._train[hit.position] for hit in reversed(hits)]
        return task_messages(self._task, input, [turn for example in neighbours for turn in demonstration(example)])

    def _trace(self, hits: Sequence[Hit]) -> dict[str, Any]:
        source: Sequence[Document | Example] = self._docs or self._train
        return {
            "retrieved": [source[hit.position].id for hit in hits],
            "similarity": [hit.similarity for hit in hits],
        }

    def _demonstrations(self, ctx: Context) -> tuple[Message, ...]:
        """Worked examples with their gold passage, else with the passage that is found for them."""
        by_id = {doc.id: doc for doc in self._docs}
        gold = {e.id: ids[0] for e in self._train if (ids := gold_documents(e, ctx.task, by_id))}
        pool = [example for example in self._train if example.id in gold] or list(self._train)
        drawn = varied(pool, 4 * self.shots, np.random.default_rng(ctx.seed), lambda example: example.group)
        found = self._index.search([str(example.input) for example in drawn], 1)
        passages = [
            by_id[gold[example.id]] if example.id in gold else self._docs[hits[0].position]
            for example, hits in zip(drawn, found, strict=True)
        ]
        # First those whose answer can be read off the (cut) passage: the others teach to answer past it.
        pairs = sorted(
            zip(drawn, passages, strict=True), key=lambda pair: pair[0].target.lower() not in pair[1].text.lower()
        )
        return tuple(turn for example, passage in pairs[: self.shots] for turn in demonstration(example, [passage]))


def gold_documents(example: Example, task: Task, documents: Mapping[str, Document]) -> list[str]:
    """Return the ids of the example's gold documents (one id or a list in `metadata`), those that exist."""
    named = example.metadata.get(task.gold_document_field, ()) if task.gold_document_field else ()
    ids = [str(name) for name in named] if isinstance(named, list | tuple) else [str(named)]
    return [name for name in ids if name in documents]
