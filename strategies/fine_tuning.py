"""Fine-tuning: LoRA on the training examples (Hu et al. 2021, arXiv 2106.09685), then plain answering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from advisor import (
    Context,
    Example,
    Input,
    Message,
    Model,
    Prediction,
    Task,
    TuningConfig,
    TuningExample,
    TuningJob,
    TuningReport,
)

from .prompts import predictions_of, request_for, task_messages
from .recipe_search import BUDGET, LEAST_DEV, TOP_LAYERS, Given, RecipeSearch, Rows, checked_budget, loss_of, score_of


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
        config = TuningConfig(self.rank, batch_size=self.batch_size, seed=ctx.seed)

        def rows(instruction: bool) -> Rows:
            train_rows, dev, pool = (
                [self._row(example, instruction) for example in those] for those in (train, ctx.dev, ctx.pool)
            )
            return train_rows, dev, pool

        given = Given(self.learning_rate or None, self.epochs or None, self.layers, self.instruction)
        open_ways = [given.learning_rate, given.layers, given.instruction, given.epochs].count(None)
        if self.search and ctx.trainer.parameters and len(ctx.dev) >= LEAST_DEV and open_ways:
            search = RecipeSearch(rows, given, config, ctx, self.search)
            best = search.run()
            self._instruction = best.recipe.instruction
            self._model, report = search.train(best)
            self.selection = {**told(report), **search.record(best)}
            return
        self._instruction = ctx.trainer.hosted if self.instruction is None else self.instruction
        config, note = self._unsearched(config, ctx)
        train_rows, dev, pool = rows(self._instruction)
        self._model, self.selection = tune(train_rows, dev, ctx, config, pool)
        self.selection |= {"instruction": self._instruction, **({"note": note} if note else {})}

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Ask the tuned model, with the very template it was trained on."""
        asked = (self._messages(input, self._instruction) for input in inputs)
        requests = [request_for(self._task, messages, self._max_tokens) for messages in asked]
        return predictions_of(self._model.generate(requests), self._task)

    def _unsearched(self, config: TuningConfig, ctx: Context) -> tuple[TuningConfig, str]:
        """Return the one recipe to train, and why it is the only one."""
        config = replace(
            config,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            layers=0 if self.layers is None else self.layers,
        )
        if not ctx.trainer.parameters:
            return config, "the recipe is the provider's own" if ctx.trainer.hosted else ""
        if self.search:
            few = f"dev has {len(ctx.dev)} examples, and at least {LEAST_DEV} are needed to choose a recipe"
            return config, f"{few}: the usual one was trained" if len(ctx.dev) < LEAST_DEV else "as given"
        usual = ctx.usual_tuning()
        quick = replace(
            config,
            layers=TOP_LAYERS if self.layers is None else self.layers,
            learning_rate=self.learning_rate or 2 * usual.learning_rate,
        )
        return quick, "quick (search=0): one recipe"

    def _messages(self, input: Input, instruction: bool) -> tuple[Message, ...]:
        return task_messages(self._task if instruction else bare(self._task), input)

    def _row(self, example: Example, instruction: bool) -> TuningExample:
        return TuningExample((*self._messages(example.input, instruction), Message("assistant", example.target)))


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
    """Return the model tuned with one recipe, and what is worth recording of it: the epoch kept, and all losses.

    What `config` leaves open is as usual for a model of this size. `pool` holds the rows of `ctx.pool`, where the row
    of an example is the same whatever stands beside it.

    Raises:
        ModelError: `ctx.model` cannot be tuned.
    """
    usual = ctx.usual_tuning()
    config = replace(
        config,
        learning_rate=config.learning_rate or usual.learning_rate,
        epochs=config.epochs or usual.epochs,
        batch_size=config.batch_size or usual.batch_size,
    )
    job = TuningJob(tuple(train), tuple(dev), ctx.workdir, config, ctx.progress, pool=tuple(pool))
    model, report = ctx.model.tune(job)
    if ctx.trainer.parameters is None:
        return model, told(report)
    trial = {
        "recipe": f"{report.layers}, learning rate {config.learning_rate:g}",
        "learning_rate": config.learning_rate,
        "layers": config.layers,
        "epochs": config.epochs,
        "epoch": report.epoch,
        "dev_score": score_of(report),
        "dev_loss": loss_of(report),
        "train_loss": report.train_loss[-1] if report.train_loss else None,
        "seconds": report.seconds,
    }
    one = {"recipe": trial["recipe"], "trials": [trial], "chosen": 0, "epochs_trained": config.epochs}
    return model, {**told(report), **one}


def told(report: TuningReport) -> dict[str, Any]:
    """Return what is recorded of one training."""
    return {
        "epoch": report.epoch,
        "layers": report.layers,
        "train_loss": list(report.train_loss),
        "dev_loss": list(report.dev_loss),
        "dev_exact_match": list(report.dev_exact_match),
        "unread": report.unread,
    }
