from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.core.errors import ConfigurationError
from advisor.core.statement import say
from advisor.economics.amounts import Range, mean, middle
from advisor.economics.inputs import Economics
from advisor.economics.prices import Prices, prices_for
from advisor.economics.sampling import draw
from tests.decision.planted_evidence import DRAWS, FEW, TUNED, Plant, draws_of, summary, weigh

FREE = Plant("majority", 0.30, seconds=0.0, calls=0, kind="floor")


def money(*plants: Any, economics: Any = None, model: str = "smollm2") -> Any:
    summaries = [summary(p) for p in plants]
    return weigh(draws_of(*plants), summaries, economics or Economics(), model, np.random.default_rng(1))


# --- ranges ----------------------------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(volume=st.sampled_from([1e15, Range(1e-12, 1e15)]), value=st.sampled_from([1e15, Range(1e-12, 1e15)]))
def test_the_largest_amounts_leave_every_figure_finite(volume: Any, value: Any) -> None:
    found = money(FEW, TUNED, economics=Economics(volume, value, horizon_months=1e3))
    assert math.isfinite(found.expected_gain_usd.estimate)
    for name in ("requests_per_month", "usd_per_correct_answer", "usd_per_hour"):
        with pytest.raises(ConfigurationError, match="from 0 to 1e15"):
            Economics(**{name: 1e308})  # type: ignore[arg-type]


def test_a_range_is_drawn_log_normally_with_90_percent_inside() -> None:
    drawn = draw(Range(100, 1000), 200_000, np.random.default_rng(0))
    assert np.quantile(drawn, [0.05, 0.5, 0.95]) == pytest.approx([100, math.sqrt(1e5), 1000], rel=0.02)
    assert drawn.mean() == pytest.approx(mean(Range(100, 1000)), rel=0.01)
    assert middle(Range(100, 1000)) == pytest.approx(math.sqrt(1e5))


@pytest.mark.parametrize("wrong", [{"horizon_months": 0.0}, {"utilisation": 0.0}, {"utilisation": 1.5}, {"margin": 1.0},
                                   {"confidence": 0.5}, {"target_quality": 1.1}, {"usd_per_hour": -1.0},
                                   {"requests_per_month": math.inf}, {"retrains_per_year": math.nan}])  # fmt: skip
