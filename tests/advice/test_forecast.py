"""The forecast: bounded, repeatable, falling with the prompted score, and moved by a pilot as Bayes' rule says."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.advice.forecast import LiftDraws, draw_lifts, summarise, updated
from advisor.advice.lift_model import fit
from advisor.advice.net_benefit import weigh
from advisor.advice.published import Arm, arm
from advisor.advice.situation import PROMPTED_BY, Costs, Pilot, Situation, default_economics
from advisor.economics.amounts import Range

SCORES = st.floats(0.0, 1.0)


def lift(labels: int | None = None, pilot: Pilot | None = None, **answers: Any) -> Any:
    return draw_lifts(Situation(**answers), labels, pilot, draws=3_000)


def test_the_model_finds_what_was_planted() -> None:
    rng = np.random.default_rng(3)
    tasks = [f"t{at}" for at in range(40) for _ in range(10)]
    models = [f"m{at}" for _ in range(40) for at in range(10)]
    x = np.repeat(rng.normal(0.0, 1.0, 40), 10)
    y = 0.4 + 0.8 * x + np.repeat(rng.normal(0.0, 0.5, 40), 10) + rng.normal(0.0, 0.2, 400)
    scores = [1.0 / (1.0 + np.exp(-z)) for z in (x, y)]
    found = fit(Arm("strong", scores[0], scores[1], tuple(tasks), tuple(models)), rng, kept=300, burn_in=100)
    assert np.mean(found.slopes[:, 0]) == pytest.approx(0.4, abs=0.25)
    assert np.mean(found.slopes[:, 1]) == pytest.approx(0.8, abs=0.25)
    new = found.tuned_scores(np.full(4_000, 0.5), ("m0",), rng)
    assert np.median(new) == pytest.approx(1.0 / (1.0 + math.exp(-0.4)), abs=0.06)


def test_same_seed_same_draws_and_another_seed_nearly_the_same() -> None:
    first, second = lift(prompted=0.6), lift(prompted=0.6)
    assert np.array_equal(first.lift, second.lift)
    other = draw_lifts(Situation(prompted=0.6), None, None, seed=5, draws=3_000)
    assert not np.array_equal(first.lift, other.lift)
    assert np.median(other.lift) == pytest.approx(np.median(first.lift), abs=0.03)


@pytest.mark.parametrize("how", PROMPTED_BY)
def test_the_higher_the_prompted_score_the_less_there_is_to_gain(how: Any) -> None:
    chances = [summarise(lift(prompted=at, prompted_by=how), 0.02) for at in (0.3, 0.5, 0.7, 0.8, 0.9, 0.97)]
    assert [one.probability_better for one in chances] == sorted(one.probability_better for one in chances)[::-1]
    assert [one.median for one in chances] == sorted(one.median for one in chances)[::-1]


def test_a_strong_prompt_leaves_less_than_a_bare_one() -> None:
    medians = [summarise(lift(prompted=0.5, prompted_by=how), 0.02).median for how in PROMPTED_BY[:3]]
    assert medians == sorted(medians)[::-1]


@settings(max_examples=12)
@given(prompted=SCORES, ceiling=st.floats(0.01, 1.0), labels=st.none() | st.integers(0, 10**6))
def test_scores_stay_between_0_and_the_ceiling(prompted: Any, ceiling: float, labels: Any) -> None:
    drawn = lift(labels, prompted=min(prompted, ceiling), ceiling=ceiling)
    tuned = drawn.prompted + drawn.lift
    assert np.isfinite(tuned).all()
    assert tuned.min() >= -1e-9
    assert tuned.max() <= ceiling + 1e-9


def test_fewer_labels_less_gain_and_the_same_losses() -> None:
    draws = [lift(labels, prompted=0.5, prompted_by="few_shot").lift for labels in (5, 50, 150, 500, None)]
    for fewer, more in pairwise(draws):
        assert (fewer <= more + 1e-12).all()
    assert draws[0].max() <= 0.0
    assert np.array_equal(np.minimum(draws[0], 0.0), np.minimum(draws[-1], 0.0))


def test_sizes_outside_the_table_are_less_certain() -> None:
    spread = {size: np.std(lift(prompted=0.6, size=size).lift) for size in ("7b", "larger", "tiny")}
    assert spread["7b"] < spread["larger"] == spread["tiny"]


def test_unknown_score_is_wider_than_a_known_one() -> None:
    assert np.std(lift().lift) > np.std(lift(prompted=0.6, prompted_by="few_shot").lift)


# --- a pilot ---------------------------------------------------------------------------------------------------------


@settings(max_examples=10)
@given(tuned=st.floats(0.05, 0.95), prompted=st.floats(0.05, 0.95))
def test_a_pilot_moves_the_forecast_towards_itself_and_wins_in_the_end(tuned: float, prompted: float) -> None:
    prior = lift(prompted=prompted, prompted_by="few_shot").lift
    before = abs(np.median(prior) - (tuned - prompted))
    distances = []
    for n in (30, 3_000, 3_000_000):
        drawn = updated(prior, Pilot(tuned, prompted, n), prompted, 1.0, np.random.default_rng(0))
        distances.append(abs(np.median(drawn) - (tuned - prompted)))
    assert distances[0] <= before + 0.03
    assert distances[1] < 0.04
    assert distances[2] < 0.002


def test_a_normal_prior_and_a_pilot_give_the_textbook_answer() -> None:
    prior = np.random.default_rng(1).normal(0.10, 0.05, 40_000)
    pilot = Pilot(0.6, 0.6, 100, standard_error=0.05)
    drawn = updated(prior, pilot, 0.6, 1.0, np.random.default_rng(2))
    assert np.mean(drawn) == pytest.approx(0.05, abs=0.003)
    assert np.std(drawn) == pytest.approx(0.05 / math.sqrt(2), rel=0.1)


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_a_pilot_at_the_end_of_the_scale_still_has_an_error(score: float) -> None:
    assert Pilot(score, score, 20).error > 0.02
    assert np.isfinite(lift(prompted=score, pilot=Pilot(score, score, 20)).lift).all()


# --- money -----------------------------------------------------------------------------------------------------------


def test_money_is_the_formula_of_a_comparison() -> None:
    drawn = LiftDraws(np.full(4, 0.5), np.array([-0.1, 0.0, 0.1, 0.2]))
    economics = replace(default_economics(), requests_per_month=1_000.0, usd_per_correct_answer=1.0,
                        engineering_hours=5.0, usd_per_label=2.0)  # fmt: skip
    costs = Costs(training_usd=10.0, usd_per_request=0.02, tuned_usd_per_request=0.01, hosting_usd_per_month=20.0)
    situation = Situation(examples=250, changes="monthly")
    worth, gain = weigh(drawn, situation, economics, costs, np.random.default_rng(0))
    once = 10.0 + 50 * 2.0 + 5.0 * 100.0
    expected = 12_000 * (drawn.lift + 0.01) - 20.0 * 12 - once - 12 * 10.0
    assert gain == pytest.approx(expected)
    assert worth.probability == 0.5
    assert (worth.once_usd, worth.bought_labels, worth.retrains_per_year) == (once, 50, 12.0)
    fixed = once + 240.0 + 120.0 - 12_000 * 0.01
    assert worth.usd_per_correct_answer.estimate == pytest.approx(fixed / (12_000 * 0.05))


def test_without_volume_or_value_money_is_unknown_and_not_0() -> None:
    drawn = lift(prompted=0.6)
    economics = default_economics()
    worth, gain = weigh(drawn, Situation(), economics, Costs(), np.random.default_rng(0))
    assert (worth.probability, worth.gain_usd, worth.usd_per_correct_answer, gain) == (None, None, None, None)
    volume = replace(economics, requests_per_month=Range(100, 1_000))
    worth, gain = weigh(drawn, Situation(), volume, Costs(), np.random.default_rng(0))
    assert gain is None
    assert worth.usd_per_correct_answer.estimate > 0.0


def test_the_table_is_not_changed_by_forecasts() -> None:
    before = arm("strong").reference.copy()
    lift(prompted=0.2)
    assert np.array_equal(arm("strong").reference, before)
