from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor._util import formats
from advisor.core.statement import say
from advisor.decision.verdict import DOMINANCE, NET_BENEFIT, decide
from advisor.economics.amounts import Range
from advisor.economics.inputs import Economics
from tests.decision.planted_evidence import FEW, TUNED, Plant, evidence
from tests.known import about, known

NETTED = Economics(requests_per_month=10_000, usd_per_correct_answer=0.01)
SLOW = replace(TUNED, seconds=2.0)


def answer(*plants: Any, economics: Any = None, **carries: Any) -> Any:
    return decide(evidence(*plants, economics=economics, **carries))


# --- by expected net benefit -----------------------------------------------------------------------------------------


def test_a_better_tuned_strategy_that_pays_is_a_yes() -> None:
    found = answer(FEW, TUNED, economics=NETTED)
    assert (found.answer, found.rule, found.recommended) == ("fine_tune", NET_BENEFIT, "fine_tuning")
    assert found.conclusion.key == "headline.brings_more"
    assert found.conclusion.values["gain_usd"] == pytest.approx(240.0, abs=0.5)


def test_a_better_tuned_strategy_that_never_pays_is_a_no() -> None:
    costly = replace(NETTED, engineering_hours=1000)
    found = answer(FEW, TUNED, economics=costly)
    assert (found.answer, found.recommended) == ("do_not_fine_tune", FEW.label)
    assert found.conclusion.key == "headline.other_pays"
    assert found.conclusion.values["gain_usd"] < 0.0
    assert "turn.value" in [point.key for point in found.turning_points]


def test_nothing_is_recommended_over_a_tuned_strategy_that_is_expected_to_bring_more() -> None:
    level = [Plant(f"other_{i}", 0.70, sd=0.04) for i in range(20)]
    case = evidence(FEW, *level, replace(TUNED, quality=0.71, sd=0.0), economics=replace(NETTED, usd_per_hour=0.0))
    assert known(case.money.probability_tuned_best) < 0.1
    assert case.money.expected_gain_usd.estimate > 0.0
    assert decide(case).answer == "not_yet"


def test_a_no_claims_only_what_was_drawn() -> None:
    level = [Plant(f"other_{i}", 0.70, sd=0.03) for i in range(9)]
    found = answer(FEW, *level, replace(TUNED, quality=0.69, sd=0.0), economics=NETTED)
    assert found.answer == "do_not_fine_tune"
    assert found.conclusion.key == "headline.other_pays"
    assert found.conclusion.values["instead"] == found.recommended
    assert found.conclusion.values["chance"] == 0.0


def test_a_toss_up_is_not_yet() -> None:
    found = answer(FEW, replace(TUNED, quality=0.602), economics=NETTED)
    assert (found.answer, found.recommended) == ("not_yet", FEW.label)
    assert found.conclusion.key == "headline.toss_up"


def test_a_lead_that_could_be_chance_is_withheld_even_if_it_would_pay() -> None:
    lucky = replace(TUNED, quality=0.63)
    found = answer(FEW, lucky, economics=NETTED)
    assert known(evidence(FEW, lucky, economics=NETTED).money.probability_tuned_best) > 0.9
    assert found.answer == "not_yet"
    assert found.conclusion.key == "headline.withheld"
    assert [one.key for one in found.conclusion.values["broken"]] == ["data.chance"]


def test_thresholds_are_the_users() -> None:
    toss = FEW, replace(TUNED, quality=0.62, seconds=0.1)
    cheap = replace(NETTED, requests_per_month=1_000_000, usd_per_correct_answer=1e-5)
    strict, loose = (answer(*toss, economics=replace(cheap, confidence=level)) for level in (0.999, 0.6))
    assert loose.answer == "fine_tune"
    assert strict.answer != "do_not_fine_tune"


# --- by dominance ----------------------------------------------------------------------------------------------------


def better_than(rival: Any, lead: Any) -> Any:
    return say("headline.better_and_not_dearer", tuned=TUNED.label, rival=rival, lead=about(lead))


def test_better_and_no_dearer_is_a_yes_without_any_amount() -> None:
    found = answer(FEW, TUNED)
    assert (found.answer, found.rule) == ("fine_tune", DOMINANCE)
    assert found.conclusion == better_than(FEW.label, 0.20)


def test_a_yes_speaks_of_the_best_other_way_and_not_of_a_free_floor() -> None:
    floor = replace(FEW, label="copy_input", quality=0.2, seconds=1e-6)
    close = replace(FEW, quality=TUNED.quality - 0.1, seconds=10 * FEW.seconds)
    found = answer(floor, close, TUNED)
    assert evidence(floor, close, TUNED).alternative == "copy_input"
    assert found.answer == "fine_tune"
    assert found.conclusion == better_than(FEW.label, 0.10)


