"""The money side of a forecast, by the formula of a comparison (`advisor.economics.ledger`) with stated costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from advisor.advice.forecast import LiftDraws
from advisor.advice.situation import RETRAINS_PER_YEAR, Costs, Situation
from advisor.core.types import Interval
from advisor.economics.amounts import Amount
from advisor.economics.break_even import spread, value_needed
from advisor.economics.inputs import Economics
from advisor.economics.ledger import Account, Ledger
from advisor.economics.sampling import draw
from advisor.stats.bootstrap import FloatArray

ENOUGH_LABELS = 300
"""Labels that would be bought where fewer are at hand and their price is known: about 100 break even against strong
models, and 100 to 200 % more are needed once variance counts (arXiv 2402.12819)."""


@dataclass(frozen=True, slots=True)
class NetBenefit:
    """Whether the lift would pay; `None` where the volume or the value of an answer is unknown.

    Attributes:
        probability: chance that tuning brings more than it costs, P(NB > 0) against the prompted model.
        gain_usd: net benefit over the horizon against the prompted model, 5 to 95 %.
        usd_per_correct_answer: it pays if a correct answer is worth more than this; `None` without a volume, or where
            no value would do since no lift is expected.
        once_usd: mean one-off cost.
        bought_labels: labels that would be bought.
        retrains_per_year: trainings anew.
    """

    probability: float | None
    gain_usd: Interval | None
    usd_per_correct_answer: Interval | None
    once_usd: float
    bought_labels: int
    retrains_per_year: float


def labels_after_buying(situation: Situation, economics: Economics) -> tuple[int | None, int]:
    """Return how many labels tuning would have, and how many of them would be bought."""
    if situation.examples is None or not economics.usd_per_label:
        return situation.examples, 0
    bought = max(0, ENOUGH_LABELS - situation.examples)
    return situation.examples + bought, bought


def weigh(
    drawn: LiftDraws, situation: Situation, economics: Economics, costs: Costs, rng: np.random.Generator
) -> tuple[NetBenefit, FloatArray | None]:
    """Price the lift; also return the net benefit in each draw, float64 (D,), where it is known."""
    size = len(drawn.lift)
    _, bought = labels_after_buying(situation, economics)
    training = draw(costs.training_usd, size, rng)
    once = training + draw(economics.usd_per_label, size, rng) * bought
    once = once + draw(economics.engineering_hours, size, rng) * economics.usd_per_engineering_hour
    retrains = economics.retrains_per_year or RETRAINS_PER_YEAR[situation.changes or "never"]
    prompted = Account(
        label="prompted",
        tuned=False,
        score=float(np.mean(drawn.prompted)),
        quality=drawn.prompted,
        request_usd=_request(costs.usd_per_request, size, rng),
        once_usd=np.zeros(size),
        retrain_usd=0.0,
        hosting_usd_per_month=0.0,
    )
    tuned = Account(
        label="fine_tuning",
        tuned=True,
        score=float(np.mean(drawn.prompted + drawn.lift)),
        quality=drawn.prompted + drawn.lift,
        request_usd=_request(costs.tuned_usd_per_request, size, rng),
        once_usd=once,
        retrain_usd=float(np.mean(training)),
        hosting_usd_per_month=costs.hosting_usd_per_month,
    )
    volume, value = economics.requests_per_month, economics.usd_per_correct_answer
    ledger = Ledger(
        accounts=(prompted, tuned),
        volume=None if volume is None else draw(volume, size, rng),
        value=None if value is None else draw(value, size, rng),
        horizon=economics.horizon_months,
        retrains=retrains * economics.horizon_months / 12.0,
    )
    ours, theirs = ledger.net_benefit(tuned), ledger.net_benefit(prompted)
    gain = None if ours is None or theirs is None else np.asarray(ours - theirs)
    found = NetBenefit(
        probability=None if gain is None else float(np.mean(gain > 0.0)),
        gain_usd=None if gain is None else spread(gain),
        usd_per_correct_answer=None if volume is None else value_needed(ledger, tuned, prompted),
        once_usd=float(np.mean(once)),
        bought_labels=bought,
        retrains_per_year=retrains,
    )
    return found, gain


def _request(amount: Amount | None, size: int, rng: np.random.Generator) -> FloatArray:
    """Return the cost of a request; 0 stands for both sides where neither is given, since equal costs cancel."""
    return np.zeros(size) if amount is None else draw(amount, size, rng)
