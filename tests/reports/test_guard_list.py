"""The list of guards in all three formats: what fails first, what to do, and figures where there is room for them."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from advisor.core.statement import Action, say
from advisor.decision.evidence import Guard, State
from tests.reports.sample import HOSTILE, comparison, report

guard_list, console, html, markdown = (report(name) for name in ("guard_list", "console", "html", "markdown"))

NAMES = ("strong baseline", "enough data", "nothing missing", "skill or format", "no leak", "label quality",
         "trainer worked", "retention", "consistency")  # fmt: skip


def nine(state: State = "unknown") -> Any:
    """A comparison with nine guards whose findings are as long as real ones."""
    base = comparison("not_yet")
    finding = "general questions: 50% right before the tune and 49% after it, 1 point less, on 150 " * 3
    found, more = say("said", text=finding.strip()), say("said", text="x")
    remedy = Action(say("guard.look"), "advisor compare mine")
    guards = tuple(Guard(name, state, found, say("skill.how", way="form"), remedy, (more,)) for name in NAMES)
    return replace(base, verdict=replace(base.verdict, guards=guards))


def test_what_fails_stands_first_and_what_holds_last() -> None:
    assert [check.state for check in guard_list.guard_lines(comparison("not_yet"))] == [
        "fail",
        "unknown",
        "unknown",
        "pass",
    ]
    assert all(not check.remedy for check in guard_list.guard_lines(nine("pass")))


@pytest.mark.parametrize("state", ["pass", "fail", "unknown"])
def test_nine_guards_fit_80_columns(state: State) -> None:
    file = io.StringIO()
    console.show(nine(state), Console(file=file, width=80, highlight=False))
    text = file.getvalue()
    assert max(cell_len(line) for line in text.splitlines()) <= 80
    assert all(name in text for name in NAMES)
    assert text.count("advisor compare") >= 9 or state == "pass"


def test_what_is_not_known_says_what_to_add() -> None:
    file = io.StringIO()
    console.show(comparison("not_yet"), Console(file=file, width=80, highlight=False))
    assert "the same command with --checks full" in " ".join(file.getvalue().split())


def test_figures_and_methods_are_in_html_and_markdown() -> None:
    page, text = html.render(comparison("not_yet")), markdown.render(comparison("not_yet"))
    assert "How this was computed: The same questions were asked twice." in page
    assert "<code>advisor compare support-tickets --checks full</code>" in page
    for shown in (page, text):
        assert "questions that have no answer: 33" in shown
        assert "Ask more questions" in shown


def test_hostile_figures_are_disarmed() -> None:
    page = html.render(comparison("not_yet", HOSTILE))
    assert "<script>" not in page
    assert "onerror=" not in page.replace("onerror=alert(2)&gt;", "")


def test_without_guards_there_is_no_section() -> None:
    base = comparison("not_yet")
    bare = replace(base, verdict=replace(base.verdict, guards=()))
    assert "Checks before a yes" not in html.render(bare) + markdown.render(bare)
