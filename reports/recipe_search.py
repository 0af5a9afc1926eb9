"""What a search for a recipe of fine-tuning tried and found, in words and rounded figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from advisor.decision.comparison import Comparison
from advisor.stats.summaries import StrategySummary

from . import numbers
from .view import Fact

TITLE = "The search for a recipe"
HOW = (
    "How this was computed: every recipe trains one epoch, the best two on dev go on to three, the best one further; "
    "what goes on continues from the state it was in, and a cosine schedule that begins anew at each of these ends "
    "leaves all that are compared with a learning rate of 0. The dev score is the share of dev answers that come out "
    "exactly right; it is that of the best of many, so it is optimistic. The table's score is on test examples that "
    "the search never saw."
)


def facts(comparison: Comparison) -> tuple[Fact, ...]:
    """Return one fact for every strategy that says which recipes it tried: how many, and which one it found."""
    return tuple(_whole(one, trials) for one in comparison.strategies if (trials := _trials(one)))


def trials(comparison: Comparison) -> tuple[Fact, ...]:
    """Return the facts of `facts`, each followed by one for every recipe that was tried."""
    found: list[Fact] = []
    for one in comparison.strategies:
        if tried := _trials(one):
            found += [_whole(one, tried), *(_trial(each, at) for at, each in enumerate(tried, 1))]
    return tuple(found)


def _trials(one: StrategySummary) -> Sequence[Mapping[str, Any]]:
    told = one.selection.get("trials")
    return [trial for trial in told if isinstance(trial, Mapping)] if isinstance(told, list | tuple) else []


def _whole(one: StrategySummary, tried: Sequence[Mapping[str, Any]]) -> Fact:
    spent, budget = (_number(one.selection, name) for name in ("epochs_trained", "budget_epochs"))
    value = f"{numbers.count(len(tried))} recipe{'s' if len(tried) != 1 else ''}"
    if spent is not None:
        of = f" of {numbers.count(budget)}" if budget is not None else ""
        value += f", {numbers.count(spent)}{of} epochs"
    parts = [f"found: {one.selection['recipe']}"] if isinstance(one.selection.get("recipe"), str) else []
    if one.selection.get("widened") is True:
        parts.append("widened once, as the best was at the edge")
    if isinstance(one.selection.get("note"), str):
        parts.append(one.selection["note"])
    left_out = one.selection.get("left_out")
    parts += [f"not tried: {text}" for text in left_out] if isinstance(left_out, list | tuple) else []
    return Fact(one.label, value, "; ".join(parts))


def _trial(trial: Mapping[str, Any], at: int) -> Fact:
    epochs, kept = _number(trial, "epochs"), _number(trial, "epoch")
    if isinstance(trial.get("failed"), str):
        return Fact(f"{numbers.count(at)}. {trial.get('recipe', '')}", "failed", trial["failed"])
    value = f"{numbers.score(_number(trial, 'dev_score'))} on dev"
    parts = [f"{numbers.count(epochs)} epochs, the one after {numbers.count(kept)} kept"] if epochs and kept else []
    for name in ("dev_loss", "train_loss"):
        if (loss := _number(trial, name)) is not None:
            parts.append(f"{name.replace('_', ' ')} {numbers.score(loss)}")
    if (seconds := _number(trial, "seconds")) is not None:
        parts.append(f"{numbers.seconds(seconds)}")
    return Fact(f"{numbers.count(at)}. {trial.get('recipe', '')}", value, "; ".join(parts))


def _number(found: Mapping[str, Any], name: str) -> float | None:
    value = found.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
