"""Guard 4: wrong labels alone do not explain the lead."""

from __future__ import annotations

from advisor.core.statement import Action, Statement, say
from advisor.core.types import Interval
from advisor.decision.evidence import Evidence, Guard, State

from .enough import rests_on_quality
from .leak import unseen_data

LABELS = "label quality"
CONFLICTS_ALLOWED = 0.05
"""Share of training examples that ask the same as another one and accept no answer that it accepts."""


def label_quality(evidence: Evidence) -> Guard:
    """Wrong labels are fewer than the lead, and questions that stand there twice have one answer.

    A tuned model that has learned to repeat the mistakes of the labels is right wherever a test label has the same one;
    so a share of wrong labels as large as the lead could be all of it. Fails where even the lower end of the share
    reaches the lead, or where more than 5 % of the training examples conflict; not known where only the upper end does.
    """
    data = evidence.findings.data
    if data is None:
        return Guard(LABELS, "unknown", unseen_data(evidence))
    conflicting = sum(len(group) for group in data.conflicts)
    share = conflicting / max(1, data.n_train)
    conflicts = say("labels.conflicts", conflicting=conflicting, share=share)
    how, read = say("labels.how"), Action(say("labels.read"))
    if share > CONFLICTS_ALLOWED:
        found = say("labels.conflicting", conflicts=conflicts, allowed=CONFLICTS_ALLOWED)
        return Guard(LABELS, "fail", found, how, read)
    if data.label_noise is None:
        found = say("labels.not_estimated", conflicts=conflicts, reason=data.label_note)
        return Guard(LABELS, "unknown", found, action=read if conflicting else Action(say("labels.by_hand")))
    wrong = say(
        "labels.wrong",
        wrong=data.label_noise,
        conflicts=conflicts,
        rarest=data.smallest_class,
        commonest=data.largest_class,
    )
    state, found = _against_the_lead(evidence, data.label_noise, wrong)
    return Guard(LABELS, state, found, how, None if state == "pass" else read)


def _against_the_lead(evidence: Evidence, noise: Interval, wrong: Statement) -> tuple[State, Statement]:
    if not evidence.tuned or not evidence.alternative:
        return "unknown", say("labels.no_lead", wrong=wrong)
    lead, margin = evidence.lead(evidence.alternative).estimate, evidence.economics.margin
    if not rests_on_quality(evidence) or lead <= 0.0:
        if noise.high <= margin:
            return "pass", say("labels.below_the_margin", wrong=wrong, margin=margin)
        return "unknown", say("labels.hide_a_loss", wrong=wrong, margin=margin)
    if noise.low >= lead:
        return "fail", say("labels.explain", wrong=wrong, lead=lead, other=evidence.alternative)
    if noise.high >= lead:
        return "unknown", say("labels.may_explain", wrong=wrong, lead=lead, other=evidence.alternative)
    return "pass", say("labels.too_few", wrong=wrong, lead=lead, other=evidence.alternative)
