"""What a verdict says, as values: its conclusion, its grounds, what would turn it round, and what to do next."""

from __future__ import annotations

import math

from advisor.core.statement import Action, Statement, say
from advisor.core.types import Interval
from advisor.decision.evidence import Evidence, Flip, Guard, VerdictAnswer
from advisor.decision.guards import (
    BASELINE,
    BEST_TUNE,
    COMPLETE,
    DATA,
    MISSING,
    baseline_line,
    owed_baselines,
    shown_differences,
)
from advisor.decision.sensitivity import turning_point
from advisor.economics.money import StrategyMoney

MOST_REASONS = 6
LONGEST_WHY = 160
"""Characters of an error in the headline; the whole of it stands further down."""


# --- conclusion ------------------------------------------------------------------------------------------------------


def conclusion(
    evidence: Evidence, answer: VerdictAnswer, leaning: VerdictAnswer, guards: tuple[Guard, ...]
) -> Statement:
    """Return the answer with the figure that decides it; `leaning` is what the rule alone would have said."""
    if not evidence.tuned:
        return say("headline.nothing_tuned")
    if not evidence.alternative:
        return say("headline.nothing_against", tuned=evidence.tuned)
    if answer != leaning:
        broken = tuple(guard.found for guard in guards if guard.state == "fail")
        return say("headline.withheld", leaning="" if leaning == "fine_tune" else evidence.use_now, broken=broken)
    concluded = {"fine_tune": _yes, "do_not_fine_tune": _no, "not_yet": _not_yet}
    return concluded[answer](evidence)


def _yes(evidence: Evidence) -> Statement:
    money, tuned = evidence.money, evidence.tuned
    if evidence.netted and money.expected_gain_usd is not None:
        return say(
            "headline.brings_more",
            tuned=tuned,
            other=evidence.alternative,
            gain_usd=money.expected_gain_usd.estimate,
            months=money.months,
            chance=money.probability_tuned_best,
        )
    held = money.dominance
    if held and held.contenders:
        rival = min(held.contenders, key=lambda label: evidence.lead(label).estimate)
        lead = evidence.lead(rival)
        if lead.real and evidence.sure(held.better_and_not_dearer):
            return say("headline.better_and_not_dearer", tuned=tuned, rival=rival, lead=lead.estimate)
    return say("headline.saving_pays", tuned=tuned, margin=evidence.economics.margin, months=money.months)


def _no(evidence: Evidence) -> Statement:
    money, tuned = evidence.money, evidence.tuned
    if evidence.netted and money.expected_gain_usd is not None:
        return say(
            "headline.other_pays",
            instead=evidence.use_now,
            tuned=tuned,
            chance=money.probability_tuned_best,
            gain_usd=money.expected_gain_usd.estimate,
            months=money.months,
        )
    instead = money.dominance.instead if money.dominance else evidence.use_now
    lead = evidence.lead(instead)
    if lead.real and lead.estimate < 0.0:
        return say("headline.other_is_better", instead=instead, tuned=tuned, lead=-lead.estimate)
    return say("headline.other_is_as_good", instead=instead, tuned=tuned, margin=evidence.economics.margin)


def _not_yet(evidence: Evidence) -> Statement:
    if evidence.netted:
        chance = evidence.money.probability_tuned_best
        return say("headline.toss_up", chance=chance, needed=evidence.chance_needed)
    needed, lead = _value_needed(evidence), evidence.lead(evidence.alternative)
    volume_given = evidence.economics.requests_per_month is not None
    if needed is not None and needed.estimate > 0.0 and math.isfinite(needed.estimate):
        measured = None if lead.real else lead.estimate
        return say("headline.needs_a_value", usd=needed.estimate, lead=measured, once=volume_given)
    if _price_unknown(evidence):
        return say("headline.price_unknown", tuned=evidence.tuned, other=evidence.alternative)
    if needed is not None and lead.real:
        return say("headline.not_surely", tuned=evidence.tuned, volume_given=volume_given)
    return say("headline.data", shown=shown_differences(evidence))


