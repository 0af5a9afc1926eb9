"""Where a tuned strategy and its best alternative cost and bring the same; and which of the two dominates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from advisor.core.types import Interval
from advisor.economics.ledger import Account, Ledger, PricedAccount, is_priced
from advisor.stats.bootstrap import FloatArray

BoolArray = NDArray[np.bool_]
MONEY_LEVEL = 0.90
METHOD = "5-95 % of the joint draws"


@dataclass(frozen=True, slots=True)
class BreakEven:
    """Where `tuned` and `alternative` cost and bring the same.

    Attributes:
        volume: requests a month above which tuning pays for itself, as an interval over the draws in which there is
            such a volume; `None` where there is none or the value of an answer is unknown and quality differs.
        probability_never: the share of draws in which no volume pays.
        usd_per_correct_answer: tuning is worth it if a correct answer is worth more than this (u*); `None` if no value
            would do (quality not better). Draws in which quality is not better count as infinite.
        payback_months: at the stated volume; `None` where it never pays or no volume was given.
    """

    tuned: str
    alternative: str
    volume: Interval | None
    probability_never: float | None
    usd_per_correct_answer: Interval | None
    payback_months: Interval | None


@dataclass(frozen=True, slots=True)
class Dominance:
    """How often, over the joint draws, one side dominates; `None` where a price or the volume is unknown.

    The tuned strategy must be as good against every other one; in cost it is held against the contenders, which are
    the others within the margin of the best of them. A free floor that nobody would use does not count as cheaper.

    Attributes:
        tuned: the tuned strategy that is meant.
        instead: the strategy that makes it needless most often; empty where prices are unknown.
        better: it is better than all others by more than the margin.
        better_and_not_dearer: that, at no more per request than any contender.
        cheaper_and_as_good: not worse than the margin, and the saving pays the one-off cost back within the horizon.
        needless: `instead` is not worse than the margin and not dearer (over the horizon where the volume is known,
            else per request).
        pays_without_quality: its saving alone, with quality counted as equal, pays its one-off cost back, against the
            contenders and the alternative of the break-even points.
        contenders: the strategies it is held against in cost.
    """

    tuned: str
    instead: str
    better: float
    better_and_not_dearer: float | None
    cheaper_and_as_good: float | None
    needless: float | None
    pays_without_quality: float | None
    contenders: tuple[str, ...]


def spread(
    values: FloatArray, estimate: float | None = None, *, level: float = MONEY_LEVEL, method: str = METHOD
) -> Interval:
    """Return the central `level` of draws (which may be infinite), around their mean or the given estimate."""
    tails = ((1 - level) / 2, (1 + level) / 2)
    low, high = (float(q) for q in np.quantile(values, tails, method="inverted_cdf"))
    middle = float(np.mean(values)) if estimate is None else estimate
    return Interval(middle, min(low, middle), max(high, middle), level, method)


def pick(ledger: Ledger) -> tuple[Account, Account] | None:
    """Return the tuned strategy and the alternative to hold it against; `None` if one of the two is missing.

    Where all amounts are known both are the best by expected net benefit. Where the value of an answer is unknown the
    tuned one is the best by score, and the alternative the one that asks most of it: the best by score if that is not
    worse, else the one with the highest break-even value.
    """
    tuned = [account for account in ledger.accounts if account.tuned]
    others = [account for account in ledger.accounts if not account.tuned]
    if not tuned or not others:
        return None
    nets = {account.label: ledger.net_benefit(account) for account in ledger.accounts}
    worth = {label: float(np.mean(net)) for label, net in nets.items() if net is not None}
    if len(worth) == len(nets):
        return max(tuned, key=lambda a: worth[a.label]), max(others, key=lambda a: worth[a.label])
    ours, best = max(tuned, key=lambda a: a.score), max(others, key=lambda a: a.score)
    if best.score >= ours.score or ours.request_usd is None:
        return ours, best
    asked = {other.label: _threshold(ledger, ours, other) for other in others}
    return ours, max(others, key=lambda a: (asked[a.label], a.score))


def _threshold(ledger: Ledger, ours: Account, other: Account) -> float:
    found = value_needed(ledger, ours, other)
    return -np.inf if found is None else found.estimate


def break_even(ledger: Ledger, ours: Account, other: Account, *, as_good: bool) -> BreakEven:
    """Return the break-even points of `ours` against `other`.

    Source: the net-benefit formula (docs/method.md, "Money") set to 0 in each draw.

    Args:
        ledger: the accounts.
        ours: the tuned strategy.
        other: its alternative.
        as_good: quality is as good as equal, so that a break-even on cost alone means something where the value of an
            answer is unknown.
    """
    found = BreakEven(
        tuned=ours.label,
        alternative=other.label,
        volume=None,
        probability_never=None,
        usd_per_correct_answer=value_needed(ledger, ours, other),
        payback_months=None,
    )
    if not (is_priced(ours) and is_priced(other)):
        return found
    gain = _gain_per_request(ledger, ours, other, as_good)
    if gain is None:
        return found
    volume, never = _volume(ledger, ours, other, gain)
    payback = _payback(ledger, ours, other, gain)
    return replace(found, volume=volume, probability_never=never, payback_months=payback)


def value_allowed(ledger: Ledger, ours: Account, other: Account) -> float | None:
    """Return the value of a correct answer up to which a cheaper, worse `ours` is still worth it, USD.

    The counterpart of `value_needed`: what it saves, after its one-off cost, for each correct answer that it loses.
    `None` where it is not worse, or saves nothing.
    """
    if not (is_priced(ours) and is_priced(other)) or ours.score >= other.score:
        return None
    saved, lost = other.request_usd - ours.request_usd, other.quality - ours.quality
    if ledger.volume is not None:
        requests = ledger.volume * ledger.horizon
        saved, lost = requests * saved - (ledger.fixed(ours) - ledger.fixed(other)), requests * lost
    if float(np.mean(saved)) <= 0.0 or float(np.mean(lost)) <= 0.0:
        return None
    return float(np.mean(saved)) / float(np.mean(lost))


def value_needed(ledger: Ledger, ours: Account, other: Account) -> Interval | None:
    """Return the value of a correct answer above which `ours` is worth it (u*), USD, never below 0.

    The estimate is where the expected gain is 0. Without a volume the one-off cost cannot be spread over requests and
    is left out, which `Interval.method` says.
    """
    if not (is_priced(ours) and is_priced(other)) or ours.score <= other.score:
        return None
    better, dearer, method = ours.quality - other.quality, ours.request_usd - other.request_usd, METHOD
    if ledger.volume is None:
        requests, owed = np.ones_like(better), dearer
        method = f"{METHOD}, cost of requests only, without the one-off cost"
    else:
        requests = ledger.volume * ledger.horizon
        owed = requests * dearer + ledger.fixed(ours) - ledger.fixed(other)
    brought = requests * better
    if float(np.mean(brought)) <= 0.0:
        return None
    needed = _per(owed, brought)
    estimate = max(0.0, float(np.mean(owed)) / float(np.mean(brought)))
    return spread(np.maximum(needed, 0.0), estimate, method=method)


def _gain_per_request(ledger: Ledger, ours: PricedAccount, other: PricedAccount, as_good: bool) -> FloatArray | None:
    """Return what one request more brings, USD; `None` where that hangs on an unknown value of an answer."""
    saved = other.request_usd - ours.request_usd
    if ledger.value is not None:
        return np.asarray(ledger.value * (ours.quality - other.quality) + saved)
    return np.asarray(saved) if as_good else None


def _volume(
    ledger: Ledger, ours: PricedAccount, other: PricedAccount, gain: FloatArray
) -> tuple[Interval | None, float]:
    """Return the volume above which tuning pays over the draws that have one, and the share that have none.

    A request must bring a gain, else more of them pay nothing; where nothing has to be earned back it pays from 0 on.
    The estimate is where the expected gain is 0, as with u*; where a request is expected to bring none, it is the
    median of the draws that have one.
    """
    owed = ledger.fixed(ours) - ledger.fixed(other)
    pays = gain > 0.0
    if not pays.any():
        return None, 1.0
    needed = _per(np.maximum(owed[pays], 0.0), gain[pays] * ledger.horizon)
    expected = float(np.mean(gain)) * ledger.horizon
    middle = max(0.0, float(np.mean(owed))) / expected if expected > 0.0 else float(np.median(needed))
    return spread(needed, middle), float(np.mean(~pays))


def _payback(ledger: Ledger, ours: PricedAccount, other: PricedAccount, gain: FloatArray) -> Interval | None:
    """Return the months until the one-off cost is earned back, hosting and retraining being paid as they come."""
    if ledger.volume is None:
        return None
    running = (ledger.fixed(ours) - ours.once_usd) - (ledger.fixed(other) - other.once_usd)
    monthly = ledger.volume * gain - running / ledger.horizon
    owed = np.maximum(ours.once_usd - other.once_usd, 0.0)
    months = _per(owed, monthly)
    middle = float(np.quantile(months, 0.5, method="inverted_cdf"))
    return spread(months, middle) if np.isfinite(middle) else None


def _per(owed: FloatArray, brought: FloatArray) -> FloatArray:
    """Return how much of `brought` it takes; infinite where nothing is brought, or next to nothing."""
    with np.errstate(over="ignore"):
        return np.asarray(np.divide(owed, brought, out=np.full(len(owed), np.inf), where=brought > 0.0))


def dominance(ledger: Ledger, ours: Account, alternative: Account, margin: float) -> Dominance:
    """Return how often `ours` dominates all others together, and how often another one makes it needless."""
    others = [account for account in ledger.accounts if not account.tuned]
    best = max(account.score for account in others)
    contenders = [account for account in others if account.score >= best - margin]
    leads = [ours.quality - other.quality for other in others]
    better, as_good = _all([lead > margin for lead in leads]), _all([lead > -margin for lead in leads])
    saved = _all_known([pays_back(ledger, ours, rival) for rival in contenders])
    held_against = pays_back(ledger, ours, alternative)
    alone = None if saved is None or held_against is None else saved & held_against
    not_dearer = not_dearer_than_all(ledger, ours, contenders)
    instead, needless = _needless(ledger, ours, others, margin)
    return Dominance(
        tuned=ours.label,
        instead=instead,
        better=float(np.mean(better)),
        better_and_not_dearer=None if not_dearer is None else float(np.mean(better & not_dearer)),
        cheaper_and_as_good=None if saved is None else float(np.mean(as_good & saved)),
        needless=needless,
        pays_without_quality=None if alone is None else float(np.mean(alone)),
        contenders=tuple(account.label for account in contenders),
    )


def _needless(ledger: Ledger, ours: Account, others: Sequence[Account], margin: float) -> tuple[str, float | None]:
    found = {}
    for other in others:
        cheap = not_costlier(ledger, other, ours)
        if cheap is not None:
            found[other.label] = float(np.mean((other.quality - ours.quality > -margin) & cheap))
    if not found:
        return "", None
    instead = max(found, key=lambda label: found[label])
    return instead, found[instead]


def not_dearer_than_all(ledger: Ledger, ours: Account, rivals: Sequence[Account]) -> BoolArray | None:
    """Return in which draws a request to `ours` costs no more than one to any rival; `None` where that is unknown."""
    return _all_known([_not_dearer(ledger, ours, rival) for rival in rivals])


def not_costlier(ledger: Ledger, other: Account, ours: Account) -> BoolArray | None:
    """Return in which draws `other` saves money beside `ours`: over the horizon, or per request without a volume."""
    pays = pays_back(ledger, ours, other)
    return _not_dearer(ledger, other, ours) if pays is None else ~pays


def _not_dearer(ledger: Ledger, a: Account, b: Account) -> BoolArray | None:
    """Return in which draws a request to `a` costs no more than one to `b`, a tie included; what is free never does.

    Fixed hosting is part of what a request costs: spread over the stated volume, and unknown without one.
    """
    hosting = a.hosting_usd_per_month - b.hosting_usd_per_month
    if a.request_usd is not None and not a.request_usd.any() and a.hosting_usd_per_month == 0.0:
        return np.ones(len(a.quality), dtype=np.bool_)
    if a.request_usd is None or b.request_usd is None:
        return None
    more = a.request_usd - b.request_usd - ledger.tie_usd(float(a.request_usd.mean()), float(b.request_usd.mean()))
    if hosting == 0.0 or (ledger.volume is None and hosting < 0.0):
        return np.asarray(more <= 0.0)
    if ledger.volume is None:
        return None
    return np.asarray(ledger.volume * more + hosting <= 0.0)


def pays_back(ledger: Ledger, ours: Account, other: Account) -> BoolArray | None:
    """Return in which draws `ours` costs less than `other` over the horizon; `None` where that is unknown."""
    if ledger.volume is None or not (is_priced(ours) and is_priced(other)):
        return None
    saved = ledger.volume * ledger.horizon * (other.request_usd - ours.request_usd)
    return np.asarray(saved > ledger.fixed(ours) - ledger.fixed(other))


def _all(conditions: Sequence[BoolArray]) -> BoolArray:
    return np.asarray(np.logical_and.reduce(list(conditions)), dtype=np.bool_)


def _all_known(conditions: Sequence[BoolArray | None]) -> BoolArray | None:
    known = [one for one in conditions if one is not None]
    return _all(known) if len(known) == len(conditions) else None
