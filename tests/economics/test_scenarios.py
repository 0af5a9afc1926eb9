"""Rows "what if", how long the base model lives, and economics that contradict themselves."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from advisor.core.errors import ConfigurationError
from advisor.core.statement import say
from advisor.economics.horizon import horizon, shutdown_of
from advisor.economics.inputs import Economics
from advisor.economics.ledger import open_ledger
from advisor.economics.prices import Prices, batch_prices_for, prices_for
from tests.decision.planted_evidence import FEW, TUNED, Plant, draws_of, summary, weigh
from tests.known import known

TODAY = date(2026, 11, 24)
NETTED = Economics(requests_per_month=10_000, usd_per_correct_answer=0.01)


def money(*plants: Any, economics: Any = NETTED, model: str = "smollm2") -> Any:
    return weigh(draws_of(*plants), [summary(p) for p in plants], economics, model, np.random.default_rng(1))


def rows(found: Any) -> Any:
    return {(row.label, row.variant.key.removeprefix("scenario.")): row for row in found.scenarios}


# --- rows ------------------------------------------------------------------------------------------------------------


def test_an_unmerged_adapter_costs_the_slowdown_and_nothing_else() -> None:
    found = rows(money(FEW, TUNED))
    merged, unmerged = found["fine_tuning", "as_measured"], found["fine_tuning", "unmerged_adapter"]
    factor = unmerged.usd_per_1000_requests.estimate / merged.usd_per_1000_requests.estimate
    assert factor == pytest.approx(1.7)
    assert unmerged.basis == say("pricing.slowdown", times=1.7, yours=False)
    dearer = 12 * 10_000 * 0.7 * merged.usd_per_1000_requests.estimate / 1000
    assert merged.net_benefit_usd.estimate - unmerged.net_benefit_usd.estimate == pytest.approx(dearer)
    assert (FEW.label, "unmerged_adapter") not in found


def test_the_measured_row_is_the_one_of_the_table() -> None:
    found = money(FEW, TUNED)
    table = {row.label: row for row in found.strategies}
    measured = rows(found)["fine_tuning", "as_measured"]
    assert measured.usd_per_1000_requests == table["fine_tuning"].usd_per_1000_requests
    assert measured.net_benefit_usd == table["fine_tuning"].net_benefit_usd


def test_a_machine_of_its_own_is_paid_by_the_month_and_not_by_the_request() -> None:
    found = rows(money(FEW, TUNED, economics=replace(NETTED, hosting_usd_per_hour=2.0)))
    hosted = found["fine_tuning", "own_machine"]
    assert hosted.hosting_usd_per_month == pytest.approx(2.0 * 730.5)
    assert hosted.usd_per_1000_requests.estimate == 0.0
    paid = found["fine_tuning", "as_measured"].usd_per_1000_requests.estimate / 1000 * 10_000 * 12
    gap = found["fine_tuning", "as_measured"].net_benefit_usd.estimate - hosted.net_benefit_usd.estimate
    assert gap == pytest.approx(12 * 2.0 * 730.5 - paid)


def test_batch_prices_are_the_tables_or_the_users_discount() -> None:
    prices = Prices(1.0, 0.1, 4.0, source="x")
    own = replace(
        NETTED, prices=prices, tuned_prices=replace(prices, usd_per_1m_training_tokens=5.0), batch_discount=0.5
    )
    found = rows(money(FEW, TUNED, economics=own, model="openai:nobody-knows"))
    for label in (FEW.label, "fine_tuning"):
        whole, batch = (found[label, name].usd_per_1000_requests.estimate for name in ("as_measured", "by_batch"))
        assert batch == pytest.approx(whole / 2)
    assert found[FEW.label, "by_batch"].basis == say("pricing.batch_discount", off=0.5)
    table = rows(money(FEW, TUNED, model="openai:gpt-4.1-mini"))
    assert batch_prices_for("openai:gpt-4.1-mini").usd_per_1m_output_tokens == pytest.approx(
        known(known(prices_for("openai:gpt-4.1-mini")).usd_per_1m_output_tokens) / 2
    )
    assert "genai-prices" in table[FEW.label, "by_batch"].basis.values["source"]
    assert ("fine_tuning", "by_batch") not in table  # nobody states a batch price of the tuned model


@pytest.mark.parametrize("model", ["smollm2", "http://host/v1#m", "openai:nobody-knows"])
def test_no_batch_price_is_made_up(model: str) -> None:
    assert batch_prices_for(model) is None


def test_without_a_cache_all_input_is_charged_as_fresh() -> None:
    drawn = draws_of(FEW, TUNED)
    usage = {**drawn.usage, "cached_input_tokens": drawn.usage["input_tokens"] / 2}
    prices = Prices(1.0, 0.1, 4.0, source="x")
    economics = replace(NETTED, prices=prices, tuned_prices=replace(prices, usd_per_1m_training_tokens=5.0))
    summaries = [summary(FEW), summary(TUNED)]
    found = rows(weigh(replace(drawn, usage=usage), summaries, economics, "openai:m", np.random.default_rng(0)))
    cached, fresh = (found[FEW.label, name] for name in ("as_measured", "nothing_cached"))
    more = fresh.usd_per_1000_requests.estimate - cached.usd_per_1000_requests.estimate
    assert more == pytest.approx(1000 * 100 * 0.9e-6)  # 100 tokens at $0.90 a million more


def test_an_unknown_price_has_no_rows() -> None:
    assert money(FEW, TUNED, model="http://host/v1#m").scenarios == ()


# --- the base model's last day --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "until"),
    [
        ("openai:gpt-4.1-mini", date(2027, 1, 14)),
        ("openai:ft:gpt-4.1-mini-2025-04-14:me::1", date(2027, 1, 14)),
        ("openai:nobody-knows", None),
        ("smollm2", None),
        ("http://host/v1#gpt-4o", None),
    ],
)
def test_a_tuned_model_ends_with_its_base_model(model: str, until: Any) -> None:
    assert shutdown_of(model) == until


def test_months_that_count_are_the_fewer() -> None:
    own = replace(NETTED, base_model_shutdown=date(2027, 5, 25))
    assert horizon(own, "smollm2", TODAY).months == pytest.approx(5.98, abs=0.01)
    cut = horizon(own, "smollm2", TODAY)
    assert cut.shutdown == say("shutdown.counted", until="2027-05-25", source="", only_months=cut.months)
    assert horizon(replace(own, horizon_months=3.0), "smollm2", TODAY).months == 3.0
    table = horizon(NETTED, "openai:gpt-4.1-mini", TODAY)
    assert table.months == pytest.approx(51 / 30.4375)
    assert "openai.com" in str(table.shutdown.values["source"])
    assert horizon(NETTED, "openai:nobody-knows", TODAY).months == 12.0


def test_the_horizon_of_the_ledger_and_of_its_retrainings_is_cut() -> None:
    plants = FEW, TUNED
    economics = replace(NETTED, base_model_shutdown=date(2027, 5, 25), retrains_per_year=12.0)
    found = open_ledger(
        draws_of(*plants), [summary(p) for p in plants], economics, "smollm2", np.random.default_rng(0), TODAY
    )
    assert (found.horizon, found.retrains) == pytest.approx((5.98, 5.98), abs=0.01)


def test_a_date_of_the_table_that_has_passed_is_not_believed_and_the_users_own_is_refused() -> None:
    late = date(2030, 1, 1)
    found = horizon(NETTED, "openai:gpt-4.1-mini", late)
    assert (found.months, found.shutdown.key) == (12.0, "shutdown.passed")
    with pytest.raises(ConfigurationError, match=r"base_model_shutdown is 2027-05-25, which has passed"):
        horizon(replace(NETTED, base_model_shutdown=date(2027, 5, 25)), "smollm2", late)


# --- contradictions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [{"batch_discount": 1.0}, {"batch_discount": -0.1}, {"batch_discount": float("nan")}, {"unmerged_slowdown": 0.5},
     {"unmerged_slowdown": float("inf")}, {"hosting_usd_per_hour": -1.0}, {"hosting_usd_per_hour": float("inf")}],
)  # fmt: skip
def test_amounts_outside_their_range_are_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"{next(iter(wrong))} is .*allowed"):
        Economics(**wrong)


def test_a_target_below_what_is_free_is_said() -> None:
    free = Plant("majority", 0.30, seconds=0.0, calls=0, kind="floor")
    found = money(free, FEW, TUNED, economics=replace(NETTED, target_quality=0.25))
    [note] = found.contradictions
    assert (note.key, note.values["target"], note.values["label"]) == ("note.free_reaches_target", 0.25, "majority")
    assert note.values["score"] == pytest.approx(0.30)
    assert money(free, FEW, TUNED, economics=replace(NETTED, target_quality=0.5)).contradictions == ()