def _value_needed(evidence: Evidence) -> Interval | None:
    """Return what a correct answer must be worth, USD; `None` where that is not known."""
    point = evidence.money.break_even
    return point.usd_per_correct_answer if point else None


def _price_unknown(evidence: Evidence) -> bool:
    asked = (_money_of(evidence, label) for label in (evidence.tuned, evidence.alternative))
    return any(row.usd_per_1000_requests is None or row.one_off_usd is None for row in asked)


def _money_of(evidence: Evidence, label: str) -> StrategyMoney:
    return next(row for row in evidence.money.strategies if row.label == label)


# --- who is missing --------------------------------------------------------------------------------------------------


def missing(evidence: Evidence) -> tuple[Statement, ...]:
    """Return the strategies that were to be compared and are not, or not whole, with why.

    Nobody notices one by the others' scores, and a verdict over those that are left looks complete.
    """
    found = []
    for one in evidence.strategies:
        why = _first_line(one.stopped or tuple(one.errors))
        if one.quality is None and not (one.failed or why):
            found.append(say("gap.no_score", label=one.label))
        elif one.quality is None:
            found.append(say("gap.failed", label=one.label, why=why))
        elif one.stopped:
            found.append(say("gap.broke_off", label=one.label, runs=len(one.stopped), why=why))
    return tuple(found)


def _first_line(texts: tuple[str, ...]) -> str:
    """Return the first line of the first text, cut where nobody would read on."""
    line = next((text.strip().splitlines()[0].strip(" .") for text in texts if text.strip()), "")
    return line if len(line) <= LONGEST_WHY else f"{line[: LONGEST_WHY - 1]}…"


# --- grounds ---------------------------------------------------------------------------------------------------------


def grounds(evidence: Evidence, guards: tuple[Guard, ...]) -> tuple[Statement, ...]:
    """Return three to six reasons, each with its figure."""
    if not evidence.tuned or not evidence.alternative:
        return _without_contest(evidence)
    found = [_quality(evidence), _cost(evidence), *_chance(evidence), *_threshold(evidence), *_pay_back(evidence)]
    failed = [guard for guard in guards if guard.state == "fail"]
    broken = [say("reason.broken", guard=guard.name, found=guard.found) for guard in failed]
    found = [*found[: MOST_REASONS - len(broken)], *broken]
    if len(found) < MOST_REASONS and all(guard.name != DATA for guard in failed):
        found.append(say("reason.data", shown=shown_differences(evidence)))
    return tuple(found)


def _without_contest(evidence: Evidence) -> tuple[Statement, ...]:
    scored = evidence.scored
    tuned, strategies = sum(one.tuned for one in scored), len(evidence.strategies)
    found = [say("reason.scored", scored=len(scored), strategies=strategies, tuned=tuned)]
    if scored and scored[0].quality is not None:
        best, score = scored[0], scored[0].quality.estimate
        found.append(say("reason.best_so_far", label=best.label, score=score, n=best.n))
    lost = sum(one.failed + one.undefined for one in evidence.strategies)
    at_hand = say("reason.at_hand", n_train=evidence.n_train, n_test=evidence.n_test)
    return (*found, at_hand, say("reason.lost", outcomes=lost))


def _quality(evidence: Evidence) -> Statement:
    lead = evidence.lead(evidence.alternative)
    scores = [evidence.summary(label).quality for label in (evidence.tuned, evidence.alternative)]
    ours, theirs = (score.estimate if score else None for score in scores)
    return say(
        "reason.quality",
        tuned=evidence.tuned,
        other=evidence.alternative,
        ours=ours,
        theirs=theirs,
        n=lead.n or evidence.n_test,
        lead=Interval(lead.estimate, lead.low, lead.high),
        real=lead.real,
    )


def _cost(evidence: Evidence) -> Statement:
    ours, theirs = (_money_of(evidence, label) for label in (evidence.tuned, evidence.alternative))
    return say(
        "reason.cost",
        tuned=evidence.tuned,
        other=evidence.alternative,
        ours=_estimate(ours.usd_per_1000_requests),
        theirs=_estimate(theirs.usd_per_1000_requests),
        once=ours.one_off_usd,
    )


