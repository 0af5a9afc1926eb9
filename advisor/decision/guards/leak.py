"""Guard 3: the lead does not come from test questions that were, nearly word for word, in what was learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from advisor.core.data_check import DataFindings
from advisor.core.statement import Action, Statement, say
from advisor.core.types import Interval
from advisor.decision.evidence import Evidence, Guard, Lead, State
from advisor.stats.alpha_spending import error_of_differences
from advisor.stats.bootstrap import Draws, Panel, contrast
from advisor.stats.paired import paired_statistics

from .enough import rests_on_quality

LEAK = "no leak"
LEAKS_ALLOWED = 0.10
"""Share of test questions from which on a lead that is only on the suspects is called memory, real or not."""


@dataclass(frozen=True, slots=True)
class Without:
    """The lead on the test examples that are no suspects; `real` by the same test and interval as before.

    `as_good` is the chance, over the joint draws, that tuning is not worse than any other by more than the margin.
    """

    estimate: float
    low: float
    high: float
    n: int
    real: bool
    as_good: float


def no_leak(evidence: Evidence) -> Guard:
    """The lead over the alternative is computed again without the suspects, all statistics with it.

    Fails where a lead that was real is not any more, where it falls by more than the margin, and where more than 10 %
    are suspects and nothing of the lead is left without them.
    """
    data = evidence.findings.data
    if data is None:
        return Guard(LEAK, "unknown", unseen_data(evidence))
    suspects = {leak.test_id for leak in data.leaks} & set(evidence.test_ids)
    how = say("leak.how", checked=data.checked)
    if suspects:
        state, found = _weighed(evidence, data, suspects)
        return Guard(LEAK, state, found, how, None if state == "pass" else Action(say("leak.remedy")))
    if data.incomplete:
        return Guard(LEAK, "unknown", say("leak.none_yet", reason=data.incomplete), how)
    return Guard(LEAK, "pass", say("leak.none", n=evidence.n_test), how)


def unseen_data(evidence: Evidence) -> Statement:
    """Return why nobody looked at the data."""
    reason = evidence.findings.why_not("data")
    return say("said", text=reason) if reason else say("guard.not_looked_at")


def _weighed(evidence: Evidence, data: DataFindings, suspects: set[str]) -> tuple[State, Statement]:
    """Return whether the lead stands without the suspects."""
    told = say("leak.suspects", suspects=len(suspects), n=evidence.n_test)
    if not evidence.tuned or not evidence.alternative or evidence.panel is None:
        return "unknown", say("leak.no_lead", suspects=told)
    keep = np.array([identity not in suspects for identity in evidence.test_ids], dtype=np.bool_)
    without = lead_on(evidence, keep)
    if without is None:
        return "fail", say("leak.nothing_left", suspects=told)
    lead = evidence.lead(evidence.alternative)
    left = Interval(without.estimate, without.low, without.high)
    seen = say("leak.without", suspects=told, other=evidence.alternative, without=left, lead=lead.estimate)
    spoiled = _spoiled(evidence, lead, without, len(suspects) / max(1, evidence.n_test), seen)
    if spoiled is not None:
        return "fail", spoiled
    if data.incomplete:
        return "unknown", say("leak.partly", without=seen, reason=data.incomplete)
    return "pass", say("leak.within", without=seen)


def _spoiled(evidence: Evidence, lead: Lead, without: Without, share: float, seen: Statement) -> Statement | None:
    """Return why a yes does not stand without the suspects; `None` where it does."""
    margin = evidence.economics.margin
    if lead.real and lead.estimate > 0.0 and not (without.real and without.estimate > 0.0):
        return say("leak.could_be_chance", without=seen)
    if lead.estimate - without.estimate > margin:
        return say("leak.falls", without=seen, margin=margin)
    if share > LEAKS_ALLOWED and lead.estimate > 0.0 >= without.estimate:
        return say("leak.memory", without=seen)
    if not rests_on_quality(evidence) and not evidence.sure(without.as_good):
        return say("leak.as_good_unsure", without=seen, chance=without.as_good)
    return None


def lead_on(evidence: Evidence, keep: Sequence[bool] | np.ndarray) -> Without | None:
    """Return the tuned strategy's lead over the alternative on some test examples, `keep` (n,) saying which.

    The whole family of differences is computed again (`advisor.stats.paired.paired_statistics`), so that tests and
    intervals allow for as many looks as before. `None` where the two have no example in common there, or the scores of
    the examples are not known.
    """
    if evidence.panel is None:
        return None
    panel = restricted(evidence.panel, np.asarray(keep, dtype=np.bool_))
    if evidence.tuned not in panel.labels or evidence.alternative not in panel.labels:
        return None
    rng = np.random.default_rng(0)  # of this guard alone: the same evidence gives the same answer
    error = error_of_differences(evidence.economics.false_yes, look=evidence.looks)
    found = paired_statistics(panel, max(1, len(evidence.draws.quality)), rng, error=error)
    for one in found.family:
        if {one.a, one.b} == {evidence.tuned, evidence.alternative}:
            sign = 1.0 if one.a == evidence.tuned else -1.0
            low, high = sorted((sign * one.simultaneous.low, sign * one.simultaneous.high))
            return Without(sign * one.interval.estimate, low, high, one.n, one.real, _as_good(found.draws, evidence))
    return None


def _as_good(draws: Draws, evidence: Evidence) -> float:
    ours = draws.quality[:, draws.labels.index(evidence.tuned)]
    others = [draws.labels.index(one.label) for one in evidence.others if one.label in draws.labels]
    behind = (draws.quality[:, others] - ours[:, None]).max(axis=1)
    return float(np.mean(behind < evidence.economics.margin))


def restricted(panel: Panel, keep: np.ndarray) -> Panel:
    """Return the panel of some examples, with the strategies that are scored on any of them."""
    _, clusters = np.unique(panel.clusters[keep], return_inverse=True)
    cut = Panel(
        panel.labels,
        tuple(scores[:, keep] for scores in panel.scores),
        panel.tuned,
        clusters.astype(np.intp),
        {name: values[keep] for name, values in panel.usage.items()},
    )
    left = [column for column in range(len(cut.labels)) if contrast(cut, column) is not None]
    return Panel(
        tuple(cut.labels[at] for at in left),
        tuple(cut.scores[at] for at in left),
        tuple(cut.tuned[at] for at in left),
        cut.clusters,
        {name: values[:, left] for name, values in cut.usage.items()},
    )
