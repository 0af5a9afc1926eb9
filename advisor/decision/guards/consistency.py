"""Guard 7: consistency. The same question gets the same answer, in the right form, in a time that can be counted on."""

from __future__ import annotations

import math
from collections.abc import Mapping

from advisor._util import formats
from advisor.core.types import Interval
from advisor.decision.evidence import Evidence, Guard
from advisor.decision.findings import Condition, Flips, Service

from .paired import Scores, difference, groups_of

CONSISTENCY = "consistency"
FLIP_LIMIT = 0.10
"""How much more often (share of repeated answers) the tuned strategy may flip than its alternative."""
_NAMES: Mapping[Condition, str] = {
    "reworded": "reworded",
    "order": "demonstrations in another order",
    "sampling": "sampled at temperature 0.7",
    "seeds": "trained with another seed",
}
_HOW = (
    "an answer flips if its score goes to the other side of 0.5, or, in a task with labels, if another label is given; "
    "per test example the mean over the ways of asking again, tuned against alternative, paired bootstrap; a quantile "
    "of the waiting times has its order-statistic interval"
)


def consistent(evidence: Evidence) -> Guard:
    """Fail if the tuned strategy surely flips more often than its alternative, and by more than the limit.

    Hold if more than the limit is excluded; else it is not known.
    """
    tuned, other = evidence.tuned, evidence.alternative
    ours, theirs = _by_condition(evidence, tuned), _by_condition(evidence, other)
    service = _service(evidence)
    if not ours:
        return Guard(CONSISTENCY, "unknown", _why_not(evidence), _HOW, _remedy(evidence, "unknown"), service)
    flips = [(label, one) for label, many in ((tuned, ours), (other, theirs)) for one in many.values()]
    details = (*(_flip_sentence(evidence, label, one) for label, one in flips), *service)
    shared = [name for name in ours if name in theirs or name == "seeds"]
    gap = _gap(evidence, [ours[name].by_item for name in shared], [_repeats(theirs, name, ours) for name in shared])
    if gap is None:
        finding = f"{tuned} was asked again, and there is nothing to hold it against"
        return Guard(CONSISTENCY, "unknown", finding, _HOW, _remedy(evidence, "unknown"), details)
    state = "fail" if gap.low > 0.0 and gap.estimate > FLIP_LIMIT else "pass" if gap.high <= FLIP_LIMIT else "unknown"
    more = f"{formats.points(abs(gap.estimate))} {'more' if gap.estimate >= 0 else 'less'} often than {other}"
    ends = f"{gap.low * 100:+.1f} to {gap.high * 100:+.1f}, at most {formats.points(FLIP_LIMIT)} more is allowed"
    finding = f"asked again, {tuned} changes its answer {more} ({ends})"
    return Guard(CONSISTENCY, state, finding, _HOW, _remedy(evidence, state), details)  # type: ignore[arg-type]


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


def _flip_sentence(evidence: Evidence, label: str, flips: Flips) -> str:
    zero = dict.fromkeys(flips.by_item, 0.0)
    found = difference([flips.by_item], [zero], groups_of(evidence))
    assert found is not None
    rate = found[0]
    ends = f"{formats.percent(max(0.0, rate.low))} to {formats.percent(rate.high)}"
    nothing = flips.note.partition("; ")[2] if flips.condition != "reworded" else ""
    share, n = formats.percent(rate.estimate), formats.count(len(flips.by_item))
    told = f"{label}, {_NAMES[flips.condition]}: {share} of {n} answers flip ({ends})"
    return f"{told}, as {nothing}" if nothing else told


def _service(evidence: Evidence) -> tuple[str, ...]:
    found = [one for one in evidence.findings.service if one.label in (evidence.tuned, evidence.alternative)]
    found.sort(key=lambda one: one.label != evidence.tuned)
    return tuple(sentence for one in found if (sentence := _served(one)))


def _served(one: Service) -> str:
    parts = []
    if one.valid is not None:
        ends = f"{formats.percent(one.valid.low)} to {formats.percent(one.valid.high)}"
        parts.append(f"{formats.percent(one.valid.estimate)} ({ends}) of its answers {_form(one)}")
    if one.latency:
        waits = [f"{_seconds(wait.estimate)} ({_seconds(wait.low)} to {_seconds(wait.high)})" for wait in one.latency]
        parts.append(f"waits p50, p95, p99 are {', '.join(waits)} {one.concurrency}".strip())
    return f"{one.label}: {', '.join(parts)}" if parts else ""


def _form(one: Service) -> str:
    return f"have the right form (each {one.valid_means})"


def _seconds(value: float) -> str:
    if math.isinf(value):
        return formats.NO_LIMIT
    return f"{value:.1f} s" if value >= 0.95 else f"{value * 1000:.0f} ms"


def _why_not(evidence: Evidence) -> str:
    if evidence.findings.checks == "none":
        return "not looked at (--checks none)"
    if not evidence.tuned:
        return "nothing was tuned"
    skipped = evidence.findings.skipped
    names = ("paraphrase", "order", "sampling")
    why = next((skipped[key] for name in names if (key := f"{name} {evidence.tuned}") in skipped), "")
    return f"could not be looked at: {why}" if why else f"{evidence.tuned} was not asked again"


def _remedy(evidence: Evidence, state: str) -> str:
    labels = [one.label for one in evidence.strategies]
    if state == "fail":
        return (
            f"Train on several wordings of each question, or with more data, and compare again: {evidence.line(labels)}"
        )
    if state == "unknown" and evidence.findings.checks == "none":
        return f"Ask again what was asked: {evidence.line(labels, '--checks quick')}"
    if state == "unknown" and evidence.findings.checks != "full":
        return f"Ask all test examples again: {evidence.line(labels, '--checks full')}"
    return "Add test examples: so few do not show how often it flips." if state == "unknown" else ""
