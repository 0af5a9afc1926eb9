"""Guard 6: nothing else broke. The tuned model against its base model on general questions and refusals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from advisor.core.statement import Action, Statement, say
from advisor.decision.evidence import Evidence, Guard, State
from advisor.decision.findings import Probe, ProbeName
from advisor.stats.hypothesis_tests import NonInferiority, non_inferiority

from .paired import difference, scores_of

RETENTION = "retention"
RETENTION_LEVEL, RETENTION_POWER = 0.95, 0.80
_TIE = 1e-12
_SUITES: tuple[ProbeName, ...] = ("retention", "refusals")


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
    def state(self) -> State:
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
    how, found = say("retention.how"), [kept for name in _SUITES if (kept := _kept(evidence, name)) is not None]
    if not found:
        return Guard(RETENTION, "unknown", _why_not(evidence), how, _unasked(evidence))
    states = {kept.state for kept in found}
    state: State = "fail" if "fail" in states else "unknown" if "unknown" in states else "pass"
    first, *others = (_found(kept) for kept in sorted(found, key=lambda kept: kept.state != state))
    return Guard(RETENTION, state, first, how, _remedy(evidence, state, found), tuple(others))


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


def _found(kept: Kept) -> Statement:
    return say("retention.kept", suite=kept.suite, before=kept.before, after=kept.after, n=kept.n, judged=_judged(kept))


def _judged(kept: Kept) -> Statement:
    margin, shows_from = kept.test.margin, kept.detectable
    if kept.state == "pass":
        return say("retention.excluded", margin=margin, shows_from=shows_from)
    if kept.state == "fail":
        return say("retention.lost", margin=margin, shows_from=shows_from)
    if kept.nothing_to_lose:
        return say("retention.nothing_to_lose", margin=margin)
    if kept.unseen:
        return say("retention.unseen", margin=margin, shows_from=shows_from)
    return say("retention.not_excluded", margin=margin)


def _why_not(evidence: Evidence) -> Statement:
    if evidence.findings.checks == "none":
        return say("guard.not_asked_for")
    if not evidence.tuned:
        return say("guard.nothing_tuned")
    reasons = [evidence.findings.why_not("suites")]
    reasons += [evidence.findings.why_not(name, evidence.tuned) for name in _SUITES]
    reason = next(filter(None, reasons), "")
    return say("guard.failed", reason=reason) if reason else say("retention.no_questions")


def _unasked(evidence: Evidence) -> Action:
    if evidence.findings.checks == "none":
        return Action(say("retention.ask"), evidence.again("--checks quick"))
    return evidence.repeat(say("retention.bring"), "--suite FILE")


def _remedy(evidence: Evidence, state: State, found: Sequence[Kept]) -> Action | None:
    if state == "pass":
        return None
    if state == "fail":
        return Action(say("retention.train_gently"), evidence.again())
    if all(kept.nothing_to_lose for kept in found if kept.state == state):
        return evidence.repeat(say("retention.bring_answerable"), "--suite FILE")
    more = "--suite FILE" if evidence.findings.checks == "full" else "--checks full"
    return evidence.repeat(say("retention.ask_more"), more)
