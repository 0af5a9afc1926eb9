"""The whole of it on the embedded model and the shipped set, small: nothing here is scripted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import advisor
from advisor.decision.comparison import Comparison
from advisor.runs.store import Store

pytestmark = [pytest.mark.weights, pytest.mark.slow]
"""Minutes, since retrieval reads whole documents and tunes reach all layers: `make test-all` runs it."""

NEAREST = """
class Nearest:
    name = "nearest"

    def fit(self, train, ctx):
        self.answers = [example.target for example in train]
        self.index = ctx.index([str(example.input) for example in train])

    def predict(self, inputs):
        return [self.answers[best.position] for [best] in self.index.search([str(one) for one in inputs], 1)]
"""
STRATEGIES = (
    "nearest_example",
    "zero_shot",
    "few_shot(dev_limit=4)",
    "rag(dev_limit=4)",
    "function_calling",
    "fine_tuning(search=0, epochs=1, layers=2)",
    "fine_tuning_rag(epochs=1, layers=2, piece_tokens=64)",
    "fine_tuning_tools(epochs=1, layers=2)",
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("whole")
    (folder / "nearest.py").write_text(NEAREST, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ADVISOR_HOME", str(folder / "home"))
        yield folder


def run(home: Path, monkeypatch: pytest.MonkeyPatch) -> Comparison:
    monkeypatch.setenv("ADVISOR_HOME", str(home / "home"))
    strategies = (*STRATEGIES, f"{home / 'nearest.py'}:Nearest")
    return advisor.compare(
        "harrow_desk",
        strategies=strategies,
        limit=8,
        train_limit=16,
        seeds=1,
        draws=500,
        checks="none",
        max_answer_tokens=12,  # an untrained small model would ramble for minutes
    )


def test_every_kind_of_strategy_really_runs_and_nothing_runs_twice(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    comparison = run(home, monkeypatch)
    rows = {row.label: row for row in comparison.strategies}
    assert {label.split("(")[0] for label in rows} == {name.split("(")[0] for name in STRATEGIES} | {"nearest"}
    assert all(row.n == 8 and row.failed == 0 for row in rows.values())
    assert {label for label, row in rows.items() if row.tuned} == {label for label in rows if "fine_tuning" in label}
    assert all(row.fit.training_tokens > 0 for row in rows.values() if row.tuned)
    traces = {run.strategy: [outcome.trace for outcome in run.outcomes] for run in comparison.runs}
    assert all(trace["retrieved"] for trace in traces["rag"])
    assert rows["nearest"].quality == rows["nearest_example"].quality
    assert comparison.verdict.answer in ("not_yet", "do_not_fine_tune")
    page = comparison.save(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "fine_tuning_rag" in page
    assert comparison.verdict.headline in page.replace("&#39;", "'")

    with Store(home / "home" / "store.sqlite") as store:
        before = store._database.read("SELECT count(*) FROM completions")
    again = run(home, monkeypatch)
    with Store(home / "home" / "store.sqlite") as store:
        assert store._database.read("SELECT count(*) FROM completions") == before
    assert again.runs == comparison.runs
    assert again.verdict == comparison.verdict
