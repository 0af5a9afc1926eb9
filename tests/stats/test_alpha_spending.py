from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor._util import formats
from advisor.core.errors import ConfigurationError
from advisor.core.statement import Value, say
from advisor.decision.comparison import Comparison, compare_runs, look_note
from advisor.decision.evidence import Verdict
from advisor.decision.verdict import decide
from advisor.economics.inputs import Economics
from advisor.stats.alpha_spending import budget_share, chance_needed, error_of_differences, surely
from tests.decision.planted_evidence import FEW, TUNED, evidence
from tests.known import about

NETTED = Economics(requests_per_month=10_000, usd_per_correct_answer=0.01)


# --- the budget ------------------------------------------------------------------------------------------------------


def test_the_first_look_spends_half_and_all_looks_together_the_whole() -> None:
    assert budget_share(1) == 0.5
    assert sum(budget_share(k) for k in range(1, 100_001)) == pytest.approx(1.0, abs=1e-4)
    assert sum(budget_share(k) for k in range(1, 100_001)) < 1.0


@pytest.mark.parametrize(("look", "tuned", "needed"), [(1, 1, 0.975), (1, 4, 0.99375), (3, 1, 1 - 0.05 / 12)])
def test_the_figures_of_the_documentation(look: int, tuned: int, needed: float) -> None:
    assert chance_needed(0.90, 0.05, look=look, tuned=tuned) == pytest.approx(needed)


def test_whoever_wants_to_be_surer_still_is() -> None:
    assert chance_needed(0.99, 0.05) == 0.99
    assert chance_needed(0.60, 0.4) == pytest.approx(0.8)


@given(st.integers(1, 50), st.integers(1, 9), st.floats(0.51, 0.999), st.floats(0.001, 0.49))
def test_a_later_look_and_more_tuned_strategies_never_need_less(k: int, m: int, sure: float, budget: float) -> None:
    needed = chance_needed(sure, budget, look=k, tuned=m)
    assert sure <= needed < 1.0
    assert chance_needed(sure, budget, look=k + 1, tuned=m) >= needed
    assert chance_needed(sure, budget, look=k, tuned=m + 1) >= needed


def test_differences_are_held_to_twice_the_one_sided_share() -> None:
    assert error_of_differences(0.05) == pytest.approx(0.05)
    assert error_of_differences(0.05, look=2) == pytest.approx(0.05 / 3)
    assert error_of_differences(0.4) == pytest.approx(0.05)  # never looser than the intervals that are printed


def test_few_draws_are_no_certainty() -> None:
    assert surely(0.975, 10_000, 0.9749)
    assert not surely(1.0, 20, 0.975)
    assert surely(1.0, 39, 0.975)
    assert not surely(None, 10_000, 0.5)


@pytest.mark.parametrize("budget", [0.0, 0.5, -0.1, float("nan")])
def test_an_impossible_budget_is_refused_by_name(budget: float) -> None:
    with pytest.raises(ConfigurationError, match="false_yes"):
        Economics(false_yes=budget)


# --- what a verdict makes of it --------------------------------------------------------------------------------------


def needed(verdict: Verdict) -> Value:
    """What the chances are held against."""
    return next(one.values["needed"] for one in verdict.grounds if "needed" in one.values)


def test_ninety_percent_no_longer_is_a_yes() -> None:
    close = replace(TUNED, quality=0.64, sd=0.01)
    case = evidence(FEW, close)  # 2 points over the margin, at a standard deviation of 1.4
    assert case.money.dominance is not None
    assert 0.90 < (case.money.dominance.better or 0.0) < 0.975
    assert decide(case).answer == "not_yet"
    assert decide(evidence(FEW, close, economics=Economics(false_yes=0.2))).answer == "fine_tune"


