"""Guard 2: it is skill, not format. What a better format explains can be bought without a tune."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from advisor.core.statement import Action, Statement, say
from advisor.core.types import Interval
from advisor.decision.evidence import Evidence, Guard, State
from advisor.decision.findings import Probe

from .paired import Scores, difference, groups_of, run_scores, scores_of

SKILL = "skill or format"
Way = Literal["constrained", "repaired"]


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
    how: Statement


def skill_or_format(evidence: Evidence) -> Guard:
    """Hold if the lead is above 0 with every answer in form; fail if it is not and the format made a real difference.

    It fails too if the format made a real difference and what is left is below the margin, and wherever another one in
    form is surely better by more than the margin. Without a lead it holds if that is excluded.
    """
    any_form = say("skill.how", way=say("skill.any_form"))
    if not evidence.tuned or not evidence.alternative:
        return Guard(SKILL, "unknown", say("skill.nothing_to_explain"), any_form)
    ways: tuple[Way, ...] = ("constrained", "repaired")
    found = [parts for way in ways if (parts := _parts(evidence, way)) is not None]
    if not found:
        reason, remedy = _without_form(evidence)
        return Guard(SKILL, "unknown", reason, any_form, remedy)
    judged = found[0]
    state = _judge(judged, evidence.lead(evidence.alternative).estimate, evidence.economics.margin)
    figures = tuple(_other_way(evidence, parts) for parts in found[1:])
    how = say("skill.how", way=judged.how)
    return Guard(SKILL, state, _found(evidence, judged, state), how, _remedy(evidence, judged, state), figures)


def _judge(parts: LeadParts, lead: float, margin: float) -> State:
    """Judge by the whole test split's `lead`: without one a yes rests on cost, and form may still hide a loss."""
    if parts.skill.high < -margin:
        return "fail"
    if lead <= 0.0:
        return "pass" if parts.skill.low > -margin else "unknown"
    short = parts.skill.estimate < margin <= parts.lead.estimate
    if parts.format.low > 0.0 and (parts.skill.low <= 0.0 or short):
        return "fail"
    return "pass" if parts.skill.low > 0.0 else "unknown"


def _found(evidence: Evidence, parts: LeadParts, state: State) -> Statement:
    split = _split(evidence, parts)
    if state == "fail":
        return say("skill.is_format", parts=split)
    return say("skill.unclear", parts=split) if state == "unknown" else split


def _split(evidence: Evidence, parts: LeadParts) -> Statement:
    return say(
        "skill.parts",
        tuned=evidence.tuned,
        other=parts.alternative,
        rival=parts.rival,
        lead=parts.lead.estimate,
        form=parts.format,
        skill=parts.skill,
        n=parts.n,
    )


def _other_way(evidence: Evidence, parts: LeadParts) -> Statement:
    return say("skill.other_way", way=parts.how, parts=_split(evidence, parts))


def _remedy(evidence: Evidence, parts: LeadParts, state: State) -> Action | None:
    if state == "pass":
        return None
    if state == "unknown":
        return evidence.repeat(say("skill.check_all"), "--checks full")
    names = {one.strategy for one in evidence.strategies}
    known = [f"{name}(constrained=true)" for name in ("few_shot", "zero_shot") if name in names]
    if known:
        return Action(say("skill.hold_to_form"), evidence.line([*known, evidence.tuned]))
    return Action(say("skill.ask_in_form", rival=parts.rival))


def _without_form(evidence: Evidence) -> tuple[Statement, Action | None]:
    """Return why no answers were brought into form, and what to do about it."""
    if evidence.findings.checks == "none":
        return say("guard.not_asked_for"), Action(say("guard.look"), evidence.again("--checks quick"))
    failed = next((one.reason for one in evidence.findings.skipped if one.what == "repaired"), "")
    if failed:
        return say("guard.failed", reason=failed), None
    return say("skill.free_text"), Action(say("skill.read"))


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
    how = say("said", text=ours[0].note) if way == "repaired" else say("skill.constrained")
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
    return replace(half, estimate=2 * half.estimate, low=2 * half.low, high=2 * half.high)
