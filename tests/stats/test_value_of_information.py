"""The value of knowing more: closed forms, invariants, and what the steps of a planted comparison say."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from advisor.core.statement import say
from advisor.core.types import Interval
from advisor.decision.learning_curve import LearningCurve, MoreLabels
from advisor.decision.next_steps import inform
from advisor.decision.preposterior import Odds, Preposterior, chance_decides
from advisor.decision.preposterior import _critical as desk_critical
from advisor.decision.verdict import decide
from advisor.economics.amounts import Range
from advisor.economics.inputs import Economics
from advisor.stats.alpha_spending import error_of_differences
from advisor.stats.value_of_information import (
    chance_to_reach,
    component,
    evpi,
    evppi,
    evsi,
    expected_maximum,
    nearest_covariance,
    score_of,
    unit_loss,
)
from tests.decision.planted_evidence import FEW, TUNED, Plant, asked, evidence
from tests.known import about, known

NETTED = Economics(requests_per_month=10_000, usd_per_correct_answer=0.01)
CLOSE = replace(TUNED, quality=0.605)


def normal_draws(size: int = 200_000, gap: float = 1.0, sd: float = 2.0, seed: int = 0) -> Any:
    """Two choices whose difference is normal; the first is ahead by `gap` on average."""
    difference = gap + sd * np.random.default_rng(seed).standard_normal(size)
    return np.stack([difference, np.zeros(size)], axis=1)


def steps(found: Any, name: Any) -> Any:
    return [step for step in found.information.steps if step.name == name]


# --- closed forms ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("z", [-2.0, -0.3, 0.0, 0.7, 3.0])
def test_the_unit_normal_loss_is_its_integral(z: float) -> None:
    found, _ = integrate.quad(lambda x: (x - z) * stats.norm.pdf(x), z, np.inf)
    assert unit_loss(z) == pytest.approx(found, abs=1e-8)


@pytest.mark.parametrize(("gap", "sd"), [(1.0, 2.0), (-1.0, 2.0), (0.0, 1.0), (3.0, 1.0)])
def test_perfect_information_on_two_choices_is_the_unit_normal_loss(gap: float, sd: float) -> None:
    expected = sd * unit_loss(abs(gap) / sd)
    assert evpi(normal_draws(gap=gap, sd=sd)) == pytest.approx(expected, abs=5 * sd / math.sqrt(200_000))


@pytest.mark.parametrize("extra", [10, 100, 1000])
@pytest.mark.parametrize("gap", [0.0, 0.5, -1.5])
def test_a_sample_on_two_choices_is_worth_the_unit_normal_loss(gap: float, extra: int) -> None:
    """Raiffa and Schlaifer: the sd of the pre-posterior mean is ``sd * sqrt(n / (n + n0))``."""
    n0, sd = 200, 2.0
    draws = normal_draws(gap=gap, sd=sd)
    share = extra / (extra + n0)
    before = sd * math.sqrt(share)
    expected = before * unit_loss(abs(gap) / before)
    assert evsi(draws.mean(axis=0), draws, share) == pytest.approx(expected, abs=5 * sd / math.sqrt(200_000))


def test_a_sample_is_worth_what_simulated_samples_show() -> None:
    """Nothing is approximated here: draw a truth, draw a sample of it, decide by the posterior, count the gain."""
    rng, size, n0, extra, sd = np.random.default_rng(3), 400_000, 100, 300, 1.0
    truth = 0.3 + sd / math.sqrt(n0) * 3 * rng.standard_normal(size)
    noise = sd * 3 / math.sqrt(extra)
    seen = truth + noise * rng.standard_normal(size)
    prior = (sd * 3) ** 2 / n0
    posterior = (0.3 / prior + seen / noise**2) / (1 / prior + 1 / noise**2)
    simulated = float(np.where(posterior > 0.0, truth, 0.0).mean() - 0.3)
    draws = normal_draws(gap=0.3, sd=3 * sd / math.sqrt(n0), seed=4)
    assert evsi(draws.mean(axis=0), draws, extra / (extra + n0)) == pytest.approx(simulated, abs=0.003)


@pytest.mark.parametrize(("floor", "mean", "sd"), [(0.0, 1.0, 2.0), (5.0, 1.0, 0.5), (1.0, 1.0, 0.0)])
def test_the_expected_maximum_is_that_of_draws(floor: float, mean: float, sd: float) -> None:
    drawn = np.maximum(floor, mean + sd * np.random.default_rng(0).standard_normal(400_000))
    assert expected_maximum(floor, mean, sd) == pytest.approx(drawn.mean(), abs=0.01)


@pytest.mark.parametrize(("now", "share"), [(0.5, 0.3), (-1.0, 0.8), (1.4, 0.1)])
def test_the_chance_to_reach_a_score_is_that_of_simulated_steps(now: float, share: float) -> None:
    later = now + math.sqrt(share) * np.random.default_rng(1).standard_normal(400_000)
    reached = float(np.mean(later / math.sqrt(1 - share) >= 1.2816))
    assert chance_to_reach(now, 1.2816, share) == pytest.approx(reached, abs=0.004)


def test_knowing_one_input_is_worth_what_a_regression_on_it_says() -> None:
    """Strong, Oakley and Brennan: the fitted expectation of each net benefit given the input."""
    rng = np.random.default_rng(0)
    value, quality = rng.lognormal(0.0, 0.5, 50_000), 0.1 + 0.02 * rng.standard_normal(50_000)
    nets = np.stack([1000 * (value * quality - 0.11), np.zeros(50_000)], axis=1)
    fitted = np.polynomial.Polynomial.fit(value, nets[:, 0], 3)(value)
    by_regression = evppi(np.stack([fitted, np.zeros(50_000)], axis=1))
    written_down = evppi(np.stack([1000 * (value * quality.mean() - 0.11), np.zeros(50_000)], axis=1))
    assert written_down == pytest.approx(by_regression, rel=0.02)
    assert written_down <= evpi(nets)


# --- invariants ------------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), choices=st.integers(1, 6), scale=st.floats(1e-6, 1e6),
       shares=st.lists(st.floats(0.0, 1.0), min_size=2, max_size=5))  # fmt: skip
def test_a_sample_is_worth_between_nothing_and_everything_and_more_with_more(
    seed: int, choices: int, scale: float, shares: list[float]
) -> None:
    rng = np.random.default_rng(seed)
    draws = scale * (rng.standard_normal((500, choices)) @ rng.standard_normal((choices, choices)))
    whole, means = evpi(draws), draws.mean(axis=0)
    worths = [evsi(means, draws, share) for share in sorted(shares)]
    assert worths == sorted(worths)
    assert all(0.0 <= worth <= whole * (1 + 1e-9) for worth in worths)
    assert evsi(means, draws, 1.0) == pytest.approx(whole, abs=1e-9 * scale)


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), choices=st.integers(2, 6))
def test_a_component_has_the_covariance_that_was_asked_for(seed: int, choices: int) -> None:
    rng = np.random.default_rng(seed)
    draws = rng.standard_normal((400, choices)) @ rng.standard_normal((choices, choices))
    asked = nearest_covariance(np.cov(draws, rowvar=False) * 0.4)
    assert np.cov(component(draws, asked), rowvar=False) == pytest.approx(asked, abs=1e-6 * max(1.0, asked.max()))


def test_degenerate_draws_make_no_trouble() -> None:
    flat = np.ones((50, 3))
    assert evpi(flat) == 0.0
    assert not component(flat, np.zeros((3, 3))).any()
    assert evpi(np.ones((50, 1))) == 0.0
    assert chance_to_reach(2.0, 1.3, 0.0) == 1.0
    assert (chance_to_reach(-1.0, 1.3, 0.0), chance_to_reach(0.4, 1.3, 1.0)) == (0.0, about(0.655, abs=0.001))
    assert math.isfinite(score_of(0.0, 100))


# --- the steps of a comparison ---------------------------------------------------------------------------------------


def test_the_regret_of_choosing_now_is_what_perfect_information_is_worth() -> None:
    found = evidence(FEW, CLOSE, Plant("zero_shot", 0.59), economics=NETTED)
    assert found.information.evpi_usd == pytest.approx(found.money.expected_regret_usd)


def test_more_examples_are_worth_more_and_cost_more() -> None:
    found = steps(evidence(FEW, CLOSE, economics=NETTED), "test_examples")
    small, large = sorted(found, key=lambda step: step.usd)
    assert small.doing.what == say("step.test_examples", more=250, to_label=250)
    assert large.doing.what.values["more"] == 3500  # 5.6 points are shown by 500, the margin is 2: 500 * 2.8^2 - 500
    assert 0.0 < small.worth_usd < large.worth_usd
    assert 0.0 <= small.chance_decides < large.chance_decides
    # 250 questions, one seed of few_shot and two of fine_tuning, 0.5 s each at $0.10 an hour half used
    assert small.usd == pytest.approx(250 * 3 * 0.5 * 0.1 / 3600 / 0.5)
    assert small.basis == say("basis.like_those", n=500, usd_per_label=0.0)


def test_a_larger_test_set_is_held_to_the_wider_brackets_of_the_next_look() -> None:
    found = replace(evidence(FEW, replace(TUNED, quality=0.625), economics=NETTED), looks=2)
    analysis = Preposterior.of(found, known(found.ledger))
    now, then = (stats.norm.isf(error_of_differences(0.05, look=look) / 2) for look in (2, 3))
    assert desk_critical(analysis, 3) == pytest.approx(desk_critical(analysis, 2) * then / now)
    odds = Odds(50.0, 0.0, 2.5, 0.5)  # money is sure, so what decides is whether the lead is real
    expected = [chance_to_reach(2.5, desk_critical(analysis, look), 0.5) for look in (2, 3)]
    assert [chance_decides(analysis, odds, look=look) for look in (False, True)] == pytest.approx(expected)
    assert expected[1] < expected[0] - 0.01


def test_labels_are_paid_at_the_users_price_and_then_none_may_be_worth_it() -> None:
    found = evidence(FEW, CLOSE, economics=replace(NETTED, usd_per_correct_answer=0.05))
    assert found.information.best is not None
    priced = asked(found, economics=replace(found.economics, usd_per_label=1.0))
    dear = inform(priced)
    assert min(known(step.usd) for step in dear.steps if step.name == "test_examples") > 250.0
    assert all(step.name != "test_examples" for step in [dear.best] if step)


def test_where_no_step_pays_the_better_expected_choice_is_named() -> None:
    found = evidence(FEW, CLOSE, economics=replace(NETTED, usd_per_correct_answer=0.05))
    dear = replace(found, information=replace(known(found.information), best=None))
    assert decide(dear).action.what.key == "next.nothing_pays"
    assert decide(dear).recommended == FEW.label  # its lead could be chance: the check keeps it from being used


def test_examples_that_a_limit_left_out_need_no_labels_and_a_line_with_a_higher_limit() -> None:
    found = evidence(FEW, CLOSE, economics=replace(NETTED, usd_per_label=1.0))
    limited = asked(replace(found, test_at_hand=750), limit=500, seeds=3, config="c.yaml")
    free = next(step for step in inform(limited).steps if step.doing.what.values.get("more") == 250)
    assert free.doing.what.values["to_label"] == 0
    assert known(free.usd) < 0.1
    assert " --seeds 3 --config c.yaml " in free.command
    assert free.command.endswith(" --usd-per-label 1 --limit 750")


def test_one_more_training_is_worth_something_where_seeds_differ() -> None:
    seed = steps(evidence(FEW, CLOSE, economics=NETTED), "seed")[0]
    assert seed.command.endswith("--seeds 3")
    assert seed.worth_usd > 0.0
    assert seed.usd == pytest.approx(360 * 0.1 / 3600 + 500 * 0.5 * 0.1 / 3600 / 0.5)  # one fit, 500 answers


RAG = say("step.strategy", name="rag")


def test_a_strategy_that_is_owed_is_a_step_with_a_stated_assumption() -> None:
    found = evidence(FEW, CLOSE, economics=NETTED, docs=True)
    rag = next(step for step in steps(found, "strategy") if step.doing.what == RAG)
    assert rag.basis == say("basis.assumed_lift", lift=0.0, sd=0.10, other=FEW.label)
    assert rag.worth_usd > 0.0
    assert "--strategy rag" in rag.command
    assert not [step for step in steps(evidence(FEW, CLOSE, economics=NETTED), "strategy") if step.doing.what == RAG]


def test_more_labels_are_a_step_only_with_a_learning_curve() -> None:
    found = evidence(FEW, CLOSE, economics=NETTED)
    assert steps(found, "labels") == []
    gain = Interval(0.05, 0.01, 0.09, 0.90)
    curve = LearningCurve("fine_tuning", True, (), more=(MoreLabels(2.0, 800, gain, 3.0, None),))
    more = next(step for step in inform(replace(found, curves=(curve,))).steps if step.name == "labels")
    assert more.doing.what == say("step.labels", more=400, total=800)
    assert more.worth_usd == pytest.approx(10_000 * 0.01 * 12 * 0.05, rel=0.02)  # on top of what is the best now
    assert known(more.usd) > 3.0


def test_a_range_is_worth_finding_out_where_it_decides() -> None:
    economics = Economics(1_000_000, Range(1e-5, 1e-2))
    found = evidence(FEW, replace(TUNED, seconds=2.0), economics=economics)
    value = steps(found, "value")[0]
    assert value.usd == 100.0
    assert value.usd < value.worth_usd <= found.information.evpi_usd
    assert value.chance_decides > 0.5
    sure = evidence(FEW, replace(TUNED, seconds=2.0), economics=Economics(1_000_000, 1e-3))
    assert steps(sure, "value") == []


def test_without_a_value_the_chance_to_decide_is_told_and_no_worth() -> None:
    found = evidence(FEW, replace(TUNED, quality=0.63))
    assert found.information.evpi_usd is None
    assert {step.worth_usd for step in found.information.steps} == {None}
    small, large = sorted(steps(found, "test_examples"), key=lambda step: step.usd)
    assert small.chance_decides < large.chance_decides
    assert found.information.best.chance_decides >= large.chance_decides / 2


def test_an_unknown_price_stays_unknown() -> None:
    found = evidence(FEW, CLOSE, economics=NETTED, model="http://host/v1#m").information
    assert {(step.usd, step.worth_usd) for step in found.steps} == {(None, None)}
    assert found.best is None


def test_with_nothing_to_choose_between_there_is_no_information() -> None:
    assert evidence(TUNED).information is None
    assert evidence(FEW).information is None


@settings(max_examples=25)
@given(q=st.floats(0.0, 1.0), seconds=st.floats(0.0, 50.0), volume=st.sampled_from([None, 0, 1e5, Range(10, 1e6)]),
       value=st.sampled_from([None, 0, 1e-3, Range(0.01, 1)]), sd=st.sampled_from([0.0, 0.01, 0.1]),
       label=st.sampled_from([0.0, 0.5]), docs=st.booleans())  # fmt: skip
def test_every_figure_is_finite_and_in_its_range(
    q: float, seconds: float, volume: Any, value: Any, sd: float, label: float, docs: bool
) -> None:
    plants = replace(FEW, sd=sd), replace(TUNED, quality=q, seconds=seconds, sd=sd), Plant("zero_shot", 0.4, sd=sd)
    found = evidence(*plants, economics=Economics(volume, value, usd_per_label=label), docs=docs).information
    for step in found.steps:
        for figure in (step.usd, step.worth_usd):
            assert figure is None or 0.0 <= figure < math.inf
        assert step.chance_decides is None or 0.0 <= step.chance_decides <= 1.0
        if found.evpi_usd is not None and step.name not in ("labels", "strategy"):
            assert known(step.worth_usd) <= found.evpi_usd
    sizes = [step for step in found.steps if step.name == "test_examples" and step.worth_usd is not None]
    worth = {int(str(step.doing.what.values["more"])): known(step.worth_usd) for step in sizes}
    assert [worth[more] for more in sorted(worth)] == sorted(worth.values())
    if found.best is not None and found.evpi_usd is not None:
        assert known(found.best.net_usd) > 0.0
