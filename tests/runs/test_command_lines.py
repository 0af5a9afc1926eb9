"""The line in a report does the same comparison again, or the same plus one step."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from advisor.cli import app
from advisor.cli.compare import settle
from advisor.decision.request import ComparisonRequest, command_line
from advisor.economics.amounts import Range
from advisor.economics.inputs import Economics
from advisor.economics.prices import Prices
from advisor.runs.compare import compare_options
from tests.small_comparison import SHOTS, Small


@pytest.mark.parametrize(
    "options",
    [
        ComparisonRequest(),
        ComparisonRequest(
            evalset="my set.csv", columns={"input": "the question", "target": "a"}, limit=3, train_limit=4
        ),
        ComparisonRequest(strategies=(SHOTS, "mine.py:Mine"), model="http://h/v1#m", seeds=3, seed=1),
        ComparisonRequest(
            economics=Economics(requests_per_month=Range(10, 2e6), usd_per_correct_answer=0.25, margin=0.1)
        ),
        ComparisonRequest(economics=Economics(usd_per_hour=2.5, horizon_months=6.0, target_quality=0.9)),
        ComparisonRequest(
            economics=Economics(
                usd_per_label=Range(0.1, 0.5),
                engineering_hours=3.0,
                retrains_per_year=2.0,
                confidence=0.95,
                utilisation=0.3,
                batch_discount=0.5,
                hosting_usd_per_hour=2.0,
                unmerged_slowdown=1.5,
                base_model_shutdown=date(2100, 3, 1),
            )
        ),
    ],
)
def test_the_command_in_the_report_does_the_same(options: ComparisonRequest) -> None:
    assert parsed(command_line(options)) == options


def parsed(line: str) -> ComparisonRequest:
    """Return the options of a command line as it is typed."""
    words = shlex.split(line)
    assert words[:2] == ["advisor", "compare"]
    command: Any = get_command(app)
    context = command.commands["compare"].make_context("compare", words[2:], parent=typer.Context(command))
    return settle(context.params)[0]


def test_the_line_of_a_step_is_the_same_comparison_plus_the_step(small: Small, tmp_path: Path) -> None:
    """Limits, seeds, the comparison file and every amount stay; only what the step changes is changed."""
    file = tmp_path / "prices.yaml"
    file.write_text("economics:\n  prices: {usd_per_hour: 2.0}\n", encoding="utf-8")
    wanted = ComparisonRequest(
        evalset=str(small.evalset),
        model=small.model,
        strategies=(SHOTS, "zero_shot", "fine_tuning"),
        seeds=3,
        seed=1,
        limit=15,
        train_limit=9,
        economics=Economics(
            1000.0,
            0.5,
            margin=0.03,
            confidence=0.8,
            usd_per_label=0.2,
            prices=Prices(usd_per_hour=2.0, source="the comparison's own file"),
        ),
        config=str(file),
    )
    steps = compare_options(wanted).information.steps
    lines = {(step.name, step.doing.what.values.get("more")): parsed(step.command) for step in steps}
    assert lines["test_examples", 6] == replace(wanted, limit=21)  # all that there are
    assert lines["seed", None] == replace(wanted, seeds=4)
    assert {step.name for step in steps} >= {"test_examples", "seed"}
