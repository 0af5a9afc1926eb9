"""Fine-tuning: LoRA on the training examples (Hu et al. 2021, arXiv 2106.09685), then plain answering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from advisor import (
    Context,
    Example,
    Input,
    Message,
    Prediction,
    Task,
    TuningConfig,
    TuningExample,
)

from .prompts import predictions_of, request_for, task_messages
from .recipe_search import BUDGET, TOP_LAYERS, Given, TuningRows, checked_budget, tune


class FineTuning:
    """Fine-tuning: trained on the examples with the recipe that is best on dev, of several that are tried.

    Searched are learning rate, depth, epochs, and whether the instruction stands in the rows, see
    `strategies/recipe_search.py`; what is given here is not searched. A model at a provider is trained once, with what
    the provider chooses and the instruction in the rows, and a dev split of fewer than 20 examples chooses nothing but
    the epoch: then it is the usual recipe for a model of this size (all layers).

    All seeds share one search, made with seed 0, and each trains the recipe that was found; so the spread between
    seeds is that of training and not of searching. What the search took is counted with every one of them.

    Args:
        search: epochs that all recipes together may train; 0 is the quick mode: the top layers alone, one recipe.
        epochs: passes over the training examples at most; the one best on dev is kept. 0: searched.
        rank: LoRA rank.
        learning_rate: peak of the schedule. 0: searched.
        layers: how many of the top layers are adapted, 0 means all. By default searched.
        batch_size: examples a step. 0: 16, or a provider's own choice.
        instruction: put the instruction (with labels and schema) in front, in training and in serving; without it the
            tuned model is asked with the question alone, which is shorter and cheaper to serve. By default searched.
    """

    name = "fine_tuning"
    kind = "fine_tuning"
    stochastic = True

    def __init__(
        self,
        search: int = BUDGET,
        epochs: int = 0,
        rank: int = 16,
        learning_rate: float = 0.0,
        layers: int | None = None,
        batch_size: int = 0,
        instruction: bool | None = None,
    ) -> None:
        self.search, self.epochs, self.rank = checked_budget(self.name, search), epochs, rank
        self.learning_rate, self.layers = learning_rate, layers
        self.batch_size, self.instruction = batch_size, instruction

    def fit(self, train: Sequence[Example], ctx: Context) -> None:
        """Tune on `train`, with dev for the choice of the recipe and of the epoch."""
        self._task = ctx.task
        self._max_tokens = ctx.answer_tokens((*train, *ctx.dev))

        def rows(instruction: bool) -> TuningRows:
            train_rows, dev, pool = (
                [self._row(example, instruction) for example in those] for those in (train, ctx.dev, ctx.pool)
            )
            return train_rows, dev, pool

        given = Given(self.learning_rate or None, self.epochs or None, self.layers, self.instruction)
        config = TuningConfig(self.rank, batch_size=self.batch_size, seed=ctx.seed)
        if not self.search and ctx.trainer.parameters:
            given = self._quick(given, ctx)
        self._model, self.selection = tune(rows, given, config, ctx, self.search)
        self._instruction = self.selection["instruction"]

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Ask the tuned model, with the very template it was trained on."""
        asked = (self._messages(input, self._instruction) for input in inputs)
        requests = [request_for(self._task, messages, self._max_tokens) for messages in asked]
        return predictions_of(self._model.generate(requests), self._task)

    def _quick(self, given: Given, ctx: Context) -> Given:
        """Return the one recipe of the quick mode: the top layers, at twice the learning rate of all of them."""
        rate = given.learning_rate or 2 * ctx.usual_tuning().learning_rate
        return replace(given, learning_rate=rate, layers=TOP_LAYERS if given.layers is None else given.layers)

    def _messages(self, input: Input, instruction: bool) -> tuple[Message, ...]:
        return task_messages(self._task if instruction else bare(self._task), input)

    def _row(self, example: Example, instruction: bool) -> TuningExample:
        return TuningExample((*self._messages(example.input, instruction), Message("assistant", example.target)))


def bare(task: Task) -> Task:
    """Return the task without what would become a system message."""
    return replace(task, instruction="", labels=(), schema=None)
