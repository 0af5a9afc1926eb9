"""The search for a recipe: what it trains, in which order, what it keeps within its budget, and what it records."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from advisor.core.errors import ConfigurationError, ModelError
from advisor.core.model import Completion, Request, Trainer, TuningJob, TuningReport
from advisor.testing.toy_task import toy_evalset
from tests.strategies.recording import MakeContext, MakeStrategy

TOY = toy_evalset()
EVALSET = replace(TOY, dev=tuple(replace(TOY.train[at % len(TOY.train)], id=f"dev{at}") for at in range(24)))


@dataclass
class Planted:
    """A model whose dev score after so many epochs is planted by its recipe."""

    best: float = 1e-3
    rises: tuple[float, ...] = (0.3, 0.4, 0.5, 0.5, 0.5, 0.51)
    diverges_above: float = 1.0
    name: str = "planted"
    fingerprint: str = "planted"
    trainer: Trainer = field(default_factory=lambda: Trainer(parameters=134_515_008))
    jobs: list[TuningJob] = field(default_factory=list)

    def generate(self, requests: list[Request]) -> list[Completion]:
        return [Completion("x") for _ in requests]

    def tune(self, job: TuningJob) -> tuple[Any, TuningReport]:
        self.jobs.append(job)
        rate, epochs = job.config.learning_rate, job.config.epochs
        if rate > self.diverges_above:
            raise ModelError("the loss became nan")
        off = max(rate / self.best, self.best / (rate or self.best)) + (0.5 if job.config.layers else 0.0)
        scores = tuple((self.rises[min(at, len(self.rises) - 1)]) / off for at in range(epochs or 1))
        losses = tuple(3.0 - score for score in scores)
        return self, TuningReport(1.0, 10, losses, losses, scores, 1 + scores.index(max(scores)), "all")


@pytest.fixture
def search(context: MakeContext, strategy: MakeStrategy, tmp_path: Path) -> Any:
    def fit(model: Any, spec: str = "fine_tuning", **changes: Any) -> Any:
        model.jobs.clear()
        made = strategy(spec)
        shared = tmp_path / "shared"
        made.fit(EVALSET.train, context(model, changes.pop("evalset", EVALSET), shared=shared, **changes))
        return made

    return fit


def trained(model: Planted) -> list[tuple[float, int, int]]:
    return [(job.config.learning_rate, job.config.layers, job.config.epochs) for job in model.jobs]


def test_the_best_recipes_go_on_and_the_rest_stops(search: Any) -> None:
    model = Planted()
    chosen = search(model, "fine_tuning(instruction=false)").selection
    first = [(1e-3, 0, 1), (3e-3, 0, 1), (2e-3, 8, 1), (3e-4, 0, 1)]  # the last beyond the edge, where the best was
    assert trained(model)[:4] == first
    assert [epochs for _, _, epochs in trained(model)[4:]] == [3, 3, 6, 6]
    assert (chosen["trials"][0]["epochs"], chosen["chosen"], chosen["widened"]) == (6, 0, True)
    assert chosen["learning_rate"] == 1e-3
    assert chosen["ends"] == [1, 3, 6]
    assert chosen["epochs_trained"] == sum(trial["epochs"] for trial in chosen["trials"]) <= chosen["budget_epochs"]
    assert next(job.config.restarts for job in model.jobs if job.config.epochs == 6) == (1, 3)
    assert model.jobs[-1].states is None  # what was chosen is what is kept
    assert model.jobs[-1].config.epochs == 6


def test_all_seeds_share_one_search_and_each_trains_what_was_found(search: Any) -> None:
    model = Planted()
    search(model, seed=0)
    first = list(model.jobs)
    search(model, seed=1)
    assert [job.config for job in model.jobs[:-1]] == [job.config for job in first[:-1]]
    assert {job.workdir for job in model.jobs[:-1]} == {job.workdir for job in first}
    assert model.jobs[-1].config == replace(first[-1].config, seed=1)
    assert model.jobs[-1].workdir != first[-1].workdir


def test_a_part_of_the_training_set_is_trained_with_the_recipe_of_the_whole(search: Any, context: MakeContext) -> None:
    model = Planted()
    whole = replace(EVALSET, train=EVALSET.train)
    search(model, pool=whole.train)
    assert {len(job.train) for job in model.jobs} == {len(whole.train)}
    assert len(model.jobs[-1].pool) == len(whole.train)


def test_what_rises_no_more_is_not_trained_longer(search: Any) -> None:
    model = Planted(rises=(0.5,))
    chosen = search(model).selection
    assert max(job.config.epochs for job in model.jobs) == 3
    assert chosen["epoch"] == 1


def test_what_still_rises_goes_on_while_the_budget_lasts(search: Any) -> None:
    model = Planted(rises=tuple(0.05 * at for at in range(1, 13)))
    assert search(model, "fine_tuning(search=40)").selection["ends"][-1] >= 12


@pytest.mark.parametrize("budget", [4, 6, 9, 18])
def test_the_budget_holds(budget: int, search: Any) -> None:
    model = Planted()
    chosen = search(model, f"fine_tuning(search={budget})").selection
    assert 2 <= len(chosen["trials"])
    assert chosen["epochs_trained"] <= budget


def test_what_a_user_gives_is_not_searched(search: Any) -> None:
    model = Planted()
    search(model, "fine_tuning(learning_rate=0.0005, layers=4, epochs=2)")
    assert {rate for rate, _, _ in trained(model)} == {5e-4}
    assert {layers for _, layers, _ in trained(model)} == {4}
    assert max(epochs for _, _, epochs in trained(model)) == 2


def test_a_recipe_that_diverges_is_out_and_said(search: Any) -> None:
    model = Planted(diverges_above=2.5e-3)
    chosen = search(model).selection
    assert [trial["failed"] for trial in chosen["trials"] if "failed" in trial] == ["the loss became nan"]
    assert chosen["learning_rate"] == 1e-3


def test_if_nothing_can_be_trained_the_error_is_the_models(search: Any) -> None:
    with pytest.raises(ModelError, match="became nan"):
        search(Planted(diverges_above=1e-9))


def test_too_small_a_dev_split_trains_the_usual_recipe_and_says_so(search: Any) -> None:
    model = Planted()
    chosen = search(model, evalset=replace(EVALSET, dev=EVALSET.dev[:7])).selection
    assert trained(model) == [(1e-3, 0, 3)]
    assert "dev has 7 examples" in chosen["note"]
    assert len(chosen["trials"]) == 1


def test_the_quick_mode_trains_the_top_layers_once(search: Any) -> None:
    model = Planted()
    chosen = search(model, "fine_tuning(search=0)").selection
    assert trained(model) == [(2e-3, 8, 3)]
    assert chosen["note"] == "not searched (search=0)"


def test_a_provider_is_left_its_choice_and_given_the_instruction(search: Any) -> None:
    model = Planted(trainer=Trainer(hosted=True))
    chosen = search(model).selection
    [job] = model.jobs
    assert (job.config.learning_rate, job.config.epochs, job.config.batch_size) == (0.0, 0, 0)
    assert job.train[0].messages[0].role == "system"
    assert "trials" not in chosen


@pytest.mark.parametrize("budget", [-1, 1, 3])
def test_a_budget_too_small_for_a_search_is_refused(budget: int, strategy: MakeStrategy) -> None:
    with pytest.raises(ConfigurationError, match="at least 4 epochs"):
        strategy(f"fine_tuning(search={budget})")
