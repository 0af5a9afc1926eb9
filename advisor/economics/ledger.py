"""What goes into the money formula by strategy, as joint draws: quality, cost of a request, one-off cost, hosting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, TypeGuard

import numpy as np

from advisor.core.statement import Statement, say
from advisor.core.types import FitCost
from advisor.economics.horizon import horizon
from advisor.economics.inputs import Economics
from advisor.economics.prices import Prices, is_local, prices_for, tuned_prices_for, usd_of, usd_of_parts
from advisor.economics.sampling import draw
from advisor.stats.bootstrap import Draws, FloatArray

if TYPE_CHECKING:
    from advisor.stats.summaries import StrategySummary

NEEDED = ("input_tokens", "cached_input_tokens", "output_tokens", "calls", "seconds")


@dataclass(frozen=True, slots=True)
class Account:
    """One strategy's side of the formula, D draws each.

    Attributes:
        label: the strategy.
        tuned: a model was trained for it.
        score: its measured mean score, by which the best is picked.
        quality: float64 (D,), mean score in [0, 1].
        request_usd: float64 (D,), cost of one request; `None` where a price is unknown.
        once_usd: float64 (D,), one-off cost; `None` where a price is unknown.
        retrain_usd: cost of one retraining; 0 for a strategy that is not tuned.
        hosting_usd_per_month: fixed cost a month.
        fit_usd: the part of the one-off cost that is its measured fit; `None` where a price is unknown.
        labels: how many labels are paid for it.
        seeds: how many trainings its figures rest on.
        parts: per `Usage` field float64 (D,), mean of one request; empty where it was not measured.
        prices: what its requests are priced with.
    """

    label: str
    tuned: bool
    score: float
    quality: FloatArray
    request_usd: FloatArray | None
    once_usd: FloatArray | None
    retrain_usd: float
    hosting_usd_per_month: float
    fit_usd: float | None = None
    labels: float = 0.0
    seeds: int = 1
    parts: Mapping[str, FloatArray] = field(default_factory=dict)
    prices: Prices = field(default_factory=Prices)


class PricedAccount(Account):
    """An account that `is_priced`: its type says that both costs are known."""

    __slots__ = ()
    request_usd: FloatArray
    once_usd: FloatArray


def is_priced(account: Account) -> TypeGuard[PricedAccount]:
    """Return whether every cost of it is known."""
    return account.request_usd is not None and account.once_usd is not None


@dataclass(frozen=True, slots=True)
class Ledger:
    """The accounts of all strategies that have a score, and what the user says about volume, value and time.

    `volume` (requests a month) and `value` (USD of one more correct answer) are float64 (D,), the same draws for every
    strategy; `None` where the user did not say. `tie_usd` says up to which difference two costs of a request are equal
    (`Economics.tie_usd`). `horizon` is the months that count, `shutdown` what is known of the
    base model's last day, `retrains` how often a tuned model is trained anew in the horizon.
    """

    accounts: tuple[Account, ...]
    volume: FloatArray | None
    value: FloatArray | None
    horizon: float
    retrains: float
    shutdown: Statement = field(default_factory=lambda: say("shutdown.not_known"))
    tie_usd: Callable[[float, float], float] = Economics().tie_usd

    def fixed(self, account: PricedAccount) -> FloatArray:
        """Return what `account` costs over the horizon beside its requests, USD, float64 (D,)."""
        months = account.hosting_usd_per_month * self.horizon
        return np.asarray(account.once_usd + months + self.retrains * account.retrain_usd)

    def net_benefit(self, account: Account) -> FloatArray | None:
        """Return ``V*T*(u*q - c) - h*T - F - n_retrain*F_re``, USD, float64 (D,); `None` where a part is unknown."""
        if self.volume is None or self.value is None or not is_priced(account):
            return None
        each = self.value * account.quality - account.request_usd
        return np.asarray(self.volume * self.horizon * each - self.fixed(account))


def open_ledger(
    draws: Draws,
    strategies: Sequence[StrategySummary],
    economics: Economics,
    model: str,
    rng: np.random.Generator,
    today: date | None = None,
) -> Ledger:
    """Price every strategy that has a score.

    One-off costs: a tuned strategy pays its measured fit, the labels it learned from, and the engineering hours; the
    others pay their measured fit, and a trained classifier its labels too. A retraining repeats the measured fit.

    Args:
        draws: joint draws; strategies that are not in it, or have no finite score, get no account.
        strategies: their summaries.
        economics: the user's side.
        model: a model specification.
        rng: draws the user's ranges.
        today: from when the base model's life counts; the day of the call where not given.
    """
    size = len(draws.quality)
    base, tuned = price_pair(economics, model)
    per_label = draw(economics.usd_per_label, size, rng)
    hours = draw(economics.engineering_hours, size, rng) * economics.usd_per_engineering_hour
    accounts = [
        _account(summary, draws, tuned if summary.tuned else base, economics.utilisation, (per_label, hours))
        for summary in strategies
    ]
    volume, value = economics.requests_per_month, economics.usd_per_correct_answer
    counted = horizon(economics, model, today or date.today())
    return Ledger(
        accounts=tuple(account for account in accounts if account is not None),
        volume=None if volume is None else draw(volume, size, rng),
        value=None if value is None else draw(value, size, rng),
        horizon=counted.months,
        retrains=economics.retrains_per_year * counted.months / 12.0,
        shutdown=counted.shutdown,
        tie_usd=economics.tie_usd,
    )


def _account(
    summary: StrategySummary, draws: Draws, prices: Prices, utilisation: float, labour: tuple[FloatArray, FloatArray]
) -> Account | None:
    """Price one strategy; `None` where it has no finite score. `labour` is USD a label, and of the hours of tuning."""
    if summary.quality is None or summary.label not in draws.labels:
        return None
    column = draws.labels.index(summary.label)
    if not np.isfinite(draws.quality[:, column]).all():
        return None
    per_label, hours = labour
    learns_labels = summary.tuned or summary.kind == "classifier"
    labels = summary.fit.examples if learns_labels else 0
    fit = fit_usd(summary.fit, prices, summary.tuned)
    parts = _parts(draws, column)
    return Account(
        label=summary.label,
        tuned=summary.tuned,
        score=summary.quality.estimate,
        quality=draws.quality[:, column],
        request_usd=request_usd(parts, prices, utilisation),
        once_usd=None if fit is None else fit + per_label * labels + (hours if summary.tuned else 0.0),
        retrain_usd=(fit or 0.0) if summary.tuned else 0.0,
        hosting_usd_per_month=prices.hosting_usd_per_month,
        fit_usd=fit,
        labels=labels,
        seeds=len(summary.seeds),
        parts=parts,
        prices=prices,
    )


def price_pair(economics: Economics, model: str) -> tuple[Prices, Prices]:
    """Return the prices of `model` and of what it becomes by tuning; the user's own win.

    The user's prices of the base model hold for the tuned one only where both run on the same machine (a local model,
    or one paid by the hour); a provider's tuned model has its own price, or an unknown one.
    """
    base = economics.prices or prices_for(model, usd_per_hour=economics.usd_per_hour)
    if economics.tuned_prices is not None:
        return base, economics.tuned_prices
    if economics.prices is not None and (is_local(model) or base.usd_per_hour is not None):
        return base, base
    return base, tuned_prices_for(model, usd_per_hour=economics.usd_per_hour)


def fit_usd(fit: FitCost, prices: Prices, tuned: bool) -> float | None:
    """Return what one fit cost, USD; `None` where a price is unknown.

    By the hour: the longer of the wall-clock time and the machine time counted (the first is short where a fit was
    resumed or answers were kept, the second misses what runs outside the model). By the token: selection calls and
    training tokens at their prices. Machines are paid for while they fit, so utilisation does not enter. What other
    models took that helped comes on top, at their own prices.
    """
    own = _own_fit_usd(fit, prices, tuned)
    return None if own is None or fit.other_usd is None else own + fit.other_usd


def _own_fit_usd(fit: FitCost, prices: Prices, tuned: bool) -> float | None:
    if prices.usd_per_hour is not None:
        seconds = max(fit.seconds, fit.training_seconds + fit.usage.seconds)
        return seconds * prices.usd_per_hour / 3600
    calls = usd_of(fit.usage, prices)
    if not tuned or calls is None:
        return calls
    if prices.usd_per_1m_training_tokens is None or not fit.training_tokens:
        return None
    return calls + fit.training_tokens * prices.usd_per_1m_training_tokens / 1e6


def _parts(draws: Draws, column: int) -> dict[str, FloatArray]:
    if not all(name in draws.usage for name in NEEDED):
        return {}
    parts = {name: draws.usage[name][:, column] for name in NEEDED}
    return parts if all(np.isfinite(part).all() for part in parts.values()) else {}


def request_usd(parts: Mapping[str, FloatArray], prices: Prices, utilisation: float) -> FloatArray | None:
    """Return the cost of one request, USD, float64 (D,); `None` where it was not measured or a price is unknown."""
    found = usd_of_parts(parts, prices, utilisation=utilisation) if parts else None
    return None if found is None else np.asarray(found, dtype=np.float64)
