"""Guards beside the seven: the test set can show what the verdict rests on, next to nothing is missing or cut off."""

from __future__ import annotations

from advisor.core.statement import Action, Statement, say
from advisor.decision.evidence import Evidence, Guard
from advisor.stats.intervals import LEAST_CLUSTERS
from advisor.stats.summaries import StrategySummary

from .baseline import owed

MISSING_ALLOWED = 0.01
CUT_ALLOWED = 0.01
MORE_ROOM = 2048
"""Tokens of room for an answer to try where some were cut: the largest that is usual for short answers, times four."""
DATA, MISSING, COMPLETE = "enough data", "nothing missing", "answers complete"


def rests_on_quality(evidence: Evidence) -> bool:
    """Return whether fine-tuning pays only because its answers are better, and not by being cheaper alone."""
    held = evidence.money.dominance
    alone = held.pays_without_quality if held else None
    return not evidence.sure(alone)


def enough_data(evidence: Evidence) -> Guard:
    """A gain that rests on better answers needs a difference that is real.

    Otherwise what the test set cannot show is said plainly, and is `unknown` where it is larger than the margin. Below
    `LEAST_CLUSTERS` clusters nothing can be excluded, whatever they say.
    """
    if not evidence.tuned or not evidence.alternative:
        return Guard(DATA, "unknown", say("data.nothing_against", n=evidence.n_test))
    lead = evidence.lead(evidence.alternative)
    shown = shown_differences(evidence)
    if 0 < lead.clusters < LEAST_CLUSTERS:
        return Guard(DATA, "fail", say("data.few_clusters", clusters=lead.clusters, needed=LEAST_CLUSTERS))
    if lead.real:
        n = lead.n or evidence.n_test
        return Guard(DATA, "pass", say("data.real", n=n, lead=lead.estimate, other=evidence.alternative))
    if lead.estimate > 0.0 and rests_on_quality(evidence):
        chance = say("data.chance", lead=lead.estimate, other=evidence.alternative, shown=shown)
        return Guard(DATA, "fail", chance)
    enough = lead.detectable is not None and lead.detectable <= evidence.economics.margin
    return Guard(DATA, "pass" if enough else "unknown", shown)


def shown_differences(evidence: Evidence) -> Statement:
    """Return how small a difference this test set can show, against the margin."""
    lead = evidence.lead(evidence.alternative)
    n, margin = lead.n or evidence.n_test, evidence.economics.margin
    return say("data.shows", n=n, detectable=lead.detectable, margin=margin)


def missing_shares(evidence: Evidence) -> dict[str, float]:
    """Return the share of outcomes without a score, of the strategies the verdict rests on."""
    return {one.label: (one.failed + one.undefined) / _outcomes(evidence, one) for one in _rested_on(evidence)}


def _rested_on(evidence: Evidence) -> list[StrategySummary]:
    """Return the tuned one, its alternative, the recommended one, the contenders, and the baselines that are owed."""
    held = evidence.money.dominance
    names = {evidence.tuned, evidence.alternative, evidence.use_now, *(held.contenders if held else ())}
    names |= {held.instead} if held else set()
    return [one for one in evidence.strategies if one.label in names or one.strategy in owed(evidence)]


def _outcomes(evidence: Evidence, one: StrategySummary) -> int:
    return max(1, evidence.n_test * max(1, len(one.seeds)))


def nothing_missing(evidence: Evidence) -> Guard:
    """At most 1 % of the outcomes have no score, for every strategy the verdict rests on."""
    shares = missing_shares(evidence)
    many = tuple((label, share) for label, share in shares.items() if share > MISSING_ALLOWED)
    if many:
        return Guard(MISSING, "fail", say("missing.too_many", shares=many, allowed=MISSING_ALLOWED))
    share = max(shares.values(), default=0.0)
    return Guard(MISSING, "pass", say("missing.few", share=share, allowed=MISSING_ALLOWED))


def cut_shares(evidence: Evidence) -> dict[str, float]:
    """Return the share of answers that were cut off, of the strategies the verdict rests on."""
    return {one.label: one.cut / _outcomes(evidence, one) for one in _rested_on(evidence)}


def answers_complete(evidence: Evidence) -> Guard:
    """At most 1 % of the answers were cut off for want of room, for every strategy the verdict rests on.

    A cut answer may be scored as wrong that would have been right. So a yes is withheld where anybody's are cut, and a
    no where those of the tuned strategy are: with more room the others could only do better.
    """
    shares = cut_shares(evidence)
    many = tuple((label, share) for label, share in shares.items() if share > CUT_ALLOWED)
    if many:
        room = max(MORE_ROOM, 4 * (evidence.request.max_answer_tokens or 0))
        remedy = Action(say("complete.remedy"), evidence.again(f"--max-answer-tokens {room}"))
        return Guard(COMPLETE, "fail", say("complete.too_many", shares=many, allowed=CUT_ALLOWED), action=remedy)
    share = max(shares.values(), default=0.0)
    return Guard(COMPLETE, "pass", say("complete.few", share=share, allowed=CUT_ALLOWED))
