"""Guard 5: the trainer worked. A tune that failed says nothing about fine-tuning."""

from __future__ import annotations

from advisor._util import formats
from advisor.decision.evidence import Evidence, Guard
from advisor.decision.findings import TrainingFindings

TRAINER = "trainer worked"
OVERFITTED = 0.8
"""Share of ten rows that must come back word for word after 30 passes over them alone."""
_HOW = (
    "the mean loss of the last epoch against that of the first, for every seed; a training of 30 epochs on ten "
    "training rows alone, then asked for them; token ids of training prompts against those that are served; how the "
    "strategy begins a conversation against how its training rows begin"
)


def trainer_worked(evidence: Evidence) -> Guard:
    """Hold if the loss fell in every seed, ten rows were learned by heart, and serving has the form of training."""
    found = [one for one in evidence.findings.training if one.label == evidence.tuned]
    if not found:
        return Guard(TRAINER, "unknown", _why_not(evidence), _HOW, _unlooked(evidence, here=False))
    checks = [_loss(found), _overfitting(found, evidence), _template(found), _asked(found)]
    state = "fail" if any(ok is False for ok, _ in checks) else "pass" if all(ok for ok, _ in checks) else "unknown"
    told = sorted(checks, key=lambda check: (check[0] is not False, check[0] is not None))
    finding, *details = (sentence for _, sentence in told)
    remedy = ""
    if state == "fail":
        remedy = (
            "Change learning_rate, epochs or rank, or serve it as it was trained, and compare again: "
            f"{evidence.line([one.label for one in evidence.strategies])}"
        )
    elif state == "unknown":
        remedy = _unlooked(evidence, here=any(one.template_matches is not None for one in found))
    return Guard(TRAINER, state, finding, _HOW, remedy, tuple(details))  # type: ignore[arg-type]


def _loss(found: list[TrainingFindings]) -> tuple[bool | None, str]:
    known = [one for one in found if len(one.train_loss) > 1]
    if not known:
        return None, "the loss of the epochs is not recorded, or there is one epoch only"
    risen = [one for one in known if not one.train_loss[-1] < one.train_loss[0]]
    worst = (risen or known)[0]
    words = f"the loss went from {worst.train_loss[0]:.3g} to {worst.train_loss[-1]:.3g}"
    seeds = f"in {formats.count(len(known) - len(risen))} of {formats.count(len(known))} trainings it fell"
    return not risen, f"{words} (seed {worst.seed}), and {seeds}"


def _overfitting(found: list[TrainingFindings], evidence: Evidence) -> tuple[bool | None, str]:
    known = [one.overfitted for one in found if one.overfitted is not None]
    if not known:
        why = evidence.findings.skipped.get(f"overfitting {evidence.tuned}", "not tried")
        return None, f"whether it can learn ten rows by heart is not known ({why})"
    share = formats.percent(min(known))
    return min(known) >= OVERFITTED, (
        f"{share} of ten rows come back word for word after training on them alone (at least "
        f"{formats.percent(OVERFITTED)} are needed)"
    )


def _template(found: list[TrainingFindings]) -> tuple[bool | None, str]:
    known = [one.template_matches for one in found if one.template_matches is not None]
    if not known:
        return None, "the tokens of its chat template cannot be seen from here"
    return all(known), f"the tokens of training and serving prompts are {'the same' if all(known) else 'not the same'}"


def _asked(found: list[TrainingFindings]) -> tuple[bool | None, str]:
    known = [one.asked_as_trained for one in found if one.asked_as_trained is not None]
    if not known:
        return None, "how it asks its tuned model was not seen"
    if all(known):
        return True, "it is asked in the form it was trained on"
    return False, "it is asked with other turns, or another system text, than it was trained on"


def _why_not(evidence: Evidence) -> str:
    if not evidence.tuned:
        return "nothing was tuned"
    return "not looked at (--checks none)" if evidence.findings.checks == "none" else "nothing is known of its training"


def _unlooked(evidence: Evidence, *, here: bool) -> str:
    """Return what to do where something is not known; a closer look helps only where it was trained `here`."""
    labels, checks = [one.label for one in evidence.strategies], evidence.findings.checks
    if evidence.tuned and checks == "none":
        return f"Look at it: {evidence.line(labels, '--checks quick')}"
    if evidence.tuned and checks == "quick" and here:
        return f"Look closer: {evidence.line(labels, '--checks full')}"
    return "Look at the training job at its provider, or tune on this machine (--model smollm2), where it can be seen."
