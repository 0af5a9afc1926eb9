"""The predictive distribution of the lift for one situation: published lifts, discounted, then a pilot's evidence.

In this order, each step stated with the answer:

1. a mixture of the two arms of the table by how the prompted score was reached (`STRONG_SHARE`): a bare prompt is held
   against tuned models as the base models are, a strong one as the better GPT score is;
2. a ceiling under 1 shrinks the scale: scores are taken as shares of it;
3. fewer labels than the table's tunes had: only a part of the gain is reached (`reached`);
4. a pilot: density times likelihood on a grid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from advisor.advice.lift_model import fitted
from advisor.advice.published import SMALL, arm
from advisor.advice.situation import Pilot, Situation
from advisor.stats.bootstrap import FloatArray

STRONG_SHARE = {
    None: 0.5,
    "zero_shot": 0.0,
    "few_shot": 0.5,
    "optimised_prompt": 1.0,
    "rag": 1.0,
    "function_calling": 1.0,
}
"""Share of the ``strong`` arm by how the prompted score was reached. The 0.5 is an assumption: nobody published it."""
DRAWS = 8_000
FULL_LABELS = (300.0, 3_000.0)
"""An assumption: from how many labels on the table's lift is reached in full; a 90 % range, drawn log-normally."""
FIRST_LABELS = {"zero_shot": 10.0, "strong": 100.0}
"""From how many labels on anything is gained: providers ask for 10; against strong models about 100 break even
(arXiv 2402.12819)."""
GRID = np.linspace(-1.0, 1.0, 8_001)
SURPRISE = 0.01
"""Share of the prior that is spread evenly over all possible lifts, so that a pilot can show what no study saw."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the lift may be, in score units (0.04 = 4 points).

    Attributes:
        median: as likely above as below.
        low_50, high_50, low_90, high_90: central intervals.
        probability_better: chance that the tuned model beats the prompted one by more than `margin`.
        probability_ahead: chance that it beats it at all.
        prompted_mean: the mean prompted score the lift is added to.
    """

    median: float
    low_50: float
    high_50: float
    low_90: float
    high_90: float
    probability_better: float
    probability_ahead: float
    margin: float
    prompted_mean: float


@dataclass(frozen=True, slots=True)
class LiftDraws:
    """Joint draws, float64 (D,): the prompted score and the lift over it."""

    prompted: FloatArray
    lift: FloatArray


def draw_lifts(
    situation: Situation, labels: int | None, pilot: Pilot | None, *, seed: int = 0, draws: int = DRAWS
) -> LiftDraws:
    """Draw what tuning would add.

    Args:
        situation: the answers.
        labels: how many labelled examples tuning would have; `None`: as many as in the table.
        pilot: what was seen on examples of one's own.
        seed: where randomness starts; every situation is drawn from the same random numbers.
        draws: how many.
    """
    rng = np.random.default_rng([seed, 7])
    ceiling = 1.0 if situation.ceiling is None else situation.ceiling
    known = situation.prompted
    if known is None and pilot is not None:
        known = pilot.prompted
    strong = STRONG_SHARE[situation.prompted_by]
    names, unseen = _models(situation.size)
    parts = []
    for name, share in (("zero_shot", 1.0 - strong), ("strong", strong)):
        size = round(draws * share)
        if not size:
            continue
        some = rng.choice(arm(name).reference, size)
        prompted = some if known is None else np.full(size, min(1.0, known / ceiling))
        scores = fitted(name, seed).tuned_scores(prompted, names, rng, unseen=unseen)
        lift = _reached(ceiling * (scores - prompted), labels, FIRST_LABELS[name], rng)
        parts.append((ceiling * prompted, lift))
    prompted, lift = (np.concatenate([part[at] for part in parts]) for at in (0, 1))
    if pilot is not None:
        lift = updated(lift, pilot, float(np.mean(prompted)), ceiling, rng)
    return LiftDraws(prompted, lift)


def _models(size: str | None) -> tuple[Sequence[str], bool]:
    everything = tuple(dict.fromkeys(arm("strong").models))
    if size == "small":
        return SMALL, False
    if size == "7b":
        return tuple(name for name in everything if name not in SMALL), False
    return everything, size in ("tiny", "larger")


def _reached(lift: FloatArray, labels: int | None, first: float, rng: np.random.Generator) -> FloatArray:
    """Return the part of the lift that `labels` examples reach: 0 at `first`, all at `FULL_LABELS`, log-linear between.

    An assumption and not a measurement: the studies give the two ends and no curve. A loss stays a whole loss.
    """
    low, high = (math.log(end) for end in FULL_LABELS)
    full = (low + high) / 2.0 + (high - low) / (2.0 * 1.645) * rng.standard_normal(len(lift))
    if labels is None:
        return lift
    start = math.log(first)
    share = np.clip((math.log(max(labels, 1)) - start) / np.maximum(full - start, 0.1), 0.0, 1.0)
    return np.asarray(np.where(lift > 0.0, share * lift, lift))


def updated(lift: FloatArray, pilot: Pilot, prompted: float, ceiling: float, rng: np.random.Generator) -> FloatArray:
    """Return draws of the lift after a pilot: prior density times normal likelihood of its lead (Bayes).

    The prior is a kernel estimate of the draws (Silverman's bandwidth), with `SURPRISE` of it spread evenly over what
    is possible, on a grid; the new draws are its quantiles at evenly spread probabilities, in random order.
    """
    step = float(GRID[1] - GRID[0])
    spread = min(float(np.std(lift)), float(np.subtract(*np.quantile(lift, (0.75, 0.25)))) / 1.349) or step
    width = max(0.9 * spread * len(lift) ** -0.2, 2 * step)
    edges = np.append(GRID - step / 2.0, GRID[-1] + step / 2.0)
    counts = np.histogram(np.clip(lift, -1.0, 1.0), bins=edges)[0].astype(np.float64)
    reach = min(len(GRID) // 2, math.ceil(4.0 * width / step))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / width) ** 2)
    prior = np.convolve(counts, kernel / kernel.sum(), mode="same")
    possible = (GRID >= -prompted - step) & (GRID <= ceiling - prompted + step)
    prior = np.where(possible, prior, 0.0)
    prior = (1.0 - SURPRISE) * prior / prior.sum() + SURPRISE * possible / possible.sum()
    log_likelihood = -0.5 * ((GRID - pilot.lead) / max(pilot.error, step)) ** 2
    weight = prior * np.exp(log_likelihood - float(np.max(log_likelihood[possible])))
    cumulative = np.cumsum(weight) / weight.sum()
    at = (np.arange(len(lift)) + 0.5) / len(lift)
    return rng.permutation(np.interp(at, cumulative, GRID))


def summarise(drawn: LiftDraws, margin: float) -> Forecast:
    """Return the forecast that the draws amount to."""
    low_90, low_50, median, high_50, high_90 = (
        float(q) for q in np.quantile(drawn.lift, (0.05, 0.25, 0.5, 0.75, 0.95))
    )
    return Forecast(
        median=median,
        low_50=low_50,
        high_50=high_50,
        low_90=low_90,
        high_90=high_90,
        probability_better=float(np.mean(drawn.lift > margin)),
        probability_ahead=float(np.mean(drawn.lift > 0.0)),
        margin=margin,
        prompted_mean=float(np.mean(drawn.prompted)),
    )