def _estimate(found: Interval | None) -> float | None:
    return None if found is None else found.estimate


def _chance(evidence: Evidence) -> list[Statement]:
    money, economics = evidence.money, evidence.economics
    needed = say(
        "reason.needed",
        yes=evidence.chance_needed,
        no=economics.confidence,
        netted=evidence.netted,
        look=evidence.looks,
    )
    gain, held = money.expected_gain_usd, money.dominance
    if evidence.netted and gain is not None:
        chance = money.probability_tuned_best
        gained = Interval(gain.estimate, gain.low, gain.high)
        other = evidence.alternative
        return [say("reason.gain", tuned=evidence.tuned, other=other, chance=chance, needed=needed, gain=gained)]
    if held is None:
        return []
    chances = {
        "better": held.better,
        "better_and_not_dearer": held.better_and_not_dearer,
        "cheaper_and_as_good": held.cheaper_and_as_good,
        "needless": held.needless,
    }
    known = tuple((name, chance) for name, chance in chances.items() if chance is not None)
    margin, tuned = economics.margin, evidence.tuned
    return [say("reason.chances", tuned=tuned, instead=held.instead, margin=margin, chances=known, needed=needed)]


def _threshold(evidence: Evidence) -> list[Statement]:
    needed, lead = _value_needed(evidence), evidence.lead(evidence.alternative)
    if needed is None:
        return []
    measured = None if lead.real else lead.estimate
    if needed.estimate == 0.0:
        return [say("reason.any_value", lead=measured)]
    once = evidence.economics.requests_per_month is not None
    usd = Interval(needed.estimate, needed.low, needed.high)
    return [say("reason.value", usd=usd, lead=measured, once=once)]


def _pay_back(evidence: Evidence) -> list[Statement]:
    point = evidence.money.break_even
    if point is None or point.probability_never is None:
        return []
    return [
        say(
            "reason.pay_back",
            never=point.probability_never,
            volume=_estimate(point.volume),
            months=_estimate(point.payback_months),
            on_cost_alone=evidence.economics.usd_per_correct_answer is None,
        )
    ]


# --- turning points --------------------------------------------------------------------------------------------------


def turning_points(evidence: Evidence, answer: VerdictAnswer, inputs: tuple[Flip, ...]) -> tuple[Statement, ...]:
    """Return the flip point of every input that has one, nearest first by ratio; what you did not give comes last.

    Value and volume flip where the expected gain changes its sign; the margin where the probability meets what a yes or
    a no needs.
    """
    if not evidence.tuned or not evidence.alternative:
        return (say("turn.contest"),)
    settled = {"fine_tune": "margin_needless", "do_not_fine_tune": "margin", "not_yet": ""}[answer]
    ranked = []
    for one in inputs:
        point = turning_point(one, evidence)
        below_one_request = one.name == "volume" and (one.flip or 0.0) < 1.0
        if point is not None and one.name != settled and not below_one_request:
            ranked.append((one.distance, point))
    ranked += _more_labels(evidence, answer)
    if ranked:
        return tuple(point for _, point in sorted(ranked, key=lambda item: item[0]))
    lead = evidence.lead(evidence.alternative).estimate
    return (say("turn.price_missing", lead=lead) if _price_unknown(evidence) else say("turn.none", lead=lead),)


def _more_labels(evidence: Evidence, answer: VerdictAnswer) -> list[tuple[float, Statement]]:
    """Return how many more labels bring tuning ahead, where it is not surely ahead yet and its curve says they do."""
    curve = next((one for one in evidence.curves if one.label == evidence.tuned), None)
    crossing = curve.crossing if curve is not None else None
    if crossing is None or crossing.size is None or answer != "not_yet":
        return []
    lead, size = evidence.lead(crossing.rival), crossing.size
    more = size.estimate - evidence.n_train
    if crossing.probability_never > 0.5 or (lead.real and lead.estimate > 0.0) or more < 1.0:
        return []
    point = say(
        "turn.more_labels",
        more=more,
        tuned=evidence.tuned,
        rival=crossing.rival,
        size=Interval(size.estimate, size.low, size.high),
        never=crossing.probability_never,
    )
    return [(math.log(size.estimate / evidence.n_train), point)]