def test_a_later_look_and_several_tuned_ones_withhold_what_a_first_look_allows() -> None:
    close = replace(TUNED, quality=0.652, sd=0.01)
    case = evidence(FEW, close)
    assert decide(case).answer == "fine_tune"
    later = decide(replace(case, looks=3))
    assert later.answer == "not_yet"
    assert needed(later) == say("reason.needed", yes=about(0.99583, abs=1e-5), no=0.9, netted=False, look=3)
    several = [replace(close, label=f"tuned_{i}", quality=0.60) for i in range(5)]
    assert decide(evidence(FEW, close, *several)).answer == "not_yet"


def test_the_net_benefit_rule_is_held_to_it_too() -> None:
    close = replace(TUNED, quality=0.627)
    case = evidence(FEW, close, economics=NETTED)
    assert 0.90 < (case.money.probability_tuned_best or 0.0) < 0.975
    found = decide(case)
    assert found.answer == "not_yet"
    assert (found.conclusion.key, found.conclusion.values["needed"]) == ("headline.toss_up", 0.975)
    assert needed(found) == say("reason.needed", yes=0.975, no=0.9, netted=True, look=1)


def test_a_no_keeps_the_confidence_alone() -> None:
    case = evidence(FEW, replace(TUNED, quality=0.60, sd=0.008))
    assert case.money.dominance is not None
    assert 0.90 < (case.money.dominance.needless or 0.0) < 0.99
    assert {decide(replace(case, looks=k)).answer for k in (1, 2, 9)} == {"do_not_fine_tune"}


# --- looks -----------------------------------------------------------------------------------------------------------


def compared(*looked: int) -> Comparison:
    import numpy as np

    from advisor.testing.selftest.settings import Setting, Simulated
    from advisor.testing.selftest.worlds import evalset_of, simulate

    arms = (Simulated("few_shot"), Simulated("fine_tuning", 0.1, tuned=True))
    runs = simulate(Setting("", arms, {}, n=300), np.random.default_rng(1))
    return compare_runs(runs, evalset_of(300, 1), Economics(), draws=500, earlier_looks=looked)


def test_a_later_look_widens_the_leads_and_says_so() -> None:
    first, third = compared(), compared(100, 200, 200)
    assert (first.looks, third.looks) == (1, 3)
    one, other = first.differences[0], third.differences[0]
    assert one.interval == other.interval
    assert other.simultaneous.low < one.simultaneous.low
    assert (one.simultaneous.level, other.simultaneous.level) == (0.95, about(1 - 0.1 / 12))
    assert (other.detectable or 0) > (one.detectable or 0)
    assert first.notes == ()
    assert third.notes == (
        "Third look at a growing test set (100 and 200 test examples before): a yes needs 99.58% instead of 97.5%, and "
        "the brackets of the leads are wider, so that looking often does not make a false yes likelier.",
    )
    assert first.id != third.id


def test_the_note_names_wider_brackets_only_where_they_are() -> None:
    close = replace(TUNED, quality=0.652, sd=0.01)
    [wider] = look_note(replace(evidence(FEW, close), looks=2), (100,))
    [same] = look_note(replace(evidence(FEW, close, economics=Economics(false_yes=0.4)), looks=3), (100, 200))
    assert "the brackets of the leads are wider" in wider
    assert error_of_differences(0.4, look=3) == pytest.approx(error_of_differences(0.4)) == pytest.approx(0.05)
    assert "brackets" not in same


def test_a_first_look_has_no_note() -> None:
    assert look_note(evidence(FEW, TUNED), ()) == ()


@pytest.mark.parametrize(("value", "text"), [(0.9, "90%"), (0.975, "97.5%"), (0.99375, "99.37%"), (0.99999, "99.99%")])
def test_what_is_needed_is_never_rounded_up(value: float, text: str) -> None:
    assert formats.level(value) == text


@pytest.mark.parametrize(("number", "text"), [(2, "second"), (6, "6th"), (21, "21st"), (112, "112th"), (23, "23rd")])
def test_ordinals(number: int, text: str) -> None:
    assert formats.ordinal(number) == text
