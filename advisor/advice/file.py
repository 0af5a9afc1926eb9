"""The answers to ``advisor ask`` written down as YAML; the keys are the questions.

    kind: format
    prompted: 0.62
    prompted_by: few_shot
    examples: 400
    economics:
      requests_per_month: [5000, 20000]
      usd_per_correct_answer: 0.40
    pilot: {tuned: 0.71, prompted: 0.62, n: 60}

An unknown key is an error with the nearest name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from advisor.advice.advice import Question
from advisor.advice.inputs import CASE, LINE, MONEY, PILOT
from advisor.advice.situation import Costs, Pilot, Situation, default_economics
from advisor.economics.definition import declared_options
from advisor.runs.comparison_file import Said, block, read_yaml, validate_keys

ANSWERS = block(
    "AskFile",
    "One question; the words allowed for a key are checked by `Situation`.",
    CASE | LINE,
    economics=block("AskEconomics", "The money side; every default is printed as an assumption.", MONEY),
    pilot=block("PilotBlock", "A small comparison of one's own.", PILOT),
)


def read_answers(path: str) -> Said:
    """Read a file of answers.

    Raises:
        ConfigurationError: it is missing, not YAML, or a key or value is not allowed.
    """
    return validate_answers(read_yaml(path, "file of answers"), path)


def validate_answers(plain: Any, where: str, spelled: Mapping[str, str] | None = None) -> Said:
    """Check answers given as plain values.

    Raises:
        ConfigurationError: a key or a value is not allowed.
    """
    return validate_keys(ANSWERS, plain, where, spelled)


def build(answers: Said, pilot: Pilot | None = None) -> Question:
    """Return the question that the answers ask; `pilot` stands in for theirs.

    Raises:
        ConfigurationError: two answers contradict each other.
    """
    situation = {name: answers[name] for name in CASE if name in answers}
    if "sources" in situation:
        situation["sources"] = tuple(situation["sources"])
    money = answers.get("economics", {})
    costs = {name: money[name] for name in declared_options(Costs) if name in money}
    if pilot is None and "pilot" in answers:
        pilot = Pilot(**answers["pilot"])
    return Question(
        situation=Situation(**situation),
        economics=replace(default_economics(), **{name: money[name] for name in money if name not in costs}),
        costs=Costs(**costs),
        pilot=pilot,
        **{name: answers[name] for name in LINE if name in answers},
    )
