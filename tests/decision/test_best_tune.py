"""The guard that asks whether fine-tuning was tried at its best: what it lets through, and what it asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from advisor.decision.evidence import Guard
from advisor.decision.guards import BEST_TUNE, tuned_at_its_best
from advisor.decision.verdict import decide
from advisor.decision.words import instruction, sentence
from tests.decision.planted_evidence import FEW, TUNED, Plant, evidence


def trial(rate: float, layers: int = 0, **more: Any) -> dict[str, Any]:
    return {"learning_rate": rate, "layers": layers, "instruction": False, "epochs": 1, **more}


SOUND: dict[str, Any] = {
    "trials": [trial(1e-3, epochs=6), trial(3e-3), trial(3e-4), trial(2e-3, 8)],
    "chosen": 0,
    "ends": [1, 3, 6],
    "epochs_trained": 11,
    "budget_epochs": 18,
    "train_loss": [2.0, 0.9, 0.4, 0.2, 0.1, 0.05],
    "dev_loss": [1.5, 1.0, 0.8, 0.8, 0.9, 0.9],
    "dev_exact_match": [0.2, 0.5, 0.7, 0.7, 0.71, 0.71],
}


def judged(n_dev: int = 100, plants: tuple[Plant, ...] = (FEW, TUNED), **selection: Any) -> tuple[Guard, Any]:
    found = evidence(*plants)
    rows = tuple(
        replace(one, selection={**SOUND, **selection}) if one.label == found.tuned else one for one in found.strategies
    )
    changed = replace(found, strategies=rows, n_dev=n_dev)
    return tuned_at_its_best(changed), changed


def test_a_search_that_found_its_best_passes() -> None:
    guard, _ = judged()
    assert guard.state == "pass"
    assert sentence(guard.found) == "4 recipes were tried, 11 epochs in all"


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        ({"trials": [trial(1e-3)]}, "one recipe only"),
        ({"trials": [trial(1e-3), trial(3e-3, failed="became nan")]}, "one recipe only"),
        ({"chosen": 1}, "at the edge"),
        ({"train_loss": [2.0, 1.9]}, "learned too little"),
        ({"dev_exact_match": [0.2, 0.5, 0.6, 0.7, 0.71, 0.71]}, "dev still rises (the last ones brought 11 points)"),
        ({"dev_exact_match": [0.0] * 6, "dev_loss": [2.0, 1.5, 1.2, 1.1, 1.0, 0.9]}, "dev still rises"),
    ],
)
def test_what_was_not_tried_at_its_best_fails_and_says_what_to_type(selection: Any, said: str) -> None:
    guard, _ = judged(**selection)
    assert guard.state == "fail"
    assert said in sentence(guard.found)
    assert guard.action is not None
    assert "fine_tuning(search=36)" in instruction(guard.action)


def test_widened_once_counts_as_inside() -> None:
    assert judged(chosen=1, widened=True)[0].state == "pass"


@pytest.mark.parametrize("selection", [{"trials": None}, {"trials": "no"}, {"trials": []}])
def test_who_says_nothing_is_not_judged(selection: Any) -> None:
    assert judged(**selection)[0].state == "unknown"


def test_too_small_a_dev_split_is_asked_for_and_not_a_search() -> None:
    guard, _ = judged(n_dev=7, trials=[trial(1e-3)])
    assert guard.action is not None
    assert "at least 20" in instruction(guard.action)
    assert not guard.action.command


def test_a_no_over_one_recipe_is_no_no() -> None:
    worse = (replace(FEW, quality=0.8), replace(TUNED, quality=0.4))
    guard, found = judged(plants=worse)
    sure = decide(found)
    assert (guard.state, sure.answer) == ("pass", "do_not_fine_tune")
    _, found = judged(plants=worse, trials=[trial(1e-3)])
    verdict = decide(found)
    assert verdict.answer == "not_yet"
    assert verdict.action.command.count("fine_tuning(search=36)") == 1
    assert BEST_TUNE in {one.name for one in verdict.guards if one.state == "fail"}