def test_better_and_dearer_is_led_by_the_threshold() -> None:
    found = answer(FEW, SLOW)
    assert found.answer == "not_yet"
    usd = about(0.000417, abs=1e-5)
    assert found.conclusion == say("headline.needs_a_value", usd=usd, lead=None, once=False)
    assert found.action.what == say("next.state_amounts")
    assert "--value-per-correct" in found.action.command


def test_as_good_and_cheaper_needs_a_volume_that_pays_it_back() -> None:
    plants = FEW, replace(TUNED, quality=0.60, seconds=0.1, sd=0.005)
    pays, not_pays = (answer(*plants, economics=Economics(v, margin=0.05)) for v in (1e6, 1))
    assert answer(*plants, economics=Economics(margin=0.05)).answer == "not_yet"
    assert pays.answer == "fine_tune"
    assert not_pays.answer == "do_not_fine_tune"


def test_another_that_is_as_good_and_no_dearer_is_a_no() -> None:
    found = answer(FEW, replace(TUNED, quality=0.58, sd=0.005))
    assert (found.answer, found.recommended) == ("do_not_fine_tune", FEW.label)
    assert found.conclusion.key in ("headline.other_is_as_good", "headline.other_is_better")
    assert found.conclusion.values["instead"] == FEW.label


def test_the_margin_counts() -> None:
    plants = FEW, replace(TUNED, quality=0.66)
    assert answer(*plants).answer == "fine_tune"
    assert answer(*plants, economics=Economics(margin=0.06)).answer == "not_yet"
    assert answer(*plants, economics=Economics(margin=0.10)).answer == "do_not_fine_tune"


def test_it_must_beat_all_others_together_and_not_each_alone() -> None:
    rivals = [Plant(f"few_shot(k={k})", 0.70, sd=0.03) for k in range(1, 9)]
    tuned = replace(TUNED, quality=0.765, sd=0.0)
    case = evidence(*rivals, tuned)
    alone = min(float((case.gap(rival.label) > 0.02).mean()) for rival in rivals)
    assert alone > 0.9
    assert case.money.dominance.better < 0.9
    assert decide(case).answer == "not_yet"


def test_a_free_floor_does_not_make_tuning_dear() -> None:
    assert answer(FEW, Plant("majority", 0.2, seconds=0.0, calls=0, kind="floor"), TUNED).answer == "fine_tune"


def test_a_difference_that_is_not_real_is_never_called_better() -> None:
    case = evidence(FEW, TUNED)
    chance = replace(case, differences=tuple(replace(d, real=False) for d in case.differences))
    found = decide(chance)
    assert found.answer == "not_yet"
    assert [one.values["real"] for one in found.grounds if one.key == "reason.quality"] == [False]


def test_an_unknown_price_is_asked_for() -> None:
    case = evidence(FEW, TUNED, economics=NETTED, model="http://host/v1#m")
    found = decide(case)
    assert (found.answer, found.rule) == ("not_yet", DOMINANCE)
    assert found.conclusion == say("headline.price_unknown", tuned=TUNED.label, other=FEW.label)
    assert found.action.what == say("next.state_prices", file="")
    assert found.action.command.endswith("--config comparison.yaml")


# --- guards, failures, next steps ------------------------------------------------------------------------------------


def test_a_weak_baseline_withholds_and_names_the_line_to_type() -> None:
    found = answer(FEW, TUNED, economics=NETTED, docs=True)
    assert found.answer == "not_yet"
    assert found.recommended == FEW.label
    line = (
        "advisor compare 'support tickets' --model smollm2 --strategy rag --strategy 'few_shot(k=8)' --strategy fine_t"
    )
    assert found.action.what == say("next.run", names=("rag",))
    assert found.action.command.startswith(line)


@pytest.mark.parametrize("economics", [None, NETTED])
def test_missing_outcomes_block_both_answers(economics: Any) -> None:
    yes = answer(FEW, replace(TUNED, failed=40), economics=economics)
    no = answer(replace(FEW, failed=20), replace(TUNED, quality=0.5), economics=economics)
    assert (yes.answer, no.answer) == ("not_yet", "not_yet")
    assert yes.action.what == say("next.run_again")
    assert [one.key for one in no.conclusion.values["broken"]] == ["missing.too_many"]


def test_a_weak_baseline_does_not_stop_a_no() -> None:
    assert answer(Plant("zero_shot", 0.6), replace(TUNED, quality=0.5)).answer == "do_not_fine_tune"


