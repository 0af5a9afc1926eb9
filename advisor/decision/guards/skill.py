"""Guard 2: it is skill, not format. What a better format explains can be bought without a tune."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from advisor._util import formats
from advisor.core.types import Interval
from advisor.decision.evidence import Evidence, Guard
from advisor.decision.findings import Probe

from .paired import Scores, difference, groups_of, run_scores, scores_of

SKILL = "skill or format"
Way = Literal["constrained", "repaired"]
_HOW = (
    "every strategy was scored once more with its answers in the right form ({way}); the lead that is left is skill, "
    "the rest is format; paired bootstrap over test examples and seeds"
)


@dataclass(frozen=True, slots=True)
class LeadParts:
    """The lead of the tuned strategy, and what of it is left when every answer is in the right form.

    Attributes:
        lead: over `alternative`, as it was measured, on these examples.
        skill: over `rival`, the best of the others once all are in form.
        format: the difference of the two.
        how: how answers were brought into form.
    """

    alternative: str
    rival: str
    lead: Interval
    skill: Interval
    format: Interval
    n: int
    how: str


def skill_or_format(evidence: Evidence) -> Guard:
    """Hold if the lead is above 0 with every answer in form; fail if it is not and the format made a real difference.

    It fails too if the format made a real difference and what is left is below the margin, and wherever another one in
    form is surely better by more than the margin. Without a lead it holds if that is excluded.
    """
    knowledge = _knowledge(evidence)
    if not evidence.tuned or not evidence.alternative:
        return Guard(
            SKILL, "unknown", "there is no lead to explain", _HOW.format(way="labels or schema"), "", knowledge
        )
    ways: tuple[Way, ...] = ("constrained", "repaired")
    found = [parts for way in ways if (parts := _parts(evidence, way)) is not None]
    if not found:
        return _without_form(evidence, knowledge)
    judged = found[0]
    state = _judge(judged, evidence.lead(evidence.alternative).estimate, evidence.economics.margin)
    finding = f"{_sentence(evidence, judged)}{_rest(state)}"
    details = (*(_second(evidence, parts) for parts in found[1:]), *knowledge)
    return Guard(SKILL, state, finding, _HOW.format(way=judged.how), _remedy(evidence, judged, state), details)


def _judge(parts: LeadParts, lead: float, margin: float) -> Literal["pass", "fail", "unknown"]:
    """Judge by the whole test split's `lead`: without one a yes rests on cost, and form may still hide a loss."""
    if parts.skill.high < -margin:
        return "fail"
    if lead <= 0.0:
        return "pass" if parts.skill.low > -margin else "unknown"
    short = parts.skill.estimate < margin <= parts.lead.estimate
    if parts.format.low > 0.0 and (parts.skill.low <= 0.0 or short):
        return "fail"
    return "pass" if parts.skill.low > 0.0 else "unknown"


def _sentence(evidence: Evidence, parts: LeadParts) -> str:
    held = f"{_points(parts.skill)} against {parts.rival} once all answers are in form"
    if parts.lead.estimate <= 0.0:
        return (
            f"{evidence.tuned} has no lead over {parts.alternative} that a format could explain "
            f"({formats.points(parts.lead.estimate)}), and is at {held}, on {formats.count(parts.n)} test examples"
        )
    return (
        f"of the lead of {formats.points(parts.lead.estimate)} over {parts.alternative}, {_points(parts.format)} are "
        f"format and {_points(parts.skill)} skill, against {parts.rival}, on {formats.count(parts.n)} test examples"
    )


def _second(evidence: Evidence, parts: LeadParts) -> str:
    return f"with {parts.how}: {_sentence(evidence, parts)}"


def _points(one: Interval) -> str:
    ends = f"{one.low * 100:+.1f} to {one.high * 100:+.1f}"
    return f"{formats.points(one.estimate)} ({ends})"


def _rest(state: str) -> str:
    if state == "fail":
        return ": form makes the difference, so buy structured output, not a tune"
    return "; which of them it is cannot be told from so few" if state == "unknown" else ""


def _remedy(evidence: Evidence, parts: LeadParts, state: str) -> str:
    if state == "pass":
        return ""
    names = {one.strategy for one in evidence.strategies}
    known = [f"{name}(constrained=true)" for name in ("few_shot", "zero_shot") if name in names]
    if state == "fail" and known:
        return f"Hold the answers to their form and compare again: {evidence.line([*known, evidence.tuned])}"
    if state == "fail":
        return f"Let {parts.rival} ask with choices=task.labels or schema=task.schema, and compare again."
    labels = [one.label for one in evidence.strategies]
    return f"Check on all test examples: {evidence.line(labels, '--checks full')}"


