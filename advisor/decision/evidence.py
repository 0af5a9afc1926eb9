"""What the verdict is made from and what it is made of: `Evidence`, `Guard`, `Verdict`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, InstanceOf

from advisor.core.statement import Action, Statement, say
from advisor.decision.findings import Findings
from advisor.decision.information import Information
from advisor.decision.learning_curve import LearningCurve
from advisor.decision.request import ComparisonRequest, command_line
from advisor.decision.retrieval import Retrieval
from advisor.decision.words import instruction, sentence
from advisor.economics.inputs import Economics
from advisor.economics.ledger import Ledger
from advisor.economics.money import Money
from advisor.stats.alpha_spending import COMPARISON_LEVEL, chance_needed, surely
from advisor.stats.bootstrap import Draws, FloatArray, Panel
from advisor.stats.paired import Difference
from advisor.stats.summaries import Disagreement, StrategySummary

NOT_STORED = Field(exclude=True)
"""Left out where a comparison is written down; a default stands in where it is read."""

VerdictAnswer = Literal["fine_tune", "do_not_fine_tune", "not_yet"]
State = Literal["pass", "fail", "unknown"]


@dataclass(frozen=True, slots=True)
class Guard:
    """One condition without which `fine_tune` is withheld.

    `fail` withholds the verdict. `unknown` (not checked) does not, and every report lists it as an assumption.

    Attributes:
        name: which condition.
        state: whether it holds.
        found: what was found, with its figures.
        method: how it was found out.
        action: what to do where it does not hold or is not known.
        figures: further figures.
    """

    name: str
    state: State
    found: Statement
    method: Statement | None = None
    action: Action | None = None
    figures: tuple[Statement, ...] = ()

    @property
    def finding(self) -> str:
        """What was found, in a plain sentence with its figure, without its full stop."""
        return sentence(self.found)

    @property
    def how(self) -> str:
        """How it was found out, in one line; empty where that is plain."""
        return sentence(self.method) if self.method else ""

    @property
    def remedy(self) -> str:
        """What to do, with the line to type; empty where nothing is to be done."""
        return instruction(self.action) if self.action else ""

    @property
    def details(self) -> tuple[str, ...]:
        """The further figures, a sentence each without its full stop."""
        return tuple(sentence(one) for one in self.figures)


FlipUnit = Literal["usd", "count", "months", "points", "hours", "times"]


@dataclass(frozen=True, slots=True)
class Flip:
    """One input of the decision, moved alone.

    Attributes:
        name: which input: `value`, `volume`, `horizon`, `one_off`, `price` (by the hour or the token, of requests and
            training), `lead`, `labels`, `engineering`, `retraining`, `margin` (up to which tuning counts as better) or
            `margin_needless` (from which on another counts as no worse).
        unit: of `now`, `low`, `high` and `flip`; `times` is a factor on what it is now.
        now: its value (the mean of a range); `None` where the user gave none.
        low, high: the ends it is moved to: those of the range or interval; where there is none, half and double, and
            for what is 0 now a plain example.
        gain_low, gain_high: expected gain of tuning over its alternative there, USD over the horizon; `None` where
            money cannot be netted, and for the margin, which net benefit does not know.
        flip: where the answer turns; `None` where it does not turn for any value that can be.
    """

    name: str
    unit: FlipUnit
    now: float | None
    low: float
    high: float
    gain_low: float | None
    gain_high: float | None
    flip: float | None

    @property
    def swing(self) -> float:
        """How far the gain moves, USD."""
        return 0.0 if self.gain_low is None or self.gain_high is None else abs(self.gain_high - self.gain_low)

    @property
    def distance(self) -> float:
        """How far the flip point is from now, as a logarithm of their ratio; infinite where there is none."""
        if self.now is None or self.flip is None or self.now <= 0.0 or self.flip <= 0.0 or math.isinf(self.flip):
            return math.inf
        return abs(math.log(self.flip / self.now))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer and why.

    Attributes:
        answer: `fine_tune`, `do_not_fine_tune` or `not_yet`.
        recommended: the label of the strategy to use now.
        conclusion: the answer with the figure that decides it.
        grounds: three to six reasons, each with its figure.
        turning_points: what would change the answer, each with its flip point, the nearest first.
        action: the cheapest step that would tell more.
        rule: which rule decided (`expected net benefit` or `dominance`).
        guards: the conditions that were checked.
        flips: all inputs, moved one at a time, the one that moves the gain most first.
        missing: the strategies that were to be compared and are not, with why; it stands before everything else.
    """

    answer: VerdictAnswer
    recommended: str
    conclusion: Statement
    grounds: tuple[Statement, ...]
    turning_points: tuple[Statement, ...]
    action: Action
    rule: str
    guards: tuple[Guard, ...]
    flips: tuple[Flip, ...] = ()
    missing: tuple[Statement, ...] = ()

    @property
    def headline(self) -> str:
        """The answer in one sentence that a busy reader can act on; before it who is missing, if anybody."""
        return f"{self.gaps} {self.concluded}" if self.missing else self.concluded

    @property
    def gaps(self) -> str:
        """Who was to be compared and is not, and why; empty where nobody is missing."""
        return sentence(say("headline.gaps", parts=self.missing)) if self.missing else ""

    @property
    def concluded(self) -> str:
        """The answer in one sentence."""
        return sentence(self.conclusion)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons, a plain sentence each."""
        return tuple(sentence(one) for one in self.grounds)

    @property
    def would_flip(self) -> tuple[str, ...]:
        """What would change the answer, a plain sentence each."""
        return tuple(sentence(one) for one in self.turning_points)

    @property
    def next_step(self) -> str:
        """The cheapest step that would tell more, with the line to type."""
        return instruction(self.action)


@dataclass(frozen=True, slots=True)
class Lead:
    """How far the tuned strategy is ahead of `other`, in score units; `real` as the test and the interval say.

    `n` and `clusters` are 0 and `detectable` `None` where the pair was not tested and only its draws are known.
    """

    other: str
    estimate: float
    low: float
    high: float
    n: int
    clusters: int
    detectable: float | None
    real: bool


def _no_draws() -> Draws:
    return Draws((), np.zeros((0, 0)), {})


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the verdict is made from; nothing else can influence it.

    What is as large as the outcomes themselves (`draws`, `ledger`, `panel`, `family`) is not stored with a comparison:
    where that was loaded, these are empty.

    Attributes:
        request: what was asked for: eval set, model, strategies, limits, the user's side of the money.
        metric: the name of the metric.
        n_train, n_dev, n_test: examples in the splits that were run.
        strategies: every strategy of the comparison; at least one.
        pivot: label of the best tuned strategy, or of the best of all where none was tuned.
        differences: the pivot minus each other strategy.
        money: what `advisor.economics.money.weigh` found from `draws`.
        has_docs, has_tools, has_schema: what the eval set carries, so which baselines are owed.
        specs: label to what was typed for it, where that is known: a file's class, parameters.
        test_at_hand: test examples that there are, those that a limit left out included; 0 where that is not known.
        disagreements: examples on which strategies differ.
        findings: what was found out beside the scores, for the guards.
        information: what it is worth to know more.
        curves: learning curves; empty where none were asked for.
        looks: the number of this look at a growing test set, from 1 on.
        retrieval: what strategies that look up showed of what the answers need; empty without documents.
        draws: the joint bootstrap draws behind differences and money.
        ledger: the books behind `money`, as joint draws.
        family: the differences of every tuned strategy, for where not the pivot but another one is the better buy.
        panel: the scores behind the differences, by strategy, seed and test example.
        test_ids: the test examples in the order of the panel.
    """

    request: ComparisonRequest
    metric: str
    n_train: int
    n_dev: int
    n_test: int
    strategies: tuple[StrategySummary, ...]
    pivot: str
    differences: tuple[Difference, ...]
    money: Money
    has_docs: bool = False
    has_tools: bool = False
    has_schema: bool = False
    specs: Mapping[str, str] = field(default_factory=dict)
    test_at_hand: int = 0
    disagreements: tuple[Disagreement, ...] = ()
    findings: Findings = field(default_factory=Findings)
    information: Information | None = None
    curves: tuple[LearningCurve, ...] = ()
    looks: int = 1
    retrieval: tuple[Retrieval, ...] = ()
    draws: Annotated[InstanceOf[Draws], NOT_STORED] = field(default_factory=_no_draws, compare=False)
    ledger: Annotated[InstanceOf[Ledger] | None, NOT_STORED] = field(default=None, compare=False)
    family: Annotated[tuple[Difference, ...], NOT_STORED] = field(default=(), compare=False)
    panel: Annotated[InstanceOf[Panel] | None, NOT_STORED] = field(default=None, compare=False)
    test_ids: Annotated[tuple[str, ...], NOT_STORED] = field(default=(), compare=False)

    @property
    def economics(self) -> Economics:
        """The user's side of the money."""
        return self.request.economics

    def summary(self, label: str) -> StrategySummary:
        """Return the summary of one strategy."""
        return next(one for one in self.strategies if one.label == label)

    @property
    def scored(self) -> tuple[StrategySummary, ...]:
        """The strategies that have a score, best first."""
        known = [one for one in self.strategies if one.quality is not None and one.label in self.draws.labels]
        return tuple(sorted(known, key=lambda one: -(one.quality.estimate if one.quality else 0.0)))

    @property
    def others(self) -> tuple[StrategySummary, ...]:
        """The scored strategies that are not tuned, best first."""
        return tuple(one for one in self.scored if not one.tuned)

    @property
    def tuned(self) -> str:
        """The tuned strategy that stands for fine-tuning; empty where none has a score."""
        if self.money.break_even is not None:
            return self.money.break_even.tuned
        return next((one.label for one in self.scored if one.tuned), "")

    @property
    def alternative(self) -> str:
        """What it is held against; empty where there is nothing."""
        if self.money.break_even is not None:
            return self.money.break_even.alternative
        return next((one.label for one in self.others), "")

    @property
    def netted(self) -> bool:
        """Whether volume, value and all prices are known, so that money can be netted."""
        return self.money.probability_tuned_best is not None

    @property
    def chance_needed(self) -> float:
        """The chance from which on a yes is said: the user's confidence, and the error budget of this look."""
        return self.chance_needed_at(self.looks)

    def chance_needed_at(self, look: int) -> float:
        """Return the chance from which on a yes would be said at another look at a growing test set."""
        tuned = sum(one.tuned for one in self.scored)
        return chance_needed(self.economics.confidence, self.economics.false_yes, look=look, tuned=tuned)

    def sure(self, chance: float | None) -> bool:
        """Return whether a chance is enough for a yes."""
        return surely(chance, len(self.draws.quality), self.chance_needed)

    @property
    def use_now(self) -> str:
        """The strategy to use while nothing is tuned.

        The highest expected net benefit; where that is unknown the cheapest per request of those within the margin of
        the best (of those whose cost ties with that, the best), or the best itself where prices are unknown.
        """
        if not self.others:
            return self.pivot
        rows = {row.label: row for row in self.money.strategies}
        nets = {one.label: rows[one.label].net_benefit_usd for one in self.others}
        worth = {label: net.estimate for label, net in nets.items() if net is not None}
        if len(worth) == len(nets):
            return max(worth, key=lambda label: worth[label])
        floor = _score(self.others[0]) - self.economics.margin
        near = {one.label: rows[one.label].usd_per_1000_requests for one in self.others if _score(one) >= floor}
        costs = {label: cost.estimate for label, cost in near.items() if cost is not None}
        if len(costs) < len(near):
            return self.others[0].label
        least = min(costs.values())
        tied = [
            label
            for label, cost in costs.items()
            if cost - least <= 1000 * self.economics.tie_usd(cost / 1000, least / 1000)
        ]
        return next(one.label for one in self.others if one.label in tied)

    def lead(self, other: str) -> Lead:
        """Return how far the tuned strategy is ahead of `other`.

        A pair that was not tested, having no example in common, takes the interval of its joint draws,
        Bonferroni-adjusted for all strategies, and is never called real.
        """
        for one in (*self.differences, *self.family):
            if {one.a, one.b} == {self.tuned, other}:
                sign = 1.0 if one.a == self.tuned else -1.0
                low, high = sorted((sign * one.simultaneous.low, sign * one.simultaneous.high))
                size = one.n, one.clusters
                return Lead(other, sign * one.interval.estimate, low, high, *size, one.detectable, one.real)
        gap = self.gap(other)
        tail = (1 - COMPARISON_LEVEL) / 2 / max(1, len(self.scored) - 1)
        low, high = (float(q) for q in np.quantile(gap, (tail, 1 - tail)))
        return Lead(other, float(np.mean(gap)), low, high, 0, 0, None, False)

    def gap(self, other: str) -> FloatArray:
        """Return the draws of the tuned strategy's quality minus that of `other`, float64 (D,)."""
        columns = self.draws.labels.index(self.tuned), self.draws.labels.index(other)
        return np.asarray(self.draws.quality[:, columns[0]] - self.draws.quality[:, columns[1]])

    @property
    def beats_all(self) -> bool:
        """Whether the tuned strategy is better than every other, each by a difference that is real."""
        leads = [self.lead(other.label) for other in self.others]
        return bool(leads) and all(lead.real and lead.estimate > 0.0 for lead in leads)

    def again(self, *flags: str) -> str:
        """Return the command line that makes the same comparison again, with these flags."""
        return self.line([one.label for one in self.strategies], *flags)

    def repeat(self, what: Statement, adds: str) -> Action:
        """Return the action of making the same comparison again with one flag more."""
        return Action(what, self.again(adds), adds)

    def line(self, strategies: Sequence[str], *flags: str) -> str:
        """Return the command line that compares `strategies` on this eval set, all else as it was asked for.

        Limits, seeds, columns, the comparison file and the user's amounts stay; `flags` (``--seeds 3``) win over them.
        """
        return command_line(self.request, [self.specs.get(label, label) for label in strategies], *flags)


def _score(summary: StrategySummary) -> float:
    return summary.quality.estimate if summary.quality is not None else 0.0