def test_without_a_tuned_strategy_the_next_step_is_to_run_one() -> None:
    found = answer(FEW, Plant("zero_shot", 0.4), economics=NETTED)
    assert (found.answer, found.recommended) == ("not_yet", FEW.label)
    assert found.action.what == say("next.run_tuned")
    assert found.action.command.startswith("advisor compare 'support tickets'")
    assert "--strategy fine_tuning --requests-per-month 10000" in found.action.command
    assert 3 <= len(found.grounds) <= 6


def test_a_tuned_strategy_alone_has_nothing_to_be_held_against() -> None:
    found = answer(TUNED)
    assert (found.answer, found.recommended) == ("not_yet", "fine_tuning")
    assert "--strategy few_shot" in found.action.command


def test_one_seed_has_another_among_its_steps() -> None:
    case = evidence(FEW, replace(TUNED, quality=0.61, seeds=(0,)), economics=NETTED)
    assert decide(case).answer == "not_yet"
    assert any(step.name == "seed" and "--seeds 2" in step.command for step in case.information.steps)


def test_a_range_that_decides_is_asked_for_more_closely() -> None:
    found = answer(FEW, SLOW, economics=Economics(1_000_000, Range(1e-5, 1e-2)))
    assert found.answer == "not_yet"
    assert found.action.what.key == "next.best"
    assert found.action.what.values["decides"] is not None


def test_the_flip_points_come_nearest_first_and_with_what_the_user_said() -> None:
    found = answer(FEW, SLOW, economics=Economics(10_000, 0.001))
    assert found.answer == "fine_tune"
    points = {point.key: point.values for point in found.turning_points}
    assert points["turn.value"] == {"at": pytest.approx(0.000417, abs=1e-5), "above": True, "yours": (0.001,)}
    turning = {flip.name: flip.distance for flip in found.flips if flip.flip is not None}
    assert found.turning_points[0].key == "turn.price"
    assert turning["price"] == min(turning.values())
    assert points["turn.lead"]["at"] == pytest.approx(0.084, abs=0.005)


@settings(max_examples=40)
@given(q=st.floats(0.0, 1.0), seconds=st.floats(0.0, 50.0), volume=st.sampled_from([None, 0, 10, 1e5, Range(10, 1e6)]),
       value=st.sampled_from([None, 0, 1e-4, 0.1, Range(0.01, 1)]), sd=st.sampled_from([0.0, 0.01, 0.1]),
       docs=st.booleans(), model=st.sampled_from(["smollm2", "openai:gpt-4.1-mini", "http://host/v1#m"]))  # fmt: skip
def test_every_verdict_is_complete_and_readable(
    q: float, seconds: float, volume: Any, value: Any, sd: float, docs: bool, model: str
) -> None:
    plants = replace(FEW, sd=sd), replace(TUNED, quality=q, seconds=seconds, sd=sd)
    found = decide(evidence(*plants, economics=Economics(volume, value), model=model, docs=docs))
    assert 3 <= len(found.grounds) <= 6
    assert found.turning_points
    assert found.action.command.startswith("advisor compare ")
    assert found.recommended in (FEW.label, TUNED.label)
    assert found.answer != "fine_tune" or not docs
    for sentence in (found.headline, *found.reasons, *found.would_flip, found.next_step):
        assert re.search(r"\bnan\b", sentence) is None
        assert "None of" in sentence or "None" not in sentence
        assert "–" not in sentence
    for reason in found.reasons:
        assert any(character.isdigit() for character in reason)


# --- wording ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "expected"), [
    (formats.per_100(0.0031), "31 cents per 100"), (formats.per_100(0.042), "$4.20 per 100"),
    (formats.per_100(0.00042), "4.2 cents per 100"), (formats.per_100(0.0001), "1.0 cents per 100"),
    (formats.per_100(None), "–"), (formats.usd(0.0031), "$0.0031"), (formats.usd(-5), "-$5.00"),
    (formats.usd(1234.5), "$1,234"), (formats.usd(0), "$0"), (formats.usd(math.inf), "no limit"),
    (formats.count(1742), "1,742"), (formats.points(0.042), "4.2 points"), (formats.points(-0.01), "-1 point"),
    (formats.points(0.0004), "less than 0.1 points"), (formats.points(0), "0 points"), (formats.points(None), "–"),
    (formats.percent(0.999), ">99%"), (formats.percent(0.001), "<1%"), (formats.percent(1), "100%"),
    (formats.months(1), "1 month"), (formats.months(250.4), "250 months"), (formats.usd(1e-12), "<$0.000001"),
])  # fmt: skip
def test_figures_read_well(text: Any, expected: str) -> None:
    assert text == expected
