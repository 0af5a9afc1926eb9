"""Prompting: the instruction alone, or with worked examples in front of the question."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from advisor import Completion, ConfigurationError, Context, Example, Input, Message, Prediction, did_you_mean

from .choosing import DevScores, choose_listing, choose_on_dev
from .demonstrations import Neighbours, varied
from .labels import LabelLists, Listing
from .prompts import demonstration, predictions_of, request_for, task_messages

Shown = tuple[str, int]
"""Which examples are shown (`fixed` or `nearest`), and how many."""

GRID: tuple[Shown, ...] = (("fixed", 4), ("fixed", 8), ("nearest", 4))


class ZeroShot:
    """Prompting: the instruction and the question, nothing else.

    Args:
        constrained: hold the answer to the task's labels or schema while it is written.
    """

    name = "zero_shot"
    kind = "prompting"
    stochastic = False
    learns = False

    def __init__(self, constrained: bool = False) -> None:
        self.constrained = constrained

    def fit(self, train: Sequence[Example], ctx: Context) -> None:
        """Read how long answers are, and how many labels the prompt has room for; learn nothing else."""
        self._task, self._model = ctx.task, ctx.model
        self._max_tokens = ctx.answer_tokens((*train, *ctx.dev))
        self._labels = LabelLists(ctx, (), self._max_tokens)
        self._listing = self._labels.fullest()
        self.selection: dict[str, Any] = {"labels": self._labels.record(self._listing)} if ctx.task.labels else {}

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Ask the model every question, with all labels named, or where there is no room for all the likest."""
        requests = [
            request_for(
                self._task,
                task_messages(self._task, input, labels=labels),
                self._max_tokens,
                constrained=self.constrained,
            )
            for input, labels in zip(inputs, self._labels.shown(self._listing, inputs), strict=True)
        ]
        return predictions_of(self._model.generate(requests), self._task)


class FewShot:
    """Prompting: worked examples before the question; how many and which, and which labels are named, chosen on dev.

    First what is shown, then for the best of these whether the labels are named: all, none, or of many the likest to
    the question. Where both `k` and `pick` are given, nothing is asked on dev, and what would be tried first is taken.

    Args:
        k: how many examples to show; by default chosen on dev.
        pick: `"fixed"` (the same varied ones for every question) or `"nearest"` (by embedding, the most
            similar last; Liu et al. 2022, arXiv 2101.06804); by default chosen on dev.
        dev_limit: the most dev examples to choose on.
        constrained: hold the answer to the task's labels or schema while it is written.
        list_labels: name the allowed labels: `True` all, `False` none, a number the so many likest to the question; by
            default chosen on dev. Where all do not fit the context, as many of the likest as do.
    """

    name = "few_shot"
    kind = "prompting"
    stochastic = False

    def __init__(
        self,
        k: int | None = None,
        pick: str | None = None,
        dev_limit: int = 30,
        constrained: bool = False,
        list_labels: bool | int | None = None,
    ) -> None:
        if pick not in (None, "fixed", "nearest"):
            raise ConfigurationError(
                f"few_shot: pick={pick!r} is no way to pick examples; {did_you_mean(str(pick), ['fixed', 'nearest'])}",
                hint="--strategy 'few_shot(pick=\"nearest\")'",
            )
        if k is not None and k < 1:
            raise ConfigurationError(f"few_shot: k={k!r}; it must be at least 1", hint="--strategy 'few_shot(k=4)'")
        if list_labels is not None and not isinstance(list_labels, bool) and list_labels < 1:
            raise ConfigurationError(
                f"few_shot: list_labels={list_labels!r}; allowed are true, false and a number from 1 on",
                hint="--strategy 'few_shot(list_labels=20)'",
            )
        self.k, self.pick, self.dev_limit = k, pick, dev_limit
        self.constrained, self.list_labels = constrained, list_labels

    def fit(self, train: Sequence[Example], ctx: Context) -> None:
        """Draw the fixed examples, embed all, and choose on dev what is shown and which labels are named."""
        self._task, self._model = ctx.task, ctx.model
        self._max_tokens = ctx.answer_tokens((*train, *ctx.dev))
        self._labels = LabelLists(ctx, train, self._max_tokens)
        plans, listings = self._plans(len(train)), self._listings()
        rng = np.random.default_rng(ctx.seed)
        most = max(k for _, k in plans)
        self._fixed = varied(train, most, rng, lambda e: e.target if ctx.task.labels else e.group)
        self._neighbours = Neighbours(train, ctx.index) if any(way == "nearest" for way, _ in plans) else None
        by_name = {f"{way} k={k}": (way, k) for way, k in plans}
        candidates = {name: partial(self._ask, plan, listings[0]) for name, plan in by_name.items()}
        scores: DevScores = {}
        name, record = choose_on_dev(candidates, ctx, self.dev_limit, scores)
        self._plan = by_name[name]
        self.selection: dict[str, Any] = {"pick": self._plan[0], "k": self._plan[1], **record}
        self._listing = listings[0]
        if ctx.task.labels:
            ways = {one: partial(self._ask, self._plan, one) for one in listings}
            found = choose_listing(ways, self._labels, ctx, self.dev_limit, scores, name)
            self._listing, self.selection["labels"] = found

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Ask the model every question behind its examples; the trace names them."""
        shown = self._shown(self._plan, inputs)
        traces = [{"demonstrations": [example.id for example in examples]} for examples in shown]
        return predictions_of(self._ask(self._plan, self._listing, inputs), self._task, traces)

    def _listings(self) -> list[Listing]:
        """Return the ways of naming labels that the parameters leave open, the one to begin with first."""
        if self.list_labels is None:
            ways = self._labels.listings()
            return ways[:1] if self.k and self.pick else ways
        if isinstance(self.list_labels, bool):
            return [self._labels.fullest() if self.list_labels else self._labels.of_count(0)]
        return [self._labels.of_count(self.list_labels)]

    def _plans(self, available: int) -> list[Shown]:
        """The grid, narrowed to what the parameters leave open and to the examples there are."""
        ways = (self.pick,) if self.pick else ("fixed", "nearest")
        plans = [(way, self.k) for way in ways] if self.k else [plan for plan in GRID if plan[0] in ways]
        return list(dict.fromkeys((way, min(k, available)) for way, k in plans))

    def _shown(self, plan: Shown, inputs: Sequence[Input]) -> list[list[Example]]:
        way, k = plan
        if way == "fixed" or self._neighbours is None:
            return [self._fixed[:k] for _ in inputs]
        return [[example for example, _ in reversed(hits)] for hits in self._neighbours.nearest(inputs, k)]

    def _ask(self, plan: Shown, listing: Listing, inputs: Sequence[Input]) -> list[Completion]:
        each = zip(inputs, self._shown(plan, inputs), self._labels.shown(listing, inputs), strict=True)
        requests = [
            request_for(
                self._task,
                task_messages(self._task, input, _turns(examples), labels=labels),
                self._max_tokens,
                constrained=self.constrained,
            )
            for input, examples, labels in each
        ]
        return self._model.generate(requests)


def _turns(examples: Sequence[Example]) -> tuple[Message, ...]:
    return tuple(message for example in examples for message in demonstration(example))
