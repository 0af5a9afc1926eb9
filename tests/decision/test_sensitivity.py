"""The tornado: every end and every flip point is what the whole money formula says with that input changed."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.core.statement import say
from advisor.decision.sensitivity import flips
from advisor.decision.verdict import decide
from advisor.economics.amounts import Range
from advisor.economics.inputs import Economics
from tests.decision.planted_evidence import FEW, TUNED, draws_of, evidence, summary, weigh

SLOW = replace(TUNED, seconds=2.0)
FULL = Economics(
    requests_per_month=10_000, usd_per_correct_answer=0.001, usd_per_hour=0.1, usd_per_label=0.002,
    engineering_hours=0.05, retrains_per_year=2.0,
)  # fmt: skip
FIELDS = {
    "value": "usd_per_correct_answer", "volume": "requests_per_month", "horizon": "horizon_months",
    "labels": "usd_per_label", "engineering": "engineering_hours", "retraining": "retrains_per_year",
}  # fmt: skip


def gain(plants: Any, economics: Any) -> Any:
    summaries = [summary(p) for p in plants]
    found = weigh(draws_of(*plants), summaries, economics, "smollm2", np.random.default_rng(1))
    return found.expected_gain_usd.estimate


def by_name(found: Any) -> Any:
    return {flip.name: flip for flip in found}


@pytest.mark.parametrize(("name", "field"), FIELDS.items())
def test_ends_and_flip_point_are_those_of_the_whole_formula(name: Any, field: Any) -> None:
    flip = by_name(flips(evidence(FEW, SLOW, economics=FULL)))[name]
    for at, expected in ((flip.low, flip.gain_low), (flip.high, flip.gain_high), (flip.flip, 0.0)):
        assert gain((FEW, SLOW), replace(FULL, **{field: at})) == pytest.approx(expected, abs=1e-6)


def test_the_price_of_this_machine_moves_requests_fit_and_retraining() -> None:
    flip = by_name(flips(evidence(FEW, SLOW, economics=FULL)))["price"]
    for factor, expected in ((0.5, flip.gain_low), (2.0, flip.gain_high), (flip.flip, 0.0)):
        assert gain((FEW, SLOW), replace(FULL, usd_per_hour=0.1 * factor)) == pytest.approx(expected, abs=1e-6)


def test_the_lead_at_which_tuning_breaks_even() -> None:
    flip = by_name(flips(evidence(FEW, SLOW, economics=FULL)))["lead"]
    at = replace(SLOW, quality=FEW.quality + flip.flip)
    assert gain((FEW, at), FULL) == pytest.approx(0.0, abs=0.05)  # the draws of quality are not quite at their means
    assert flip.now == pytest.approx(0.20)
    assert flip.gain_low < flip.gain_high


def test_one_off_cost_flips_where_the_gain_is_used_up() -> None:
    found = by_name(flips(evidence(FEW, SLOW, economics=FULL)))
    assert found["one_off"].flip == pytest.approx(found["one_off"].now + gain((FEW, SLOW), FULL))


def test_the_largest_swing_comes_first_and_ranges_move_between_their_ends() -> None:
    economics = replace(FULL, usd_per_correct_answer=Range(1e-5, 1e-2))
    found = flips(evidence(FEW, SLOW, economics=economics))
    swings = [flip.swing for flip in found]
    assert swings == sorted(swings, reverse=True)
    assert found[0].name == "value"
    assert (found[0].low, found[0].high) == (1e-5, 1e-2)


def test_what_is_nothing_now_is_moved_to_a_plain_example() -> None:
    found = by_name(flips(evidence(FEW, TUNED, economics=Economics(10_000, 0.01))))
    assert (found["labels"].now, found["labels"].high) == (0.0, 1.0)
    assert found["labels"].gain_high == pytest.approx(found["labels"].gain_low - 400)
    assert found["engineering"].flip == pytest.approx(gain((FEW, TUNED), Economics(10_000, 0.01)) / 100)


def test_without_a_value_only_break_even_points_and_margins_are_known() -> None:
    found = by_name(flips(evidence(FEW, SLOW)))
    assert found["value"].flip == pytest.approx(0.000417, abs=1e-5)
    assert (found["value"].now, found["value"].gain_low) == (None, None)
    assert {"margin", "margin_needless"} <= set(found)
    assert all(flip.swing == 0.0 for flip in found.values())


def test_every_flip_point_is_a_turning_point() -> None:
    case = evidence(FEW, SLOW, economics=FULL)
    verdict = decide(case)
    assert len(verdict.turning_points) == sum(flip.flip is not None for flip in verdict.flips) == 9
    above = {point.values.get("name", point.key): point.values.get("above") for point in verdict.turning_points}
    assert (above["horizon"], above["engineering"], above["retraining"]) == (True, False, False)


@settings(max_examples=25)
@given(q=st.floats(0.0, 1.0), seconds=st.floats(0.0, 50.0), volume=st.sampled_from([None, 0, 1e5, Range(10, 1e6)]),
       value=st.sampled_from([None, 0, 1e-3, Range(0.01, 1)]), hours=st.sampled_from([0.0, 3.0]))  # fmt: skip
def test_no_figure_is_infinite_or_undefined(q: float, seconds: float, volume: Any, value: Any, hours: float) -> None:
    plants = replace(FEW, sd=0.02), replace(TUNED, quality=q, seconds=seconds)
    for flip in flips(evidence(*plants, economics=Economics(volume, value, engineering_hours=hours))):
        for figure in (flip.now, flip.low, flip.high, flip.gain_low, flip.gain_high, flip.flip):
            assert figure is None or math.isfinite(figure)


def test_a_margin_flips_nothing_where_the_cost_condition_fails() -> None:
    dear = evidence(FEW, replace(TUNED, quality=0.66, seconds=5.0))  # better, and ten times as dear in every draw
    found = by_name(flips(dear))
    assert found["margin"].flip is None, "no margin makes a dearer one a yes"
    assert found["margin_needless"].flip > 0.06, "it is the alternative that is cheap"
    cheap = evidence(replace(FEW, seconds=50.0), replace(TUNED, quality=0.66))
    found = by_name(flips(cheap))
    assert found["margin"].flip > 0.0
    assert found["margin_needless"].flip is None, "no margin makes a dearer alternative enough"


def test_the_margin_that_flips_it_is_the_one_at_which_the_answer_turns() -> None:
    plants = FEW, replace(TUNED, quality=0.70, seconds=0.4)
    at = by_name(flips(evidence(*plants)))["margin"].flip
    below, above = (decide(evidence(*plants, economics=Economics(margin=m))).answer for m in (at - 0.002, at + 0.002))
    assert (below, above) == ("fine_tune", "not_yet")


CHEAPER_AND_WORSE = replace(FEW, seconds=50.0, quality=0.70, sd=0.004), replace(TUNED, quality=0.67, sd=0.004)


def test_a_cheaper_and_slightly_worse_tune_pays_below_a_value_and_from_a_margin_on() -> None:
    volume = Economics(requests_per_month=1_000_000)
    found = by_name(flips(evidence(*CHEAPER_AND_WORSE, economics=volume)))
    at = found["value_allowed"].flip
    assert gain(CHEAPER_AND_WORSE, replace(volume, usd_per_correct_answer=at)) == pytest.approx(0.0, abs=1e-6)
    as_good = found["margin_as_good"].flip
    assert 0.03 < as_good < 0.05
    asked = (decide(evidence(*CHEAPER_AND_WORSE, economics=replace(volume, margin=as_good + d))) for d in (-2e-3, 2e-3))
    assert [verdict.answer for verdict in asked] == ["not_yet", "fine_tune"]
    points = decide(evidence(*CHEAPER_AND_WORSE, economics=volume)).turning_points
    assert say("turn.value_allowed", at=at, yours=()) in points
    assert say("turn.margin_as_good", at=as_good, now=0.02, tuned=TUNED.label) in points


def test_without_a_flip_point_it_is_not_said_that_there_is_none() -> None:
    found = decide(evidence(replace(FEW, quality=0.70, sd=0.0), replace(TUNED, quality=0.0, sd=0.0))).turning_points
    assert found == (say("turn.none", lead=-0.70),)
