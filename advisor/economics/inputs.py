"""What the user says about the money side."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated

from advisor.core.errors import ConfigurationError
from advisor.economics.amounts import COUNT, FACTOR, HOURS, MONTHS, POINTS, SHARE, USD, Amount
from advisor.economics.definition import Bounds, Option, validate_options
from advisor.economics.prices import Prices


@dataclass(frozen=True, slots=True)
class Economics:
    """What the user says about the money side; every default is printed in the report as an assumption.

    `usd_per_hour` prices local seconds (÷ `utilisation`); `prices` and `tuned_prices` override the price table for the
    base and the tuned model. `margin` is the difference in quality (0.02 = 2 points) that is worth talking about.
    Costs of a request that are closer than `cost_tie` (a share of the higher one) or `cost_tie_usd` (USD per 1,000
    requests) are a tie: nobody chooses by that, and measured seconds differ by more from one run to the next.
    `confidence` is the chance from which on an answer is given; a yes is also held to `false_yes`, the highest
    probability of ever saying yes where fine-tuning is just not worth it (see `advisor.stats.alpha_spending`).

    For the rows "what if" (`advisor.economics.scenarios`): `batch_discount` is the share off for requests sent as a
    batch (else the price table's own batch price), `hosting_usd_per_hour` a machine kept for the tuned model alone, and
    `unmerged_slowdown` how much longer an answer takes where the adapter is not merged into the weights; 1.7 is what a
    public 2 x 2 of RAG and tuning (Qwen2.5-7B) measured. `base_model_shutdown` ends the horizon
    (`advisor.economics.horizon`).

    Raises:
        ConfigurationError: an amount is negative or infinite, or a share lies outside its range.
    """

    requests_per_month: Annotated[Amount | None, Option("A number, or a range 5000..20000.", COUNT)] = None
    usd_per_correct_answer: Annotated[
        Amount | None,
        Option(
            "What one more correct answer is worth, USD; a number or a range 0.10..0.50.",
            USD,
            flags=("--value-per-correct",),
        ),
    ] = None
    horizon_months: Annotated[float, Option("How long it will be used. Default: 12.", MONTHS, Bounds(above=0))] = 12.0
    margin: Annotated[
        float,
        Option(
            "Difference in quality that matters. Default: 0.02.",
            POINTS,
            Bounds(least=0, below=1, note="0.02 is 2 points"),
        ),
    ] = 0.02
    cost_tie: Annotated[
        float,
        Option(
            "Costs of a request are equal where they differ by less than this share. Default: 0.05.",
            SHARE,
            Bounds(least=0, below=1),
        ),
    ] = 0.05
    cost_tie_usd: Annotated[
        float, Option("And where they differ by less than so many USD per 1,000 requests. Default: 0.01.", USD)
    ] = 0.01
    target_quality: Annotated[
        float | None, Option("Quality that is needed, 0 to 1.", SHARE, Bounds(least=0, most=1, allowed="0 to 1"))
    ] = None
    usd_per_hour: Annotated[float, Option("Price of this machine. Default: 0.10.", USD)] = 0.10
    utilisation: Annotated[
        float, Option("Share of the paid machine hours that is used. Default: 0.5.", SHARE, Bounds(above=0, most=1))
    ] = 0.5
    prices: Prices | None = None
    tuned_prices: Prices | None = None
    usd_per_label: Annotated[Amount, Option("Price of one label, USD; a number or a range. Default: 0.", USD)] = 0.0
    engineering_hours: Annotated[
        Amount, Option("Hours of work that tuning takes once; a number or a range. Default: 0.", HOURS)
    ] = 0.0
    usd_per_engineering_hour: Annotated[float, Option("Price of an hour of work, USD. Default: 100.", USD)] = 100.0
    retrains_per_year: Annotated[float, Option("How often it is trained anew. Default: 0.", COUNT)] = 0.0
    confidence: Annotated[
        float, Option("How sure is sure enough, 0.5 to 1. Default: 0.90.", SHARE, Bounds(above=0.5, below=1))
    ] = 0.90
    false_yes: Annotated[float, Option("", SHARE, Bounds(above=0, below=0.5), flags=())] = 0.05
    batch_discount: Annotated[
        float | None,
        Option(
            "Share off for requests sent as a batch, 0.5 is half. Default: the price table.",
            SHARE,
            Bounds(least=0, below=1, note="0.5 is half the price"),
        ),
    ] = None
    hosting_usd_per_hour: Annotated[float | None, Option("Price of a machine kept for the tuned model alone.", USD)] = (
        None
    )
    unmerged_slowdown: Annotated[
        float,
        Option("How much longer answers take if the adapter is not merged. Default: 1.7.", FACTOR, Bounds(least=1)),
    ] = 1.7
    base_model_shutdown: Annotated[
        date | None, Option("The last day of the base model, e.g. 2027-03-01. Default: a dated table.")
    ] = None

    def __post_init__(self) -> None:
        validate_options(self)
        for name, value in (("prices", self.prices), ("tuned_prices", self.tuned_prices)):
            given: object = value
            if given is not None and not isinstance(given, Prices):
                raise ConfigurationError(f"{name} is {given!r}; advisor.Prices(...) is needed")

    def tie_usd(self, one: float, other: float) -> float:
        """Return up to which difference two costs of a request, USD, are equal."""
        return max(self.cost_tie * max(one, other), self.cost_tie_usd / 1000.0)
