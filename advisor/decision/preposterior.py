"""The evidence laid out for weighing next steps: what is open, why, and how likely a step makes the rule decide."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np

from advisor.decision.evidence import Evidence
from advisor.decision.guards.enough import rests_on_quality
from advisor.economics.ledger import Account, Ledger, is_priced
from advisor.stats import value_of_information
from advisor.stats.alpha_spending import error_of_differences
from advisor.stats.bootstrap import FloatArray, contrast
from advisor.stats.value_of_information import chance_to_reach, score_of

_CERTAIN = 1e6
"""The normal score of what is known without a doubt."""


@dataclass(frozen=True, slots=True)
class Odds:
    """How far the verdict is from being decided, as normal scores, and what share of their spread a step resolves.

    `money` is the score of the gain being above 0 (where money cannot be netted: by how many standard deviations the
    lead moves), `quality` that of the lead being above 0.
    """

    money: float
    money_share: float
    quality: float
    quality_share: float


@dataclass(frozen=True)
class Preposterior:
    """The evidence laid out for weighing steps: S accounts in the order of the ledger, D draws.

    Attributes:
        means: float64 (S,), expected net benefit; `None` where money cannot be netted.
        nets: float64 (D, S), net benefit; `None` as well.
        quality: float64 (D, S).
        usd_per_score: what a score of 1 more brings over the horizon; 0 where that is not known.
        seed_variance: float64 (S,), variance of each mean score that comes from training seeds.
    """

    evidence: Evidence
    ledger: Ledger
    means: FloatArray | None
    nets: FloatArray | None
    quality: FloatArray
    usd_per_score: float
    seed_variance: FloatArray

    @classmethod
    def of(cls, evidence: Evidence, ledger: Ledger) -> Preposterior:
        """Lay the evidence out."""
        found = [ledger.net_benefit(account) for account in ledger.accounts]
        known = [net for net in found if net is not None]
        nets = np.stack(known, axis=1) if evidence.netted and len(known) == len(found) else None
        slope = 0.0
        if nets is not None and ledger.volume is not None and ledger.value is not None:
            slope = float(ledger.volume.mean() * ledger.value.mean()) * ledger.horizon
        return cls(
            evidence=evidence,
            ledger=ledger,
            means=None if nets is None else nets.mean(axis=0),
            nets=nets,
            quality=np.stack([account.quality for account in ledger.accounts], axis=1),
            usd_per_score=slope,
            seed_variance=_seed_variance(evidence, [account.label for account in ledger.accounts]),
        )

    @property
    def ours(self) -> Account:
        """The tuned strategy."""
        return next(account for account in self.ledger.accounts if account.label == self.evidence.tuned)

    @property
    def other(self) -> Account:
        """What it is held against."""
        return next(account for account in self.ledger.accounts if account.label == self.evidence.alternative)

    @property
    def pair(self) -> tuple[int, int]:
        """The columns of the two."""
        labels = [account.label for account in self.ledger.accounts]
        return labels.index(self.ours.label), labels.index(self.other.label)

    @cached_property
    def worlds(self) -> FloatArray:
        """What the sample alone leaves open, float64 (D, S), USD: the user's ranges stand at their means.

        All 0 where money cannot be netted.
        """
        volume, value = self.ledger.volume, self.ledger.value
        if self.nets is None or volume is None or value is None:
            return np.zeros_like(self.quality)
        costs = np.stack([account.request_usd for account in self.ledger.accounts if is_priced(account)], axis=1)
        return np.asarray(volume.mean() * self.ledger.horizon * (value.mean() * self.quality - costs))

    @cached_property
    def quality_parts(self) -> tuple[FloatArray, FloatArray]:
        """What test examples and what training seeds leave open of `quality`, each float64 (D, S), around 0."""
        return self._parts(self.quality, 1.0)

    @cached_property
    def world_parts(self) -> tuple[FloatArray, FloatArray]:
        """The same of `worlds`, USD."""
        return self._parts(self.worlds, self.usd_per_score)

    @property
    def lead(self) -> float:
        """How far the tuned strategy is ahead in quality, the mean of the draws."""
        ours, other = self.pair
        return float(np.mean(self.quality[:, ours] - self.quality[:, other]))

    def _parts(self, draws: FloatArray, unit: float) -> tuple[FloatArray, FloatArray]:
        """Split draws into what test examples and what training seeds leave open.

        Seeds of different strategies are independent of each other, so theirs is a diagonal; the examples, which all
        strategies share, have the rest.
        """
        seeds = np.diag(self.seed_variance * unit**2)
        whole = np.atleast_2d(np.cov(draws, rowvar=False))
        examples = value_of_information.nearest_covariance(whole - seeds)
        return value_of_information.component(draws, examples), value_of_information.component(draws, seeds)

    def spread(self, draws: FloatArray) -> float:
        """Return the variance of the tuned strategy minus its alternative in float64 (D, S)."""
        ours, other = self.pair
        return float(np.var(draws[:, ours] - draws[:, other]))


def chance_decides(analysis: Preposterior, odds: Odds, *, look: bool = False) -> float | None:
    """Return the probability that the verdict rule decides after a step, by normal approximation.

    By net benefit: the chance that tuning is best reaches what a yes needs (and, where it rests on quality, its lead is
    real), or falls to 1 - `confidence`. By dominance: one of its chances reaches it. Yes and no exclude each other; the
    conditions of a yes rise and fall together, so the rarest stands for all. Guards that fail now are left aside.
    `look`: the step grows the test set, and its result is held to the stricter error budget of the next look.
    """
    evidence, need = analysis.evidence, NormalDist().inv_cdf(analysis.evidence.economics.confidence)
    sure = NormalDist().inv_cdf(evidence.chance_needed_at(evidence.looks + look))
    real = 1.0
    if rests_on_quality(evidence):
        real = chance_to_reach(odds.quality, _critical(analysis, evidence.looks + look), odds.quality_share)
    if analysis.nets is not None:
        yes = min(real, chance_to_reach(odds.money, sure, odds.money_share))
        return min(1.0, yes + chance_to_reach(-odds.money, need, odds.money_share))
    held, size = evidence.money.dominance, len(analysis.quality)
    if held is None:
        return None
    shift = odds.money  # by how many standard deviations the lead moves

    def reached(chance: float | None, sign: float) -> float:
        if not chance:  # unknown, or ruled out by what it costs: more about quality does not change that
            return 0.0
        return chance_to_reach(score_of(chance, size) + sign * shift, sure if sign > 0.0 else need, odds.quality_share)

    if held.better_and_not_dearer is None and held.cheaper_and_as_good is None and held.needless is None:
        return None
    better = min(reached(held.better_and_not_dearer, 1.0), real)
    yes = max(better, reached(held.cheaper_and_as_good, 1.0))
    return min(1.0, yes + reached(held.needless, -1.0))


def odds_after(
    analysis: Preposterior, *, examples: float = 0.0, seeds: float = 0.0, gain: FloatArray | None = None
) -> Odds:
    """Return the odds after a step that resolves these shares of what examples and seeds leave open.

    `gain`, float64 (D,), is what is expected of the gain once an input is known, for a step that finds out an input.
    """
    whole = analysis.spread(analysis.quality)
    resolved = examples * analysis.spread(analysis.quality_parts[0]) + seeds * analysis.spread(
        analysis.quality_parts[1]
    )
    share = min(1.0, resolved / whole) if whole > 0.0 else 0.0
    score = 0.0
    if whole > 0.0:
        score = analysis.lead / math.sqrt(whole)
    elif analysis.lead != 0.0:
        score = math.copysign(_CERTAIN, analysis.lead)
    if analysis.nets is None:
        return Odds(0.0, share, score, share)
    total = analysis.spread(analysis.nets)
    if gain is not None:
        told = float(np.var(gain))
    else:
        told = examples * analysis.spread(analysis.world_parts[0]) + seeds * analysis.spread(analysis.world_parts[1])
    now = score_of(analysis.evidence.money.probability_tuned_best or 0.0, len(analysis.quality))
    return Odds(now, min(1.0, told / total) if total > 0.0 else 0.0, score, share)


def _critical(analysis: Preposterior, look: int) -> float:
    """Return the score at which the lead is called real at that look: where its simultaneous interval leaves 0.

    The interval is that of this look; at another one it is wider as the normal quantiles of the two error rates are.
    """
    false_yes = analysis.evidence.economics.false_yes
    now, then = (error_of_differences(false_yes, look=at) for at in (analysis.evidence.looks, look))
    wider = NormalDist().inv_cdf(1.0 - then / 2.0) / NormalDist().inv_cdf(1.0 - now / 2.0)
    lead, sd = analysis.evidence.lead(analysis.other.label), math.sqrt(analysis.spread(analysis.quality))
    if not lead.n:
        return math.inf
    return wider * (lead.estimate - lead.low) / sd if sd > 0.0 else 0.0


def odds_shifted(analysis: Preposterior, lift: float, sd: float, learnt: float) -> Odds:
    """Return the odds after the tuned strategy has gained `lift` give or take `sd`, of which a share is learnt."""
    now = odds_after(analysis)
    open_quality = math.sqrt(analysis.spread(analysis.quality) + sd**2)
    share = learnt * sd**2 / open_quality**2 if open_quality > 0.0 else 0.0
    quality = (analysis.lead + lift) / open_quality if open_quality > 0.0 else now.quality
    if analysis.nets is None or analysis.means is None:
        return Odds(lift / open_quality if open_quality > 0.0 else 0.0, share, quality, share)
    usd, (ours, other) = analysis.usd_per_score, analysis.pair
    open_money = math.sqrt(analysis.spread(analysis.nets) + (usd * sd) ** 2)
    if open_money == 0.0:
        return now
    gain = float(analysis.means[ours] - analysis.means[other]) + usd * lift
    return Odds(gain / open_money, learnt * (usd * sd / open_money) ** 2, quality, share)


def _seed_variance(evidence: Evidence, labels: list[str]) -> FloatArray:
    panel, found = evidence.panel, np.zeros(len(labels))
    if panel is None:
        return found
    for at, label in enumerate(labels):
        one = contrast(panel, panel.labels.index(label)) if label in panel.labels else None
        found[at] = 0.0 if one is None else one.seed_sd**2
    return found