def _without_form(evidence: Evidence, knowledge: tuple[str, ...]) -> Guard:
    failed = next((why for what, why in evidence.findings.skipped.items() if what.startswith("repaired")), "")
    if evidence.findings.checks == "none":
        labels = [one.label for one in evidence.strategies]
        finding = "not looked at (--checks none)"
        remedy = f"Look at it: {evidence.line(labels, '--checks quick')}"
    elif failed:
        finding, remedy = f"could not be looked at: {failed}", ""
    else:
        finding = (
            "the answers are free text, without labels or a schema they could be held to, so a better format cannot "
            "be told from better skill"
        )
        remedy = "Look at where the strategies disagree; if the tuned answers are only put more briefly, it is format."
    return Guard(SKILL, "unknown", finding, _HOW.format(way="labels or schema"), remedy, knowledge)


# --- the parts -------------------------------------------------------------------------------------------------------


def _parts(evidence: Evidence, way: Way) -> LeadParts | None:
    """Split the lead; `None` where one of the two was not scored in form in this way.

    The rival is picked as the best of the others in form: that is a look at the test split which can only make the
    skill look smaller.
    """
    probes = {one.label: evidence.findings.probes_of(way, one.label) for one in evidence.scored}
    ours, groups = probes.get(evidence.tuned, ()), groups_of(evidence)
    plain, theirs = run_scores(evidence, evidence.tuned), run_scores(evidence, evidence.alternative)
    if not ours or not probes.get(evidence.alternative) or not plain or not theirs:
        return None
    seeds = [at for at, seed in enumerate(evidence.summary(evidence.tuned).seeds) if any(p.seed == seed for p in ours)]
    plain = [plain[at] for at in seeds if at < len(plain)]
    formed = [scores_of(probe) for probe in ours]
    rival = _rival(evidence, probes, formed)
    rivals = [scores_of(probe) for probe in probes[rival]]
    shared = _shared(formed, plain, theirs, rivals)
    ours_now, ours_then, theirs_now, theirs_then = (
        [{name: each[name] for name in shared} for each in many] for many in (formed, plain, rivals, theirs)
    )
    lead = difference(ours_then, theirs_then, groups, tuned=True)
    skill = difference(ours_now, theirs_now, groups, tuned=True)
    gained = difference(_gains(theirs_now, theirs_then), _gains(ours_now, ours_then), groups)
    if lead is None or skill is None or gained is None:
        return None
    how = ours[0].note if way == "repaired" else "held to labels or schema while they were written"
    return LeadParts(evidence.alternative, rival, lead[0], skill[0], _doubled(gained[0]), len(shared), how)


def _rival(evidence: Evidence, probes: dict[str, tuple[Probe, ...]], ours: Sequence[Scores]) -> str:
    means: dict[str, float] = {}
    for other in evidence.others:
        known = [scores_of(probe) for probe in probes.get(other.label, ())]
        shared = set.intersection(*(set(each) for each in (*ours, *known))) if known else set()
        if shared:
            means[other.label] = sum(each[name] for each in known for name in shared) / len(shared) / len(known)
    return max(means, key=lambda label: means[label], default=evidence.alternative)


def _shared(*groups: Sequence[Scores]) -> list[str]:
    return sorted(set.intersection(*(set(each) for group in groups for each in group)))


def _gains(now: Sequence[Scores], then: Sequence[Scores]) -> list[Scores]:
    """Return half of what the form brings, item by item; where the seeds do not pair, against their mean.

    Half, since a difference of two gains lies between -2 and 2, and `difference` works between -1 and 1.
    """
    if len(now) != len(then):
        mean = {name: sum(each[name] for each in then) / len(then) for name in then[0]}
        then = [mean] * len(now)
    return [{name: (a[name] - b[name]) / 2 for name in a} for a, b in zip(now, then, strict=True)]


def _doubled(half: Interval) -> Interval:
    return Interval(2 * half.estimate, 2 * half.low, 2 * half.high, half.level, half.method)


# --- knowledge against retrieval -------------------------------------------------------------------------------------


def _knowledge(evidence: Evidence) -> tuple[str, ...]:
    """Say what the right document alone would bring: what is lost before the model has a say."""
    found = []
    for one in evidence.scored:
        for probe in evidence.findings.probes_of("oracle_context", one.label)[:1]:
            given, plain = scores_of(probe), run_scores(evidence, one.label)[:1]
            gap = difference([given], plain, groups_of(evidence))
            if gap is None:
                continue
            mean = sum(given.values()) / len(given)
            found.append(
                f"given the right document {one.label} scores {formats.percent(mean)} on "
                f"{formats.count(gap[1].values.size)} examples, {_points(gap[0])} more than with what it retrieves"
            )
    return tuple(found)
