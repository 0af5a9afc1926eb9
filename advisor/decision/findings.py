"""What was found out beside the scores, for the guards: other runs of the strategies, the data, and the training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from advisor.core.data_check import DataFindings
from advisor.core.types import Interval, Outcome
from advisor.decision.request import ProbeDepth

ProbeName = Literal[
    "constrained", "repaired", "oracle_context", "paraphrase", "order", "sampling", "retention", "refusals"
]
Condition = Literal["reworded", "order", "sampling", "seeds"]


@dataclass(frozen=True, slots=True)
class Probe:
    """One strategy, or one model, asked again under changed conditions.

    Attributes:
        name: what was changed. `constrained`: answers held to labels or schema; `repaired`: the answers at hand brought
            into form by rule, nothing asked; `oracle_context`: the gold document in the prompt; `paraphrase`, `order`
            and `sampling`: the same question put otherwise, demonstrations in another order, temperature above 0;
            `retention` and `refusals`: the general suites.
        label: the strategy; empty for the base model alone.
        seed: the seed of the run it belongs to.
        outcomes: by example id: of the test split, or of the suite.
        note: what a reader should know (how many of how many were asked).
    """

    name: ProbeName
    label: str
    seed: int
    outcomes: tuple[Outcome, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Flips:
    """How often one strategy's answer flips when it is asked again under one condition.

    An answer flips if its score goes to the other side of 0.5; in a task with labels also if it is another label.

    Attributes:
        label: the strategy.
        condition: `reworded` (the `paraphrase` probe), `order`, `sampling`, or `seeds` (another training).
        by_item: by test id the share of repeated answers that flipped.
        note: what a reader should know (how many were asked).
        unchanged: why nothing could change, where that is so.
    """

    label: str
    condition: Condition
    by_item: Mapping[str, float]
    note: str = ""
    unchanged: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """How one strategy answers, from its runs.

    Attributes:
        label: the strategy.
        n: answers looked at.
        valid: share of answers in the form the task asks for; `None` where it asks for none.
        valid_means: what counts as that form.
        latency: seconds a caller waited, at the quantiles 0.5, 0.95 and 0.99, each with its interval; `high` is
            infinite where so few answers set no limit. Empty where no model was asked.
        concurrency: under which load that was, in words.
    """

    label: str
    n: int
    valid: Interval | None
    valid_means: str
    latency: tuple[Interval, ...]
    concurrency: str


@dataclass(frozen=True, slots=True)
class TrainingFindings:
    """What is to be known of one tuned strategy's training.

    Attributes:
        label: the strategy.
        seed: of the run.
        train_loss: mean loss of each epoch.
        overfitted: share of ten training rows that a long training on them alone reproduces; `None` if not tried.
        template_matches: the tokens of a training prompt are those of the served prompt; `None` where nobody can see
            (a hosted job).
        asked_as_trained: the strategy asks the tuned model with turns and a system text as it was trained on; `None`
            where it was not seen asking.
    """

    label: str
    seed: int
    train_loss: tuple[float, ...] = ()
    overfitted: float | None = None
    template_matches: bool | None = None
    asked_as_trained: bool | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """What could not be looked at.

    Attributes:
        what: a probe, or `data`, `suites`, `training` or `overfitting`.
        label: of which strategy; empty where it belongs to none.
        reason: why not, in words.
    """

    what: str
    label: str
    reason: str


@dataclass(frozen=True, slots=True)
class Findings:
    """All of it; what was not looked at is empty or `None`, and its guard is `unknown`.

    `checks` is how much was to be looked at; `retention_margin` is the loss on the general suites that is still
    acceptable.
    """

    probes: tuple[Probe, ...] = ()
    data: DataFindings | None = None
    training: tuple[TrainingFindings, ...] = ()
    flips: tuple[Flips, ...] = ()
    service: tuple[Service, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    checks: ProbeDepth = "none"
    retention_margin: float = 0.05

    @property
    def label_noise(self) -> Interval | None:
        """The estimated share of wrong labels; `None` where nobody looked, or nobody can."""
        return self.data.label_noise if self.data is not None else None

    def probes_of(self, name: ProbeName, label: str) -> tuple[Probe, ...]:
        """Return the probes of one kind on one strategy."""
        return tuple(one for one in self.probes if one.name == name and one.label == label)

    def why_not(self, what: str, label: str = "") -> str:
        """Return why something could not be looked at; empty where that is not known."""
        return next((one.reason for one in self.skipped if (one.what, one.label) == (what, label)), "")
