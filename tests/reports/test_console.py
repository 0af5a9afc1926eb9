from __future__ import annotations

import io
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from advisor.decision.evidence import VerdictAnswer
from tests.reports.sample import HOSTILE, comparison, report, without_money

console = report("console")


def shown(base: Any, **options: Any) -> Any:
    file = io.StringIO()
    console.show(base, Console(file=file, highlight=False, **{"width": 80, **options}))
    return file.getvalue()


@pytest.mark.parametrize("answer", ["fine_tune", "do_not_fine_tune", "not_yet"])
def test_the_verdict_comes_first_and_everything_fits_80_columns(answer: VerdictAnswer) -> None:
    text = shown(comparison(answer))
    lines = text.splitlines()
    assert report("view").ANSWERS[answer].upper() in lines[1]
    assert max(cell_len(line) for line in lines) <= 80
    order = ["strategy", "Why", "Money", "Checks before a yes", "What would change", "Failed or not run", "Next step"]
    assert sorted(order, key=text.index) == order


def test_the_figures_stand_in_the_table_and_failures_are_not_hidden() -> None:
    text = shown(comparison())
    row = next(line for line in text.splitlines() if line.startswith("function_calling"))
    assert row.split()[-1] == "11"
    assert "embedding_classifier" in text
    assert "time-out after 30 s (11×, first example" in " ".join(text.split())
    assert "nan" not in text.replace("finance", "").lower()


def test_hostile_text_cannot_steer_the_terminal_or_format() -> None:
    plain = shown(comparison("not_yet", HOSTILE), force_terminal=False)
    assert "\x1b" not in plain
    assert "[bold red]rich[/]" in plain
    coloured = shown(comparison("not_yet", HOSTILE), force_terminal=True, color_system="standard")
    assert "\x1b]0" not in coloured
    assert "\x9b" not in coloured
    assert "\u202e" not in coloured


def test_no_color_and_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in shown(comparison(), force_terminal=True)


def test_a_terminal_without_unicode_shows_something_for_everything() -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    console.show(comparison(), Console(file=file, width=80, highlight=False))
    file.flush()
    assert b"fine_tuning" in raw.getvalue()


def test_what_is_unknown_is_left_out_and_not_invented() -> None:
    text = shown(without_money(comparison("not_yet")))
    assert "Chance that fine_tuning is the best by more than 2 points: 61%" in text
    assert "needless" not in text
    assert "$" not in text.split("Why")[0]


@pytest.mark.parametrize("width", [60, 70, 80, 110])
def test_names_stay_readable_on_narrow_terminals_and_what_is_left_out_is_said(width: int) -> None:
    text = shown(comparison(), width=width)
    lines = text.splitlines()
    assert max(cell_len(line) for line in lines) <= width
    table = lines[next(at for at, line in enumerate(lines) if line.startswith("strategy")) :]
    assert any(line.startswith("few_shot") for line in table)
    assert ("Left out, as the terminal is narrow: set-up" in " ".join(text.split())) == (width < 80)


@pytest.mark.parametrize("width", [60, 80, 110])
def test_the_sizes_are_never_cut(width: int) -> None:
    text = shown(comparison(), width=width)
    assert "test examples" in " ".join(text.replace("│", " ").split())
