"""What a dry run prints: every figure and every note, at every width."""

from __future__ import annotations

import re

import pytest

from advisor.core.shipped import plan_text
from advisor.runs.plan import Plan, PlanRow

LONG = "folder/with/mine.py:Mine(k=1) seed 1"
ROWS = (
    PlanRow("few_shot", 310, 1_048_909, 4_650, 0, 0.0016, 30.0),
    PlanRow(LONG, None, None, None, None, None, None, "your own code; not estimated"),
    PlanRow("function_calling", 220, 36_873, 12_540, 0, 0.0031, 54.0, "at least: a tool call asks again"),
    PlanRow("fine_tuning_tools", 220, 5_903, 12_540, 38_013, 0.0052, 96.0, "at least: a tool call asks again"),
)
PLAN = Plan("harrow_desk", "smollm2", 441, 100, 220, ROWS, {"rag": "the eval set has no documents"})


def printed(plan: Plan, width: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    return plan_text(plan).splitlines()


def test_a_plan_at_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(PLAN, 80, monkeypatch) == [
        "harrow_desk: 441 training, 100 dev and 220 test examples; smollm2",
        "",
        "                                      tokens     out,",
        "strategy                    calls         in     most  trained      USD  minutes",
        "few_shot                      310  1,048,909    4,650        0   0.0016      0.5",
        "folder/with/mine.py:Mine  unknown    unknown  unknown  unknown  unknown  unknown",
        "(k=1) seed 1 [1]",
        "function_calling [2]          220     36,873   12,540        0   0.0031      0.9",
        "fine_tuning_tools [2]         220      5,903   12,540   38,013   0.0052      1.6",
        "",
        "[1]  your own code; not estimated",
        "[2]  at least: a tool call asks again",
        "",
        "not run: rag (the eval set has no documents)",
        "Estimated total: unknown USD, unknown minutes. Nothing was run or paid.",
    ]


@pytest.mark.parametrize("width", [20, 64, 80, 200])
def test_figures_stay_aligned_and_whole(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(PLAN, width, monkeypatch)
    figures = [line.split()[-6:] for line in lines if re.search(r"( +[\d.,]+){6}$|( +unknown){6}$", line)]
    assert figures == [
        ["310", "1,048,909", "4,650", "0", "0.0016", "0.5"],
        ["unknown"] * 6,
        ["220", "36,873", "12,540", "0", "0.0031", "0.9"],
        ["220", "5,903", "12,540", "38,013", "0.0052", "1.6"],
    ]
    words = " ".join(" ".join(lines).split())
    for whole in (*(row.note for row in ROWS), PLAN.skipped["rag"], "Nothing was run or paid."):
        assert whole in words


def test_totals_are_shown_where_all_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Plan("set", "m", 1, 1, 1, (ROWS[0], ROWS[3]), {})
    assert printed(known, 80, monkeypatch)[-1] == ("Estimated total: 0.0068 USD, 2.1 minutes. Nothing was run or paid.")


def test_what_strangers_wrote_is_disarmed(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = Plan("\x1b[31mred\x07", "[bold]m[/bold]", 1, 1, 1, ROWS[:1], {"x": "\x1b]0;t\x07why\nnot"})
    first, *_, left_out, _ = printed(hostile, 80, monkeypatch)
    assert first == "red: 1 training, 1 dev and 1 test examples; [bold]m[/bold]"
    assert left_out == "not run: x (why not)"
