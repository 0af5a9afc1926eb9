"""The sheet of figures: the last count of a scenario counts, and scenarios of one kind are added up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import sheet
from tests.faults.sheet import Figure, Sheet, table, together


def test_the_last_figure_of_a_scenario_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "FULL", True)
    one = Sheet(tmp_path / "f.jsonl")
    one.add("D10", "later", 5, 0)
    one.add("D2", "kills", 10, 0)
    one.add("D2", "kills", 20, 1, "x")
    assert one.figures() == [Figure("D2", "kills", 20, 1, "x"), Figure("D10", "later", 5, 0)]


def test_scenarios_of_one_kind_have_one_line() -> None:
    figures = [
        Figure("H1", "429", 25, 0, "longest 0.4 s"),
        Figure("H1", "reset", 25, 1, "longest 6.6 s"),
        Figure("T7", "which key belongs to which address", 40, 0),
    ]
    assert together(figures) == [
        Figure("H1", "2 faults of an endpoint", 50, 1, "the longest took 6.6 s"),
        Figure("T7", "which key belongs to which address", 40, 0),
    ]
    assert "| T7 | which key belongs to which address | 40 | 0 | < 7.50% |  |" in table(figures)
