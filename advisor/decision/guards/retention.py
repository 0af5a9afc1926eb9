"""Guard 6: nothing else broke. The tuned model against its base model on general questions and refusals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from advisor._util import formats
from advisor.decision.evidence import Evidence, Guard
from advisor.decision.findings import Probe, ProbeName
from advisor.stats.hypothesis_tests import NonInferiority, non_inferiority

from .paired import difference, scores_of

RETENTION = "retention"
RETENTION_LEVEL, RETENTION_POWER = 0.95, 0.80
_TIE = 1e-12
_WORDS: dict[ProbeName, str] = {"retention": "general questions", "refusals": "questions that have no answer"}
_HOW = (
    "tuned and base model were asked the same questions, answers held to the choices where there are some; one-sided "
    "test of non-inferiority at 95% on the paired difference (Student's t, clustered standard error, an assumed spread "
    "between seeds of 1 point included; the exact bound where no answer changes); the smallest drop that is seen in 80 "
    "of 100 tries is printed"
)


@dataclass(frozen=True, slots=True)
class Kept:
    """One suite: the share right before and after, the test, and the smallest drop it would see (score units)."""

    suite: ProbeName
    n: int
    before: float
    after: float
    test: NonInferiority
    worst: float
    detectable: float

    @property
    def state(self) -> Literal["pass", "fail", "unknown"]:
        """Hold if a drop by the margin is excluded; fail if there surely is a drop and it is as large as the margin."""
        drop, margin = self.before - self.after, self.test.margin
        if self.worst < 0.0 and drop >= margin:
            return "fail"
        return "pass" if self.test.shown and not self.unseen and not self.nothing_to_lose else "unknown"

    @property
    def nothing_to_lose(self) -> bool:
        """Whether the base model got so little right that a loss of the margin cannot happen."""
        return self.before < self.test.margin

    @property
    def unseen(self) -> bool:
        """Whether the questions are too few to see a loss of the margin."""
        return self.detectable > self.test.margin


def nothing_else_broke(evidence: Evidence) -> Guard:
    """Hold if the tuned model is not worse than its base model by the margin, on every suite that was asked."""
    found = [kept for name in _WORDS if (kept := _kept(evidence, name)) is not None]
    if not found:
        return Guard(RETENTION, "unknown", _why_not(evidence), _HOW, _unasked(evidence))
    states = [kept.state for kept in found]
    state = "fail" if "fail" in states else "unknown" if "unknown" in states else "pass"
    finding, *details = (_sentence(kept) for kept in sorted(found, key=lambda kept: kept.state != state))
    return Guard(RETENTION, state, finding, _HOW, _remedy(evidence, state, found), tuple(details))  # type: ignore[arg-type]


def _kept(evidence: Evidence, suite: ProbeName) -> Kept | None:
    tuned, [*base] = evidence.findings.probes_of(suite, evidence.tuned), evidence.findings.probes_of(suite, "")
    if not tuned or not base:
        return None
    before = scores_of(base[0])
    found = difference([scores_of(one) for one in tuned], [before], _groups(base[0]), tuned=True)
    if found is None:
        return None
    gap, contrast = found
    # Without spread between clusters an assumed spread of trainings must not stand for what was measured.
    spread = contrast.cluster_error > _TIE
    margin, error = evidence.findings.retention_margin, contrast.standard_error if spread else 0.0
    test = non_inferiority(gap.estimate, error, margin, clusters=contrast.clusters, level=RETENTION_LEVEL)
    better = non_inferiority(-gap.estimate, error, margin, clusters=contrast.clusters, level=RETENTION_LEVEL)
    shared = set(before).intersection(*(scores_of(one) for one in tuned))
    share = sum(before[name] for name in shared) / len(shared)
    seen = smallest_drop(error) if spread else unseen_share(contrast.clusters)
    return Kept(suite, len(shared), share, share + gap.estimate, test, -better.low, seen)


def smallest_drop(standard_error: float) -> float:
    """Return the drop that a one-sided test at 5 % finds in 80 of 100 tries: ``(z_95 + z_80) * standard error``.

    Source: the usual normal approximation, e.g. Chow, Shao and Wang 2008, section 3.2.
    """
    return (NormalDist().inv_cdf(RETENTION_LEVEL) + NormalDist().inv_cdf(RETENTION_POWER)) * standard_error


def unseen_share(clusters: int) -> float:
    """Return the largest share of questions that can have changed without one of so many showing it: the exact bound.

    Source: Clopper and Pearson 1934, one-sided at 95 %, for none of `clusters`; see `non_inferiority`.
    """
    return float(1.0 - (1.0 - RETENTION_LEVEL) ** (1.0 / max(clusters, 1)))


def _groups(probe: Probe) -> dict[str, str]:
    return {one.example_id: str(one.trace.get("group", one.example_id)) for one in probe.outcomes}


def _sentence(kept: Kept) -> str:
    change = kept.after - kept.before
    way = "no change" if change == 0.0 else f"{formats.points(abs(change))} {'more' if change > 0 else 'less'}"
    margin, seen = formats.points(kept.test.margin), formats.points(kept.detectable)
    unknown = f"a loss of {margin} is not excluded"
    if kept.nothing_to_lose:
        unknown = f"with less than {margin} right before, there is nothing to lose and nothing to learn from it"
    elif kept.unseen:
        unknown = f"losses show from {seen} on, so one of {margin} can go unseen"
    judged = {
        "pass": f"a loss of {margin} is excluded, and losses from {seen} on show",
        "fail": f"at most {margin} less is acceptable, and losses from {seen} on show",
        "unknown": unknown,
    }
    return (
        f"{_WORDS[kept.suite]}: {formats.percent(kept.before)} right before the tune and "
        f"{formats.percent(kept.after)} after it, {way}, on {formats.count(kept.n)}; {judged[kept.state]}"
    )


def _why_not(evidence: Evidence) -> str:
    if evidence.findings.checks == "none":
        return "not looked at (--checks none)"
    if not evidence.tuned:
        return "nothing was tuned"
    skipped = evidence.findings.skipped
    keys = ("suites", *(f"{name} {evidence.tuned}" for name in _WORDS))
    why = next((skipped[key] for key in keys if key in skipped), "")
    return f"could not be looked at: {why}" if why else "no general questions were asked"


def _unasked(evidence: Evidence) -> str:
    labels = [one.label for one in evidence.strategies]
    if evidence.findings.checks == "none":
        return f"Ask questions that must still be answered: {evidence.line(labels, '--checks quick')}"
    return f"Bring questions that must still be answered: {evidence.line(labels, '--suite FILE')}"


def _remedy(evidence: Evidence, state: str, found: Sequence[Kept]) -> str:
    labels = [one.label for one in evidence.strategies]
    if state == "fail":
        return (
            "Train more gently (lower learning_rate, fewer epochs, smaller rank) or mix general rows into the training "
            f"set, and compare again: {evidence.line(labels)}"
        )
    if state == "unknown":
        if all(kept.nothing_to_lose for kept in found if kept.state == state):
            return f"Bring questions that the base model can answer: {evidence.line(labels, '--suite FILE')}"
        more = "--suite FILE" if evidence.findings.checks == "full" else "--checks full"
        return f"Ask more questions: {evidence.line(labels, more)}"
    return ""
