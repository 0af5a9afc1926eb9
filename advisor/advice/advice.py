"""From a forecast to an answer: what the figures lean to, what holds it back, and the test that would flip it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import cast

import numpy as np

from advisor._util.formats import percent, points, usd
from advisor.advice.calibration import ForecastSkill, shipped
from advisor.advice.experiment import Experiment, design
from advisor.advice.forecast import STRONG_SHARE, Forecast, draw_lifts, summarise
from advisor.advice.net_benefit import NetBenefit, labels_after_buying, weigh
from advisor.advice.overrides import Override, Reason, override_of
from advisor.advice.reasons import assumptions, first_steps, needs, reasons
from advisor.advice.situation import Costs, Pilot, Situation, default_economics
from advisor.core.errors import ConfigurationError, did_you_mean
from advisor.decision.evidence import VerdictAnswer
from advisor.economics.inputs import Economics
from advisor.economics.prices import is_local

DISCLAIMER = "Nothing was run: this is what published results suggest for a case like yours."
LEANS: dict[VerdictAnswer, str] = {
    "fine_tune": "Would lean to fine-tuning",
    "do_not_fine_tune": "Would lean to not fine-tuning",
    "not_yet": "Would lean to not yet",
}


@dataclass(frozen=True, slots=True)
class Advice:
    """The answer to "should I fine-tune?" where nothing was run.

    Attributes:
        disclaimer: says so; stands first everywhere.
        answer: `fine_tune`, `do_not_fine_tune` or `not_yet`; only a leaning.
        because: what decides it, in words that follow a colon.
        lift: what tuning would add to the prompted score.
        worth: whether that would pay.
        reasons: three to six, each with its figure and source.
        try_first: what to do before tuning, the cheapest first.
        needs: what tuning would need here.
        experiment: the cheapest test that would flip the answer.
        calibration: how well such forecasts did on tasks left out.
        assumptions: every input by name, with whose it is.
        situation, pilot: what was answered.
    """

    disclaimer: str
    answer: VerdictAnswer
    because: str
    lift: Forecast
    worth: NetBenefit
    reasons: tuple[Reason, ...]
    try_first: tuple[str, ...]
    needs: tuple[str, ...]
    experiment: Experiment
    calibration: ForecastSkill
    assumptions: Mapping[str, str]
    situation: Situation
    pilot: Pilot | None

    @property
    def headline(self) -> str:
        """The leaning in one sentence; before it who is missing in the pilot, if anybody."""
        return f"{self.gaps} {LEANS[self.answer]}: {self.because}.".strip()

    @property
    def gaps(self) -> str:
        """Who was to be compared in the pilot and is not, and why; empty where nobody is missing."""
        return self.pilot.missing if self.pilot else ""


@dataclass(frozen=True, slots=True)
class Question:
    """All that an advice is made from.

    `evalset` and `model` only stand in the line to type; an empty model is left out.
    """

    situation: Situation
    economics: Economics
    costs: Costs
    pilot: Pilot | None = None
    evalset: str = "my-evalset"
    model: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        validate_question(self)


def validate_question(question: Question) -> None:
    """Refuse amounts that contradict each other.

    Raises:
        ConfigurationError: says which.
    """
    economics, situation = question.economics, question.situation
    if economics.requests_per_month == 0.0:
        raise ConfigurationError(
            "requests_per_month is 0: with no requests nothing can pay", hint="leave it out if you do not know it"
        )
    if economics.usd_per_correct_answer == 0.0:
        raise ConfigurationError(
            "usd_per_correct_answer is 0: if a correct answer is worth nothing, no better one is worth paying for",
            hint="leave it out if you do not know it",
        )
    if situation.ceiling is not None and economics.margin >= situation.ceiling:
        raise ConfigurationError(
            f"the margin {economics.margin!r} is not below the ceiling {situation.ceiling!r}: no lead is that large",
            hint="lower --margin, or raise --ceiling",
        )
    if situation.private and question.model:
        if not is_local(question.model) and not question.model.startswith(("http://", "https://")):
            raise ConfigurationError(
                f"private says that all must run on your own machines, and the model {question.model!r} does not",
                hint="--model hf:org/name, a folder or http://host/v1#NAME, or --no-private",
            )


def advise(question: Question) -> Advice:
    """Return the advice on one question."""
    situation, economics = _completed(question.situation, question.pilot), question.economics
    labels, _ = labels_after_buying(situation, economics)
    drawn = draw_lifts(situation, labels, question.pilot, seed=question.seed)
    lift = summarise(drawn, economics.margin)
    worth, gain = weigh(drawn, situation, economics, question.costs, np.random.default_rng([question.seed, 11]))
    right = np.asarray(drawn.lift > economics.margin if gain is None else gain > 0.0)
    override = override_of(situation, labels, measured=question.pilot is not None)
    leaning = _leaning(lift, worth, economics)
    answer = _answer(leaning, override)
    strong = STRONG_SHARE[situation.prompted_by] > 0.0
    return Advice(
        disclaimer=DISCLAIMER,
        answer=answer,
        because=_because(answer, override, lift, worth),
        lift=lift,
        worth=worth,
        reasons=reasons(situation, lift, worth, question.pilot, override),
        try_first=first_steps(situation),
        needs=needs(situation, economics, worth),
        experiment=design(situation, drawn, right, economics, (question.evalset, question.model)),
        calibration=shipped()["strong" if strong else "zero_shot"],
        assumptions=assumptions(situation, economics, question.costs, worth),
        situation=situation,
        pilot=question.pilot,
    )


def ask(
    *,
    economics: Economics | None = None,
    costs: Costs | None = None,
    pilot: Pilot | None = None,
    seed: int = 0,
    **answers: object,
) -> Advice:
    """Say whether to fine-tune, from published results alone; nothing is run.

    Args:
        economics: the money side; what is left out is assumed and listed in `Advice.assumptions`.
        costs: one training, and requests, where you know what they cost.
        pilot: a small comparison of your own, which updates the forecast.
        seed: where randomness starts.
        answers: the fields of `Situation`, for example ``kind="format", prompted=0.62, prompted_by="few_shot",
            examples=400``; what is left out is "I don't know".

    Raises:
        ConfigurationError: an answer is not allowed, or two contradict each other.
    """
    allowed = [one.name for one in fields(Situation)]
    for name in answers:
        if name not in allowed:
            raise ConfigurationError(f"there is no question {name!r}; {did_you_mean(name, allowed)}")
    sources = answers.get("sources")
    if sources is not None:
        answers["sources"] = (sources,) if isinstance(sources, str) else tuple(cast("Iterable[str]", sources))
    situation = Situation(**answers)  # type: ignore[arg-type]
    return advise(Question(situation, economics or default_economics(), costs or Costs(), pilot, seed=seed))


def _completed(situation: Situation, pilot: Pilot | None) -> Situation:
    """Return the situation with the pilot's prompted score where none was given."""
    if pilot is None or situation.prompted is not None:
        return situation
    return replace(situation, prompted=pilot.prompted, prompted_by=pilot.prompted_by)


def _leaning(lift: Forecast, worth: NetBenefit, economics: Economics) -> VerdictAnswer:
    """Return what the figures alone lean to, by the same thresholds as a comparison's verdict."""
    chance = lift.probability_better if worth.probability is None else worth.probability
    if chance >= economics.confidence:
        return "fine_tune"
    return "do_not_fine_tune" if chance <= 1.0 - economics.confidence else "not_yet"


def _answer(leaning: VerdictAnswer, override: Override | None) -> VerdictAnswer:
    if override is not None and (override.firm or leaning == "fine_tune"):
        return override.answer
    return leaning


def _because(answer: VerdictAnswer, override: Override | None, lift: Forecast, worth: NetBenefit) -> str:
    if override is not None and (override.firm or answer == "not_yet"):
        return override.short
    if worth.probability is not None:
        return f"the chance that it pays for itself is {percent(worth.probability)}"
    chance = f"the chance of gaining more than {points(lift.margin)} is {percent(lift.probability_better)}"
    if answer == "not_yet" and worth.usd_per_correct_answer is not None:
        needed = usd(worth.usd_per_correct_answer.estimate)
        return f"worth it if one more correct answer is worth more than {needed}; {chance}"
    return chance
