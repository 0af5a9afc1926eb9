from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from advisor.core.data_check import DataFindings
from advisor.decision.findings import Findings
from advisor.runs.store import Store
from tests.reports.sample import changed, comparison, report

data, html, markdown, console = (report(name) for name in ("data", "html", "markdown", "console"))


def printed(one: Any) -> str:
    written = io.StringIO()
    console.show(one, Console(file=written, width=100, highlight=False))
    return written.getvalue()


@pytest.mark.parametrize("count", ["3 (2%)", "5% [3%, 8%]", "<1% to 40%"])
def test_the_counts_stand_in_every_report(count: str) -> None:
    one = comparison()
    assert count in printed(one)
    assert count in markdown.render(one).replace("\\", "")
    assert count in html.render(one).replace("&lt;", "<")


def test_suspects_stand_side_by_side_in_the_html_only() -> None:
    one = comparison()
    page = html.render(one)
    assert page.count("Where is my parcel?") == 3
    assert "the same runs of words, 0.88" in page
    assert "close in meaning, 0.98" in page
    assert "How this was computed: each test question was held against all of train and dev." in page
    assert "Where is my parcel?" not in markdown.render(one)
    assert "Where is my parcel?" not in printed(one)


def test_suspicious_labels_are_cut_and_the_rest_is_counted() -> None:
    found = data.section(comparison())
    assert (len(found.labels), found.labels_left) == (20, "5 more are in the JSON report.")
    assert (len(found.leaks), found.leaks_left) == (3, "")
    assert "labelled <b>late</b>, looks like lost" in html.render(comparison())


def test_where_nothing_was_looked_at_there_is_no_section() -> None:
    without = changed(comparison(), findings=Findings())
    assert data.facts(without) == ()
    assert data.section(without) is None
    assert "The examples themselves" not in html.render(without)
    assert "near copy" not in printed(without)


def test_what_is_not_known_is_a_dash_with_its_reason() -> None:
    bare = DataFindings(label_note="the task has no closed labels", incomplete="no embeddings could be had")
    facts = {fact.name: fact for fact in data.facts(changed(comparison(), findings=Findings(data=bare)))}
    assert facts["Training labels that look wrong"].value == "–"
    assert facts["Training labels that look wrong"].meaning == "the task has no closed labels"
    assert facts["Not all was looked at"].value == "no embeddings could be had"
    assert facts["Test questions with a near copy in train or dev"].value == "0 (0%)"


def test_findings_survive_the_store() -> None:
    one = comparison()
    with Store() as store:
        store.add_comparison(one)
        assert store.load_comparison(one.id).findings == one.findings
    assert (
        json.loads("".join(report("machine").render_json(one)))["findings"]["data"]["leaks"][1]["similarity"] == 0.875
    )
