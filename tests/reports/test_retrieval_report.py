from __future__ import annotations

from typing import Any

from advisor.core.types import Interval
from advisor.decision.retrieval import Retrieval
from tests.reports.sample import HOSTILE, changed, comparison, report
from tests.reports.test_prompt_search import written

SEEN = Retrieval("rag", 2, 180, Interval(0.93, 0.88, 0.96), 120, Interval(0.9, 0.83, 0.95), 0.31, 7)


def with_retrieval(*seen: Retrieval) -> Any:
    return changed(comparison(), retrieval=seen)


def test_recall_stands_in_every_report() -> None:
    for text in written(with_retrieval(SEEN)):
        for words in (
            "What was looked up",
            "recall",
            "93% of the documents that 180 questions name",
            "31% of their text",
        ):
            assert words in text, words
        assert "90% of the 120 answers" in text
        assert "for 7 questions not all that was found had room" in text
    assert '"recall": {' in "".join(report("machine").render_json(with_retrieval(SEEN)))
    assert "How this was computed: on the test questions" in written(with_retrieval(SEEN))[0]


def test_without_anything_looked_up_nothing_is_said() -> None:
    assert all("What was looked up" not in text for text in written(comparison()))


def test_what_is_not_known_is_a_dash_with_the_reason_and_labels_are_foreign_text() -> None:
    html, markdown, console = written(with_retrieval(Retrieval(HOSTILE, 1, 0, None, 0, None, None, 0)))
    assert "<script>" not in html + markdown
    for text in (html, markdown, console):
        assert "no test question names its document" in text
