"""Searching for a recipe of fine-tuning on dev, within a budget of epochs: successive halving that goes on, never anew.

Every recipe trains one epoch; the best two go on to three, the best one to six, and further as long as dev still rises
and the budget lasts (successive halving, Jamieson and Talwalkar 2016, arXiv 1502.07943). What goes on continues from
the state it was in. That is honest with a schedule that does not depend on how far one will go: a cosine that begins
anew after 1, 3, 6, 12 … epochs, so that at each of these the learning rate was brought down to 0 and what is compared
is finished (SGDR, Loshchilov and Hutter 2017, arXiv 1608.03983). Departures from SGDR: cycles of 1, 2, 3, 6 … epochs,
each with a short warm-up.

The score is the share of dev rows whose answer would come out exactly right, ties go to the lower dev loss.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from advisor import (
    ConfigurationError,
    Context,
    Model,
    ModelError,
    TuningConfig,
    TuningExample,
    TuningJob,
    TuningReport,
)

BUDGET = 18
"""Epochs that all recipes together may train by default: three times as many as the longest usually does."""
LEAST_BUDGET = 4
LEAST_DEV = 20
"""Fewer dev examples tell no recipe from another."""
TOP_LAYERS = 8
FACTOR = 3.0
"""From one learning rate that is tried to the next."""
ENDS = (1, 3, 6, 12, 24, 48)
USUALLY = 6
RISING = 0.02
"""More than six epochs are trained only while a cycle gains more than this on dev (in loss: this share of it)."""
SEED = 0
"""The search trains with this seed, whatever the seed of the run: so all seeds share one search."""
LONGER_ROWS = 2.0
"""An instruction that makes rows longer than this many times is not tried."""

TuningRows = tuple[Sequence[TuningExample], Sequence[TuningExample], Sequence[TuningExample]]
"""What to learn, dev, and the pool of a learning curve (else empty)."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a user fixed; `None` is searched."""

    learning_rate: float | None = None
    epochs: int | None = None
    layers: int | None = None
    instruction: bool | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a search chooses beside the number of epochs."""

    learning_rate: float
    layers: int
    instruction: bool

    @property
    def name(self) -> str:
        """What it is called in a report."""
        depth = f"top {self.layers} layers" if self.layers else "all layers"
        return f"{depth}, learning rate {self.learning_rate:g}, {'instruction' if self.instruction else 'question'}"


@dataclass(slots=True)
class Trial:
    """A recipe, and what its trainings so far reported."""

    recipe: Recipe
    epochs: int = 0
    reports: list[TuningReport] = field(default_factory=list)
    failed: str = ""

    @property
    def key(self) -> tuple[float, float]:
        """How good it is on dev, to be compared."""
        if not self.reports:
            return -1.0, 0.0
        return score_of(self.reports[-1]) or 0.0, -(loss_of(self.reports[-1]) or 0.0)

    def has_gained(self, after: int, least: float) -> bool:
        """Say whether the epochs after so many brought more on dev than `least`."""
        if not self.reports:
            return False
        scores, losses = self.reports[-1].dev_exact_match, self.reports[-1].dev_loss
        if scores[after:] and max(scores[after:]) != max(scores[:after]):
            return max(scores[after:]) - max(scores[:after]) > least
        return bool(losses[after:]) and min(losses[after:]) < min(losses[:after]) * (1.0 - least)

    def record(self) -> dict[str, Any]:
        """Return what a report shows of it."""
        told: dict[str, Any] = {
            "recipe": self.recipe.name,
            "learning_rate": self.recipe.learning_rate,
            "layers": self.recipe.layers,
            "instruction": self.recipe.instruction,
            "epochs": self.epochs,
        }
        if self.reports:
            last = self.reports[-1]
            told |= {
                "epoch": last.epoch,
                "dev_score": score_of(last),
                "dev_loss": loss_of(last),
                "train_loss": last.train_loss[-1] if last.train_loss else None,
                "seconds": sum(report.seconds for report in self.reports),
            }
        return {**told, "failed": self.failed} if self.failed else told


class RowsOf(Protocol):
    """Makes the rows of a training."""

    def __call__(self, instruction: bool, /) -> TuningRows:
        """Return them, with the instruction in front or without it."""


def tune(rows: RowsOf, given: Given, config: TuningConfig, ctx: Context, budget: int) -> tuple[Model, dict[str, Any]]:
    """Return the tuned model and what is recorded of it in `selection`: the recipe found, or why none was searched.

    Args:
        rows: makes the rows, with the instruction in front or without it.
        given: what is not searched.
        config: what is never searched: rank, batch size, the run's seed.
        ctx: as given to `fit`.
        budget: epochs that all recipes together may train; 0 trains one recipe.

    Raises:
        ModelError: `ctx.model` cannot be tuned.
    """
    is_open = None in (given.learning_rate, given.epochs, given.layers, given.instruction)
    if budget and is_open and ctx.trainer.parameters and len(ctx.dev) >= LEAST_DEV:
        search = RecipeSearch(rows, given, config, ctx, budget)
        best = search.run()
        model, report = search.train(best)
        return model, {**told(report), **search.record(best)}
    instruction = ctx.trainer.hosted if given.instruction is None else given.instruction
    return _one_recipe(rows(instruction), replace(given, instruction=instruction), config, ctx, _why_one(ctx, budget))


def _why_one(ctx: Context, budget: int) -> str:
    if not ctx.trainer.parameters:
        return "the recipe is the provider's own" if ctx.trainer.hosted else ""
    if not budget:
        return "not searched (search=0)"
    few = f"dev has {len(ctx.dev)} examples, and at least {LEAST_DEV} are needed to choose a recipe"
    return f"{few}: the usual one was trained" if len(ctx.dev) < LEAST_DEV else "all of the recipe was given"


def _one_recipe(
    rows: TuningRows, given: Given, config: TuningConfig, ctx: Context, note: str
) -> tuple[Model, dict[str, Any]]:
    """Train the one recipe; what is not given is as usual for a model of this size, or left to its trainer."""
    usual = ctx.usual_tuning()
    config = replace(
        config,
        learning_rate=given.learning_rate or usual.learning_rate,
        epochs=given.epochs or usual.epochs,
        batch_size=config.batch_size or usual.batch_size,
        layers=given.layers or 0,
    )
    train, dev, pool = (tuple(part) for part in rows)
    model, report = ctx.model.tune(TuningJob(train, dev, ctx.workdir, config, ctx.progress, pool=pool))
    found: dict[str, Any] = {**told(report), "instruction": given.instruction, **({"note": note} if note else {})}
    if ctx.trainer.parameters:
        recipe = Recipe(config.learning_rate, config.layers, bool(given.instruction))
        trial = Trial(recipe, config.epochs, [report])
        found |= {"recipe": recipe.name, "trials": [trial.record()], "chosen": 0, "epochs_trained": config.epochs}
    return model, found


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


class RecipeSearch:
    """One search; `config` holds what is never searched (rank, batch size)."""

    def __init__(self, rows: RowsOf, given: Given, config: TuningConfig, ctx: Context, budget: int) -> None:
        self.given, self.ctx, self.budget, self.left = given, ctx, budget, budget
        self.config, self._rows_of, self._rows = config, rows, dict[bool, TuningRows]()
        self.folder = ctx.shared or ctx.workdir / "search"
        self.ends = ENDS if given.epochs is None else (*(end for end in ENDS if end < given.epochs), given.epochs)
        self.trials: list[Trial] = []
        self.left_out: list[str] = []
        self.widened, self._last_error = False, ModelError("no recipe could be trained")

    def rows(self, instruction: bool) -> TuningRows:
        """Return the rows, made once."""
        if instruction not in self._rows:
            self._rows[instruction] = self._rows_of(instruction)
        return self._rows[instruction]

    def run(self) -> Trial:
        """Search, and return the best trial.

        Raises:
            ModelError: no recipe at all could be trained.
        """
        for recipe in self._recipes():
            self._go_on(self._added(recipe), self.ends[0])
        self._widen()
        for at, (reached, end) in enumerate(zip(self.ends, self.ends[1:], strict=False)):
            alive = sorted((one for one in self.trials if one.reports), key=lambda trial: trial.key, reverse=True)
            chosen = [one for one in alive[: 2 if at == 0 else 1] if one.epochs == reached]
            going = [one for one in chosen if at == 0 or one.has_gained(self.ends[at - 1], _least(end))]
            if not sum(self._go_on(trial, end) for trial in going):
                break
        best = max(self.trials, key=lambda trial: trial.key)
        if not best.reports:
            raise self._last_error
        shutil.rmtree(self._states, ignore_errors=True)
        return best

    def train(self, trial: Trial) -> tuple[Model, TuningReport]:
        """Train what was chosen with the run's own seed; with the seed of the search it is there already."""
        train, dev, pool = self.rows(trial.recipe.instruction)
        is_there = self.ctx.seed == SEED and not pool
        config = replace(self._config(trial.recipe, trial.epochs), seed=self.ctx.seed)
        folder = self.folder if is_there else self.ctx.workdir
        return self.ctx.model.tune(
            TuningJob(tuple(train), tuple(dev), folder, config, self.ctx.progress, pool=tuple(pool))
        )

    def record(self, best: Trial) -> dict[str, Any]:
        """Return what is recorded in `selection`."""
        return {
            "recipe": best.recipe.name,
            "learning_rate": best.recipe.learning_rate,
            "instruction": best.recipe.instruction,
            "ends": [end for end in self.ends if end <= best.epochs],
            "trials": [trial.record() for trial in self.trials],
            "chosen": self.trials.index(best),
            "widened": self.widened,
            "budget_epochs": self.budget,
            "epochs_trained": self.budget - self.left,
            "left_out": self.left_out,
        }

    # --- what is tried -----------------------------------------------------------------------------------------------

    def _recipes(self) -> list[Recipe]:
        """The usual recipe first, then what differs from it in one thing; as many as a third of the budget allows."""
        given, usual = self.given, self.ctx.usual_tuning()
        rate = given.learning_rate or usual.learning_rate
        first = Recipe(rate, given.layers or 0, bool(given.instruction))
        found = [first]
        if given.learning_rate is None:
            found.append(replace(first, learning_rate=_rounded(rate * FACTOR)))
        if given.layers is None:
            top_rate = rate if given.learning_rate else 2 * rate
            found.append(replace(first, layers=TOP_LAYERS, learning_rate=_rounded(top_rate)))
        if given.instruction is None and self._is_worth_a_try():
            found.append(replace(first, instruction=True))
        return found[: max(2, self.budget // 3)]

    def _is_worth_a_try(self) -> bool:
        """Say whether rows with the instruction are others, and not too long."""
        plain, told = (self._tokens(self.rows(instruction)[0]) for instruction in (False, True))
        if told > LONGER_ROWS * plain:
            self.left_out.append(
                f"the instruction in the rows: with it they have {told / plain:.1f} times as many tokens"
            )
        return plain < told <= LONGER_ROWS * plain

    def _tokens(self, rows: Sequence[TuningExample]) -> int:
        texts = [message.content for row in rows[:64] for message in row.messages]
        return max(1, sum(self.ctx.count_tokens(texts)))

    def _widen(self) -> None:
        """Where the best learning rate is at the edge of those tried, try the next one beyond it, once."""
        best = max(self.trials, key=lambda trial: trial.key)
        enough = self.left > (self.ends[1] - self.ends[0] if len(self.ends) > 1 else 0)
        if self.given.learning_rate is not None or not best.reports or not enough:
            return
        rates = sorted(one.recipe.learning_rate for one in self.trials if one.recipe.layers == best.recipe.layers)
        rate = best.recipe.learning_rate
        if rates[0] < rate < rates[-1]:
            return
        beyond = rate * FACTOR if rate == rates[-1] and len(set(rates)) > 1 else rate / FACTOR
        self.widened = self._go_on(self._added(replace(best.recipe, learning_rate=_rounded(beyond))), self.ends[0])

    # --- training ----------------------------------------------------------------------------------------------------

    def _added(self, recipe: Recipe) -> Trial:
        self.trials.append(Trial(recipe))
        return self.trials[-1]

    def _go_on(self, trial: Trial, end: int) -> bool:
        """Train until `end`, if the budget has it; a recipe that cannot be trained is out of the search."""
        if end - trial.epochs > self.left:
            return False
        train, dev, pool = self.rows(trial.recipe.instruction)
        config = self._config(trial.recipe, end)
        job = TuningJob(tuple(pool or train), tuple(dev), self.folder, config, self.ctx.progress, states=self._states)
        self.left -= end - trial.epochs
        trial.epochs = end
        try:
            trial.reports.append(self.ctx.model.tune(job)[1])
        except ModelError as error:
            trial.reports, trial.failed, self._last_error = [], str(error), error
        return True

    @property
    def _states(self) -> Path:
        return self.folder / "states"

    def _config(self, recipe: Recipe, end: int) -> TuningConfig:
        restarts = tuple(one for one in self.ends if one < end)
        return replace(
            self.config,
            learning_rate=recipe.learning_rate,
            layers=recipe.layers,
            epochs=end,
            restarts=restarts,
            seed=SEED,
        )


def checked_budget(name: str, budget: int) -> int:
    """Return the budget of a search.

    Raises:
        ConfigurationError: it is no whole number, or too small to tell two recipes apart.
    """
    if isinstance(budget, bool) or not isinstance(budget, int) or 0 < budget < LEAST_BUDGET or budget < 0:
        raise ConfigurationError(
            f"{name}: search={budget!r}; it must be 0 (no search), or at least {LEAST_BUDGET} epochs for all recipes",
            hint=f"--strategy '{name}(search={BUDGET})'",
        )
    return budget


def score_of(report: TuningReport) -> float | None:
    """Return the share of dev rows that the epoch kept gets exactly right, if there is dev."""
    return report.dev_exact_match[report.epoch - 1] if len(report.dev_exact_match) >= report.epoch > 0 else None


def loss_of(report: TuningReport) -> float | None:
    """Return the dev loss of the epoch kept, if there is dev."""
    return report.dev_loss[report.epoch - 1] if len(report.dev_loss) >= report.epoch > 0 else None


def _least(end: int) -> float:
    return 0.0 if end <= USUALLY else RISING


def _rounded(rate: float) -> float:
    return float(f"{rate:.0e}")
