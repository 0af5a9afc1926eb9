"""What if it were served or paid otherwise: by batch, unmerged, on a machine of its own; from the same draws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from advisor._util.formats import percent, times, usd
from advisor.core.types import Interval
from advisor.economics.break_even import spread
from advisor.economics.horizon import DAYS_PER_MONTH
from advisor.economics.ledger import Account, Ledger, request_usd
from advisor.economics.prices import Prices, batch_prices_for
from advisor.stats.bootstrap import FloatArray

if TYPE_CHECKING:
    from advisor.economics.inputs import Economics

AS_MEASURED = "as measured"
HOURS_PER_MONTH = 24 * DAYS_PER_MONTH


@dataclass(frozen=True, slots=True)
class Scenario:
    """One strategy, paid or served otherwise than it was measured.

    Attributes:
        label: the strategy.
        name: what is different; `as measured` for the row to hold the others against.
        assumption: where its figure comes from, in words.
        usd_per_1000_requests: 95 % interval.
        hosting_usd_per_month: fixed cost a month.
        net_benefit_usd: over the horizon; `None` where money cannot be netted.
    """

    label: str
    name: str
    assumption: str
    usd_per_1000_requests: Interval
    hosting_usd_per_month: float
    net_benefit_usd: Interval | None


def scenarios(ledger: Ledger, pair: tuple[Account, Account], economics: Economics, model: str) -> tuple[Scenario, ...]:
    """Return the rows of the tuned strategy and its alternative: as measured first, then each that applies.

    - by batch: the price table's own batch price, or the user's discount.
    - nothing cached: all input charged as fresh, where the measured price counted cached tokens.
    - unmerged adapter: seconds times `unmerged_slowdown`; what was measured is merged. By the token it costs the same.
    - a machine of its own: `hosting_usd_per_hour` around the clock, 730.5 hours a month, instead of each request.

    Empty where nothing but the measured rows applies.
    """
    rows = []
    for account in pair:
        merged = "; the adapter is merged into the weights" if account.tuned and not account.prices.by_token else ""
        measured = _row(ledger, account, AS_MEASURED, f"priced as in the table above{merged}")
        if measured is None:
            continue
        others = [_row(ledger, other, name, how) for other, name, how in _variants(account, economics, model)]
        if others:
            rows += [measured, *(row for row in others if row is not None)]
    return tuple(rows)


def _row(ledger: Ledger, account: Account, name: str, assumption: str) -> Scenario | None:
    """Return one row; `None` where the price of a request is unknown."""
    if account.request_usd is None:
        return None
    net = ledger.net_benefit(account)
    return Scenario(
        label=account.label,
        name=name,
        assumption=assumption,
        usd_per_1000_requests=spread(account.request_usd * 1000, level=0.95, method="bootstrap"),
        hosting_usd_per_month=account.hosting_usd_per_month,
        net_benefit_usd=None if net is None else spread(net),
    )


def _variants(account: Account, economics: Economics, model: str) -> Iterator[tuple[Account, str, str]]:
    prices = account.prices
    if prices.by_token:
        yield from _by_batch(account, economics, model)
        cached = prices.usd_per_1m_cached_input_tokens
        if (
            cached is not None
            and cached != prices.usd_per_1m_input_tokens
            and account.parts["cached_input_tokens"].any()
        ):
            parts = {**account.parts, "cached_input_tokens": np.zeros_like(account.parts["cached_input_tokens"])}
            found = request_usd(parts, prices, economics.utilisation)
            yield replace(account, request_usd=found), "nothing cached", "all input is charged as if sent anew"
    elif account.tuned and prices.usd_per_hour:
        slow = economics.unmerged_slowdown
        parts = {**account.parts, "seconds": account.parts["seconds"] * slow}
        found = request_usd(parts, prices, economics.utilisation)
        how = f"answers take {times(slow)} as long, {_whose(economics, 'unmerged_slowdown')}"
        yield replace(account, request_usd=found), "unmerged adapter", how
    hour = economics.hosting_usd_per_hour
    if account.tuned and hour is not None:
        free = _paid_by_hosting(account)
        month = hour * HOURS_PER_MONTH
        how = f"{usd(hour)} an hour around the clock, {usd(month)} a month, and nothing for each request"
        yield replace(account, request_usd=free, hosting_usd_per_month=month), "a machine of its own", how


def _by_batch(account: Account, economics: Economics, model: str) -> Iterator[tuple[Account, str, str]]:
    if account.request_usd is not None and economics.batch_discount is not None:
        found: FloatArray | None = account.request_usd * (1.0 - economics.batch_discount)
        how = f"{percent(economics.batch_discount)} off (yours)"
    else:
        prices = None if account.tuned else _batch(account.prices, model)
        found = None if prices is None else request_usd(account.parts, prices, economics.utilisation)
        how = f"batch prices of {prices.source}" if prices else ""
    if found is not None:
        yield replace(account, request_usd=found), "by batch", f"{how}; answers come within a day"


def _batch(prices: Prices, model: str) -> Prices | None:
    """Return the table's batch prices, unless the user gave prices of their own that these do not belong to."""
    found = batch_prices_for(model)
    return found if found is not None and found.source == prices.source else None


def _paid_by_hosting(account: Account) -> FloatArray:
    return np.zeros(len(account.quality))


def _whose(economics: Economics, name: str) -> str:
    default = next(field.default for field in type(economics).__dataclass_fields__.values() if field.name == name)
    return "a default" if getattr(economics, name) == default else "yours"
