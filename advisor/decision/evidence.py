"""What the verdict is made from and what it is made of: `Evidence`, `Guard`, `Verdict`."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from advisor.decision.findings import Findings
from advisor.decision.learning_curve import LearningCurve
from advisor.economics.flags import MONEY_FLAGS, typed
from advisor.economics.inputs import Economics
from advisor.economics.ledger import Ledger
from advisor.economics.money import Money
from advisor.stats.alpha_spending import LEVEL, chance_needed, surely
from advisor.stats.bootstrap import Draws, FloatArray, Panel
from advisor.stats.value_of_information import Information

if TYPE_CHECKING:
    from advisor.stats.paired import Difference
    from advisor.stats.summaries import StrategySummary

Answer = Literal["fine_tune", "do_not_fine_tune", "not_yet"]


@dataclass(frozen=True, slots=True)
class Guard:
    """One condition without which `fine_tune` is withheld. `finding` is a plain sentence with its figure.

    `fail` withholds the verdict. `unknown` (not checked) does not, and every report lists it as an assumption. `how` is
    one line on how it was found out, `remedy` what to do where it does not hold or is not known, and `details` are
    further figures, a sentence each without its full stop.
    """

    name: str
    state: Literal["pass", "fail", "unknown"]
    finding: str
    how: str = ""
    remedy: str = ""
    details: tuple[str, ...] = ()


Unit = Literal["usd", "count", "months", "points", "hours", "times"]


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
    unit: Unit
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
        headline: one sentence a busy reader can act on.
        recommended: the label of the strategy to use now.
        reasons: three to six plain sentences, each with its figure.
        would_flip: what would change the answer, each with its flip point, the nearest first.
        next_step: the cheapest step that would tell more, with the line to type.
        rule: which rule decided (`expected net benefit` or `dominance`).
        guards: the conditions that were checked.
        flips: all inputs, moved one at a time, the one that moves the gain most first.
    """

    answer: Answer
    headline: str
    recommended: str
    reasons: tuple[str, ...]
    would_flip: tuple[str, ...]
    next_step: str
    rule: str
    guards: tuple[Guard, ...]
    flips: tuple[Flip, ...] = ()


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


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the verdict is made from; nothing else can influence it.

    Attributes:
        strategies: every strategy of the comparison; at least one.
        differences: the pivot minus each other strategy.
        money: what `advisor.economics.money.weigh` found from `draws`.
        draws: the joint bootstrap draws behind both.
        pivot: label of the best tuned strategy, or of the best of all where none was tuned.
        evalset, model, metric: as they are typed on the command line.
        n_train, n_test: examples in the two splits that were run.
        has_docs, has_tools, has_schema: what the eval set carries, so which baselines are owed.
        economics: the user's side, the same as in `money`.
        specs: label to what was typed for it, where that is known: a file's class, parameters.
        columns: the columns of the file, as they were typed.
        asked: by flag, what else was typed that decides what is run: limits, seeds, the comparison file.
        test_at_hand: test examples that there are, those that a limit left out included; 0 where that is not known.
        ledger: the books behind `money`, as joint draws.
        information: what it is worth to know more.
        family: the differences of every tuned strategy, for where not the pivot but another one is the better buy.
        panel: the scores behind the differences, by strategy, seed and test example.
        test_ids: the test examples in the order of the panel.
        findings: what was found out beside the scores, for the guards.
        curves: learning curves; empty where none were asked for.
        looks: the number of this look at a growing test set, from 1 on.
    """

    strategies: tuple[StrategySummary, ...]
    differences: tuple[Difference, ...]
    money: Money
    draws: Draws
    pivot: str
    evalset: str
    model: str
    metric: str
    n_train: int
    n_test: int
    has_docs: bool
    has_tools: bool
    has_schema: bool
    economics: Economics
    specs: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    asked: Mapping[str, str] = field(default_factory=dict)
    test_at_hand: int = 0
    ledger: Ledger | None = None
    information: Information | None = None
    family: tuple[Difference, ...] = ()
    panel: Panel | None = None
    test_ids: tuple[str, ...] = ()
    findings: Findings = field(default_factory=Findings)
    curves: tuple[LearningCurve, ...] = ()
    looks: int = 1

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
        the best, or the best itself where prices are unknown.
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
        return min(costs, key=lambda label: costs[label]) if len(costs) == len(near) else self.others[0].label

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
        tail = (1 - LEVEL) / 2 / max(1, len(self.scored) - 1)
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

    def line(self, strategies: Sequence[str], *flags: str) -> str:
        """Return the command line that compares `strategies` on this eval set, all else as it was asked for.

        Limits, seeds, columns, the comparison file and the user's amounts stay; `flags` (``--seeds 3``) win over them.
        """
        words = ["advisor", "compare", self.evalset, "--model", self.model]
        for strategy in strategies:
            words += ["--strategy", self.specs.get(strategy, strategy)]
        for name, column in self.columns.items():
            words += ["--column", f"{name}={column}"]
        usual, new = Economics(), {flag.split()[0] for flag in flags}
        amounts = {name: getattr(self.economics, name) for name in MONEY_FLAGS}
        changed = {MONEY_FLAGS[name]: typed(v) for name, v in amounts.items() if v != getattr(usual, name)}
        for flag, value in {**changed, **self.asked}.items():
            if flag not in new:
                words += [flag, value]
        return " ".join([*(shlex.quote(word) for word in words if word), *flags])


def _score(summary: StrategySummary) -> float:
    return summary.quality.estimate if summary.quality is not None else 0.0
