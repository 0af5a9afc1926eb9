"""Learning curves: planted ones are found again, and what cannot be said is not said."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date, timedelta
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.core.statement import say
from advisor.core.types import EvalSet, Example, Interval
from advisor.decision.comparison import compare_runs
from advisor.decision.learning_curve import Crossing, LearningCurve, MoreLabels, learning_curves
from advisor.decision.reasons import turning_points
from advisor.decision.sensitivity import flips
from advisor.economics.amounts import Range
from advisor.economics.inputs import Economics
from advisor.stats.curve_fit import FAMILIES, Measured, fit_curve, project
from advisor.stats.curve_points import SizedRun
from tests.decision.planted_curves import SIZES, Error, Planted, flat, pow3, worse
from tests.decision.planted_evidence import Plant, evidence


def curves_of(planted: Planted, sized: Sequence[SizedRun], **options: Any) -> tuple[LearningCurve, ...]:
    panel = options.pop("panel", planted.panel(few_shot=0.35))
    economics = options.pop("economics", Economics())
    return learning_curves(sized, panel, planted.test, economics, np.random.default_rng(1), options.pop("noise", None))


def curve_of(error: Error = pow3, n: int = 400, seed: int = 0, **options: Any) -> LearningCurve:
    planted = Planted.of(n, seed)
    keys = ("seeds", "noise", "sizes", "tuned")
    given_ = {key: options.pop(key) for key in keys if key in options}
    return curves_of(planted, planted.sized("fine_tuning", error, **given_), **options)[0]


def every_number(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for inner in value.values() for number in every_number(inner)]
    if isinstance(value, list | tuple):
        return [number for inner in value for number in every_number(inner)]
    return [float(value)] if isinstance(value, int | float) and not isinstance(value, bool) else []


# --- what is planted is found ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "error"),
    [
        ("pow3", lambda size: 0.12 + 0.5 * (size / 19) ** -0.7),
        ("exp3", lambda size: 0.12 + 0.5 * np.exp(-size / 60)),
        ("rectified power law", lambda size: 0.12 + 900 / (1500 + size**1.6)),
    ],
)
def test_the_best_fit_of_a_family_is_the_curve_that_was_planted(family: str, error: Error) -> None:
    sizes = np.geomspace(20, 1280, 7)
    errors = np.array([error(size) for size in sizes])
    fitted = fit_curve(Measured(sizes, errors, np.full(7, 3.0), 1000, 10.0, 14))
    found = {fit.family: fit for fit in fitted.fits}
    assert found[family].deviance < 1e-4
    assert dict(found[family].parameters)["E"] == pytest.approx(0.12, abs=0.02)
    assert found[family].weight > 0.05
    assert sum(fit.weight for fit in fitted.fits) == pytest.approx(1.0)


def test_parameters_are_those_of_the_formula_in_the_source() -> None:
    sizes = np.array([20.0, 60, 180, 540])
    errors = np.array([0.62, 0.44, 0.29, 0.2])
    fitted = fit_curve(Measured(sizes, errors, np.ones(4), 500))
    formulas = {
        "rectified power law": lambda B, D_l, beta, E: B / (D_l + sizes**beta) + E,
        "pow3": lambda a, alpha, E: a * sizes**-alpha + E,
        "exp3": lambda a, scale, E: a * np.exp(-sizes / scale) + E,
    }
    for fit in fitted.fits:
        formula: Any = formulas[fit.family]
        curve = formula(**dict(fit.parameters))
        deviance = float(np.sum(fitted.precision * (curve - errors) ** 2))
        assert deviance == pytest.approx(fit.deviance, rel=1e-6), fit.family


def test_drop_and_end_are_the_optimum_within_their_bounds() -> None:
    from scipy.optimize import lsq_linear

    rng = np.random.default_rng(3)
    sizes, precision = np.array([19.0, 38, 75, 150, 300]), rng.uniform(100, 900, 5)
    observed = rng.uniform(0.05, 0.9, (20, 5))
    for family in FAMILIES:
        shapes = family.shape(family.grid(19.0, 300.0), sizes, 19.0)[::17]
        drop, end, deviance = project(shapes, precision, observed, 0.08)
        for g, shape in enumerate(shapes):
            for d, errors in enumerate(observed):
                root = np.sqrt(precision)
                system = np.stack([shape * root, root], axis=1)
                best = lsq_linear(system, errors * root, ([0.0, 0.08], np.inf))
                assert 2 * best.cost == pytest.approx(deviance[g, d], rel=1e-5, abs=1e-5)
                assert drop[g, d] >= 0.0
                assert end[g, d] >= 0.08


def test_gain_and_band_hold_the_truth_on_a_clear_curve() -> None:
    curve = curve_of(n=1500, noise=0.005)
    assert curve.refused is None
    for more, factor in zip(curve.more, (2, 4), strict=True):
        truth = pow3(300) - pow3(300 * factor)
        assert more.labels == 300 * factor
        assert more.gain.low <= truth <= more.gain.high
        assert more.gain.high - more.gain.low < 0.12
    by_size = {point.size: point for point in curve.band}
    for size in (*SIZES, 600, 1200):
        assert by_size[size].score.low - 0.03 <= 1 - pow3(size) <= by_size[size].score.high + 0.03
        assert by_size[size].measured == (size <= 300)
    assert max(by_size) == 1200, "nothing beyond four times the largest size"


def test_the_crossing_is_where_the_curves_cross() -> None:
    planted = Planted.of(1500, 5)
    sized = planted.sized("fine_tuning", lambda size: 0.1 + 0.5 * (size / 19) ** -0.5, noise=0.005)
    # the rival's error of 0.2 is reached at 19 * (0.5 / 0.1) ** 2 = 475 examples: ahead of what was measured
    [curve] = curves_of(planted, sized, panel=planted.panel(few_shot=0.2, majority=0.9))
    assert curve.crossing is not None
    assert curve.crossing.rival == "few_shot"
    assert curve.crossing.size is not None
    assert curve.crossing.size.low < 475 < curve.crossing.size.high
    assert curve.crossing.probability_now < 0.2
    [easy] = curves_of(planted, sized, panel=planted.panel(few_shot=0.5))
    assert easy.crossing is not None
    assert easy.crossing.probability_now > 0.99
    assert easy.crossing.size is not None
    assert easy.crossing.size.high < 60
    [hard] = curves_of(planted, sized, panel=planted.panel(few_shot=0.01))
    assert hard.crossing is not None
    assert hard.crossing.probability_never > 0.9


def test_the_rivals_uncertainty_widens_the_crossing() -> None:
    """The same curve and rival on few and on many test examples: both shares move away from certainty."""
    chances = []
    for n in (60, 2000):
        planted = Planted.of(n, 11)
        [curve] = curves_of(planted, planted.sized("fine_tuning", pow3), panel=planted.panel(few_shot=0.35))
        assert curve.crossing is not None
        assert curve.crossing.size is not None
        chances.append(curve.crossing.size.high - curve.crossing.size.low)
    assert chances[0] > chances[1]


def test_a_rival_that_learns_too_grows_with_the_labels() -> None:
    planted = Planted.of(800, 2)
    tuned = planted.sized("fine_tuning", lambda size: 0.1 + 0.5 * (size / 19) ** -0.5, noise=0.005)
    rival = planted.sized("rag", lambda size: 0.02 + 0.45 * (size / 19) ** -0.4, seeds=1, noise=0.0, tuned=False)
    last = [one for one in rival if one.size == 300]
    scores = np.array([outcome.score for outcome in last[0].run.outcomes], dtype=float)
    panel = replace(planted.panel(rag=0.2), scores=(scores[None],))
    [alone] = curves_of(planted, tuned, panel=panel)
    both = curves_of(planted, [*tuned, *rival], panel=panel)
    assert alone.crossing is not None
    assert both[0].crossing is not None
    assert both[1].crossing is None, "only tuned strategies have a crossing"
    assert both[0].crossing.probability_never > alone.crossing.probability_never


# --- invariances -----------------------------------------------------------------------------------------------------


@settings(max_examples=2)
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_runs_and_a_run_twice_change_nothing(random: Any) -> None:
    planted = Planted.of(120, 4)
    sized = planted.sized("fine_tuning", pow3, seeds=2)
    panel = planted.panel(few_shot=0.3)
    shuffled = [*sized, *sized[:3]]
    random.shuffle(shuffled)
    assert curves_of(planted, sized, panel=panel) == curves_of(planted, shuffled, panel=panel)


def test_no_runs_no_curves_and_no_random_number_is_used() -> None:
    planted, rng = Planted.of(50, 0), np.random.default_rng(5)
    assert learning_curves((), planted.panel(a=0.5), planted.test, Economics(), rng) == ()
    learning_curves(planted.sized("b", pow3), planted.panel(a=0.5), planted.test, Economics(), rng)
    assert rng.random() == np.random.default_rng(5).random(), "other figures do not move when curves are asked for"


def test_label_noise_bounds_the_ceiling() -> None:
    noise = Interval(0.15, 0.1, 0.2)
    free = curve_of()
    planted = Planted.of(400, 0)
    [held] = curves_of(planted, planted.sized("fine_tuning", pow3), noise=noise)
    assert free.ceiling == 1.0
    assert held.ceiling == pytest.approx(0.85)
    assert max(point.score.high for point in held.band) <= 0.85 + 1e-9
    assert max(point.score.high for point in free.band) > 0.85
    [above] = curves_of(planted, planted.sized("fine_tuning", pow3), noise=Interval(0.6, 0.5, 0.7))
    assert above.ceiling > 0.7, "what was measured is possible, whatever the estimate says"


# --- money -----------------------------------------------------------------------------------------------------------


def test_what_more_labels_cost_and_are_worth() -> None:
    economics = Economics(
        usd_per_label=0.5, usd_per_hour=3.6, requests_per_month=1000.0, usd_per_correct_answer=Range(0.5, 2.0)
    )
    two, four = curve_of(economics=economics).more
    # a training on 300 examples takes 30 s at $3.6 an hour: $0.03
    assert two.usd == pytest.approx(300 * 0.5 + 2 * 0.03)
    assert four.usd == pytest.approx(900 * 0.5 + 4 * 0.03)
    assert two.worth_usd is not None
    assert two.worth_usd.estimate == pytest.approx(12_000 * 1.09 * two.gain.estimate - 150, rel=0.2)
    assert curve_of().more[0].worth_usd is None, "no volume and no value were given"


def test_more_labels_are_worth_their_price_only_until_the_base_model_is_shut_down() -> None:
    planted = Planted.of(120, 0)
    sized = planted.sized("fine_tuning", pow3)
    runs = [*(one.run for one in sized if one.size == SIZES[-1])]
    runs.append(planted.run("few_shot", 10, 0, planted.scores(0.35), tuned=False))
    evalset = EvalSet("planted", "Answer.", "exact_match", (Example("a", "train", "x"),), (), planted.test)

    def worth(months: int | None) -> MoreLabels:
        until = None if months is None else date.today() + timedelta(days=round(months * 365.25 / 12))
        economics = Economics(10_000, 0.5, usd_per_label=0.0, base_model_shutdown=until)
        found = compare_runs(runs, evalset, economics, draws=200, sized=sized)
        return found.curves[0].more[0]

    long, short = worth(None), worth(3)
    assert long.usd is not None
    assert long.worth_usd is not None
    assert short.worth_usd is not None
    expected = (long.worth_usd.estimate + long.usd) / 4
    assert short.worth_usd.estimate + long.usd == pytest.approx(expected, rel=0.02)


# --- what cannot be said ---------------------------------------------------------------------------------------------


def refused(curve: LearningCurve) -> bool:
    return not (curve.fits or curve.band or curve.more or curve.crossing or curve.calibration)


@pytest.mark.parametrize(
    ("error", "sizes", "why"),
    [
        (worse, SIZES, "curve.falls"),
        (lambda size: 0.0, SIZES, "curve.all_right"),
        (lambda size: 1.0, SIZES, "curve.all_wrong"),
        (pow3, (150, 300), "curve.few_sizes"),
        (pow3, (300,), "curve.few_sizes"),
    ],
)
def test_refusals(error: Error, sizes: Sequence[int], why: str) -> None:
    curve = curve_of(error, sizes=sizes, noise=0.0)
    assert curve.refused is not None
    assert curve.refused.key == why
    assert curve.refused.values.get("sizes", len(sizes)) == len(sizes)
    assert refused(curve)
    assert len(curve.points) == 3 * len(sizes), "what was measured is still shown"


def test_flat_is_said_and_answered_with_a_wide_band() -> None:
    curve = curve_of(flat, n=100)
    assert curve.refused is not None
    assert curve.refused.key == "curve.no_rise"
    assert curve.more[1].gain.low < 0.02
    assert curve.more[1].gain.high > 0.02


def test_one_group_of_test_examples_is_refused() -> None:
    planted = Planted.of(60, 0, groups=1)
    [curve] = curves_of(planted, planted.sized("fine_tuning", pow3))
    assert curve.refused == say("curve.one_group")
    assert refused(curve)


def test_three_sizes_are_fitted_but_not_put_to_the_test() -> None:
    curve = curve_of(sizes=(20, 80, 320))
    assert curve.band
    assert curve.calibration is None


def test_runs_that_broke_and_missing_answers_are_left_out() -> None:
    planted = Planted.of(80, 9)
    sized = planted.sized("fine_tuning", pow3)
    broken = replace(sized[0].run, error="fit raised")
    holes = planted.run("fine_tuning", 38, 0, np.where(np.arange(80) < 30, np.nan, planted.scores(0.4)))
    sized = [SizedRun("fine_tuning", 19, broken), *sized[1:3], SizedRun("fine_tuning", 38, holes), *sized[4:]]
    [curve] = curves_of(planted, sized)
    assert [(p.size, p.seed) for p in curve.points][:3] == [(19, 1), (19, 2), (38, 0)]
    assert curve.points[2].n == 50
    [nothing] = curves_of(planted, [SizedRun("fine_tuning", 19, broken)])
    assert nothing.refused == say("curve.few_sizes", sizes=0)


@settings(max_examples=12)
@given(
    st.lists(st.sampled_from([0.0, 0.01, 0.3, 0.5, 0.99, 1.0]), min_size=1, max_size=6),
    st.integers(1, 3),
    st.integers(1, 30),
)
def test_never_nan_whatever_the_scores(errors: list[float], seeds: int, n: int) -> None:
    sizes = [8 * 2**at for at in range(len(errors))]
    curve = curve_of(lambda size: errors[sizes.index(int(size))], n=n, sizes=sizes, seeds=seeds)
    assert all(math.isfinite(number) for number in every_number(asdict(curve)))
    json.dumps(asdict(curve), allow_nan=False)
    for interval in [point.score for point in curve.band] + [more.gain for more in curve.more]:
        assert interval.low <= interval.estimate <= interval.high
    assert all(more.gain.low >= 0.0 for more in curve.more), "more examples are never expected to harm"


# --- the verdict -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("never", "behind", "answer", "said"),
    [
        (0.2, True, "not_yet", True),
        (0.6, True, "not_yet", False),
        (0.2, False, "not_yet", False),
        (0.2, True, "do_not_fine_tune", False),
    ],
)
def test_more_labels_may_be_what_would_flip_it(never: float, behind: bool, answer: Any, said: bool) -> None:
    tuned = Plant("fine_tuning", 0.55 if behind else 0.8, tuned=True, kind="fine_tuning", seeds=(0, 1))
    crossing = Crossing("few_shot", Interval(700.0, 450.0, 1500.0, 0.9), never, 0.1)
    curve = LearningCurve("fine_tuning", True, (), crossing=crossing)
    seen = replace(evidence(Plant("few_shot", 0.6), tuned), curves=(curve,))
    found = [one for one in turning_points(seen, answer, flips(seen)) if one.key == "turn.more_labels"]
    size = Interval(700.0, 450.0, 1500.0)
    labels = say("turn.more_labels", more=300.0, tuned="fine_tuning", rival="few_shot", size=size, never=0.2)
    assert found == ([labels] if said else [])


# --- honesty ---------------------------------------------------------------------------------------------------------


def test_coverage_of_the_gain_and_of_the_hidden_size() -> None:
    """A smoke test on 12 curves; benchmarks/learning_curve.py measures it on many, of families that are not fitted."""
    inside, hidden, tries = 0, 0, 12
    for seed in range(tries):
        planted = Planted.of(300, 100 + seed)
        rate = planted.rng.uniform(0.3, 1.0)
        error = partial(pow3, rate=rate)
        [curve] = curves_of(planted, planted.sized("fine_tuning", error))
        gain = curve.more[0].gain
        inside += gain.low <= error(300) - error(600) <= gain.high
        assert curve.calibration is not None
        hidden += curve.calibration.inside
    assert inside >= 8, "90 of 100 are promised; 8 of 12 are the least that chance allows"
    assert hidden >= 8
