"""What it is worth to know more before deciding: EVPI, and EVSI of each possible next step (decision.md, section 5)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that could be done before deciding.

    Attributes:
        name: `test_examples`, `labels`, `seed`, `strategy`, or an input to find out more closely (`value`, `volume`).
        action: what to do, in words, with its size (`120 more test examples`).
        usd: what it costs, labels, calls and machine time together; `None` where that is not known.
        worth_usd: expected value of the sample information (EVSI), USD over the horizon; `None` where money cannot be
            netted.
        chance_decides: probability that the verdict would be decided after it.
        command: the line to type; empty where the user's own work comes first.
    """

    name: str
    action: str
    usd: float | None
    worth_usd: float | None
    chance_decides: float | None
    command: str = ""

    @property
    def net_usd(self) -> float | None:
        """What it is worth minus what it costs; `None` where either is not known."""
        return None if self.usd is None or self.worth_usd is None else self.worth_usd - self.usd


@dataclass(frozen=True, slots=True)
class Information:
    """The value of knowing more.

    Attributes:
        evpi_usd: expected value of perfect information, USD over the horizon: no step can be worth more; `None` where
            money cannot be netted.
        steps: every possible step, the best ratio of worth to cost first; where money cannot be netted, the highest
            chance to decide for its cost first.
        best: the step to take; `None` where none is worth its price, so that the better expected choice is the answer.
    """

    evpi_usd: float | None
    steps: tuple[Step, ...]
    best: Step | None
