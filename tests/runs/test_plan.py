"""``--dry-run``: what it says is what the comparison then does, and it does nothing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from advisor.cli import app
from advisor.core.errors import ConfigurationError
from advisor.decision.request import ComparisonRequest
from advisor.economics.inputs import Economics
from advisor.economics.prices import Prices
from advisor.runs.compare import compare_options
from advisor.runs.plan import Plan, PlanRow, plan
from tests.small_comparison import asked, write_evalset, write_model, write_strategy


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ComparisonRequest:
    monkeypatch.setenv("ASKED", str(tmp_path / "asked.txt"))
    place, model = str(write_evalset(tmp_path / "small")), write_model(tmp_path)
    return ComparisonRequest(evalset=place, model=model, draws=200, checks="none")


def planned(options: ComparisonRequest, *strategies: str, **changes: object) -> Plan:
    return plan(replace(options, strategies=strategies, **changes))  # type: ignore[arg-type]


def row_of(found: Plan, label: str) -> PlanRow:
    return next(row for row in found.rows if row.label == label)


@pytest.mark.parametrize(
    "spec", ["zero_shot", "majority", 'few_shot(k=2, pick="fixed")', 'few_shot(pick="fixed")', "fine_tuning"]
)
def test_calls_are_those_of_the_real_run(options: ComparisonRequest, tmp_path: Path, spec: str) -> None:
    row = planned(options, spec, seeds=1).rows[0]
    real = compare_options(replace(options, strategies=(spec,), seeds=1)).runs[0]
    assert row.calls == real.usage.calls + real.fit_cost.usage.calls
    if not real.tuned:
        assert row.calls == len(asked(tmp_path / "asked.txt"))
    assert bool(row.training_tokens) == real.tuned


def test_tokens_are_of_the_right_size(options: ComparisonRequest) -> None:
    row = planned(options, "zero_shot").rows[0]
    words = compare_options(replace(options, strategies=("zero_shot",))).runs[0].usage
    assert row.input_tokens is not None
    assert words.input_tokens < row.input_tokens < 3 * words.input_tokens
    assert row.output_tokens is not None
    assert row.output_tokens >= words.output_tokens


def test_choosing_on_dev_is_counted(options: ComparisonRequest) -> None:
    fixed = planned(options, 'few_shot(k=2, pick="fixed")').rows[0]
    chosen = planned(options, 'few_shot(pick="fixed")').rows[0]
    assert (fixed.calls, chosen.calls) == (21, 21 + 3 * 6)


def test_nothing_is_asked_and_nothing_is_stored(options: ComparisonRequest, tmp_path: Path, own_home: Path) -> None:
    planned(options, "majority", "zero_shot", "few_shot", "fine_tuning")
    assert not asked(tmp_path / "asked.txt")
    assert not own_home.exists()


def test_every_built_in_that_applies_is_planned(options: ComparisonRequest) -> None:
    found = planned(options, "all")
    labels = [row.label for row in found.rows]
    assert {"majority", "few_shot", "rag", "embedding_classifier", "fine_tuning", "fine_tuning_rag"} <= set(labels)
    assert "fine_tuning seed 1" in labels
    assert "function_calling" in found.skipped
    assert (found.n_train, found.n_dev, found.n_test) == (12, 6, 21)
    assert all(row.calls is not None for row in found.rows)
    assert row_of(found, "majority").calls == 0


def test_a_strategy_of_ones_own_is_not_run_and_says_so(options: ComparisonRequest, tmp_path: Path) -> None:
    source = "class Loud:\n    name = 'loud'\n    def fit(self, train, ctx): 1 / 0\n    def predict(self, inputs): ..."
    found = planned(options, "majority", write_strategy(tmp_path, source, "loud.py"))
    row = found.rows[1]
    assert (row.calls, row.usd, row.note) == (None, None, "your own code; not estimated")
    assert (found.usd, found.seconds) == (None, None)


def test_prices(options: ComparisonRequest) -> None:
    own = Prices(usd_per_1m_input_tokens=1e6, usd_per_1m_output_tokens=0.0)
    row = planned(options, "zero_shot", model="http://h/v1#m", economics=Economics(prices=own)).rows[0]
    assert row.usd == row.input_tokens
    assert planned(options, "zero_shot", model="http://h/v1#m").rows[0].usd is None
    slow = planned(options, "zero_shot", model="smollm2", economics=Economics(usd_per_hour=1.0)).rows[0]
    fast = planned(options, "zero_shot", model="smollm2", economics=Economics(usd_per_hour=2.0)).rows[0]
    assert slow.usd is not None
    assert fast.usd == pytest.approx(2 * slow.usd)
    assert slow.seconds is not None
    assert slow.seconds > 0


def test_mistakes_are_found_by_a_dry_run_too(options: ComparisonRequest) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'few_shot'"):
        planned(options, "few_shots")
    with pytest.raises(ConfigurationError, match="no model 'smolm2'"):
        planned(options, "zero_shot", model="smolm2")
    assert planned(options, "zero_shot", model="openai:gpt-4.1-mini").rows[0].calls == 21, "a key is not needed yet"


def test_on_the_command_line(options: ComparisonRequest, own_home: Path) -> None:
    words = ["compare", options.evalset, "--model", options.model, "-s", "zero_shot", "--dry-run"]
    done = CliRunner().invoke(app, words, env={"ADVISOR_HOME": str(own_home)})
    assert done.exit_code == 0
    assert re.search(r"^zero_shot +21 ", done.stdout, re.MULTILINE)
    assert done.stdout.endswith("Nothing was run or paid.\n")
    rows = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)["rows"]
    assert [row["calls"] for row in rows] == [21]


def test_the_checks_before_a_yes_are_planned_where_something_is_tuned(
    options: ComparisonRequest, tmp_path: Path
) -> None:
    suite = str(tmp_path / "suite.jsonl")
    Path(suite).write_text(json.dumps({"id": "q", "input": "2 + 2?", "target": "4", "suite": "retention"}) + "\n")
    alone = planned(options, "zero_shot", checks="quick")
    assert [row.label for row in alone.rows] == ["zero_shot"]
    found = planned(options, "zero_shot", "fine_tuning", checks="quick", suite=suite, model="smollm2")
    row = row_of(found, "checks before a yes")
    # answers held to labels for both on all of the 21 test examples, then three ways of asking again for each on 16 of
    # them, then the one general question to the tuned model and its base model
    assert row.calls == 2 * 21 + 2 * 3 * 16 + 2
    assert (row.training_tokens or 0) > 0
    more = planned(options, "zero_shot", "fine_tuning", checks="full", suite=suite, model="smollm2")
    assert (row_of(more, "checks before a yes").calls or 0) == 2 * 21 + 2 * 5 * 21 + 2
    assert not [row for row in planned(options, "fine_tuning").rows if row.label.startswith("checks")]


def test_a_search_is_planned_with_its_budget(options: ComparisonRequest) -> None:
    row = planned(options, "optimised_prompt(budget=50)").rows[0]
    assert row.calls is not None
    assert 21 < row.calls <= 21 + 50
    assert row.note == "about: answers steer the search, which makes at most 50 calls"


def test_a_second_model_is_not_estimated_and_says_so(options: ComparisonRequest) -> None:
    row = planned(options, 'optimised_prompt(budget=400, reflection="openai:big")').rows[0]
    assert row.usd is None
    assert row.note.endswith("the other model's calls are not estimated")
