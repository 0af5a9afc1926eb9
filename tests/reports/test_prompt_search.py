from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.reports.sample import HOSTILE, changed, comparison, report

FOUND = {
    "prompt": "nearest k=8, answer only", "budget": 1300, "fine_tuning_calls": 1204, "calls": 1250, "candidates": 17,
    "chosen_on": "dev", "dev_score": 0.8125, "few_shot_plan": "fixed k=4", "few_shot_dev_score": None,
}  # fmt: skip


def searched(selection: Any) -> Any:
    found = comparison()
    strategies = tuple(replace(s, selection=selection) if s.label == "zero_shot" else s for s in found.strategies)
    return changed(found, strategies=strategies)


def written(found: Any) -> Any:
    from rich.console import Console

    console = Console(width=110)
    with console.capture() as caught:
        console.print(report("console").render(found, 110))
    return [" ".join(text.split()) for text in (
        report("html").render(found), report("markdown").render(found), caught.get()
    )]  # fmt: skip


def test_budget_and_what_it_found_stand_in_every_report() -> None:
    for text in written(searched(FOUND)):
        for words in ("1,250 of 1,300 calls", "17 prompts tried", "nearest k", "fixed k", "The search for a prompt"):
            assert words in text, words
        assert "1,204 in fine-tuning" in text
        assert "nan" not in text.lower().split()
    assert "How this was computed: every call that the search made counts" in written(searched(FOUND))[0]


def test_what_is_unknown_is_a_dash_and_never_zero() -> None:
    [fact] = report("prompt_search").searches(searched(FOUND))
    assert "0.81 on dev" in fact.meaning
    assert "few-shot's own plan: fixed k=4, – on the same examples" in fact.meaning


@pytest.mark.parametrize("selection", [{}, {"budget": True}, {"budget": "many"}, {"k": 4}])
def test_strategies_without_a_declared_budget_are_not_listed(selection: Any) -> None:
    assert not report("prompt_search").searches(searched(selection))
    assert all("The search for a prompt" not in text for text in written(searched(selection)))


def test_a_selection_of_somebody_elses_is_foreign_text() -> None:
    html = written(searched({"budget": 3, "prompt": HOSTILE, "chosen_on": HOSTILE, "calls": None}))[0]
    assert "<script>" not in html
    assert "– of 3 calls" in html


LABELS = {"named": "the 20 likest of 150 labels listed", "listed": 20, "of": 150, "recall_on_dev": 0.975,
          "dev_scores": {"fixed k=4": 0.5, "fixed k=4, labels not listed": None}}  # fmt: skip


def test_which_labels_are_named_stands_in_every_report() -> None:
    for text in written(searched({"labels": LABELS})):
        for words in ("zero_shot, labels", "the 20 likest of 150 labels listed", "98% of dev", "labels not listed"):
            assert words in text.replace("\\_", "_"), words
    assert not report("prompt_search").searches(searched({"labels": {"named": "all 3", "listed": 3, "of": 3}}))


@pytest.mark.parametrize("labels", [None, "all", {"named": 3}, {"named": "x", "listed": None, "dev_scores": 4}])
def test_a_choice_of_labels_of_somebody_elses_breaks_nothing(labels: Any) -> None:
    assert written(searched({"labels": labels}))
