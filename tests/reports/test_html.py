from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from advisor.decision.evidence import VerdictAnswer
from tests.known import known
from tests.reports.sample import HOSTILE, changed, comparison, report, without_money

html = report("html")


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: Any, attrs: Any) -> None:
        self.found.append((tag, dict(attrs)))


def tags(page: Any) -> Any:
    parser = Tags()
    parser.feed(page)
    return parser.found


@pytest.fixture(scope="module")
def hostile() -> Any:
    return html.render(comparison("not_yet", HOSTILE))


def test_it_is_one_file_that_asks_for_nothing(hostile: Any) -> None:
    found = tags(hostile)
    assert not {tag for tag, _ in found} & {"script", "img", "link", "iframe", "object", "embed", "base", "form", "a"}
    names = {name for _, attrs in found for name in attrs}
    assert not [name for name in names if name.startswith("on") or name in ("src", "href", "xlink:href")]
    policy = next(attrs["content"] for tag, attrs in found if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    assert "url(" not in hostile.replace("url(#", "")


def test_foreign_text_is_shown_as_text(hostile: Any) -> None:
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in hostile
    assert "{{7*7}}" in hostile
    assert not set(hostile) & set("\x1b\x9b\x00\x07\u202e")


def test_tables_and_drawings_can_be_read_aloud(hostile: Any) -> None:
    found = tags(hostile)
    assert all(attrs.get("scope") in ("col", "row") for tag, attrs in found if tag == "th")
    assert all({"role", "aria-labelledby"} <= set(attrs) for tag, attrs in found if tag == "svg")
    ids = [attrs["id"] for _, attrs in found if "id" in attrs]
    assert len(ids) == len(set(ids))
    named = {name for _, attrs in found for name in attrs.get("aria-labelledby", "").split()}
    assert named <= set(ids)


@pytest.mark.parametrize("answer", ["fine_tune", "do_not_fine_tune", "not_yet"])
def test_the_verdict_is_on_top_in_words_and_colour(answer: VerdictAnswer) -> None:
    page = html.render(without_money(comparison(answer)))
    body = page[page.index("<main>") :]
    assert body.index(f'class="verdict {answer}"') < 40
    assert body.index(report("view").ANSWERS[answer]) < body.index("<table>")
    assert "nan" not in re.sub(r"<[^>]+>", " ", body).lower().split()


def test_an_almost_empty_comparison_still_makes_a_page() -> None:
    base = without_money(comparison("not_yet"))
    silent = tuple(replace(s, quality=None, slices={}, errors={}, failed=0) for s in base.strategies)
    verdict = replace(base.verdict, grounds=(), turning_points=(), guards=())
    bare = changed(base, strategies=silent, differences=(), verdict=verdict, disagreements=(), runs=())
    page = html.render(replace(bare, skipped={}, notes=(), environment={}))
    assert "In pictures" not in page
    assert "Failed or not run" not in page
    assert "None" not in page


def test_the_next_step_can_be_copied() -> None:
    assert "<code>advisor compare support-tickets --limit 350</code>" in html.render(comparison())


def test_methods_are_named_once_for_all_strategies() -> None:
    base = comparison()
    named = [
        replace(s, quality=replace(known(s.quality), method="BCa bootstrap", clusters=number + 150, seeds=1))
        for number, s in enumerate(base.strategies)
    ]
    assert report("view").methods(changed(base, strategies=tuple(named))) == "BCa bootstrap"


def test_long_reports_say_what_they_leave_out() -> None:
    base = comparison()
    many = tuple(replace(base.disagreements[0], example_id=f"x{number}") for number in range(45))
    assert "15 more are in the JSON report" in html.render(changed(base, disagreements=many))
