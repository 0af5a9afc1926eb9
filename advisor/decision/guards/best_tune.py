"""Guard 11: fine-tuning was tried at its best, so that a no is about fine-tuning and not about one recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from advisor.core.statement import Action, Statement, say
from advisor.decision.evidence import Evidence, Guard, State
from advisor.stats.summaries import StrategySummary

BEST_TUNE = "tune at its best"
LOW_SHARE, LOW_LOSS = 0.5, 0.1
"""The loss on train is low at this share of the first epoch's, or at so many nats a token."""
RISING = 0.02
"""Dev still rises where the last cycle brought more than this (in loss, this share of it)."""
LEAST_DEV = 20
EPOCHS = 18

TuneCondition = tuple[bool | None, Statement]


def tuned_at_its_best(evidence: Evidence) -> Guard:
    """Hold if recipes were compared on dev, the best one lies among them, and more training would not help.

    A strategy that tunes says what it tried as `trials` in `selection`. Where none says anything, as at a provider that
    chooses by itself, it is not known.
    """
    how, one = say("best.how"), _summary(evidence)
    trials = _trials(one) if one else []
    if one is None or not trials:
        return Guard(BEST_TUNE, "unknown", say("best.unknown") if one else say("guard.nothing_tuned"), how)
    sound = [trial for trial in trials if not trial.get("failed")]
    if len({_recipe(trial) for trial in sound}) < 2:
        return Guard(BEST_TUNE, "fail", say("best.one_recipe", label=one.label), how, _search(evidence, one))
    parts = [_inside(one, sound), _learned(one), _risen(one)]
    said = [say("best.tried", trials=len(trials), epochs=_number(one.selection.get("epochs_trained")))]
    said += [statement for _, statement in parts]
    broken = [statement for holds, statement in parts if holds is False]
    if broken:
        return Guard(BEST_TUNE, "fail", broken[0], how, _search(evidence, one), tuple(said))
    found, *others = said
    state: State = "pass" if all(holds for holds, _ in parts) else "unknown"
    return Guard(BEST_TUNE, state, found, how, figures=tuple(others))


def _summary(evidence: Evidence) -> StrategySummary | None:
    return evidence.summary(evidence.tuned) if evidence.tuned else None


def _trials(one: StrategySummary) -> list[Mapping[str, Any]]:
    told = one.selection.get("trials")
    return [trial for trial in told if isinstance(trial, Mapping)] if isinstance(told, list | tuple) else []


def _recipe(trial: Mapping[str, Any]) -> tuple[object, ...]:
    return tuple(repr(trial.get(name)) for name in ("recipe", "learning_rate", "layers", "instruction"))


def _inside(one: StrategySummary, trials: Sequence[Mapping[str, Any]]) -> TuneCondition:
    """Say whether the learning rate that won lies between others, or the search was widened beyond it once."""
    best = _chosen(one)
    rate = _number(best.get("learning_rate"))
    alike = (_number(trial.get("learning_rate")) for trial in trials if trial.get("layers") == best.get("layers"))
    rates = sorted({known for known in alike if known is not None})
    if rate is None or len(rates) < 2:
        return (True if one.selection.get("widened") is True else None), say("best.rate_unknown")
    inside = rates[0] < rate < rates[-1] or one.selection.get("widened") is True
    return inside, say("best.rate", rate=rate, lowest=rates[0], highest=rates[-1], inside=inside)


def _learned(one: StrategySummary) -> TuneCondition:
    losses = _numbers(one.selection.get("train_loss"))
    if len(losses) < 2:
        return None, say("best.loss_unknown")
    low = losses[-1] <= max(LOW_LOSS, LOW_SHARE * losses[0])
    return low, say("best.loss", first=losses[0], last=losses[-1], low=low)


def _risen(one: StrategySummary) -> TuneCondition:
    """Say whether dev has stopped rising: what came after the last end but one brought next to nothing."""
    scores, losses = (_numbers(one.selection.get(name)) for name in ("dev_exact_match", "dev_loss"))
    ends = [int(end) for end in _numbers(one.selection.get("ends"))]
    before = ends[-2] if len(ends) > 1 else max(len(scores), len(losses)) - 1
    if before < 1 or not (scores[before:] or losses[before:]):
        return None, say("best.rise_unknown")
    gain = max(scores[before:], default=0.0) - max(scores[:before], default=0.0)
    falls = losses[before:] and min(losses[before:]) < min(losses[:before]) * (1.0 - RISING)
    rises = gain > RISING or bool(gain == 0.0 and falls and not max(scores, default=0.0))
    return not rises, say("best.rise", gain=gain, epochs=max(len(scores), len(losses)), rises=rises)


def _chosen(one: StrategySummary) -> Mapping[str, Any]:
    trials, at = _trials(one), one.selection.get("chosen")
    return trials[at] if isinstance(at, int) and 0 <= at < len(trials) else trials[0]


def _search(evidence: Evidence, one: StrategySummary) -> Action:
    if evidence.n_dev < LEAST_DEV:
        return Action(say("best.more_dev", n_dev=evidence.n_dev, needed=LEAST_DEV))
    spent = _number(one.selection.get("budget_epochs")) or 0
    budget = EPOCHS if spent < EPOCHS else 2 * int(spent)
    name = one.strategy if one.strategy.startswith("fine_tuning") else "fine_tuning"
    others = [other.label for other in evidence.strategies if other.label != one.label]
    return Action(say("best.search"), evidence.line([*others, f"{name}(search={budget})"]))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _numbers(values: object) -> list[float]:
    known = values if isinstance(values, list | tuple) else ()
    return [number for value in known if (number := _number(value)) is not None]
