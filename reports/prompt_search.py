"""What a search for a prompt had to spend and what it found, in words and rounded figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from advisor.decision.comparison import Comparison
from advisor.stats.summaries import StrategySummary

from . import numbers
from .view import Fact

HOW = (
    "How this was computed: every call that the search made counts, on dev and on training examples; a prompt replaced "
    "another one only with at least its score on the same examples. The dev score is that of the best of many, so it "
    "is optimistic; the score in the table is on test examples that the search never saw."
)


def searches(comparison: Comparison) -> tuple[Fact, ...]:
    """Return one fact for every `budget` of a search, and one for the choice of `labels`, in what strategies chose."""
    found = [_fact(one) for one in comparison.strategies if _number(one.selection, "budget") is not None]
    return (*found, *(fact for one in comparison.strategies if (fact := _labels(one)) is not None))


def _fact(one: StrategySummary) -> Fact:
    found = one.selection
    calls, budget = _number(found, "calls"), _number(found, "budget")
    value = f"{numbers.count(calls)} of {numbers.count(budget)} calls"
    if (theirs := _number(found, "fine_tuning_calls")) is not None:
        value += f" ({numbers.count(theirs)} in fine-tuning's own choice)"
    parts = []
    if (tried := _number(found, "candidates")) is not None:
        parts.append(f"{numbers.count(tried)} prompts tried")
    if isinstance(found.get("chosen_on"), str):
        parts.append(f"chosen on {found['chosen_on']}")
    if isinstance(found.get("prompt"), str):
        parts.append(f"found: {found['prompt']}, {numbers.score(_number(found, 'dev_score'))} on dev")
    if isinstance(found.get("few_shot_plan"), str):
        plain = numbers.score(_number(found, "few_shot_dev_score"))
        parts.append(f"few-shot's own plan: {found['few_shot_plan']}, {plain} on the same examples")
    return Fact(one.label, value, "; ".join(parts))


def _labels(one: StrategySummary) -> Fact | None:
    """Return which labels a prompt names, where they are more than any prompt names, or dev was asked."""
    chosen = one.selection.get("labels")
    if not isinstance(chosen, Mapping) or not isinstance(chosen.get("named"), str):
        return None
    scores = chosen.get("dev_scores")
    asked = scores if isinstance(scores, Mapping) else {}
    parts = [f"{name} {numbers.score(_number(asked, name))}" for name in asked]
    meaning = [f"on dev: {', '.join(parts)}"] if parts else []
    if (recall := _number(chosen, "recall_on_dev")) is not None:
        meaning.append(f"the right label is among them for {numbers.percent(recall)} of dev")
    whole = _number(chosen, "listed") == _number(chosen, "of")
    return Fact(f"{one.label}, labels", chosen["named"], "; ".join(meaning)) if meaning or not whole else None


def _number(found: Mapping[str, Any], name: str) -> float | None:
    value = found.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
