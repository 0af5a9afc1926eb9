"""Money: what each strategy costs, what its correct answers are worth, and where fine-tuning breaks even."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from advisor.core.statement import Statement, say
from advisor.core.types import Interval, Usage
from advisor.economics.amounts import ends
from advisor.economics.break_even import MONEY_LEVEL, BreakEven, Dominance, break_even, dominance, pick, spread
from advisor.economics.definition import declared_options
from advisor.economics.inputs import Economics
from advisor.economics.ledger import Account, Ledger, is_priced, price_pair
from advisor.economics.prices import Prices, usd_of
from advisor.economics.scenarios import Scenario, scenarios
from advisor.stats.bootstrap import SEED_SD_PRIOR, SINGLE_SEED_SD, FloatArray

if TYPE_CHECKING:
    from advisor.stats.summaries import StrategySummary


@dataclass(frozen=True, slots=True)
class StrategyMoney:
    """One strategy in USD. `None` where a price, the volume or the value of an answer is unknown.

    `net_benefit` is over the horizon; `probability_best` that this strategy has the highest of all.
    """

    label: str
    usd_per_1000_requests: Interval | None
    one_off_usd: float | None
    hosting_usd_per_month: float
    net_benefit_usd: Interval | None = None
    probability_best: float | None = None


@dataclass(frozen=True, slots=True)
class Money:
    """The money side of a comparison.

    `probability_tuned_best`, `expected_gain_usd` (best tuned minus the best alternative, both picked by expected net
    benefit as in `break_even`; 5-95 %) and `expected_regret_usd` (what choosing now loses against knowing for sure)
    are `None` unless the user gave both the volume and the value of a correct answer, and every price is known.
    `dominance` needs neither. `basis` is what the figures rest on: every input by name, and what is taken for granted.
    `months` is the horizon that counts; `scenarios` are rows "what if", from the same draws. `contradictions` are what
    in the user's own figures does not fit together.
    """

    strategies: tuple[StrategyMoney, ...]
    break_even: BreakEven | None
    probability_tuned_best: float | None
    expected_gain_usd: Interval | None
    expected_regret_usd: float | None
    pareto: tuple[str, ...]
    cheapest_at_target: str | None = None
    basis: Mapping[str, Statement] = field(default_factory=dict)
    dominance: Dominance | None = None
    months: float = 12.0
    scenarios: tuple[Scenario, ...] = ()
    contradictions: tuple[Statement, ...] = ()


def weigh_ledger(ledger: Ledger, strategies: Sequence[StrategySummary], economics: Economics, model: str) -> Money:
    """Put quality and cost together: ``NB[a] = V*T*(u*q[a] - c[a]) - h[a]*T - F[a] - n_retrain*F_re[a]``.

    Every draw takes one resample of the examples and one value of each of the user's ranges for all strategies. Of
    several tuned strategies the one with the highest expected net benefit stands for fine-tuning, so that it is not
    chosen anew with hindsight in each draw. For the chance of being best the others are taken at their best in each
    draw, which is the stricter way; the gain is against the one of them with the highest expected net benefit.

    Args:
        ledger: the accounts, as joint draws.
        strategies: one summary a strategy, in the order of the result.
        economics: the user's side.
        model: a model specification, e.g. ``smollm2`` or ``openai:gpt-4.1-mini``.
    """
    nets = {account.label: ledger.net_benefit(account) for account in ledger.accounts}
    netted = {label: net for label, net in nets.items() if net is not None}
    complete = bool(netted) and len(netted) == len(nets)
    best = _probability_best(netted) if complete else {}
    accounts = {account.label: account for account in ledger.accounts}
    rows = tuple(_row(one.label, accounts.get(one.label), netted, best) for one in strategies)
    pair = pick(ledger)
    chance, gain = _tuned_against_rest(ledger, pair, netted) if pair and complete else (None, None)
    held = dominance(ledger, *pair, economics.margin) if pair else None
    return Money(
        strategies=rows,
        break_even=_break_even(ledger, pair, economics) if pair else None,
        probability_tuned_best=chance,
        expected_gain_usd=gain,
        expected_regret_usd=_regret(netted) if complete else None,
        pareto=_pareto(ledger),
        cheapest_at_target=_cheapest_at_target(ledger, strategies, economics.target_quality),
        basis=_basis(economics, model, ledger.shutdown),
        dominance=held,
        months=ledger.horizon,
        scenarios=scenarios(ledger, pair, economics, model) if pair else (),
        contradictions=_contradictions(ledger, economics),
    )


def request_cost(usage: Usage, prices: Prices, economics: Economics) -> float | None:
    """Return what `usage` cost, USD; `None` if a price that is needed is unknown: `prices.usd_of_parts`."""
    return usd_of(usage, prices, utilisation=economics.utilisation)


def _row(
    label: str, account: Account | None, nets: Mapping[str, FloatArray], best: Mapping[str, float]
) -> StrategyMoney:
    if account is None:
        return StrategyMoney(label, None, None, 0.0)
    request, once, net = account.request_usd, account.once_usd, nets.get(label)
    return StrategyMoney(
        label=label,
        usd_per_1000_requests=None if request is None else spread(request * 1000, level=0.95, method="bootstrap"),
        one_off_usd=None if once is None else float(np.mean(once)),
        hosting_usd_per_month=account.hosting_usd_per_month,
        net_benefit_usd=None if net is None else spread(net),
        probability_best=best.get(label),
    )


def _probability_best(nets: Mapping[str, FloatArray]) -> dict[str, float]:
    """Return how often each strategy has the highest net benefit; equals share."""
    table = np.stack(list(nets.values()), axis=1)
    top = table == table.max(axis=1, keepdims=True)
    shares = (top / top.sum(axis=1, keepdims=True)).mean(axis=0)
    return dict(zip(nets, (float(share) for share in shares), strict=True))


def _tuned_against_rest(
    ledger: Ledger, pair: tuple[Account, Account], nets: Mapping[str, FloatArray]
) -> tuple[float, Interval]:
    """Return how often the tuned strategy beats all that are not tuned, and its gain over the alternative.

    A draw level is not a win. The gain is that over the one strategy to use instead: nobody can switch to whichever
    turns out best in a draw, so the best of the others in each draw would make a loss of mere hindsight.
    """
    tuned, alternative = (nets[account.label] for account in pair)
    others = [nets[account.label] for account in ledger.accounts if not account.tuned]
    return float(np.mean(tuned > np.max(others, axis=0))), spread(tuned - alternative)


def _regret(nets: Mapping[str, FloatArray]) -> float:
    """Return the expected loss of the best choice by expectation against knowing each draw, USD, at least 0."""
    table = np.stack(list(nets.values()), axis=1)
    return max(0.0, float(np.mean(table.max(axis=1)) - table.mean(axis=0).max()))


def _break_even(ledger: Ledger, pair: tuple[Account, Account], economics: Economics) -> BreakEven:
    """Where the value is unknown, cost alone breaks even only if quality is not worse and not clearly better either."""
    ours, other = pair
    gap = ours.quality - other.quality
    not_worse = float(np.mean(gap > -economics.margin)) >= economics.confidence
    clearly_better = float(np.quantile(gap, (1 - MONEY_LEVEL) / 2)) > 0.0
    return break_even(ledger, ours, other, as_good=not_worse and not clearly_better)


def _pareto(ledger: Ledger) -> tuple[str, ...]:
    """Return the strategies that no other beats in both mean quality and mean cost of a request, cheapest first.

    Where costs tie, the better one beats the other; where scores are equal too, the cheaper one does.
    """
    costs = {a.label: float(np.mean(a.request_usd)) for a in ledger.accounts if a.request_usd is not None}
    scores = {a.label: a.score for a in ledger.accounts}
    ranked = sorted(costs, key=lambda label: (costs[label], -scores[label], label))

    def beats(one: str, other: str) -> bool:
        if scores[one] == scores[other]:
            return ranked.index(one) < ranked.index(other)
        dearer = costs[one] - costs[other]
        return scores[one] > scores[other] and dearer <= ledger.tie_usd(costs[one], costs[other])

    return tuple(label for label in ranked if not any(beats(other, label) for other in ranked if other != label))


def _cheapest_at_target(ledger: Ledger, strategies: Sequence[StrategySummary], target: float | None) -> str | None:
    """Return the cheapest strategy whose interval lies at or above `target`, by all costs where the volume is known."""
    lows = {one.label: one.quality.low for one in strategies if one.quality is not None}
    if target is None:
        return None
    costs = {}
    for account in ledger.accounts:
        if not lows.get(account.label, -math.inf) >= target or account.request_usd is None:
            continue
        if ledger.volume is None:
            costs[account.label] = float(np.mean(account.request_usd))
        elif is_priced(account):
            total = ledger.volume * ledger.horizon * account.request_usd + ledger.fixed(account)
            costs[account.label] = float(np.mean(total))
    return min(costs, key=lambda label: costs[label]) if costs else None


def _contradictions(ledger: Ledger, economics: Economics) -> tuple[Statement, ...]:
    target = economics.target_quality
    gratis = [one for one in ledger.accounts if one.request_usd is not None and not one.request_usd.any()]
    free = [one for one in gratis if target is not None and one.score >= target]
    if not free:
        return ()
    best = max(free, key=lambda account: account.score)
    return (say("note.free_reaches_target", target=target, label=best.label, score=best.score),)


def _basis(economics: Economics, model: str, shutdown: Statement) -> dict[str, Statement]:
    """Return every input by name, the user's or a default, and what is taken for granted beside them."""
    default = Economics()
    found = {}
    for name, option in declared_options(Economics).items():
        if option.unit is not None:
            value = getattr(economics, name)
            yours = value != getattr(default, name)
            found[name] = say("assumption.amount", unit=option.unit.name, ends=ends(value), yours=yours)
    base, tuned = price_pair(economics, model)
    found["base_model_shutdown"] = shutdown
    found["prices"] = say("assumption.prices", source=base.source, yours=economics.prices is not None)
    found["tuned_prices"] = say("assumption.prices", source=tuned.source, yours=economics.tuned_prices is not None)
    found["trainings"] = say("assumption.trainings", sd_of_one=SINGLE_SEED_SD, sd_of_more=SEED_SD_PRIOR)
    found["unseen_examples"] = say("assumption.unseen_examples")
    found["labels"] = say("assumption.labels")
    found["retraining"] = say("assumption.retraining")
    return found