def test_impossible_economics_are_refused_by_name(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Economics(**wrong)


# --- the formula, by hand --------------------------------------------------------------------------------------------

BY_HAND = Economics(
    requests_per_month=1000, usd_per_correct_answer=0.05, horizon_months=10, usd_per_hour=1.8, utilisation=0.5,
    usd_per_label=0.10, engineering_hours=2, usd_per_engineering_hour=50, retrains_per_year=6,
)  # fmt: skip
"""A second costs 1.8 / 3600 / 0.5 = $0.001. Tuned: 0.5 s, few-shot: 2 s a request. Tuning takes 360 s = $0.18, 400
labels $40, 2 hours $100; five retrainings $0.90."""


def exact(*plants: Any) -> Any:
    return money(*(replace(p, sd=0.0) for p in plants), economics=BY_HAND)


def test_the_net_benefit_is_that_of_the_formula() -> None:
    found = exact(replace(FEW, seconds=2.0, fit_seconds=36.0), TUNED)
    few, tuned = found.strategies
    assert few.usd_per_1000_requests.estimate == pytest.approx(2.0)
    assert few.one_off_usd == pytest.approx(36 * 1.8 / 3600)
    assert tuned.one_off_usd == pytest.approx(0.18 + 40 + 100)
    assert few.net_benefit_usd.estimate == pytest.approx(10_000 * (0.05 * 0.6 - 0.002) - 0.018)
    assert tuned.net_benefit_usd.estimate == pytest.approx(10_000 * (0.05 * 0.8 - 0.0005) - 140.18 - 5 * 0.18)
    gain = 10_000 * (0.05 * 0.2 + 0.0015) - 140.18 - 0.9 + 0.018
    assert found.expected_gain_usd.estimate == pytest.approx(gain)
    assert gain < 0.0
    assert found.probability_tuned_best == 0.0
    assert found.expected_regret_usd == pytest.approx(0.0, abs=1e-9)


def test_the_break_even_points_are_where_the_gain_is_zero() -> None:
    point = exact(replace(FEW, seconds=2.0, fit_seconds=36.0), TUNED).break_even
    once, again, each = 140.18 - 0.018, 0.9, 0.05 * 0.2 + 0.0015
    assert point.volume.estimate == pytest.approx((once + again) / (10 * each))
    assert point.probability_never == 0.0
    assert point.payback_months.estimate == pytest.approx(once / (1000 * each - again / 10))
    assert point.usd_per_correct_answer.estimate == pytest.approx((once + again - 10_000 * 0.0015) / (10_000 * 0.2))


def test_token_prices_price_training_tokens_and_hosting() -> None:
    prices = Prices(usd_per_1m_input_tokens=1.0, usd_per_1m_output_tokens=10.0)
    tuned = replace(prices, usd_per_1m_training_tokens=20.0, hosting_usd_per_month=7.0)
    economics = Economics(1000, 0.01, prices=prices, tuned_prices=tuned)
    found = money(FEW, TUNED, economics=economics, model="http://host/v1#m")
    assert found.strategies[0].usd_per_1000_requests.estimate == pytest.approx(0.3)
    assert found.strategies[1].one_off_usd == pytest.approx(50_000 * 20 / 1e6)
    assert found.strategies[1].hosting_usd_per_month == 7.0
    gap = found.strategies[1].net_benefit_usd.estimate - found.strategies[0].net_benefit_usd.estimate
    assert gap == pytest.approx(12_000 * 0.01 * 0.2 - 7 * 12 - 1.0, abs=0.5)


# --- what is unknown stays unknown -----------------------------------------------------------------------------------


@pytest.mark.parametrize("economics", [Economics(), Economics(1000), Economics(None, 0.1)])
def test_without_volume_and_value_nothing_is_netted(economics: Any) -> None:
    found = money(FEW, TUNED, economics=economics)
    assert (found.probability_tuned_best, found.expected_gain_usd, found.expected_regret_usd) == (None, None, None)
    assert all(row.net_benefit_usd is None and row.probability_best is None for row in found.strategies)
    assert found.break_even.usd_per_correct_answer is not None


def test_an_unknown_price_is_none_everywhere_and_a_free_floor_still_costs_nothing() -> None:
    found = money(FREE, FEW, TUNED, economics=Economics(1000, 0.1), model="http://host/v1#m")
    assert [row.usd_per_1000_requests and row.usd_per_1000_requests.estimate for row in found.strategies] == [
        0,
        None,
        None,
    ]
    assert [row.one_off_usd for row in found.strategies] == [0.0, 0.0, None]
    assert found.probability_tuned_best is None
    assert found.break_even.usd_per_correct_answer is None
    assert found.pareto == ("majority",)


def test_the_base_price_is_not_taken_for_the_tuned_model() -> None:
    prices = Prices(usd_per_1m_input_tokens=1.0, usd_per_1m_output_tokens=2.0)
    found = money(FEW, TUNED, economics=Economics(1000, 0.1, prices=prices), model="http://host/v1#m")
    assert found.strategies[0].usd_per_1000_requests is not None
    assert found.strategies[1].usd_per_1000_requests is None


def test_a_strategy_without_a_score_has_no_money_and_stops_nothing() -> None:
    broken = replace(summary(Plant("rag", 0.5, kind="rag")), quality=None)
    summaries = [summary(FEW), broken, summary(TUNED)]
    found = weigh(draws_of(FEW, TUNED), summaries, Economics(1000, 0.1), "smollm2", np.random.default_rng(0))
    assert found.strategies[1].usd_per_1000_requests is None
    assert found.probability_tuned_best == 1.0


@pytest.mark.parametrize("plants", [(FEW,), (TUNED,), (FEW, FREE)])
def test_without_a_contest_there_is_no_break_even(plants: Any) -> None:
    found = money(*plants, economics=Economics(1000, 0.1))
    assert (found.break_even, found.dominance, found.probability_tuned_best) == (None, None, None)
    assert sum(row.probability_best for row in found.strategies) == pytest.approx(1.0)


# --- draws of both signs ---------------------------------------------------------------------------------------------


def test_draws_in_which_tuning_is_not_better_have_no_finite_value_needed() -> None:
    point = money(FEW, replace(TUNED, quality=0.605, seconds=2.0)).break_even
    assert point.usd_per_correct_answer.high == math.inf
    assert 0.0 < point.usd_per_correct_answer.low < point.usd_per_correct_answer.estimate < math.inf
    assert "one-off" in point.usd_per_correct_answer.method


def test_a_worse_tuned_strategy_is_worth_no_value() -> None:
    assert money(replace(FEW, quality=0.9), TUNED).break_even.usd_per_correct_answer is None


def test_the_share_of_draws_that_never_pay_is_that_of_negative_gains() -> None:
    economics = Economics(1000, 0.01, usd_per_hour=0.0)
    point = money(replace(FEW, quality=0.8), TUNED, economics=economics).break_even
    assert point.probability_never == pytest.approx(0.5, abs=0.03)
    assert point.volume.low >= 0.0


def test_zero_volume_pays_for_nothing() -> None:
    found = money(FEW, TUNED, economics=Economics(0, 0.1))
    assert found.probability_tuned_best == 0.0
    assert found.expected_gain_usd.estimate == pytest.approx(-found.strategies[1].one_off_usd)
    assert found.break_even.payback_months is None
    assert found.break_even.usd_per_correct_answer is None


def test_several_tuned_strategies_are_held_against_the_rest_and_not_each_other() -> None:
    twin = replace(TUNED, label="fine_tuning_rag", quality=0.79)
    found = money(FEW, TUNED, twin, economics=Economics(1000, 0.1))
    assert found.probability_tuned_best == 1.0
    assert found.strategies[1].probability_best < 1.0
    assert found.expected_regret_usd > 0.0


def test_the_gain_is_over_the_one_alternative_and_not_over_the_best_in_hindsight() -> None:
    level = [Plant(f"other_{i}", 0.7, sd=0.03) for i in range(9)]
    found = money(*level, replace(TUNED, quality=0.7, fit_seconds=0.0), economics=Economics(1000, 0.1))
    nets = {row.label: row.net_benefit_usd.estimate for row in found.strategies}
    gain = nets["fine_tuning"] - nets[found.break_even.alternative]
    assert found.expected_gain_usd.estimate == pytest.approx(gain)
    assert found.probability_tuned_best < 0.1
    assert abs(gain) < 12_000 * 0.1 * 0.005


@pytest.mark.parametrize(("volume", "chance"), [(None, None), (100, 0.0), (1e9, 1.0)])
def test_hosting_is_part_of_what_a_request_costs(volume: float | None, chance: float | None) -> None:
    prices = Prices(usd_per_hour=1.0)
    tuned = replace(prices, hosting_usd_per_month=500.0)
    plants = FEW, replace(TUNED, seconds=0.1)
    found = money(*plants, economics=Economics(volume, prices=prices, tuned_prices=tuned)).dominance
    assert found.better_and_not_dearer == chance
    cheaper = money(*plants, economics=Economics(volume, prices=tuned, tuned_prices=prices)).dominance
    assert cheaper.better_and_not_dearer == 1.0


def test_a_volume_next_to_nothing_needs_no_end_of_value() -> None:
    point = money(FEW, TUNED, economics=Economics(5e-324)).break_even
    assert point.usd_per_correct_answer.high == math.inf


def test_the_alternative_without_a_value_is_the_one_that_asks_most() -> None:
    cheap = Plant("embedding_classifier", 0.75, seconds=0.001, kind="classifier")
    assert money(FEW, cheap, TUNED).break_even.alternative == "embedding_classifier"


def test_the_pareto_front_and_the_target() -> None:
    dominated = Plant("zero_shot", 0.5, seconds=0.6)
    plants = FREE, FEW, dominated, replace(TUNED, seconds=1.0)
    assert money(*plants).pareto == ("majority", "few_shot(k=8)", "fine_tuning")
    targets = {0.5: "few_shot(k=8)", 0.7: "fine_tuning", 0.9: None, None: None}
    for target, label in targets.items():
        assert money(*plants, economics=Economics(target_quality=target)).cheapest_at_target == label


@pytest.mark.parametrize(
    ("economics", "more", "ties"),
    [
        (Economics(usd_per_hour=10.0), 1.04, True),  # 5 % of the dearer one
        (Economics(usd_per_hour=10.0), 1.06, False),
        (Economics(usd_per_hour=10.0, cost_tie=0.2), 1.2, True),
        (Economics(), 1.15, True),  # $0.0083 per 1,000 requests
        (Economics(), 1.3, False),
        (Economics(cost_tie_usd=0.0), 1.15, False),
        (Economics(cost_tie_usd=0.0, cost_tie=0.0), 1.0, True),
    ],
)
def test_costs_that_are_next_to_the_same_are_the_same(economics: Economics, more: float, ties: bool) -> None:
    few, tuned = replace(FEW, seconds=1.0, sd=0.0), replace(TUNED, seconds=more, sd=0.0)
    found = money(few, tuned, economics=economics)
    assert found.dominance.better_and_not_dearer == (1.0 if ties else 0.0)
    assert found.pareto == ((tuned.label,) if ties else (few.label, tuned.label))
    swapped = money(replace(few, seconds=more), replace(tuned, seconds=1.0, quality=0.6), economics=economics)
    assert (swapped.dominance.needless == 1.0) is ties


def test_every_input_is_an_assumption_with_its_owner() -> None:
    basis = money(FEW, TUNED, economics=Economics(Range(500, 2000), margin=0.03)).basis
    assert basis["requests_per_month"] == say("assumption.amount", unit="count", ends=(500, 2000), yours=True)
    assert basis["margin"] == say("assumption.amount", unit="points", ends=(0.03,), yours=True)
    assert basis["horizon_months"] == say("assumption.amount", unit="months", ends=(12.0,), yours=False)
    assert basis["usd_per_correct_answer"] == say("assumption.amount", unit="usd", ends=(), yours=False)
    assert basis["prices"] == say("assumption.prices", source=prices_for("smollm2").source, yours=False)
    assert basis["base_model_shutdown"] == say("shutdown.own_weights")


# --- invariants ------------------------------------------------------------------------------------------------------

QUALITY, USD = st.floats(0.0, 1.0), st.floats(0.0, 100.0)


@settings(max_examples=30)
@given(values=st.tuples(USD, USD), lead=st.floats(0.1, 0.4), seconds=st.floats(0.01, 10.0))
def test_a_higher_value_never_lowers_the_chance_of_a_better_tuned_strategy(
    values: Any, lead: float, seconds: float
) -> None:
    plants = replace(FEW, quality=0.5, sd=0.005), replace(TUNED, quality=0.5 + lead, sd=0.005, seconds=seconds)
    low, high = (money(*plants, economics=Economics(1000, value)).probability_tuned_best for value in sorted(values))
    assert high >= low


@settings(max_examples=20)
@given(scale=st.floats(1e-3, 1e3), quality=QUALITY)
def test_the_currency_does_not_matter(scale: float, quality: Any) -> None:
    plants = FEW, replace(TUNED, quality=quality)
    one = money(*plants, economics=Economics(1000, 0.01, usd_per_hour=0.1, usd_per_label=0.02))
    other = money(
        *plants, economics=Economics(1000, 0.01 * scale, usd_per_hour=0.1 * scale, usd_per_label=0.02 * scale)
    )
    assert other.probability_tuned_best == pytest.approx(one.probability_tuned_best, abs=2 / DRAWS)
    assert other.expected_gain_usd.estimate == pytest.approx(one.expected_gain_usd.estimate * scale)
    assert other.break_even.probability_never == pytest.approx(one.break_even.probability_never, abs=2 / DRAWS)


@settings(max_examples=40)
@given(a=QUALITY, b=QUALITY, seconds=st.floats(0, 100), volume=st.one_of(st.none(), st.floats(0, 1e9)),
       value=st.one_of(st.none(), USD), sd=st.sampled_from([0.0, 0.02]))  # fmt: skip
def test_no_figure_is_ever_nan(a: Any, b: Any, seconds: float, volume: Any, value: Any, sd: float) -> None:
    plants = replace(FEW, quality=a, sd=sd), replace(TUNED, quality=b, sd=sd, seconds=seconds)
    found = money(*plants, economics=Economics(volume, value))
    for text in (repr(found), repr(found.break_even), repr(found.dominance)):
        assert re.search(r"\bnan\b", text) is None
