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
from dataclasses import fields, replace
from typing import Annotated, Any

from pydantic import Field

from advisor.advice.advice import Question
from advisor.advice.situation import Costs, Pilot, Situation, default_economics
from advisor.runs.comparison_file import AmountField, Block, NotNegative, Positive, check_keys, read_yaml

Score = Annotated[float, Field(ge=0, le=1)]


class PilotBlock(Block):
    """A small comparison of one's own."""

    tuned: Score
    prompted: Score
    n: Annotated[int, Field(ge=2)]


class AskEconomics(Block):
    """The money side; every default is printed as an assumption."""

    requests_per_month: AmountField | None = None
    usd_per_correct_answer: AmountField | None = None
    usd_per_label: AmountField | None = None
    horizon_months: Positive | None = None
    margin: Annotated[float, Field(ge=0, lt=1)] | None = None
    engineering_hours: AmountField | None = None
    usd_per_engineering_hour: NotNegative | None = None
    retrains_per_year: NotNegative | None = None
    confidence: Annotated[float, Field(gt=0.5, lt=1)] | None = None
    training_usd: AmountField | None = None
    usd_per_request: AmountField | None = None
    tuned_usd_per_request: AmountField | None = None
    hosting_usd_per_month: NotNegative | None = None


class AskFile(Block):
    """One question; the words allowed for a key are checked by `Situation`."""

    kind: str | None = None
    changes: str | None = None
    examples: Annotated[int, Field(ge=0)] | None = None
    prompted: Score | None = None
    prompted_by: str | None = None
    ceiling: Annotated[float, Field(gt=0, le=1)] | None = None
    latency: str | None = None
    private: bool | None = None
    size: str | None = None
    sources: list[str] | None = None
    evalset: Annotated[str, Field(min_length=1)] | None = None
    model: Annotated[str, Field(min_length=1)] | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    economics: AskEconomics = Field(default_factory=AskEconomics)
    pilot: PilotBlock | None = None


def read_answers(path: str) -> AskFile:
    """Read a file of answers.

    Raises:
        ConfigurationError: it is missing, not YAML, or a key or value is not allowed.
    """
    return check_answers(read_yaml(path, "file of answers"), path)


def check_answers(plain: Any, where: str, spelled: Mapping[str, str] | None = None) -> AskFile:
    """Check answers given as plain values.

    Raises:
        ConfigurationError: a key or a value is not allowed.
    """
    return check_keys(AskFile, plain, where, spelled)


def merged(file: AskFile, flags: AskFile) -> AskFile:
    """Return the answers of both; flags win."""
    economics = file.economics.model_copy(update=_said(flags.economics))
    return file.model_copy(update={**_said(flags), "economics": economics})


def _said(block: Block) -> dict[str, Any]:
    return {name: getattr(block, name) for name in block.model_fields_set}


def build(answers: AskFile, pilot: Pilot | None = None) -> Question:
    """Return the question that the answers ask; `pilot` stands in for theirs.

    Raises:
        ConfigurationError: two answers contradict each other.
    """
    said = {one.name: getattr(answers, one.name) for one in fields(Situation)}
    said["sources"] = None if answers.sources is None else tuple(answers.sources)
    money = {name: value for name, value in _said(answers.economics).items() if value is not None}
    costs = {one.name: money.pop(one.name) for one in fields(Costs) if one.name in money}
    own = answers.pilot
    return Question(
        situation=Situation(**said),
        economics=replace(default_economics(), **money),
        costs=Costs(**costs),
        pilot=pilot or (Pilot(own.tuned, own.prompted, own.n) if own else None),
        evalset=answers.evalset or "my-evalset",
        model=answers.model or "",
        seed=answers.seed or 0,
    )
