"""Two guards beside the seven: the test set can show what the verdict rests on, and next to nothing is missing."""

from __future__ import annotations

from advisor._util import formats
from advisor.decision.evidence import Evidence, Guard
from advisor.stats.intervals import LEAST_CLUSTERS

from .baseline import owed

MISSING_ALLOWED = 0.01
DATA, MISSING = "enough data", "nothing missing"


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
        return Guard(DATA, "unknown", f"{formats.count(evidence.n_test)} test examples, and nothing to hold against")
    lead = evidence.lead(evidence.alternative)
    finding = data_sentence(evidence)
    if 0 < lead.clusters < LEAST_CLUSTERS:
        few = f"{formats.count(lead.clusters)} test examples or groups of them"
        return Guard(DATA, "fail", f"{few} can show nothing by themselves; at least {LEAST_CLUSTERS} are needed")
    if lead.real:
        way = "over" if lead.estimate > 0.0 else "behind"
        shown = f"the {formats.points(abs(lead.estimate))} {way} {evidence.alternative} are more than chance"
        return Guard(DATA, "pass", f"{formats.count(lead.n or evidence.n_test)} test examples: {shown}")
    if lead.estimate > 0.0 and rests_on_quality(evidence):
        more = f"the {formats.points(lead.estimate)} over {evidence.alternative} could be chance"
        return Guard(DATA, "fail", f"{more}; {finding}")
    enough = lead.detectable is not None and lead.detectable <= evidence.economics.margin
    return Guard(DATA, "pass" if enough else "unknown", finding)


def data_sentence(evidence: Evidence) -> str:
    """Return how small a difference this test set can show, against the margin."""
    lead = evidence.lead(evidence.alternative)
    n, margin = formats.count(lead.n or evidence.n_test), formats.points(evidence.economics.margin)
    if lead.detectable is None:
        return f"{n} test examples: the smallest difference they show is not known, the margin is {margin}"
    shown = formats.points(lead.detectable)
    if lead.detectable <= evidence.economics.margin:
        return f"{n} test examples show differences from {shown} on, which is within the margin of {margin}"
    return f"{n} test examples show differences from {shown} on; one as small as the margin of {margin} can go unseen"


def missing_shares(evidence: Evidence) -> dict[str, float]:
    """Return the share of outcomes without a score, of the strategies the verdict rests on.

    They are the tuned one, its alternative, the recommended one, the contenders, and the baselines that are owed.
    """
    held = evidence.money.dominance
    names = {evidence.tuned, evidence.alternative, evidence.use_now, *(held.contenders if held else ())}
    names |= {held.instead} if held else set()
    shares = {}
    for one in evidence.strategies:
        if one.label in names or one.strategy in owed(evidence):
            outcomes = max(1, evidence.n_test * max(1, len(one.seeds)))
            shares[one.label] = (one.failed + one.undefined) / outcomes
    return shares


def nothing_missing(evidence: Evidence) -> Guard:
    """At most 1 % of the outcomes have no score, for every strategy the verdict rests on."""
    shares = missing_shares(evidence)
    worst = max(shares, key=lambda label: shares[label], default="")
    allowed = formats.percent(MISSING_ALLOWED)
    if worst and shares[worst] > MISSING_ALLOWED:
        many = ", ".join(f"{label} {formats.percent(s)}" for label, s in shares.items() if s > MISSING_ALLOWED)
        return Guard(MISSING, "fail", f"outcomes without a score: {many}; at most {allowed} is allowed")
    share = shares.get(worst, 0.0)
    return Guard(MISSING, "pass", f"{formats.percent(share)} of outcomes have no score; at most {allowed} is allowed")
