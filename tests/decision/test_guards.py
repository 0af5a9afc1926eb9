from __future__ import annotations

import shlex
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from advisor.core.statement import say
from advisor.core.types import Outcome
from advisor.decision.findings import Findings, Probe
from advisor.decision.guards import (
    answers_complete,
    enough_data,
    judge_guards,
    nothing_missing,
    owed_baselines,
    strong_baseline,
)
from advisor.decision.verdict import decide
from advisor.economics.inputs import Economics
from tests.decision.planted_evidence import FEW, SEARCHED, TUNED, Plant, asked, evidence
from tests.known import about, known

RAG, CALLS = Plant("rag", 0.55, kind="rag"), Plant("function_calling", 0.5, kind="tools")
ZERO = Plant("zero_shot", 0.4)
EQUAL = replace(TUNED, quality=0.61)


PLAIN = replace(FEW, selection={})
OPTIMISED = Plant("optimised_prompt", 0.6, selection=SEARCHED)
HELD = replace(PLAIN, label="few_shot(constrained=true)")


@pytest.mark.parametrize(("plants", "carries", "owed"), [
    ((PLAIN, OPTIMISED, TUNED), {}, ()),
    ((FEW, TUNED), {}, ()),
    ((PLAIN, TUNED), {}, ("optimised_prompt",)),
    ((OPTIMISED, TUNED), {}, ("few_shot",)),
    ((ZERO, TUNED), {}, ("few_shot", "optimised_prompt")),
    ((PLAIN, replace(OPTIMISED, label="mine.py:Search"), TUNED), {}, ()),
    ((PLAIN, replace(OPTIMISED, label="mine.py:Search", selection={"budget": 7}), TUNED), {}, ()),
    ((PLAIN, replace(OPTIMISED, kind="fine_tuning"), TUNED), {}, ("optimised_prompt",)),
    ((PLAIN, replace(OPTIMISED, selection={}), TUNED), {}, ("optimised_prompt",)),
    ((PLAIN, replace(OPTIMISED, selection={**SEARCHED, "budget": 203}), TUNED), {}, ("optimised_prompt",)),
    ((PLAIN, replace(OPTIMISED, selection={**SEARCHED, "budget": 204}), TUNED), {}, ()),
    ((FEW, TUNED), {"docs": True}, ("rag",)),
    ((FEW, RAG, TUNED), {"docs": True, "tools": True}, ("function_calling",)),
    ((FEW, RAG, CALLS, TUNED), {"docs": True, "tools": True}, ()),
    ((FEW, replace(RAG, label="mine.py:Lookup"), TUNED), {"docs": True}, ()),
    ((replace(FEW, label="few_shot"), TUNED), {}, ()),
    ((FEW, TUNED), {"schema": True}, ("few_shot(constrained=true)",)),
    ((FEW, HELD, TUNED), {"schema": True}, ()),
    ((FEW, replace(HELD, label="zero_shot(constrained=true)"), TUNED), {"schema": True}, ()),
    ((FEW, replace(HELD, kind="fine_tuning", tuned=True), TUNED), {"schema": True}, ("few_shot(constrained=true)",)),
    ((replace(FEW, selection={**SEARCHED, "constrained_tried": True}), TUNED), {"schema": True}, ()),
    ((replace(FEW, selection={**SEARCHED, "constrained_tried": False}), TUNED), {"schema": True},
     ("few_shot(constrained=true)",)),
])  # fmt: skip
def test_the_baselines_that_are_owed(plants: Any, carries: Any, owed: Any) -> None:
    case = evidence(*plants, **carries)
    assert owed_baselines(case) == owed
    found = strong_baseline(case)
    assert found.state == ("fail" if owed else "pass")
    assert found.found.values.get("missing", ()) == owed
    assert (found.action is not None) == bool(owed)
    assert found.action is None or all(name in strategies_of(found.action.command) for name in owed)
    assert found.method == say("baseline.how")


def strategies_of(command: Any) -> Any:
    return [name for flag, name in pairwise(shlex.split(command)) if flag == "--strategy"]


def test_the_constrained_probe_of_a_prompting_strategy_counts() -> None:
    outcome = Outcome("t1", "{}", 1.0)
    case = evidence(FEW, TUNED, schema=True)
    for label, outcomes, owed in (
        (FEW.label, (outcome,), ()),
        (FEW.label, (), ("few_shot(constrained=true)",)),
        (TUNED.label, (outcome,), ("few_shot(constrained=true)",)),
    ):
        probed = replace(case, findings=Findings(probes=(Probe("constrained", label, 0, outcomes),)))
        assert owed_baselines(probed) == owed


def test_both_budgets_are_said() -> None:
    found = strong_baseline(evidence(PLAIN, OPTIMISED, TUNED)).found
    budget = say("baseline.budget", label="optimised_prompt", calls=300, tuning_calls=204)
    assert found == say("baseline.held", against=("few_shot(k=8)", "optimised_prompt"), budgets=(budget,))
    small = strong_baseline(evidence(PLAIN, replace(OPTIMISED, selection={**SEARCHED, "budget": 10}), TUNED))
    budget = say("baseline.small_budget", label="optimised_prompt", calls=10, tuning_calls=204)
    assert small.found == say("baseline.missing", scored=1, owed=2, missing=("optimised_prompt",), budgets=(budget,))


