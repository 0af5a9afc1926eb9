"""Guard 4: wrong labels alone do not explain the lead."""

from __future__ import annotations

from advisor._util import formats
from advisor.core.data_check import DataFindings
from advisor.decision.evidence import Evidence, Guard

from .enough import rests_on_quality

LABELS = "label quality"
CONFLICTS_ALLOWED = 0.05
"""Share of training examples that ask the same as another one and accept no answer that it accepts."""

HOW = (
    "the share of wrong labels is estimated by confident learning, from a classifier on embeddings that never saw the "
    "example; where labels overlap in meaning it is an upper figure"
)
REMEDY = "read the suspicious labels and the conflicts that the HTML and JSON reports list, and correct what is wrong"
BY_HAND = "have someone else answer a sample of the test questions, and see on how many the two disagree"


def label_quality(evidence: Evidence) -> Guard:
    """Wrong labels are fewer than the lead, and questions that stand there twice have one answer.

    A tuned model that has learned to repeat the mistakes of the labels is right wherever a test label has the same one;
    so a share of wrong labels as large as the lead could be all of it. Fails where even the lower end of the share
    reaches the lead, or where more than 5 % of the training examples conflict; not known where only the upper end does.
    """
    data = evidence.findings.data
    if data is None:
        return Guard(LABELS, "unknown", evidence.findings.skipped.get("data", "not looked at"))
    clashing = sum(len(group) for group in data.conflicts)
    share = clashing / max(1, data.n_train)
    if clashing:
        told = (
            f"{formats.count(clashing)} training examples ({formats.percent(share)}) ask what another one asks, with "
        )
        told += "no accepted answer in common"
    else:
        told = "no training example contradicts another one"
    if share > CONFLICTS_ALLOWED:
        allowed = formats.percent(CONFLICTS_ALLOWED)
        return Guard(LABELS, "fail", f"{told}; at most {allowed} is allowed", HOW, REMEDY)
    if data.label_noise is None:
        return Guard(
            LABELS,
            "unknown",
            f"{told}; wrong labels are not estimated: {data.label_note}",
            "",
            REMEDY if clashing else BY_HAND,
        )
    return _against_the_lead(evidence, data, told)


def _against_the_lead(evidence: Evidence, data: DataFindings, told: str) -> Guard:
    noise = data.label_noise
    assert noise is not None
    ends = f"{formats.percent(noise.low)} to {formats.percent(noise.high)}"
    seen = f"about {formats.percent(noise.estimate)} of the training labels look wrong ({ends}); {told}{_balance(data)}"
    if not evidence.tuned or not evidence.alternative:
        return Guard(LABELS, "unknown", f"{seen}; there is no lead to hold them against", HOW, REMEDY)
    lead, margin = evidence.lead(evidence.alternative).estimate, evidence.economics.margin
    if not rests_on_quality(evidence) or lead <= 0.0:
        if noise.high <= margin:
            return Guard(LABELS, "pass", f"{seen}; fewer than the margin of {formats.points(margin)}", HOW)
        hidden = f"{seen}; they can hide a loss as large as the margin of {formats.points(margin)}"
        return Guard(LABELS, "unknown", hidden, HOW, REMEDY)
    over = f"the lead of {formats.points(lead)} over {evidence.alternative}"
    if noise.low >= lead:
        return Guard(LABELS, "fail", f"{seen}; repeating them could by itself explain {over}", HOW, REMEDY)
    if noise.high >= lead:
        return Guard(LABELS, "unknown", f"{seen}; they may be as many as {over}", HOW, REMEDY)
    return Guard(LABELS, "pass", f"{seen}; too few to explain {over}", HOW)


def _balance(data: DataFindings) -> str:
    if data.largest_class is None or data.smallest_class is None:
        return ""
    rare, common = formats.percent(data.smallest_class), formats.percent(data.largest_class)
    return f"; the rarest label has {rare} of train, the commonest {common}"
