"""What would turn the answer round: every input moved from its low to its high end, and where the gain changes sign."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from advisor.core.statement import Statement, say
from advisor.decision.evidence import Evidence, Flip, FlipUnit
from advisor.economics.amounts import Amount, Range, ends, mean
from advisor.economics.break_even import not_costlier, not_dearer_than_all, pays_back, value_allowed
from advisor.economics.inputs import Economics
from advisor.economics.ledger import Account, Ledger, is_priced
from advisor.stats.bootstrap import FloatArray

EXAMPLES = {"labels": 1.0, "engineering": 40.0, "retraining": 4.0}
"""What an input that is 0 is moved to: $1 a label, a week of work, a retraining each quarter."""


@dataclass(frozen=True, slots=True)
class _Gain:
    """Expected gain of tuning, in its parts, USD: ``benefit - request - hosting - once - retraining``.

    `own_once` is the part of `once` that tuning itself costs, and `per_score` what a score of 1 more would bring.
    """

    benefit: float
    request: float
    hosting: float
    once: float
    retraining: float
    own_once: float
    per_score: float

    @property
    def total(self) -> float:
        return self.benefit - self.request - self.hosting - self.once - self.retraining


def flips(evidence: Evidence) -> tuple[Flip, ...]:
    """Return all inputs, the one that moves the gain most first (a tornado); empty with nothing to decide between.

    The gain is linear in each input with the others at what they are, so each flip point is solved for and not
    searched. One-way sensitivity as in Briggs, Claxton and Sculpher 2006 (Decision Modelling for Health Economic
    Evaluation, section 1.3); inputs that go together (value and volume, say) are not moved together.
    """
    ledger = evidence.ledger
    if ledger is None or not evidence.tuned or not evidence.alternative:
        return ()
    accounts = {account.label: account for account in ledger.accounts}
    pair = accounts[evidence.tuned], accounts[evidence.alternative]
    parts = _parts(ledger, *pair) if evidence.netted else None
    if parts is None:
        found = _without_netting(evidence, ledger, *pair)
    else:
        found = [*_amounts(evidence.economics, ledger, parts, *pair), _lead(evidence, parts)]
    return tuple(sorted([*found, *_margin(evidence)], key=lambda flip: (-flip.swing, flip.distance)))


def _parts(ledger: Ledger, ours: Account, other: Account) -> _Gain | None:
    if ledger.volume is None or ledger.value is None or not (is_priced(ours) and is_priced(other)):
        return None
    requests = ledger.volume * ledger.horizon
    return _Gain(
        benefit=float(np.mean(requests * ledger.value * (ours.quality - other.quality))),
        request=float(np.mean(requests * (ours.request_usd - other.request_usd))),
        hosting=(ours.hosting_usd_per_month - other.hosting_usd_per_month) * ledger.horizon,
        once=float(np.mean(ours.once_usd - other.once_usd)),
        retraining=ledger.retrains * (ours.retrain_usd - other.retrain_usd),
        own_once=float(np.mean(ours.once_usd)),
        per_score=float(np.mean(ledger.volume * ledger.value)) * ledger.horizon,
    )


def _amounts(economics: Economics, ledger: Ledger, parts: _Gain, ours: Account, other: Account) -> list[Flip]:
    fits = (ours.fit_usd or 0.0) - (other.fit_usd or 0.0)
    per_retraining = ledger.horizon / 12.0 * (ours.retrain_usd - other.retrain_usd)
    volume, value = economics.requests_per_month or 0.0, economics.usd_per_correct_answer or 0.0
    running = parts.benefit - parts.request
    monthly = running - parts.hosting - parts.retraining
    paid = -(parts.request + fits + parts.retraining)
    labels, hours = economics.usd_per_label, economics.engineering_hours
    total = parts.total
    return [
        _flip("value", "usd", value, _slope(parts.benefit, value), total),
        _flip("volume", "count", volume, _slope(running, volume), total),
        _flip("horizon", "months", ledger.horizon, _slope(monthly, ledger.horizon), total),
        _flip("one_off", "usd", parts.own_once, -1.0, total),
        _flip("price", "times", 1.0, paid, total),
        _flip("labels", "usd", labels, -(ours.labels - other.labels), total),
        _flip("engineering", "hours", hours, -economics.usd_per_engineering_hour, total),
        _flip("retraining", "count", economics.retrains_per_year, -per_retraining, total),
    ]


def _flip(name: str, unit: FlipUnit, amount: Amount, slope: float, total: float) -> Flip:
    """Move one input along a line through (its mean, `total`) with this slope, USD for each unit of it."""
    now = mean(amount)
    low, high = (amount.low, amount.high) if isinstance(amount, Range) else (now / 2, 2 * now)
    if now == 0.0:
        low, high = 0.0, EXAMPLES.get(name, 0.0)
    flip = now - total / slope if slope else None
    if flip is not None and not 0.0 <= flip < math.inf:
        flip = None
    return Flip(name, unit, now, low, high, total + slope * (low - now), total + slope * (high - now), flip)


def _slope(part: float, amount: Amount) -> float:
    """Return what one unit more brings, where a part of the gain is in proportion to an amount."""
    now = mean(amount)
    return part / now if now > 0.0 else 0.0


def _lead(evidence: Evidence, parts: _Gain) -> Flip:
    lead, each = evidence.lead(evidence.alternative), parts.per_score
    at = lead.estimate - parts.total / each if each > 0.0 else math.inf
    low, high = (parts.total + each * (end - lead.estimate) for end in (lead.low, lead.high))
    return Flip("lead", "points", lead.estimate, lead.low, lead.high, low, high, at if -1.0 < at < 1.0 else None)


def _without_netting(evidence: Evidence, ledger: Ledger, ours: Account, other: Account) -> list[Flip]:
    """Without a value or a volume there is no gain to move, and only the break-even points are known."""
    point, economics = evidence.money.break_even, evidence.economics
    found = []
    if point and point.usd_per_correct_answer and point.usd_per_correct_answer.estimate > 0.0:
        needed = point.usd_per_correct_answer
        found.append(_known_point("value", "usd", economics.usd_per_correct_answer, needed.estimate))
    allowed = value_allowed(ledger, ours, other)
    if allowed is not None:
        found.append(_known_point("value_allowed", "usd", economics.usd_per_correct_answer, allowed))
    mostly = point is not None and (point.probability_never or 0.0) <= 0.5
    if point and point.volume and mostly:
        found.append(_known_point("volume", "count", economics.requests_per_month, point.volume.estimate))
    return found


def _known_point(name: str, unit: FlipUnit, amount: Amount | None, flip: float) -> Flip:
    now = None if amount is None else mean(amount)
    low, high = (amount.low, amount.high) if isinstance(amount, Range) else (now or 0.0, now or 0.0)
    return Flip(name, unit, now, low, high, None, None, flip if math.isfinite(flip) else None)


def _margin(evidence: Evidence) -> list[Flip]:
    """The margins up to which tuning counts as better, and from which on it, or another, counts as no worse.

    They are where the probability meets what a yes and what a no needs. Net benefit knows no margin. In a draw in which
    the cost condition fails no margin helps: the lead counts as without end there, downwards for a yes, upwards for a
    no.
    """
    held, economics, ledger = evidence.money.dominance, evidence.economics, evidence.ledger
    if evidence.netted or held is None or ledger is None:
        return []
    margin = economics.margin
    least = np.min([evidence.gap(other.label) for other in evidence.others], axis=0)
    accounts = {account.label: account for account in ledger.accounts}
    ours, found = accounts[held.tuned], {}
    cheap = not_dearer_than_all(ledger, ours, [accounts[label] for label in held.contenders])
    if cheap is not None:
        found["margin"] = _reached(np.where(cheap, least, -np.inf), 1 - evidence.chance_needed, "lower")
    saved = [pays_back(ledger, ours, accounts[label]) for label in held.contenders]
    if all(one is not None for one in saved):
        earns = np.logical_and.reduce([one for one in saved if one is not None])
        found["margin_as_good"] = -_reached(np.where(earns, least, -np.inf), 1 - evidence.chance_needed, "lower")
    spared = not_costlier(ledger, accounts[held.instead], ours) if held.instead else None
    if spared is not None:
        gap = np.where(spared, evidence.gap(held.instead), np.inf)
        found["margin_needless"] = _reached(gap, economics.confidence, "higher")
    ends = margin / 2, margin * 2
    return [
        Flip(name, "points", margin, *ends, None, None, at if 0.0 < at < 1.0 else None) for name, at in found.items()
    ]


def _reached(lead: FloatArray, share: float, side: Literal["lower", "higher"]) -> float:
    """Return a quantile that is one of the draws, as between a finite and an infinite one there is none."""
    return float(np.quantile(lead, share, method=side))


# --- what is said of them --------------------------------------------------------------------------------------------


def turning_point(flip: Flip, evidence: Evidence) -> Statement | None:
    """Return where the answer turns; `None` for an input that has no such point."""
    at, economics = flip.flip, evidence.economics
    if at is None:
        return None
    above = flip.gain_low is None or flip.gain_high is None or flip.gain_high > flip.gain_low
    if flip.name == "value_allowed":
        return say("turn.value_allowed", at=at, yours=ends(economics.usd_per_correct_answer))
    if flip.name == "value":
        return say("turn.value", at=at, above=above, yours=ends(economics.usd_per_correct_answer))
    if flip.name == "volume":
        return say("turn.volume", at=at, above=above, yours=ends(economics.requests_per_month))
    if flip.name == "price":
        return say("turn.price", at=at, above=above)
    if flip.unit == "points":
        return _in_points(flip, at, evidence)
    return say("turn.input", name=flip.name, unit=flip.unit, at=at, above=above, now=flip.now)


def _in_points(flip: Flip, at: float, evidence: Evidence) -> Statement:
    """Return where the answer turns by the lead, or by one of the margins."""
    if flip.name == "lead":
        return say("turn.lead", at=at, now=flip.now, other=evidence.alternative)
    if flip.name == "margin_as_good":
        return say("turn.margin_as_good", at=at, now=flip.now, tuned=evidence.tuned)
    if flip.name == "margin_needless":
        held = evidence.money.dominance
        return say("turn.margin_needless", at=at, now=flip.now, instead=held.instead if held else evidence.alternative)
    return say("turn.margin", at=at, now=flip.now)
