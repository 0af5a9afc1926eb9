"""A second model that helps to fit: paid for at its own price, out of the same budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from advisor.core.errors import BudgetReached
from advisor.core.types import Run
from advisor.economics.ledger import fit_usd
from advisor.economics.prices import Prices
from advisor.models.scripted import ScriptedModel
from advisor.runs.metering import Budget
from advisor.runs.runner import RunContext, run_strategy
from tests.runs.one_run import context, written

HELPED = """
from advisor.core.model import Request
from advisor.core.types import Message


class Helped:
    name = "helped"
    stochastic = False

    def fit(self, train, ctx):
        helper = ctx.other_model("helper")
        self.answer = helper.generate([Request((Message("user", "what then?"),))])[0].text

    def predict(self, inputs):
        return [self.answer for _ in inputs]
"""


def helped(tmp_path: Path, price: float | None, usd: float | None = None) -> tuple[Run, RunContext, list[str]]:
    opened: list[str] = []

    def open_other(spec: str) -> tuple[ScriptedModel, Any]:
        opened.append(spec)
        return ScriptedModel({"what then?": "billing"}, name=spec), lambda usage: price and price * usage.calls

    budget = Budget(usd, lambda usage: 100.0 * usage.calls)
    used = context(tmp_path, budget=budget, open_other=open_other)
    return run_strategy(written(tmp_path, HELPED), 0, used), used, opened


def test_a_second_model_is_paid_for_at_its_own_price_out_of_the_same_purse(tmp_path: Path) -> None:
    run, used, opened = helped(tmp_path, 0.25)
    assert not run.error
    assert opened == ["helper"]
    assert run.fit_cost.other_usd == used.budget.spent_usd == 0.25
    assert run.fit_cost.usage.calls == 0
    assert {outcome.output for outcome in run.outcomes} == {"billing"}
    assert fit_usd(run.fit_cost, Prices(1.0, 1.0), tuned=False) == 0.25


def test_an_unknown_price_of_a_second_model_is_unknown_and_never_0(tmp_path: Path) -> None:
    run, _, _ = helped(tmp_path, None)
    assert run.fit_cost.other_usd is None
    assert fit_usd(run.fit_cost, Prices(1.0, 1.0), tuned=False) is None


def test_a_second_model_is_not_asked_past_the_budget(tmp_path: Path) -> None:
    with pytest.raises(BudgetReached, match="budget"):
        helped(tmp_path, 0.25, usd=0.0)