# --- what to do next -------------------------------------------------------------------------------------------------


def next_action(evidence: Evidence, answer: VerdictAnswer, guards: tuple[Guard, ...]) -> Action:
    """Return the cheapest step that would tell more."""
    failed = {guard.name for guard in guards if guard.state == "fail"}
    owed = owed_baselines(evidence)
    if not evidence.tuned:
        return Action(say("next.run_tuned"), baseline_line(evidence))
    if not evidence.alternative or BASELINE in failed:
        if not owed:
            return Action(say("next.run", names=("few_shot",)), evidence.line(["few_shot", evidence.tuned]))
        return Action(say("next.run", names=owed), baseline_line(evidence))
    if MISSING in failed:
        return Action(say("next.run_again"), evidence.again())
    cut = next((one.action for one in guards if one.name == COMPLETE and one.state == "fail"), None)
    if cut is not None and answer == "not_yet":
        return cut
    if tune := next((one.action for one in guards if one.name == BEST_TUNE and one.state == "fail"), None):
        return tune
    if answer == "fine_tune":
        return Action(say("next.confirm"), _more_seeds(evidence))
    if answer == "do_not_fine_tune":
        return Action(say("next.use", label=evidence.use_now), evidence.again())
    return _undecided(evidence, guards)


def _more_seeds(evidence: Evidence) -> str:
    seeds = len(evidence.summary(evidence.tuned).seeds)
    return evidence.line([evidence.tuned, evidence.alternative], f"--seeds {max(3, seeds + 1)}")


def _undecided(evidence: Evidence, guards: tuple[Guard, ...]) -> Action:
    economics = evidence.economics
    if _price_unknown(evidence):
        file = evidence.request.config
        flags = [] if file else ["--config comparison.yaml"]
        return Action(say("next.state_prices", file=file), evidence.again(*flags))
    lead, amounts = evidence.lead(evidence.alternative), []
    if economics.usd_per_correct_answer is None:
        amounts.append("--value-per-correct USD")
    if economics.requests_per_month is None:
        amounts.append("--requests-per-month N")
    if amounts and (lead.real or lead.estimate <= 0.0):
        return Action(say("next.state_amounts"), evidence.again(*amounts))
    best = evidence.information.best if evidence.information else None
    if best is None:
        return Action(_nothing_worth_it(evidence, guards), evidence.again())
    what = say(
        "next.best",
        what=best.doing.what,
        usd=best.usd,
        worth_usd=best.worth_usd,
        decides=best.chance_decides,
        basis=best.basis,
    )
    return Action(what, best.command)


def _nothing_worth_it(evidence: Evidence, guards: tuple[Guard, ...]) -> Statement:
    """Say that no step is worth its price, and what is the better expected choice now.

    See docs/reading-a-verdict.md, "What to do next".
    """
    found, now = evidence.information, better_now(evidence, guards)
    gain = evidence.money.expected_gain_usd
    if found is None or found.evpi_usd is None or gain is None:
        return say("next.nothing_decides", now=now)
    ahead = evidence.tuned if gain.estimate > 0.0 else evidence.use_now
    return say("next.nothing_pays", evpi_usd=found.evpi_usd, ahead=ahead, now=now)


def better_now(evidence: Evidence, guards: tuple[Guard, ...]) -> str:
    """Return what to use while the answer is not yet.

    Where no step is worth its price, the better expected choice, if no guard fails; else what is not tuned.
    """
    gain, found = evidence.money.expected_gain_usd, evidence.information
    settled = found is not None and found.evpi_usd is not None and found.best is None
    holds = all(guard.state != "fail" for guard in guards)
    return evidence.tuned if settled and holds and gain is not None and gain.estimate > 0.0 else evidence.use_now
