"""The report of ``advisor check`` on a terminal: each word stands apart, and nothing is cut."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from advisor.core.data_check import DataCheckResult, DataReport, Gate
from tests.reports.sample import HOSTILE, report

data_report = report("data_report")
FIGURE = "12 of 220 test examples are close to a training example (5.5%), which makes the score look better than it is"


def found(*results: DataCheckResult) -> DataReport:
    return DataReport("desk", "desk", {"train": 441, "test": 220}, results, ("A note.",), {"context": "no model"})


def shown(one: DataReport, width: int) -> list[str]:
    file = io.StringIO()
    data_report.show(one, Console(file=file, width=width, highlight=False))
    return [line.rstrip() for line in file.getvalue().splitlines()]


@pytest.mark.parametrize("width", [60, 80, 110])
@pytest.mark.parametrize(("gate", "word"), [("fail", "fail"), ("warn", "warn"), ("unknown", "not known")])
def test_the_word_the_check_and_what_to_do(gate: Gate, word: str, width: int) -> None:
    lines = shown(found(DataCheckResult("near copies", "duplicates", gate, FIGURE, "remove them", ("a ~ b",))), width)
    assert f"{word:<9} near copies" in lines
    words = " ".join(" ".join(lines).split())
    for part in (FIGURE, "do: remove them", "· a ~ b", "– context no model", "- A note."):
        assert part in words
    assert max(cell_len(line) for line in lines) <= width


def test_what_strangers_wrote_is_disarmed() -> None:
    text = "\n".join(shown(found(DataCheckResult("a", "texts", "fail", HOSTILE, HOSTILE, (HOSTILE,))), 80))
    assert "\x1b" not in text
    assert "[bold red]rich[/]" in text
