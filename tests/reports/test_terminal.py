"""Lines to type on a terminal: whole at every width, and a shell reads the same words."""

from __future__ import annotations

import io
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tests.reports.sample import report

terminal = report("terminal")
COMMAND = "advisor compare support-tickets --model smollm2 --seeds 2 --output report.html --learning-curve"


@pytest.mark.parametrize("width", [20, 40, 60, 78, 110])
def test_a_command_line_is_whole_at_every_width_and_a_shell_joins_it(width: int) -> None:
    file = io.StringIO()
    Console(file=file, width=width).print(terminal.CommandLine(COMMAND))
    lines = [line.rstrip() for line in file.getvalue().splitlines()]
    assert " ".join(" ".join(lines).replace("\\", " ").split()) == COMMAND
    assert max(len(line) for line in lines) <= width
    if width >= 40:
        assert [line.endswith(" \\") for line in lines] == [True] * (len(lines) - 1) + [False]


@given(st.lists(st.text("ab -'\"$\\", min_size=1, max_size=12), max_size=8), st.integers(10, 80))
def test_a_shell_reads_the_same_words_however_wide(words: list[str], width: int) -> None:
    command = shlex.join(["advisor", "compare", *words])
    typed = terminal.typable(command, width)
    assert shlex.split(typed.replace("\\\n", "")) == ["advisor", "compare", *words]
