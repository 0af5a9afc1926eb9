from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.statement import say
from tests.known import known
from tests.reports.sample import HOSTILE, comparison, report

markdown, markdown_parts = report("markdown"), report("markdown_parts")


def test_verdict_first_then_the_table() -> None:
    text = markdown.render(comparison())
    assert text.startswith("## 🟢 Yes, fine-tune\n\n**Fine-tune: fine\\_tuning is 8 points better")
    assert "| `function_calling` |" in text
    assert "advisor compare support-tickets" in text


def test_the_next_step_can_be_copied() -> None:
    text = markdown.render(comparison())
    assert "**Next step:** 150 more test examples" in text
    assert "\n```\nadvisor compare support-tickets --limit 350\n```" in text


def test_every_table_row_has_as_many_cells_as_its_header() -> None:
    text = markdown.render(comparison("not_yet", HOSTILE))
    tables = re.findall(r"(?:^\|.*\|$\n?)+", text, flags=re.MULTILINE)
    assert len(tables) >= 3
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", row)) for row in table.strip().splitlines()}
        assert len(widths) == 1, table


def test_hostile_text_neither_formats_nor_links_nor_mentions() -> None:
    text = markdown.render(comparison("not_yet", HOSTILE))
    outside = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", text)  # code spans are inert
    assert "<script" not in outside.replace(r"\<script", "")
    assert "![" not in outside
    assert "@everyone" not in outside
    assert "http://" not in outside
    assert "\x1b" not in text


@given(st.text(max_size=60))
def test_a_code_span_cannot_be_closed_from_inside(text: str) -> None:
    span = markdown_parts.code(text)
    if span == "–":
        return
    fence = known(re.match("`+", span))[0] if span.startswith("` ") or "`" in span[1:-1] else "`"
    inner = span[len(fence) : -len(fence)]
    assert len(fence) not in {len(run) for run in re.findall("`+", inner)}
    assert not re.search(r"(?<!\\)\|", inner)


@pytest.mark.parametrize("start", ["# big", "- item", "+ item", "1. item", "> quote", "= under"])
def test_a_line_start_stays_text(start: str) -> None:
    assert "\\" in markdown_parts.text(start)


def test_it_fits_into_one_comment() -> None:
    base = comparison("not_yet")
    notes = tuple(f"note {number} " + "long " * 200 for number in range(200))
    grounds = tuple(say("said", text=one) for one in notes[:6])
    text = markdown.render(replace(base, notes=notes, verdict=replace(base.verdict, grounds=grounds)))
    assert len(text) < 65_536
    assert "does not fit" in text
