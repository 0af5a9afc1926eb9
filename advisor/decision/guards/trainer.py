"""Guard 5: the trainer worked. A tune that failed says nothing about fine-tuning."""

from __future__ import annotations

from advisor.core.statement import Action, Statement, say
from advisor.decision.evidence import Evidence, Guard, State
from advisor.decision.findings import TrainingFindings

TRAINER = "trainer worked"
OVERFITTED = 0.8
"""Share of ten rows that must come back word for word after 30 passes over them alone."""

TrainerCondition = tuple[bool | None, Statement]
"""Whether one condition of it holds, `None` where that is not known, and what was found."""


def trainer_worked(evidence: Evidence) -> Guard:
    """Hold if the loss fell in every seed, ten rows were learned by heart, and serving has the form of training."""
    how, found = say("trainer.how"), [one for one in evidence.findings.training if one.label == evidence.tuned]
    if not found:
        return Guard(TRAINER, "unknown", _why_not(evidence), how, _unlooked(evidence, here=False))
    parts = [_loss(found), _overfitting(found, evidence), _template(found), _asked(found)]
    state: State = "unknown"
    if any(holds is False for holds, _ in parts):
        state = "fail"
    elif all(holds for holds, _ in parts):
        state = "pass"
    decides_first = sorted(parts, key=lambda part: (part[0] is not False, part[0] is not None))
    first, *others = (statement for _, statement in decides_first)
    return Guard(TRAINER, state, first, how, _remedy(evidence, state, found), tuple(others))


def _loss(found: list[TrainingFindings]) -> TrainerCondition:
    known = [one for one in found if len(one.train_loss) > 1]
    if not known:
        return None, say("trainer.loss_unknown")
    risen = [one for one in known if not one.train_loss[-1] < one.train_loss[0]]
    worst = (risen or known)[0]
    return not risen, say(
        "trainer.loss",
        first=worst.train_loss[0],
        last=worst.train_loss[-1],
        seed=worst.seed,
        fell=len(known) - len(risen),
        trainings=len(known),
    )


def _overfitting(found: list[TrainingFindings], evidence: Evidence) -> TrainerCondition:
    known = [one.overfitted for one in found if one.overfitted is not None]
    if not known:
        return None, say("trainer.rows_unknown", reason=evidence.findings.why_not("overfitting", evidence.tuned))
    return min(known) >= OVERFITTED, say("trainer.rows", share=min(known), needed=OVERFITTED)


def _template(found: list[TrainingFindings]) -> TrainerCondition:
    known = [one.template_matches for one in found if one.template_matches is not None]
    if not known:
        return None, say("trainer.template_unknown")
    return all(known), say("trainer.template", same=all(known))


def _asked(found: list[TrainingFindings]) -> TrainerCondition:
    known = [one.asked_as_trained for one in found if one.asked_as_trained is not None]
    if not known:
        return None, say("trainer.asking_unknown")
    return all(known), say("trainer.asking", same=all(known))


def _why_not(evidence: Evidence) -> Statement:
    if not evidence.tuned:
        return say("guard.nothing_tuned")
    return say("guard.not_asked_for") if evidence.findings.checks == "none" else say("trainer.unknown")


def _remedy(evidence: Evidence, state: State, found: list[TrainingFindings]) -> Action | None:
    if state == "fail":
        return Action(say("trainer.train_otherwise"), evidence.again())
    if state == "unknown":
        return _unlooked(evidence, here=any(one.template_matches is not None for one in found))
    return None


def _unlooked(evidence: Evidence, *, here: bool) -> Action:
    """Return what to do where something is not known; a closer look helps only where it was trained `here`."""
    checks = evidence.findings.checks
    if evidence.tuned and checks == "none":
        return Action(say("guard.look"), evidence.again("--checks quick"))
    if evidence.tuned and checks == "quick" and here:
        return evidence.repeat(say("guard.look_closer"), "--checks full")
    return Action(say("trainer.train_here"))
