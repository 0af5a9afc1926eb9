"""The cheapest test that would flip the answer, with the line to type."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from advisor._util.formats import count, points
from advisor.advice.forecast import LiftDraws
from advisor.advice.situation import Situation
from advisor.decision.request import ComparisonRequest, command_line
from advisor.economics.inputs import Economics
from advisor.stats.bootstrap import FloatArray
from advisor.stats.power import required_examples

DISCORDANCE = 0.20
"""Assumed share of examples on which the two differ; a comparison measures it."""
LEAST_ITEMS = 50
TRAIN = 300
SEEDS = 2
_LEADS = np.arange(-0.30, 0.601, 0.005)


@dataclass(frozen=True, slots=True)
class Experiment:
    """A comparison worth running.

    Attributes:
        line: what to type.
        test_examples: enough to find the expected difference, or the margin where that is larger, in 80 of 100 tries.
        test_examples_for_margin: the same for a difference as small as the margin.
        train_examples: examples to learn from.
        flips: which outcome would change the answer.
    """

    line: str
    test_examples: int
    test_examples_for_margin: int | None
    train_examples: int
    flips: str


def design(
    situation: Situation,
    drawn: LiftDraws,
    right: np.ndarray,
    economics: Economics,
    place: tuple[str, str] = ("my-evalset", ""),
) -> Experiment:
    """Return the experiment.

    Args:
        situation: the answers.
        drawn: the forecast.
        right: bool (D,), in which draws tuning is the right choice.
        economics: the user's side.
        place: eval set and model as they are typed; an empty model is left out.
    """
    margin = economics.margin
    expected = min(1.0, max(abs(float(np.median(drawn.lift))), margin, 0.01))
    items = max(LEAST_ITEMS, required_examples(expected, max(DISCORDANCE, expected)))
    finest = required_examples(margin, DISCORDANCE) if margin > 0.0 else None
    train = TRAIN if situation.examples is None else min(TRAIN, max(situation.examples, 10))
    strategies = _strategies(situation)
    options = ComparisonRequest(place[0], place[1], tuple(strategies), economics=_of_the_user(economics))
    line = command_line(options, None, f"--limit {items}", f"--train-limit {train}", f"--seeds {SEEDS}")
    tuned = next((name for name in strategies if name.startswith("fine_tuning")), None)
    flips = _flips(drawn, right, items, economics) if tuned else _first(strategies)
    return Experiment(line, items, finest, train, flips)


def _strategies(situation: Situation) -> list[str]:
    """Return what to run: the baseline that is owed and, unless facts are to be learned first, a tuned model."""
    from advisor.core import registry

    known = {entry.name for entry in registry.names("strategies")}
    optimised = ["optimised_prompt"] if "optimised_prompt" in known else []
    if situation.kind == "knowledge" and situation.prompted_by != "rag":
        return ["few_shot", "rag"]
    if situation.kind == "knowledge":
        return ["rag", "fine_tuning_rag"]
    if situation.kind == "tools":
        return ["few_shot", "function_calling", "fine_tuning_tools"]
    extra = ["rag"] if situation.sources and "documents" in situation.sources else []
    extra += ["function_calling"] if situation.sources and "tools" in situation.sources else []
    return ["few_shot", *optimised, *extra, "fine_tuning"]


def _of_the_user(economics: Economics) -> Economics:
    """Return the amounts that only the user can know."""
    return Economics(economics.requests_per_month, economics.usd_per_correct_answer)


def _first(strategies: list[str]) -> str:
    return (
        f"If {strategies[-1]} stays close to {strategies[0]}, the facts do not reach the model: mend the documents and "
        "the search first; only if it still misses with the right passage in front of it can tuning help"
    )


def _flips(drawn: LiftDraws, right: np.ndarray, items: int, economics: Economics) -> str:
    """Return the leads at which the forecast, updated by such a test (importance weights), would say yes or no."""
    p = float(np.mean(drawn.prompted))
    q = float(np.clip(np.mean(drawn.prompted + drawn.lift), 0.0, 1.0))
    error = math.sqrt(max(p * (1.0 - p) + q * (1.0 - q), 0.01) / items)
    chances = np.array([_chance(drawn.lift, right, lead, error) for lead in _LEADS])
    yes = _LEADS[np.flatnonzero(chances >= economics.confidence)]
    no = _LEADS[np.flatnonzero(chances <= 1.0 - economics.confidence)]
    parts = []
    if len(yes):
        parts.append(f"a lead of {points(float(yes[0]))} or more over the strongest baseline says yes")
    if len(no):
        worst = float(no[-1])
        parts.append(
            f"{f'one of {points(worst)} or less' if worst >= 0.0 else f'{points(-worst)} behind or more'} says no"
        )
    if not parts:
        return f"No outcome on {count(items)} examples would settle it: the amounts are too uncertain"
    return f"With {count(items)} test examples {', '.join(parts)}"


def _chance(lift: FloatArray, right: np.ndarray, lead: float, error: float) -> float:
    distance = ((lift - lead) / error) ** 2
    weights = np.exp(-0.5 * (distance - distance.min()))
    return float(np.sum(weights * right) / np.sum(weights))
