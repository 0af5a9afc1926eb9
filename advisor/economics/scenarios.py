"""What if it were served or paid otherwise: by batch, unmerged, on a machine of its own; from the same draws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from advisor.core.statement import Statement, say
from advisor.core.types import Interval
from advisor.economics.break_even import spread
from advisor.economics.horizon import DAYS_PER_MONTH
from advisor.economics.inputs import Economics
from advisor.economics.ledger import Account, Ledger, request_usd
from advisor.economics.prices import Prices, batch_prices_for
from advisor.stats.bootstrap import FloatArray

HOURS_PER_MONTH = 24 * DAYS_PER_MONTH


@dataclass(frozen=True, slots=True)
class Scenario:
    """One strategy, paid or served otherwise than it was measured.

    Attributes:
        label: the strategy.
        variant: what is different; `scenario.as_measured` for the row to hold the others against.
        basis: where its figure comes from.
        usd_per_1000_requests: 95 % interval.
        hosting_usd_per_month: fixed cost a month.
        net_benefit_usd: over the horizon; `None` where money cannot be netted.
    """

    label: str
    variant: Statement
    basis: Statement
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
        basis = say("pricing.as_measured", merged=account.tuned and not account.prices.by_token)
        measured = _row(ledger, account, say("scenario.as_measured"), basis)
        if measured is None:
            continue
        others = [_row(ledger, *variant) for variant in _variants(account, economics, model)]
        if others:
            rows += [measured, *(row for row in others if row is not None)]
    return tuple(rows)


def _row(ledger: Ledger, account: Account, variant: Statement, basis: Statement) -> Scenario | None:
    """Return one row; `None` where the price of a request is unknown."""
    if account.request_usd is None:
        return None
    net = ledger.net_benefit(account)
    return Scenario(
        label=account.label,
        variant=variant,
        basis=basis,
        usd_per_1000_requests=spread(account.request_usd * 1000, level=0.95, method="bootstrap"),
        hosting_usd_per_month=account.hosting_usd_per_month,
        net_benefit_usd=None if net is None else spread(net),
    )


def _variants(account: Account, economics: Economics, model: str) -> Iterator[tuple[Account, Statement, Statement]]:
    """Yield the account priced otherwise, with what is different and where its figure comes from."""
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
            yield replace(account, request_usd=found), say("scenario.nothing_cached"), say("pricing.all_input_fresh")
    elif account.tuned and prices.usd_per_hour:
        slow = economics.unmerged_slowdown
        parts = {**account.parts, "seconds": account.parts["seconds"] * slow}
        found = request_usd(parts, prices, economics.utilisation)
        basis = say("pricing.slowdown", times=slow, yours=slow != Economics().unmerged_slowdown)
        yield replace(account, request_usd=found), say("scenario.unmerged_adapter"), basis
    hour = economics.hosting_usd_per_hour
    if account.tuned and hour is not None:
        free = _paid_by_hosting(account)
        month = hour * HOURS_PER_MONTH
        basis = say("pricing.around_the_clock", usd_per_hour=hour, usd_per_month=month)
        yield replace(account, request_usd=free, hosting_usd_per_month=month), say("scenario.own_machine"), basis


def _by_batch(account: Account, economics: Economics, model: str) -> Iterator[tuple[Account, Statement, Statement]]:
    by_batch = say("scenario.by_batch")
    if account.request_usd is not None and economics.batch_discount is not None:
        cheaper = account.request_usd * (1.0 - economics.batch_discount)
        basis = say("pricing.batch_discount", off=economics.batch_discount)
        yield replace(account, request_usd=cheaper), by_batch, basis
        return
    prices = None if account.tuned else _batch(account.prices, model)
    if prices is None:
        return
    found = request_usd(account.parts, prices, economics.utilisation)
    if found is not None:
        yield replace(account, request_usd=found), by_batch, say("pricing.batch_prices", source=prices.source)


def _batch(prices: Prices, model: str) -> Prices | None:
    """Return the table's batch prices, unless the user gave prices of their own that these do not belong to."""
    found = batch_prices_for(model)
    return found if found is not None and found.source == prices.source else None


def _paid_by_hosting(account: Account) -> FloatArray:
    return np.zeros(len(account.quality))
