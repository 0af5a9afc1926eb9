"""Tables in plain text: aligned, wrapped at the terminal's width, nothing cut, nothing that a terminal obeys."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from advisor._util.tables import text_table

LONG = "/cache/" + "x" * 90
ROWS = [
    ("ok", "python", "3.11"),
    ("problem", "results", f"{LONG}: no folder that you may write to"),
    ("note", "日本語", "wide characters count for two, and running text goes on below itself"),
]


def test_columns_are_aligned_without_blanks_at_the_end() -> None:
    assert text_table([("a", "b"), ("long", "c")]) == "a     b\nlong  c"
    assert text_table([("only one",)]) == "only one"
    assert text_table([]) == ""


@pytest.mark.parametrize("width", [20, 40, 80])
def test_running_text_wraps_at_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = text_table([ROWS[0], ROWS[2]]).splitlines()
    assert max(cell_len(line) for line in lines) <= max(width, 4 + 2 + 6 + 2 + 24)
    assert " ".join(" ".join(lines).split()) == " ".join(" ".join(row) for row in (ROWS[0], ROWS[2]))
    assert {line.index(line.split()[0]) for line in lines[2:]} <= {14}


def test_a_path_stays_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert f"problem  results  {LONG}:" in text_table(ROWS)


def test_figures_are_aligned_right_and_a_long_name_goes_on_below_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    rows = [("name", "calls"), ("a name that is too long", "7"), ("b", "unknown")]
    assert text_table(rows, figures=True).splitlines() == [
        "name                     calls",
        "a name that is too           7",
        "long",
        "b                      unknown",
    ]


def test_an_indent_is_within_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    lines = text_table([("a", "word " * 20)], indent=2).splitlines()
    assert all(line.startswith("  ") and len(line) <= 40 for line in lines)


def test_no_colour_however_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "CLICOLOR_FORCE"):
        monkeypatch.setenv(name, "1")
    assert text_table([("[bold]a[/bold]", ":smile: \x1b[31mred\x07\nnext")]) == "[bold]a[/bold]  :smile: [31mred next"
