"""Guard 3: the lead does not come from test questions that were, nearly word for word, in what was learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from advisor._util import formats
from advisor.core.data_check import DataFindings
from advisor.decision.evidence import Evidence, Guard, Lead
from advisor.stats.alpha_spending import error_of_differences
from advisor.stats.bootstrap import Draws, Panel, contrast
from advisor.stats.paired import paired_statistics

from .enough import rests_on_quality

LEAK = "no leak"
LEAKS_ALLOWED = 0.10
"""Share of test questions from which on a lead that is only on the suspects is called memory, real or not."""

REMEDY = "take the suspects, which the HTML and JSON reports list, out of train (or out of test) and compare again"


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
        return Guard(LEAK, "unknown", evidence.findings.skipped.get("data", "not looked at"))
    suspects = {leak.test_id for leak in data.leaks} & set(evidence.test_ids)
    how = f"suspects are test questions with a neighbour in train or dev: {data.checked}"
    if not suspects:
        if data.incomplete:
            return Guard(LEAK, "unknown", f"no suspect, but not all was looked at: {data.incomplete}", how)
        return Guard(LEAK, "pass", f"none of {formats.count(evidence.n_test)} test questions has a near copy", how)
    return _weighed(evidence, data, suspects, how)


def _weighed(evidence: Evidence, data: DataFindings, suspects: set[str], how: str) -> Guard:
    share = len(suspects) / max(1, evidence.n_test)
    some = f"{formats.count(len(suspects))} of {formats.count(evidence.n_test)} test questions"
    found = f"{some} ({formats.percent(share)}) {'has' if len(suspects) == 1 else 'have'} a near copy in train or dev"
    if not evidence.tuned or not evidence.alternative or evidence.panel is None:
        return Guard(LEAK, "unknown", f"{found}; there is no lead to compute again without them", how, REMEDY)
    keep = np.array([identity not in suspects for identity in evidence.test_ids], dtype=np.bool_)
    without = lead_on(evidence, keep)
    if without is None:
        return Guard(LEAK, "fail", f"{found}; no example is left to compute the lead on", how, REMEDY)
    lead = evidence.lead(evidence.alternative)
    range_ = f"{formats.points(without.estimate)} ({_bare(without.low)} to {_bare(without.high)})"
    seen = f"{found}; without them the lead over {evidence.alternative} is {range_}"
    told = f"{seen} and not {formats.points(lead.estimate)}"
    if why := _spoiled(evidence, lead, without, share):
        return Guard(LEAK, "fail", f"{told}: {why}", how, REMEDY)
    if data.incomplete:
        return Guard(LEAK, "unknown", f"{told}; not all was looked at: {data.incomplete}", how, REMEDY)
    return Guard(LEAK, "pass", f"{told}, which is within the margin", how)


def _spoiled(evidence: Evidence, lead: Lead, without: Without, share: float) -> str:
    """Return why a yes does not stand without the suspects, or nothing."""
    margin = evidence.economics.margin
    if lead.real and lead.estimate > 0.0 and not (without.real and without.estimate > 0.0):
        return "that could be chance"
    if lead.estimate - without.estimate > margin:
        return f"it falls by more than the margin of {formats.points(margin)}"
    if share > LEAKS_ALLOWED and lead.estimate > 0.0 >= without.estimate:
        return "only what was remembered explains it"
    if not rests_on_quality(evidence) and not evidence.sure(without.as_good):
        chance = formats.percent(without.as_good)
        return f"a yes would rest on cost, and that tuning is as good has a chance of {chance} only"
    return ""


def _bare(value: float) -> str:
    return formats.points(value).removesuffix("s").removesuffix(" point")


def lead_on(evidence: Evidence, keep: Sequence[bool] | np.ndarray) -> Without | None:
    """Return the tuned strategy's lead over the alternative on some test examples, `keep` (n,) saying which.

    The whole family of differences is computed again (`advisor.stats.paired.paired_statistics`), so that tests and
    intervals allow for as many looks as before. `None` where the two have no example in common there.
    """
    assert evidence.panel is not None
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
