"""What could be done next, what it costs, what it is worth, and how likely it decides.

Source: docs/method.md, "What to do next, and what it is worth".
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np

from advisor._util.unknown import total
from advisor.core import registry
from advisor.core.statement import Action, say
from advisor.decision.evidence import Evidence
from advisor.decision.guards import owed_baselines
from advisor.decision.information import Information, Step
from advisor.decision.preposterior import Preposterior, chance_decides, odds_after, odds_shifted
from advisor.economics.amounts import Range, mean
from advisor.economics.ledger import Account, is_priced
from advisor.stats import value_of_information
from advisor.stats.value_of_information import chance_to_reach

LIFTS = {"optimised_prompt": (0.03, 0.06)}
USUAL_LIFT = (0.0, 0.10)
"""Assumed lift of a strategy that was not run over the best one without tuning, in score: mean, standard deviation.

Ours, and no measurement. An optimised prompt is said to match or beat tuning (GEPA in production) and to add up to 6 %
to prompts alone (BetterTogether, arXiv 2407.10930), hence a little above 0; the others can be anything."""

HOURS_TO_FIND_OUT = 1.0
"""Assumed work to find out an input more closely, at `usd_per_engineering_hour`."""


def inform(evidence: Evidence) -> Information | None:
    """Return what it is worth to know more; `None` where there is nothing to decide between.

    Every worth is over the horizon and before its own cost. A step that only tells more is worth at most the EVPI.
    """
    ledger = evidence.ledger
    if ledger is None or not evidence.tuned or not evidence.alternative:
        return None
    analysis = Preposterior.of(evidence, ledger)
    found = [*_examples(analysis), *_seed(analysis), *_labels(analysis), *_strategies(analysis), *_inputs(analysis)]
    steps = tuple(sorted(found, key=_ratio, reverse=True))
    return Information(None if analysis.nets is None else value_of_information.evpi(analysis.nets), steps, _best(steps))


def _best(steps: tuple[Step, ...]) -> Step | None:
    """Return the step with the best ratio of those worth their price.

    Where money cannot be netted: of those at least half as likely to decide as the likeliest, so that a step that is
    merely cheap does not win; none if not even one in 20 would decide.
    """
    worth = [step for step in steps if step.net_usd is not None and step.net_usd > 0.0]
    if worth or any(step.worth_usd is not None for step in steps):
        return worth[0] if worth else None
    chances = [step.chance_decides or 0.0 for step in steps if step.usd is not None]
    least = max(0.05, max(chances, default=0.0) / 2)
    likely = [step for step in steps if step.usd is not None and (step.chance_decides or 0.0) >= least]
    return likely[0] if likely else None


def _ratio(step: Step) -> tuple[float, float]:
    gain = step.worth_usd if step.worth_usd is not None else step.chance_decides
    if step.usd is None or gain is None:
        return (-1.0, gain or 0.0)
    if step.usd == 0.0:
        return (math.inf if gain > 0.0 else 0.0, gain)
    return (gain / step.usd, gain)


# --- the steps -------------------------------------------------------------------------------------------------------


def _examples(analysis: Preposterior) -> Iterator[Step]:
    """More test examples: half as many again, what the margin needs, and what a limit left out.

    A sample of N beside the n0 at hand resolves N / (N + n0) of what they left open.
    """
    evidence = analysis.evidence
    lead, margin = evidence.lead(analysis.other.label), evidence.economics.margin
    have = lead.n or evidence.n_test
    sizes = {_round(have / 2)}
    if lead.detectable is not None and 0.0 < margin < lead.detectable:
        sizes.add(_round(have * (lead.detectable / margin) ** 2 - have))
    hand = max(0, evidence.test_at_hand - evidence.n_test)
    sizes |= {hand} if hand else set()
    each = total(_per_request(account) for account in analysis.ledger.accounts)
    for size in sorted(sizes):
        share = size / (size + have)
        worth = None
        if analysis.nets is not None and analysis.means is not None:
            part = analysis.world_parts[0]
            worth = min(
                value_of_information.evpi(analysis.nets), value_of_information.evsi(analysis.means, part, share)
            )
        new = max(0, size - hand)
        limited = [f"--limit {evidence.n_test + size}"] if hand or evidence.request.limit is not None else []
        yield Step(
            name="test_examples",
            doing=Action(say("step.test_examples", more=size, to_label=new), evidence.again(*limited)),
            usd=None if each is None else size * each + new * mean(evidence.economics.usd_per_label),
            worth_usd=worth,
            chance_decides=chance_decides(analysis, odds_after(analysis, examples=share), look=True),
            basis=say(
                "basis.like_those", n=have, usd_per_label=mean(evidence.economics.usd_per_label) if new else None
            ),
        )


def _seed(analysis: Preposterior) -> Iterator[Step]:
    """One more training seed: R + 1 of them resolve 1 / (R + 1) of the variance that R left in their mean."""
    evidence, seeds = analysis.evidence, analysis.ours.seeds
    if not analysis.seed_variance.any():
        return
    share = 1.0 / (seeds + 1)
    worth = None
    if analysis.nets is not None and analysis.means is not None:
        part = analysis.world_parts[1]
        worth = min(value_of_information.evpi(analysis.nets), value_of_information.evsi(analysis.means, part, share))
    tuned = [account for account in analysis.ledger.accounts if account.tuned]
    asked = [None if a.request_usd is None else evidence.n_test * float(a.request_usd.mean()) for a in tuned]
    yield Step(
        name="seed",
        doing=Action(say("step.seed", seeds=seeds + 1), evidence.again(f"--seeds {seeds + 1}")),
        usd=total([*asked, *(account.fit_usd for account in tuned)]),
        worth_usd=worth,
        chance_decides=chance_decides(analysis, odds_after(analysis, seeds=share)),
        basis=say("basis.like_trainings"),
    )


def _labels(analysis: Preposterior) -> Iterator[Step]:
    """More labels, where a learning curve says what they would bring.

    They make a better strategy to choose from, of which the gain is learnt as well as the test examples tell it.
    """
    evidence = analysis.evidence
    curve = next((one for one in evidence.curves if one.label == analysis.ours.label), None)
    noise = analysis.spread(analysis.quality_parts[0])
    for more in curve.more if curve else ():
        sd = (more.gain.high - more.gain.low) / 2 / NormalDist().inv_cdf((1 + more.gain.level) / 2)
        learnt = sd**2 / (sd**2 + noise) if sd > 0.0 else 1.0
        limited = [f"--train-limit {more.labels}"] if evidence.request.train_limit is not None else []
        calls = _per_request(analysis.ours)
        yield Step(
            name="labels",
            doing=Action(
                say("step.labels", more=more.labels - evidence.n_train, total=more.labels), evidence.again(*limited)
            ),
            usd=None if more.usd is None or calls is None else more.usd + evidence.n_test * calls,
            worth_usd=_option_worth(analysis, analysis.ours, more.gain.estimate, sd * math.sqrt(learnt)),
            chance_decides=chance_decides(analysis, odds_shifted(analysis, more.gain.estimate, sd, learnt)),
            basis=say("basis.curve_holds", usd_per_label=mean(evidence.economics.usd_per_label)),
        )


def _strategies(analysis: Preposterior) -> Iterator[Step]:
    """A strategy that is owed or was not run, with an assumed lift over the best one without tuning.

    It asks a request as dearly as that one, and is prepared at its price (an optimised prompt: at that of tuning).
    """
    evidence, other = analysis.evidence, analysis.other
    for name in _not_run(evidence):
        lift, sd = LIFTS.get(name, USUAL_LIFT)
        noise = analysis.spread(analysis.quality_parts[0])
        learnt = sd**2 / (sd**2 + noise)
        fits = [other.fit_usd, analysis.ours.fit_usd] if name == "optimised_prompt" else [other.fit_usd]
        calls = None if other.request_usd is None else evidence.n_test * float(other.request_usd.mean())
        fit = None if any(fit is None for fit in fits) else max(fit or 0.0 for fit in fits)
        yield Step(
            name="strategy",
            doing=Action(
                say("step.strategy", name=name), evidence.line([*(one.label for one in evidence.strategies), name])
            ),
            usd=total([calls, fit]),
            worth_usd=_option_worth(analysis, other, lift, sd * math.sqrt(learnt)),
            chance_decides=_rival_decides(analysis, lift, sd, learnt),
            basis=say("basis.assumed_lift", lift=lift, sd=sd, other=other.label),
        )


def _inputs(analysis: Preposterior) -> Iterator[Step]:
    """An input that the user gave as a range, known for sure: an upper bound of finding it out more closely."""
    economics, ledger = analysis.evidence.economics, analysis.ledger
    if analysis.nets is None or analysis.means is None or ledger.volume is None or ledger.value is None:
        return
    quality = analysis.quality.mean(axis=0)
    accounts = [account for account in ledger.accounts if is_priced(account)]  # all of them, where benefit is netted
    costs = np.array([float(account.request_usd.mean()) for account in accounts])
    fixed = np.array([float(ledger.fixed(account).mean()) for account in accounts])
    asked = {
        "value": (economics.usd_per_correct_answer, ledger.volume.mean(), ledger.value, "--value-per-correct USD"),
        "volume": (economics.requests_per_month, ledger.volume, ledger.value.mean(), "--requests-per-month N"),
    }
    for name, (given, volume, value, flag) in asked.items():
        if not isinstance(given, Range):
            continue
        volumes, values = np.broadcast_arrays(np.atleast_1d(volume), np.atleast_1d(value))
        each = values[:, None] * quality - costs
        conditional = volumes[:, None] * ledger.horizon * each - fixed
        ours, other = analysis.pair
        odds = odds_after(analysis, gain=conditional[:, ours] - conditional[:, other])
        yield Step(
            name=name,
            doing=Action(say("step.find_out", name=name), analysis.evidence.again(flag)),
            usd=HOURS_TO_FIND_OUT * economics.usd_per_engineering_hour,
            worth_usd=min(value_of_information.evpi(analysis.nets), value_of_information.evppi(conditional)),
            chance_decides=chance_decides(analysis, odds),
            basis=say("basis.known_after", hours=HOURS_TO_FIND_OUT),
        )


# --- parts -----------------------------------------------------------------------------------------------------------


def _option_worth(analysis: Preposterior, base: Account, lift: float, sd: float) -> float | None:
    """Return what one more choice is worth: `base` with a lift in score, of which `sd` will be learnt."""
    if analysis.means is None:
        return None
    ours, other = analysis.pair
    column = ours if base.label == analysis.ours.label else other
    best, now = float(analysis.means.max()), float(analysis.means[column])
    usd = analysis.usd_per_score
    return max(0.0, value_of_information.expected_maximum(best, now + usd * lift, usd * sd) - best)


def _rival_decides(analysis: Preposterior, lift: float, sd: float, learnt: float) -> float | None:
    """Return how likely a new rival, that much better than the best one without tuning, settles it.

    It settles a no where it is the better buy (by dominance: not worse by more than the margin, and not dearer), and
    lets a yes stand that the rule would give already.
    """
    evidence, ours, other = analysis.evidence, analysis.ours, analysis.other
    need = NormalDist().inv_cdf(evidence.economics.confidence)
    held = evidence.money.dominance
    if analysis.nets is not None and analysis.means is not None:
        usd = analysis.usd_per_score
        ahead = float(analysis.means[analysis.pair[1]] - analysis.means[analysis.pair[0]]) + usd * lift
        open_sd, told = math.sqrt(analysis.spread(analysis.nets) + (usd * sd) ** 2), usd * sd
        stands = evidence.sure(evidence.money.probability_tuned_best)
    elif ours.request_usd is not None and other.request_usd is not None and held is not None:
        ahead, open_sd, told = lift - analysis.lead + evidence.economics.margin, math.hypot(sd, _sd(analysis)), sd
        theirs, own = float(other.request_usd.mean()), float(ours.request_usd.mean())
        if theirs - own > evidence.economics.tie_usd(theirs, own):
            ahead = -math.inf
        stands = evidence.sure(held.better_and_not_dearer)
    else:
        return None
    if open_sd == 0.0 or not math.isfinite(ahead):
        return 0.0
    share = learnt * (told / open_sd) ** 2
    no = chance_to_reach(ahead / open_sd, need, share)
    yes = chance_to_reach(-ahead / open_sd, NormalDist().inv_cdf(evidence.chance_needed), share)
    return min(1.0, no + yes * stands)


def _sd(analysis: Preposterior) -> float:
    return math.sqrt(analysis.spread(analysis.quality))


def _not_run(evidence: Evidence) -> list[str]:
    """Return what is owed or could be run here, is registered, and was not asked for."""
    run = {one.strategy for one in evidence.strategies} | {one.kind for one in evidence.strategies}
    could = [
        *owed_baselines(evidence),
        *LIFTS,
        *(["rag"] if evidence.has_docs else []),
        *(["function_calling"] if evidence.has_tools else []),
    ]
    known = {entry.name for entry in registry.names("strategies") if not entry.problem}
    kinds = {"function_calling": "tools"}
    return [name for name in dict.fromkeys(could) if name in known and name not in run and kinds.get(name) not in run]


def _per_request(account: Account) -> float | None:
    """Return what asking one more test example costs, USD: once a seed."""
    return None if account.request_usd is None else float(account.request_usd.mean()) * account.seeds


def _round(size: float) -> int:
    """Return a number of examples with two leading digits, at least 10."""
    step = 10 ** max(0, math.floor(math.log10(max(size, 1.0))) - 1)
    return max(10, int(math.ceil(size / step) * step))
