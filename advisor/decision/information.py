"""What could be done before deciding, and what it is worth to know more."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.core.statement import Action, Statement
from advisor.decision.words import sentence


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that could be done before deciding.

    Attributes:
        name: `test_examples`, `labels`, `seed`, `strategy`, or an input to find out more closely (`value`, `volume`).
        doing: what to do, with its size, and the line to type.
        usd: what it costs, labels, calls and machine time together; `None` where that is not known.
        worth_usd: expected value of the sample information (EVSI), USD over the horizon; `None` where money cannot be
            netted.
        chance_decides: probability that the verdict would be decided after it, guards that fail now aside; `None` where
            that cannot be told.
        basis: what its figures rest on.
    """

    name: str
    doing: Action
    usd: float | None
    worth_usd: float | None
    chance_decides: float | None
    basis: Statement

    @property
    def action(self) -> str:
        """What to do, in words, with its size (`120 more test examples`)."""
        return sentence(self.doing.what)

    @property
    def command(self) -> str:
        """The line to type; empty where the user's own work comes first."""
        return self.doing.command

    @property
    def assumption(self) -> str:
        """What its figures rest on, in words."""
        return sentence(self.basis)

    @property
    def net_usd(self) -> float | None:
        """What it is worth minus what it costs; `None` where either is not known."""
        return None if self.usd is None or self.worth_usd is None else self.worth_usd - self.usd


@dataclass(frozen=True, slots=True)
class Information:
    """The value of knowing more.

    Attributes:
        evpi_usd: expected value of perfect information, USD over the horizon; `None` where money cannot be netted. No
            step that only tells more about what was compared can be worth more; one that adds something to choose from
            (more labels, another strategy) can.
        steps: every possible step, the best ratio of worth to cost first; where money cannot be netted, the best ratio
            of the chance to decide to the cost.
        best: the step to take; `None` where none is worth its price, so that the better expected choice is the answer.
    """

    evpi_usd: float | None
    steps: tuple[Step, ...]
    best: Step | None
