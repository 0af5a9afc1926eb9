"""What the user says about the money side."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date

from advisor.core.errors import ConfigurationError
from advisor.economics.amounts import Amount, check_not_negative
from advisor.economics.prices import Prices


@dataclass(frozen=True, slots=True)
class Economics:
    """What the user says about the money side; every default is printed in the report as an assumption.

    `usd_per_hour` prices local seconds (÷ `utilisation`); `prices` and `tuned_prices` override the price table for the
    base and the tuned model. `margin` is the difference in quality (0.02 = 2 points) that is worth talking about.
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

    requests_per_month: Amount | None = None
    usd_per_correct_answer: Amount | None = None
    horizon_months: float = 12.0
    margin: float = 0.02
    target_quality: float | None = None
    usd_per_hour: float = 0.10
    utilisation: float = 0.5
    prices: Prices | None = None
    tuned_prices: Prices | None = None
    usd_per_label: Amount = 0.0
    engineering_hours: Amount = 0.0
    usd_per_engineering_hour: float = 100.0
    retrains_per_year: float = 0.0
    confidence: float = 0.90
    false_yes: float = 0.05
    batch_discount: float | None = None
    hosting_usd_per_hour: float | None = None
    unmerged_slowdown: float = 1.7
    base_model_shutdown: date | None = None

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, int | float):
                check_not_negative(one.name, value)
        within = {
            "horizon_months": ("above 0", self.horizon_months > 0.0),
            "utilisation": ("above 0 and at most 1", 0.0 < self.utilisation <= 1.0),
            "confidence": ("above 0.5 and below 1", 0.5 < self.confidence < 1.0),
            "false_yes": ("above 0 and below 0.5", 0.0 < self.false_yes < 0.5),
            "margin": ("from 0 and below 1 (0.02 is 2 points)", self.margin < 1.0),
            "batch_discount": ("from 0 and below 1 (0.5 is half the price)", (self.batch_discount or 0.0) < 1.0),
            "unmerged_slowdown": ("at least 1", self.unmerged_slowdown >= 1.0),
            "target_quality": ("0 to 1", self.target_quality is None or self.target_quality <= 1.0),
        }
        for name, (allowed, holds) in within.items():
            if not holds:
                raise ConfigurationError(f"{name} is {getattr(self, name)!r}; allowed: {allowed}")
