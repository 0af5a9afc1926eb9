"""The answer: leanings, what holds a yes back, and that it never pretends to have run anything."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import pytest
from typer.main import get_command

import advisor
from advisor.advice.advice import DISCLAIMER, Advice
from advisor.advice.situation import KINDS, Costs, Pilot, default_economics
from advisor.cli import app
from advisor.core.errors import ConfigurationError
from advisor.stats.power import required_examples

STRONG = {"kind": "format", "prompted": 0.5, "prompted_by": "optimised_prompt", "examples": 2_000}
RICH = replace(default_economics(), requests_per_month=1e6, usd_per_correct_answer=1.0)
SURE = Pilot(0.9, 0.5, 2_000)


def say(pilot: Pilot | None = None, economics: Any = None, **answers: Any) -> Advice:
    return advisor.ask(pilot=pilot, economics=economics, **answers)


def test_a_clear_pilot_leans_to_yes_and_a_bad_one_to_no() -> None:
    assert say(SURE, RICH, **STRONG).answer == "fine_tune"
    assert say(Pilot(0.3, 0.5, 2_000), RICH, **STRONG).answer == "do_not_fine_tune"
    assert say(None, RICH, **STRONG).answer == "not_yet"
    assert say(SURE, **STRONG).answer == "fine_tune"  # money unknown: better by the margin is what counts


def test_no_room_left_leans_to_no() -> None:
    found = say(kind="behaviour", prompted=0.98, prompted_by="optimised_prompt", examples=3_000)
    assert found.answer == "do_not_fine_tune"
    assert "less than" not in found.headline


def test_a_better_lead_that_is_too_dear_is_no() -> None:
    dear = replace(RICH, requests_per_month=100.0, usd_per_correct_answer=0.01)
    found = say(SURE, dear, **STRONG)
    assert found.lift.probability_better > 0.99
    assert found.answer == "do_not_fine_tune"


@pytest.mark.parametrize(
    ("changed", "answer", "says"),
    [
        ({"kind": "knowledge", "sources": ("documents",)}, "do_not_fine_tune", ".875"),
        ({"kind": "knowledge", "sources": ("none",)}, "not_yet", "documents that you do not have"),
        ({"prompted_by": "zero_shot"}, "not_yet", "strong prompt comes first"),
        ({"prompted_by": None}, "not_yet", "strong prompt comes first"),
        ({"kind": "tools"}, "not_yet", "function calling"),
        ({"examples": 20}, "not_yet", "20 examples are too few"),
    ],
)
def test_what_holds_a_yes_back(changed: Any, answer: str, says: str) -> None:
    found = say(SURE, RICH, **{**STRONG, **changed})
    assert found.answer == answer
    assert says in " ".join([found.headline, *(one.text for one in found.reasons)])


def test_on_top_of_rag_only_a_pilot_of_ones_own_decides() -> None:
    answers = {**STRONG, "kind": "knowledge", "prompted_by": "rag"}
    before = say(None, RICH, **answers)
    assert before.answer == "not_yet"
    assert "42.59" in before.reasons[0].text
    assert "fine_tuning_rag" in before.experiment.line
    assert say(SURE, RICH, **answers).answer == "fine_tune"


def test_unknown_everything_is_answered() -> None:
    found = say()
    assert found.answer == "not_yet"
    assert found.lift.high_90 - found.lift.low_90 > 0.5


def test_a_pilot_gives_the_prompted_score_where_none_was_given() -> None:
    assert say(SURE).situation.prompted == 0.5


@pytest.mark.parametrize("kind", [None, *KINDS])
@pytest.mark.parametrize("how", [None, "zero_shot", "rag"])
def test_every_answer_is_whole(kind: Any, how: str | None) -> None:
    answers: dict[str, Any] = {"kind": kind, "examples": 300, "changes": "weekly", "private": True, "size": "larger"}
    if how:
        answers |= {"prompted": 0.6, "prompted_by": how}
    found = say(**answers)
    assert found.disclaimer == DISCLAIMER
    assert 3 <= len(found.reasons) <= 6
    assert all(one.text.endswith(".") and one.source for one in found.reasons)
    assert found.try_first
    assert found.headline.startswith("Would lean to ")
    words = shlex.split(found.experiment.line)
    get_command(app).make_context("advisor", words[1:]).close()
    compare = get_command(app).commands["compare"]  # type: ignore[attr-defined]
    typed = compare.make_context("compare", words[2:]).params
    assert typed["limit"] == found.experiment.test_examples
    assert set(typed["strategy"]) <= {entry.name for entry in advisor.core.registry.names("strategies")}
    assert "nan" not in str(found).lower().split()


def test_the_test_is_as_large_as_the_margin_and_the_lead_ask() -> None:
    found = say(None, RICH, **STRONG)
    assert found.experiment.test_examples_for_margin == required_examples(0.02, 0.2)
    expected = max(found.lift.median, 0.02)
    assert found.experiment.test_examples == max(50, required_examples(expected, max(0.2, expected)))
    assert "says yes" in found.experiment.flips


def test_amounts_and_sizes_stand_in_the_line() -> None:
    economics = replace(RICH, requests_per_month=advisor.Range(5_000, 20_000))
    line = say(None, economics, **{**STRONG, "examples": 120}).experiment.line
    assert "--requests-per-month 5000..20000 --value-per-correct 1" in line
    assert "--train-limit 120" in line


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ({"prompted": 1.2}, ["prompted is 1.2", "0 to 1"]),
        ({"prompted": float("nan")}, ["prompted is nan"]),
        ({"examples": -1}, ["examples is -1"]),
        ({"examples": 2.5}, ["examples is 2.5"]),
        ({"kind": "formt"}, ["did you mean 'format'"]),
        ({"sources": ["documnts"]}, ["did you mean 'documents'"]),
        ({"kind": 3}, ["kind 3 is unknown"]),
        ({"knid": "format"}, ["no question 'knid'", "did you mean 'kind'"]),
        ({"ceiling": 0.0}, ["ceiling is 0"]),
        ({"prompted": 0.9, "ceiling": 0.8}, ["above the ceiling"]),
        ({"prompted_by": "rag"}, ["no score is given"]),
        ({"prompted": 0.5, "prompted_by": "rag", "sources": ["none"]}, ["needs documents"]),
        ({"sources": ["none", "tools"]}, ["'none' excludes"]),
    ],
)
def test_bad_answers_are_refused_in_a_sentence(answers: Any, says: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        advisor.ask(**answers)
    for text in says:
        assert text in str(caught.value)


def test_contradictory_money_is_refused() -> None:
    for economics, says in (
        (replace(RICH, requests_per_month=0.0), "nothing can pay"),
        (replace(RICH, usd_per_correct_answer=0.0), "worth nothing"),
    ):
        with pytest.raises(ConfigurationError, match=says):
            advisor.ask(economics=economics)
    with pytest.raises(ConfigurationError, match="is not below the ceiling"):
        advisor.ask(ceiling=0.02, economics=RICH)
    with pytest.raises(ConfigurationError, match="only one of the two prices"):
        Costs(usd_per_request=0.1)
    with pytest.raises(ConfigurationError, match="from 0 to 1e15"):
        Costs(training_usd=float("inf"))
    for tuned, n in ((1.1, 9), (0.5, 1)):
        with pytest.raises(ConfigurationError, match="pilot_"):
            Pilot(tuned=tuned, prompted=0.5, n=n)