def test_the_line_to_type_keeps_the_baselines_that_are_there() -> None:
    found = strong_baseline(evidence(PLAIN, RAG, TUNED, docs=True))
    assert strategies_of(found.action.command) == ["optimised_prompt", "few_shot(k=8)", "rag", "fine_tuning"]


def test_a_baseline_that_could_not_be_scored_is_owed_too() -> None:
    case = evidence(FEW, ZERO, TUNED)
    broken = tuple(replace(s, quality=None) if s.label == FEW.label else s for s in case.strategies)
    assert owed_baselines(replace(case, strategies=broken)) == ("few_shot", "optimised_prompt")


def test_a_tuned_strategy_is_no_baseline_for_itself() -> None:
    assert owed_baselines(evidence(FEW, replace(TUNED, label="fine_tuning_rag", kind="rag"), docs=True)) == ("rag",)


def test_a_real_difference_is_enough_and_the_limits_of_the_test_set_are_said() -> None:
    found = enough_data(evidence(FEW, TUNED))
    assert found.state == "pass"
    assert found.found == say("data.real", n=500, lead=about(0.2), other=FEW.label)
    small = enough_data(evidence(FEW, replace(EQUAL, quality=0.60, sd=0.02)))
    assert small.found == say("data.shows", n=500, detectable=0.056, margin=0.02)


def test_a_gain_that_rests_on_a_difference_that_could_be_chance_fails() -> None:
    assert enough_data(evidence(FEW, EQUAL)).state == "fail"


def test_a_dear_rival_does_not_excuse_a_lead_over_the_alternative_that_could_be_chance() -> None:
    dear = Plant("rag", 0.68, seconds=40.0, kind="rag", sd=0.0)
    lucky = replace(TUNED, quality=0.62, sd=0.0)
    found = evidence(FEW, dear, lucky, economics=Economics(1e6, 0.001))
    assert (found.alternative, found.money.dominance.contenders) == (FEW.label, ("rag",))
    assert known(found.money.probability_tuned_best) >= 0.9
    assert enough_data(found).state == "fail"


def test_a_gain_that_rests_on_cost_alone_does_not_need_a_difference() -> None:
    case = evidence(FEW, replace(EQUAL, seconds=0.1), economics=Economics(requests_per_month=100_000))
    assert enough_data(case).state == "unknown"
    assert enough_data(asked(case, economics=Economics(100_000, margin=0.06))).state == "pass"


@pytest.mark.parametrize(("failed", "state"), [(0, "pass"), (5, "pass"), (6, "fail"), (500, "fail")])
def test_more_than_one_percent_missing_fails(failed: int, state: str) -> None:
    assert nothing_missing(evidence(replace(FEW, failed=failed), TUNED)).state == state


def test_failures_are_counted_over_all_seeds() -> None:
    assert nothing_missing(evidence(FEW, replace(TUNED, failed=10))).state == "pass"
    assert nothing_missing(evidence(FEW, replace(TUNED, failed=11))).state == "fail"


@pytest.mark.parametrize(("cut", "state"), [(0, "pass"), (5, "pass"), (6, "fail"), (500, "fail")])
def test_more_than_one_percent_of_cut_answers_fails(cut: int, state: str) -> None:
    guard = answers_complete(evidence(replace(FEW, cut=cut), TUNED))
    assert guard.state == state
    assert ("--max-answer-tokens 2048" in guard.remedy) == (state == "fail")


def test_cut_answers_withhold_a_yes_and_a_no_and_the_next_step_gives_them_room() -> None:
    economics = Economics(requests_per_month=100_000, usd_per_correct_answer=1.0)
    for plants in ((FEW, TUNED), (replace(FEW, quality=0.9), TUNED)):
        whole = decide(evidence(*plants, economics=economics))
        cut = decide(evidence(plants[0], replace(plants[1], cut=40), economics=economics))
        assert (whole.answer in ("fine_tune", "do_not_fine_tune"), cut.answer) == (True, "not_yet")
        assert "answers cut off for want of room: fine_tuning 4%" in cut.headline
        assert "--max-answer-tokens" in cut.next_step


def test_a_no_stands_where_only_the_others_were_cut() -> None:
    economics = Economics(requests_per_month=100_000, usd_per_correct_answer=1.0)
    other = replace(FEW, quality=0.9, cut=40)
    found = decide(evidence(other, TUNED, economics=economics))
    assert found.answer == "do_not_fine_tune"
    assert "--max-answer-tokens" not in found.next_step


def test_a_strategy_nothing_rests_on_may_be_cut() -> None:
    assert answers_complete(evidence(FEW, TUNED, Plant("my_rules", 0.1, kind="custom", cut=400))).state == "pass"


def test_a_strategy_nothing_rests_on_may_fail() -> None:
    assert nothing_missing(evidence(FEW, TUNED, Plant("my_rules", 0.1, kind="custom", failed=400))).state == "pass"


def test_what_was_not_looked_at_is_unknown_and_never_passing() -> None:
    states = {guard.name: guard.state for guard in judge_guards(evidence(FEW, TUNED))}
    looked_at = {"strong baseline", "retrieval worked", "enough data", "nothing missing", "answers complete"}
    assert {state for name, state in states.items() if name not in looked_at} == {"unknown"}
