"""The conditions without which `fine_tune` is withheld (decision.md, section 6).

`fail` withholds the verdict. `unknown` does not: what this version does not check is listed as an assumption, never as
passed.
"""

from __future__ import annotations

from advisor import wording
from advisor.evidence import Evidence, Guard

MISSING_ALLOWED = 0.01
BASELINE, DATA, MISSING = "strong baseline", "enough data", "nothing missing"
NOT_CHECKED = ("skill or format", "no leak", "label quality", "trainer worked", "retention", "consistency")


def check_guards(evidence: Evidence) -> tuple[Guard, ...]:
    """Return every guard with its state: three are checked, the others are `unknown` in this version."""
    unknown = (Guard(name, "unknown", "not checked in this version") for name in NOT_CHECKED)
    return (strong_baseline(evidence), enough_data(evidence), nothing_missing(evidence), *unknown)


def _owed(evidence: Evidence) -> tuple[str, ...]:
    return ("few_shot", *["rag"] * evidence.has_docs, *["function_calling"] * evidence.has_tools)


def owed_baselines(evidence: Evidence) -> tuple[str, ...]:
    """Return the strategies that fine-tuning must be held against and that have no score here."""
    names = {one.label.partition("(")[0] for one in evidence.others}
    kinds = {one.kind for one in evidence.others}
    stand_ins = {"rag": "rag", "function_calling": "tools"}
    return tuple(name for name in _owed(evidence) if name not in names and stand_ins.get(name) not in kinds)


def strong_baseline(evidence: Evidence) -> Guard:
    """Few-shot chosen on dev, RAG where there are documents, function calling where there are tools."""
    absent = owed_baselines(evidence)
    if absent:
        many = len(_owed(evidence))
        held = f"{many - len(absent)} of {many} baselines that are owed have a score"
        return Guard(BASELINE, "fail", f"{held}; missing: {' and '.join(absent)}")
    against = ", ".join(one.label for one in evidence.others if one.kind in ("prompting", "rag", "tools"))
    schema = "; constrained decoding against the schema is not checked in this version" if evidence.has_schema else ""
    return Guard(BASELINE, "pass", f"held against {against or evidence.alternative}{schema}")


def rests_on_quality(evidence: Evidence) -> bool:
    """Return whether fine-tuning pays only because its answers are better, and not by being cheaper alone."""
    held = evidence.money.dominance
    alone = held.pays_without_quality if held else None
    return alone is None or alone < evidence.economics.confidence


def enough_data(evidence: Evidence) -> Guard:
    """A gain that rests on better answers needs a difference that is real.

    Otherwise what the test set cannot show is said plainly, and is `unknown` where it is larger than the margin.
    """
    if not evidence.tuned or not evidence.alternative:
        return Guard(DATA, "unknown", f"{wording.count(evidence.n_test)} test examples, and nothing to hold against")
    lead = evidence.lead(evidence.alternative)
    finding = data_sentence(evidence)
    if lead.real:
        return Guard(DATA, "pass", finding)
    if lead.estimate > 0.0 and rests_on_quality(evidence):
        more = f"the {wording.points(lead.estimate)} over {evidence.alternative} could be chance"
        return Guard(DATA, "fail", f"{more}; {finding}")
    enough = lead.detectable is not None and lead.detectable <= evidence.economics.margin
    return Guard(DATA, "pass" if enough else "unknown", finding)


def data_sentence(evidence: Evidence) -> str:
    """Return how small a difference this test set can show, against the margin."""
    lead = evidence.lead(evidence.alternative)
    n, margin = wording.count(lead.n or evidence.n_test), wording.points(evidence.economics.margin)
    if lead.detectable is None:
        return f"{n} test examples: the smallest difference they show is not known, the margin is {margin}"
    shown = wording.points(lead.detectable)
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
        if one.label in names or one.label.partition("(")[0] in _owed(evidence):
            outcomes = max(1, evidence.n_test * max(1, len(one.seeds)))
            shares[one.label] = (one.failed + one.undefined) / outcomes
    return shares


def nothing_missing(evidence: Evidence) -> Guard:
    """At most 1 % of the outcomes have no score, for every strategy the verdict rests on."""
    shares = missing_shares(evidence)
    worst = max(shares, key=lambda label: shares[label], default="")
    allowed = wording.percent(MISSING_ALLOWED)
    if worst and shares[worst] > MISSING_ALLOWED:
        many = ", ".join(f"{label} {wording.percent(s)}" for label, s in shares.items() if s > MISSING_ALLOWED)
        return Guard(MISSING, "fail", f"outcomes without a score: {many}; at most {allowed} is allowed")
    share = shares.get(worst, 0.0)
    return Guard(MISSING, "pass", f"{wording.percent(share)} of outcomes have no score; at most {allowed} is allowed")
