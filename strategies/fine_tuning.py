"""Fine-tuning: LoRA on the training examples (Hu et al. 2021, arXiv 2106.09685), then plain answering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from advisor import Context, Example, Input, Message, Model, Prediction, Task, TuningConfig, TuningExample, TuningJob

from .prompts import predictions_of, request_for, task_messages


class FineTuning:
    """Fine-tuning: trained on the examples, asked with the bare question; the epoch is chosen on dev.

    Args:
        epochs: passes over the training examples at most; the one best on dev is kept.
        rank: LoRA rank.
        learning_rate: peak of the schedule.
        layers: how many of the top layers are adapted; 0 means all.
        batch_size: examples a step.
        instruction: put the instruction (with labels and schema) in front, in training and in serving; by default
            the tuned model is asked with the question alone, which is shorter and cheaper to serve.
    """

    name = "fine_tuning"
    kind = "fine_tuning"
    stochastic = True

    def __init__(
        self,
        epochs: int = 3,
        rank: int = 16,
        learning_rate: float = 0.002,
        layers: int = 8,
        batch_size: int = 16,
        instruction: bool = False,
    ) -> None:
        self.epochs, self.rank, self.learning_rate = epochs, rank, learning_rate
        self.layers, self.batch_size, self.instruction = layers, batch_size, instruction

    def fit(self, train: Sequence[Example], ctx: Context) -> None:
        """Tune on `train`, with dev for the choice of the epoch."""
        self._task = ctx.task
        self._max_tokens = ctx.answer_tokens((*train, *ctx.dev))
        config = TuningConfig(self.rank, self.learning_rate, self.epochs, self.batch_size, self.layers, ctx.seed)
        rows, dev, pool = ([self._row(example) for example in those] for those in (train, ctx.dev, ctx.pool))
        self._model, self.selection = tune(rows, dev, ctx, config, pool)

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Ask the tuned model, with the very template it was trained on."""
        requests = [request_for(self._task, self._messages(input), self._max_tokens) for input in inputs]
        return predictions_of(self._model.generate(requests), self._task)

    def _messages(self, input: Input) -> tuple[Message, ...]:
        return task_messages(self._task if self.instruction else bare(self._task), input)

    def _row(self, example: Example) -> TuningExample:
        return TuningExample((*self._messages(example.input), Message("assistant", example.target)))


def bare(task: Task) -> Task:
    """Return the task without what would become a system message."""
    return replace(task, instruction="", labels=(), schema=None)


def tune(
    train: Sequence[TuningExample],
    dev: Sequence[TuningExample],
    ctx: Context,
    config: TuningConfig,
    pool: Sequence[TuningExample] = (),
) -> tuple[Model, dict[str, Any]]:
    """Return the tuned model and what is worth recording of it: the epoch kept, and the losses of every epoch.

    `pool` holds the rows of `ctx.pool`, where the row of an example is the same whatever stands beside it.

    Raises:
        ModelError: `ctx.model` cannot be tuned.
    """
    job = TuningJob(tuple(train), tuple(dev), ctx.workdir, config, ctx.progress, pool=tuple(pool))
    model, report = ctx.model.tune(job)
    return model, {
        "epoch": report.epoch,
        "layers": report.layers,
        "train_loss": list(report.train_loss),
        "dev_loss": list(report.dev_loss),
        "dev_exact_match": list(report.dev_exact_match),
        "unread": report.unread,
    }
