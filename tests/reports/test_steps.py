"""What to do next, what if, and the tornado, in every format; and a contender that is missing is not overlooked."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import Any
from xml.etree import ElementTree

import pytest

from advisor.core.statement import say
from advisor.decision.evidence import VerdictAnswer
from tests.reports.sample import HOSTILE, changed, comparison, report, without_money
from tests.reports.test_console import shown

numbers, steps, tornado = report("numbers"), report("steps"), report("tornado")
html, markdown = report("html"), report("markdown")


@cache
def page_of(answer: VerdictAnswer = "fine_tune") -> Any:
    return html.render(comparison(answer))


def plain(page: Any) -> Any:
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.S).split())


def test_every_format_shows_each_step_with_its_figures_and_its_line() -> None:
    base = comparison("not_yet")
    page = page_of("not_yet")
    for text in (plain(page), markdown.render(base).replace("\\", ""), " ".join(shown(base).split())):
        assert steps.NEXT_TITLE in text
        for part in ("150 more test examples (to be labelled)", "$15.02", "$31.40", "62%", "best ratio"):
            assert part in text
        assert "not worth its price" in text
        assert "run optimised_prompt" in text.lower()
    typed = "advisor compare support-tickets --model smollm2 --seeds 2 --output report.html --seeds 3"
    assert typed in page
    assert typed in markdown.render(base)


def test_lines_to_type_stand_in_the_terminal_with_what_they_share_once() -> None:
    text = " ".join(shown(comparison("not_yet")).split())
    assert "Adds: --model smollm2 --seeds 2 --output report.html --seeds 3" in text
    assert "what a step adds: advisor compare support-tickets" in text


@pytest.mark.parametrize(("lines", "base", "own"), [
    (["advisor compare x --seeds 3", "advisor compare x --limit 9 --seeds 3"],
     "advisor compare x --seeds 3", ["", "--limit 9"]),
    (["advisor compare 'a b' -- quiet"], "advisor compare 'a b' -- quiet", [""]),
    ([], "", []),
])  # fmt: skip
def test_a_line_is_its_shared_part_and_its_own(lines: Any, base: str, own: Any) -> None:
    assert steps._shared(lines) == (base, own)


def test_figures_say_how_they_were_computed() -> None:
    for page in (plain(page_of()), markdown.render(comparison()).replace("\\", "")):
        assert "How this was computed: worth is how much more the choice is expected to bring over 12 months" in page
        assert "How this was computed: the same draws of tokens, seconds and your ranges" in page


@pytest.mark.parametrize(("answer", "says"), [("not_yet", "cannot be worth more"), ("fine_tune", "only make it surer")])
def test_the_summary_says_what_certainty_is_worth(answer: VerdictAnswer, says: str) -> None:
    assert "for sure would be worth $41.00" in steps.summary(comparison(answer))
    assert says in steps.summary(comparison(answer))
    told = "chance to decide" if answer == "not_yet" else "The answer is given"
    assert told in steps.summary(without_money(comparison(answer)))


def test_where_the_answer_is_given_no_step_decides_any_more() -> None:
    assert {row.chance for row in steps.rows(comparison("do_not_fine_tune"))} == {numbers.MISSING}
    assert any(row.chance != numbers.MISSING for row in steps.rows(comparison("not_yet")))


def test_scenarios_are_rows_with_their_assumption() -> None:
    page = plain(page_of())
    for part in (steps.WHAT_IF_TITLE, "unmerged adapter", "1.7 times as long, a default", "$73.05"):
        assert part in page
        assert part in " ".join(shown(comparison()).split())


def test_without_steps_or_scenarios_there_is_no_section() -> None:
    base = changed(comparison(), information=None)
    base = changed(base, money=replace(base.money, scenarios=()))
    for text in (markdown.render(base), shown(base)):
        assert steps.NEXT_TITLE not in text
        assert steps.WHAT_IF_TITLE not in text
    assert (steps.content(base)["steps"], steps.content(base)["what_ifs"]) == ((), ())


def test_unknown_figures_are_dashes_and_never_zero() -> None:
    rows = steps.rows(without_money(comparison("not_yet")))
    assert {(row.cost, row.worth, row.chance) for row in rows} == {("–", "–", "–")}


def test_hostile_steps_stay_text() -> None:
    base = comparison("not_yet", HOSTILE)
    assert "\x1b" not in shown(base, force_terminal=False)
    assert "![" not in re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", steps.markdown(base), flags=re.S)


# --- the tornado -----------------------------------------------------------------------------------------------------


def test_the_tornado_has_a_bar_for_every_input_that_moves_the_gain() -> None:
    figure = tornado.tornado(comparison())
    root = ElementTree.fromstring(figure.svg)
    assert root[0].text == tornado.TITLE
    for name in ("Value of a correct answer", "Volume", "Lead in quality", "Engineering", "turns at 3.1 points"):
        assert name in figure.svg
    assert "Retraining" not in figure.svg
    assert "It does not depend on: retraining." in figure.caption
    assert figure.method.startswith("How this was computed: ")


def test_nothing_is_drawn_where_there_is_no_gain_to_move() -> None:
    assert tornado.tornado(without_money(comparison())) is None


# --- a strategy without any score ------------------------------------------------------------------------------------


def test_a_contender_that_is_missing_stands_before_everything_else() -> None:
    base = comparison()
    gap = say("gap.failed", label="fine_tuning", why="it cannot be trained here")
    lost = replace(base, verdict=replace(base.verdict, missing=(gap,)))
    said = "A contender is missing: fine_tuning failed as a whole (it cannot be trained here). The rest is about"
    assert lost.verdict.headline.startswith(said)
    for text in (plain(html.render(lost)), markdown.render(lost).replace("\\", ""), " ".join(shown(lost).split())):
        text = text[text.find("Is fine-tuning worth it?") :] if "Is fine-tuning worth it?" in text else text
        assert said in " ".join(text.replace("│", " ").split())
        assert text.lower().index("a contender") < text.lower().index("yes, fine-tune")
    assert "is missing" not in shown(base)
