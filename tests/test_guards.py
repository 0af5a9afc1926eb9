from __future__ import annotations

from dataclasses import replace

import pytest
from planted_evidence import FEW, TUNED, Plant, evidence

from advisor.costs import Economics
from advisor.guards import NOT_CHECKED, check_guards, enough_data, nothing_missing, owed_baselines, strong_baseline

RAG, CALLS = Plant("rag", 0.55, kind="rag"), Plant("function_calling", 0.5, kind="tools")
ZERO = Plant("zero_shot", 0.4)
EQUAL = replace(TUNED, quality=0.61)


@pytest.mark.parametrize(("plants", "carries", "owed"), [
    ((FEW, TUNED), {}, ()),
    ((ZERO, TUNED), {}, ("few_shot",)),
    ((FEW, TUNED), {"docs": True}, ("rag",)),
    ((FEW, RAG, TUNED), {"docs": True, "tools": True}, ("function_calling",)),
    ((FEW, RAG, CALLS, TUNED), {"docs": True, "tools": True}, ()),
    ((FEW, replace(RAG, label="mine.py:Lookup"), TUNED), {"docs": True}, ()),
    ((replace(FEW, label="few_shot"), TUNED), {}, ()),
])  # fmt: skip
def test_the_baselines_that_are_owed(plants, carries, owed):
    case = evidence(*plants, **carries)
    assert owed_baselines(case) == owed
    assert strong_baseline(case).state == ("fail" if owed else "pass")


def test_a_baseline_that_could_not_be_scored_is_owed_too():
    case = evidence(FEW, ZERO, TUNED)
    broken = tuple(replace(s, quality=None) if s.label == FEW.label else s for s in case.strategies)
    assert owed_baselines(replace(case, strategies=broken)) == ("few_shot",)


def test_a_tuned_strategy_is_no_baseline_for_itself():
    assert owed_baselines(evidence(FEW, replace(TUNED, label="fine_tuning_rag", kind="rag"), docs=True)) == ("rag",)


def test_a_real_difference_is_enough_and_the_limits_of_the_test_set_are_said():
    found = enough_data(evidence(FEW, TUNED))
    assert found.state == "pass"
    assert "from 5.6 points on" in found.finding
    assert "2 points can go unseen" in found.finding


def test_a_gain_that_rests_on_a_difference_that_could_be_chance_fails():
    assert enough_data(evidence(FEW, EQUAL)).state == "fail"


def test_a_dear_rival_does_not_excuse_a_lead_over_the_alternative_that_could_be_chance():
    dear = Plant("rag", 0.68, seconds=40.0, kind="rag", sd=0.0)
    lucky = replace(TUNED, quality=0.62, sd=0.0)
    found = evidence(FEW, dear, lucky, economics=Economics(1e6, 0.001))
    assert (found.alternative, found.money.dominance.contenders) == (FEW.label, ("rag",))
    assert found.money.probability_tuned_best >= 0.9
    assert enough_data(found).state == "fail"


def test_a_gain_that_rests_on_cost_alone_does_not_need_a_difference():
    case = evidence(FEW, replace(EQUAL, seconds=0.1), economics=Economics(requests_per_month=100_000))
    assert enough_data(case).state == "unknown"
    assert enough_data(replace(case, economics=Economics(100_000, margin=0.06))).state == "pass"


@pytest.mark.parametrize(("failed", "state"), [(0, "pass"), (5, "pass"), (6, "fail"), (500, "fail")])
def test_more_than_one_percent_missing_fails(failed, state):
    assert nothing_missing(evidence(replace(FEW, failed=failed), TUNED)).state == state


def test_failures_are_counted_over_all_seeds():
    assert nothing_missing(evidence(FEW, replace(TUNED, failed=10))).state == "pass"
    assert nothing_missing(evidence(FEW, replace(TUNED, failed=11))).state == "fail"


def test_a_strategy_nothing_rests_on_may_fail():
    assert nothing_missing(evidence(FEW, TUNED, Plant("my_rules", 0.1, kind="custom", failed=400))).state == "pass"


def test_what_is_not_checked_is_unknown_and_never_passing():
    states = {guard.name: guard for guard in check_guards(evidence(FEW, TUNED))}
    assert {states[name].state for name in NOT_CHECKED} == {"unknown"}
    assert {states[name].finding for name in NOT_CHECKED} == {"not checked in this version"}
