"""Guard 7: consistency. The same question gets the same answer, in the right form, in a time that can be counted on."""

from __future__ import annotations

from advisor.core.statement import Action, Statement, say
from advisor.core.types import Interval
from advisor.decision.evidence import Evidence, Guard, State
from advisor.decision.findings import Condition, Flips, ProbeName, Service

from .paired import Scores, difference, groups_of

CONSISTENCY = "consistency"
FLIP_LIMIT = 0.10
"""How much more often (share of repeated answers) the tuned strategy may flip than its alternative."""
_ASKED_AGAIN: tuple[ProbeName, ...] = ("paraphrase", "order", "sampling")


def consistent(evidence: Evidence) -> Guard:
    """Fail if the tuned strategy surely flips more often than its alternative, and by more than the limit.

    Hold if more than the limit is excluded; else it is not known.
    """
    tuned, other, how = evidence.tuned, evidence.alternative, say("consistency.how")
    ours, theirs = _by_condition(evidence, tuned), _by_condition(evidence, other)
    service = _service(evidence)
    if not ours:
        return Guard(CONSISTENCY, "unknown", _why_not(evidence), how, _remedy(evidence, "unknown"), service)
    flips = [said for many in (ours, theirs) for one in many.values() if (said := _flips(evidence, one)) is not None]
    shared = [name for name in ours if name in theirs or name == "seeds"]
    gap = _gap(evidence, [ours[name].by_item for name in shared], [_repeats(theirs, name, ours) for name in shared])
    state: State = "unknown"
    found = say("consistency.alone", tuned=tuned)
    if gap is not None:
        state = _judge(gap)
        found = say("consistency.changes", tuned=tuned, other=other, gap=gap, limit=FLIP_LIMIT)
    return Guard(CONSISTENCY, state, found, how, _remedy(evidence, state), (*flips, *service))


def _judge(gap: Interval) -> State:
    if gap.low > 0.0 and gap.estimate > FLIP_LIMIT:
        return "fail"
    return "pass" if gap.high <= FLIP_LIMIT else "unknown"


def _by_condition(evidence: Evidence, label: str) -> dict[Condition, Flips]:
    return {one.condition: one for one in evidence.findings.flips if one.label == label and one.by_item}


def _repeats(theirs: dict[Condition, Flips], name: Condition, ours: dict[Condition, Flips]) -> Scores:
    """Return the flips of the alternative; one that runs with one seed only cannot flip with it."""
    return theirs[name].by_item if name in theirs else dict.fromkeys(ours[name].by_item, 0.0)


def _gap(evidence: Evidence, ours: list[Scores], theirs: list[Scores]) -> Interval | None:
    """Compare the mean flip share of each item over the ways of asking again."""
    if not ours:
        return None
    common = set.intersection(*(set(each) for each in (*ours, *theirs)))
    means = [{name: sum(each[name] for each in many) / len(many) for name in common} for many in (ours, theirs)]
    found = difference([means[0]], [means[1]], groups_of(evidence))
    return None if found is None else found[0]


def _flips(evidence: Evidence, flips: Flips) -> Statement | None:
    zero = dict.fromkeys(flips.by_item, 0.0)
    found = difference([flips.by_item], [zero], groups_of(evidence))
    if found is None:
        return None
    return say(
        "consistency.flips",
        label=flips.label,
        condition=flips.condition,
        share=found[0],
        n=len(flips.by_item),
        unchanged=flips.unchanged,
    )


def _service(evidence: Evidence) -> tuple[Statement, ...]:
    found = [one for one in evidence.findings.service if one.label in (evidence.tuned, evidence.alternative)]
    found.sort(key=lambda one: one.label != evidence.tuned)
    return tuple(_served(one) for one in found if one.valid is not None or one.latency)


def _served(one: Service) -> Statement:
    return say(
        "consistency.served",
        label=one.label,
        valid=one.valid,
        form=one.valid_means,
        waits=one.latency,
        load=one.concurrency,
    )


def _why_not(evidence: Evidence) -> Statement:
    if evidence.findings.checks == "none":
        return say("guard.not_asked_for")
    if not evidence.tuned:
        return say("guard.nothing_tuned")
    reasons = (evidence.findings.why_not(name, evidence.tuned) for name in _ASKED_AGAIN)
    reason = next(filter(None, reasons), "")
    return say("guard.failed", reason=reason) if reason else say("consistency.not_asked_again", tuned=evidence.tuned)


def _remedy(evidence: Evidence, state: State) -> Action | None:
    if state == "pass":
        return None
    if state == "fail":
        return Action(say("consistency.train_on_wordings"), evidence.again())
    if evidence.findings.checks == "none":
        return Action(say("consistency.ask_again"), evidence.again("--checks quick"))
    if evidence.findings.checks != "full":
        return evidence.repeat(say("consistency.ask_all_again"), "--checks full")
    return Action(say("consistency.add_test_examples"))
