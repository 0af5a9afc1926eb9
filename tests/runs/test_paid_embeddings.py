"""A strategy with embeddings from an endpoint: what it pays, from which budget, and the same with a warm cache."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from advisor.core.errors import BudgetReached
from advisor.decision.request import ComparisonRequest
from advisor.economics.prices import Prices, usd_of
from advisor.runs.metering import Budget
from advisor.runs.plan import plan
from advisor.runs.prepare import Prepared
from advisor.runs.runner import run_strategy
from tests.models.fake_server import FakeServer
from tests.models.test_endpoint_embedding import embeddings
from tests.runs.one_run import context


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("ADVISOR_CACHE", str(tmp_path / "cache"))
    for name in ("OPENAI_API_KEY", "ADVISOR_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with FakeServer(default=embeddings) as server:
        yield server.url


def spec_of(url: str, price: str = ", embedder_usd_per_1m_tokens=1000") -> str:
    return f'rag(k=2, embedder="{url}#e"{price})'


def shared(tmp_path: Path, name: str, **options: Any) -> Any:
    folder = tmp_path / name
    folder.mkdir()
    prepared = Prepared.of(ComparisonRequest("harrow_routing", strategies=("majority",)))
    opener = lambda spec, price: prepared._open_embedder(spec, price, lambda *_: None)  # noqa: E731
    return context(folder, open_embedder=opener, **options)


def test_a_warm_cache_makes_nothing_cheaper_in_the_report_and_pays_nothing_twice(tmp_path: Path, url: str) -> None:
    cold, warm = shared(tmp_path, "cold", budget=Budget()), shared(tmp_path, "warm", budget=Budget())
    runs = [run_strategy(spec_of(url), 0, one) for one in (cold, warm)]
    costs = [[one.usage.other_usd for one in run.outcomes] for run in runs]
    assert costs[0] == pytest.approx(costs[1])
    assert min(costs[0]) > 0
    assert runs[0].fit_cost.other_usd == pytest.approx(runs[1].fit_cost.other_usd)
    assert (runs[0].fit_cost.other_usd or 0) > 0
    assert cold.budget.spent_usd > 0 == warm.budget.spent_usd
    waits = [sum(one.usage.latency_seconds for one in run.outcomes) for run in runs]
    assert waits[1] > 0.2 * waits[0], "what was not waited for is added"


def test_what_was_paid_elsewhere_is_in_the_price_of_a_request(tmp_path: Path, url: str) -> None:
    run = run_strategy(spec_of(url), 0, shared(tmp_path, "one"))
    usage = run.outcomes[0].usage
    free = replace(usage, other_usd=0.0)
    for prices in (Prices(usd_per_hour=1.0), Prices(usd_per_1m_input_tokens=1.0, usd_per_1m_output_tokens=1.0)):
        assert (usd_of(usage, prices) or 0) - (usd_of(free, prices) or 0) == pytest.approx(usage.other_usd)


def test_the_budget_is_kept(tmp_path: Path, url: str) -> None:
    short = shared(tmp_path, "short", budget=Budget(limit_usd=1e-9))
    with pytest.raises(BudgetReached):
        run_strategy(spec_of(url), 0, short)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("URL", "what embeddings from 'http://127.0.0.1:\\d+/v1#e' cost is not known, and unknown is not 0"),
        ('rag(embedder="smollm")', "there is no model 'smollm'"),
    ],
)
def test_what_cannot_be_is_one_sentence(tmp_path: Path, url: str, spec: str, says: str) -> None:
    run = run_strategy(spec_of(url, "") if spec == "URL" else spec, 0, shared(tmp_path, "bad"))
    assert re.search(says, run.error)
    assert len(run.outcomes) == 0


def test_openai_prices_are_known_and_a_dry_run_sends_nothing(tmp_path: Path, url: str) -> None:
    from advisor.economics.prices import prices_for

    assert prices_for("openai:text-embedding-3-small").usd_per_1m_input_tokens == pytest.approx(0.02)
    request = ComparisonRequest("harrow_routing", strategies=(spec_of(url),), train_limit=20, limit=5)
    rows = plan(request).rows
    assert [row.label for row in rows] == [spec_of(url)]
