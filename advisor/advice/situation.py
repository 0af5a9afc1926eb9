"""What the user is asked, what may be answered, and what the answers contradict."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated

from advisor.core.errors import ConfigurationError, did_you_mean
from advisor.economics.amounts import SHARE, USD, Amount, Range
from advisor.economics.definition import Bounds, Option, validate_options
from advisor.economics.inputs import Economics

KINDS = ("knowledge", "format", "voice", "behaviour", "tools")
CHANGES = ("never", "monthly", "weekly", "daily")
PROMPTED_BY = ("zero_shot", "few_shot", "optimised_prompt", "rag", "function_calling")
LATENCIES = ("any", "seconds", "subsecond")
SIZES = ("tiny", "small", "7b", "larger")
SOURCES = ("documents", "tools", "none")
CHOICES = {
    "kind": KINDS,
    "changes": CHANGES,
    "prompted_by": PROMPTED_BY,
    "latency": LATENCIES,
    "size": SIZES,
    "sources": SOURCES,
}
A_SCORE = Bounds(least=0, most=1, allowed="a score from 0 to 1 (62% is 0.62)")
A_COUNT = Bounds(least=0, allowed="a count from 0")
BOTH_ANSWERED = Bounds(least=2, allowed="a count from 2 (examples that both answered)")
RETRAINS_PER_YEAR = {"never": 0.0, "monthly": 12.0, "weekly": 52.0, "daily": 365.0}


@dataclass(frozen=True, slots=True)
class Situation:
    """The answers to the questions; `None` is "I don't know".

    Attributes:
        kind: what tuning is meant to teach: knowledge, format, voice, behaviour or tools.
        changes: how often what the model must know changes: never, monthly, weekly or daily.
        examples: labelled examples at hand.
        prompted: the best score without tuning so far, in [0, 1].
        prompted_by: what reached it.
        ceiling: the best score the metric can give, where it is known to be under 1 (label noise).
        latency: what a user waits for: any, seconds or subsecond.
        private: everything must run on machines of your own.
        size: the model that would be tuned: tiny (under 1 billion parameters), small (2 or 3), 7b, or larger.
        sources: what answers could be looked up in: documents, tools; ``("none",)`` where there is nothing.

    Raises:
        ConfigurationError: an answer is not allowed, or two contradict each other.
    """

    kind: Annotated[str | None, Option("knowledge, format, voice, behaviour or tools.")] = None
    changes: Annotated[str | None, Option("How often what it must know changes: never, monthly, weekly or daily.")] = (
        None
    )
    examples: Annotated[int | None, Option("Labelled examples at hand.", None, A_COUNT)] = None
    prompted: Annotated[
        float | None, Option("Best score so far without tuning, 0 to 1 (0.62 is 62%).", SHARE, A_SCORE)
    ] = None
    prompted_by: Annotated[
        str | None, Option("How: zero_shot, few_shot, optimised_prompt, rag or function_calling.")
    ] = None
    ceiling: Annotated[
        float | None, Option("Best score the metric can give, where it is under 1.", SHARE, Bounds(above=0, most=1))
    ] = None
    latency: Annotated[str | None, Option("How long an answer may take: any, seconds or subsecond.")] = None
    private: Annotated[
        bool | None,
        Option("Everything must run on machines of your own.", flags=("--private/--no-private",)),
    ] = None
    size: Annotated[str | None, Option("Model to be tuned: tiny (under 1 billion), small (2 or 3), 7b or larger.")] = (
        None
    )
    sources: Annotated[
        tuple[str, ...] | None,
        Option("What answers could be looked up in: documents, tools or none; repeat.", flags=("--source",)),
    ] = None

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            value = getattr(self, name)
            for word in value if isinstance(value, tuple) else (value,):
                if word is not None and word not in allowed:
                    raise ConfigurationError(f"{name} {word!r} is unknown; {did_you_mean(str(word), allowed)}")
        validate_options(self)
        self._check_contradictions()

    def _check_contradictions(self) -> None:
        if self.prompted_by is not None and self.prompted is None:
            raise ConfigurationError(
                f"prompted_by {self.prompted_by!r} says how a score was reached, and no score is given",
                hint=f"add the score, for example --prompted 0.62 --prompted-by {self.prompted_by}",
            )
        if self.prompted is not None and self.ceiling is not None and self.prompted > self.ceiling:
            raise ConfigurationError(
                f"the prompted score {self.prompted!r} is above the ceiling {self.ceiling!r} that no answer can pass",
                hint="raise --ceiling, or leave it out",
            )
        if self.sources and "none" in self.sources and len(self.sources) > 1:
            raise ConfigurationError(f"sources {', '.join(self.sources)}: 'none' excludes the others")
        needed = {"rag": "documents", "function_calling": "tools"}.get(self.prompted_by or "")
        if needed and self.sources is not None and needed not in self.sources:
            raise ConfigurationError(
                f"the score was reached by {self.prompted_by}, which needs {needed}, and sources says "
                f"{', '.join(self.sources) or 'none'}",
                hint=f"add --source {needed}, or correct --prompted-by",
            )


@dataclass(frozen=True, slots=True)
class Costs:
    """What `Economics` of a comparison measures and here has to be stated, USD.

    Attributes:
        training_usd: one training, and each training anew.
        usd_per_request, tuned_usd_per_request: one request to the prompted and to the tuned model; `None` for both:
            taken as equal, so that they cancel.
        hosting_usd_per_month: fixed cost of serving the tuned model.

    Raises:
        ConfigurationError: an amount cannot be used, or only one of the two requests has a price.
    """

    training_usd: Annotated[Amount, Option("One training. Default: 2..50 (our assumption).", USD)] = field(
        default_factory=lambda: Range(2.0, 50.0)
    )
    usd_per_request: Annotated[Amount | None, Option("A request to the prompted model. Default: equal costs.", USD)] = (
        None
    )
    tuned_usd_per_request: Annotated[Amount | None, Option("A request to the tuned model.", USD)] = None
    hosting_usd_per_month: Annotated[float, Option("Fixed cost of serving the tuned model. Default: 0.", USD)] = 0.0

    def __post_init__(self) -> None:
        validate_options(self)
        if (self.usd_per_request is None) != (self.tuned_usd_per_request is None):
            raise ConfigurationError(
                "only one of the two prices of a request is given, so that they cannot be compared",
                hint="give both --usd-per-request and --tuned-usd-per-request, or neither",
            )


ENGINEERING_HOURS = Range(10.0, 80.0)
"""An assumption of ours, printed as one: the work to prepare data, tune, test and put a tuned model into service."""


def default_economics() -> Economics:
    """Return the money side where nothing is said: as in a comparison, with the engineering hours assumed above."""
    return Economics(engineering_hours=ENGINEERING_HOURS)


@dataclass(frozen=True, slots=True)
class Pilot:
    """A small comparison of one's own: the scores of the tuned and the prompted model on the same `n` examples.

    `standard_error` of their difference is known where a stored comparison gave it; else it is taken as that of two
    independent shares, which is too wide rather than too narrow for scores on the same examples. `prompted_by` says
    what reached the prompted score, where that is known, and `missing` who is not in it that was to be compared.

    Raises:
        ConfigurationError: a score lies outside [0, 1], or `n` is below 2.
    """

    tuned: Annotated[float, Option("Its score with the tuned model, 0 to 1.", SHARE, A_SCORE, flags=("--pilot-tuned",))]
    prompted: Annotated[
        float,
        Option("Its score with the best prompt, on the same examples.", SHARE, A_SCORE, flags=("--pilot-prompted",)),
    ]
    n: Annotated[int, Option("How many examples both answered.", None, BOTH_ANSWERED, flags=("--pilot-n",))]
    standard_error: float | None = None
    source: str = "your pilot"
    prompted_by: str | None = None
    missing: str = ""

    def __post_init__(self) -> None:
        validate_options(self, "pilot_")
        if self.standard_error is not None and not 0.0 <= self.standard_error < math.inf:
            raise ConfigurationError(f"the pilot's standard error is {self.standard_error!r}; allowed: from 0")

    @property
    def lead(self) -> float:
        """The tuned model's score minus the prompted one's."""
        return self.tuned - self.prompted

    @property
    def error(self) -> float:
        """Standard error of `lead`: as given, else ``sqrt((q(1-q) + p(1-p)) / n)``.

        q and p are shrunk by one success and one failure (Agresti and Caffo 2000), so that scores of 0 and 1 have an
        error too. A score between 0 and 1 varies at most as much as a share with the same mean.
        """
        if self.standard_error is not None:
            return max(self.standard_error, 1e-6)
        shares = [(score * self.n + 1.0) / (self.n + 2.0) for score in (self.tuned, self.prompted)]
        return math.sqrt(sum(share * (1.0 - share) for share in shares) / self.n)
