from __future__ import annotations

from tests.reports.sample import PLANS, comparison, report, without_money

to_frame = report("frame").to_frame


def test_one_row_a_strategy_and_nothing_is_rounded() -> None:
    base = comparison()
    frame = to_frame(base)
    assert list(frame.index) == [plan.label for plan in PLANS]
    assert frame.loc["rag", "quality"] == base.strategies[4].quality.estimate
    assert frame.loc["rag", "failed"] == 3
    assert frame.loc["rag", "lead_over_pivot"] == -base.differences[4].simultaneous.estimate


def test_the_unknown_is_missing_and_not_zero() -> None:
    frame = to_frame(comparison())
    assert frame["usd_per_1000_requests"].isna().sum() == 1
    assert frame.loc["majority", "usd_per_1000_requests"] == 0
    assert frame["lead_over_pivot"].isna().sum() == 1
    assert to_frame(without_money(comparison()))["usd_per_1000_requests"].isna().all()
