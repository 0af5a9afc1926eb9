"""The learning curves in the reports: every figure is there, rounded and explained; without curves, how to get them."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from advisor.decision.comparison import Comparison
from advisor.decision.learning_curve import LearningCurve, learning_curves
from advisor.economics.inputs import Economics
from tests.decision.planted_curves import Planted, pow3, worse
from tests.reports.sample import HOSTILE, PIVOT, changed, comparison, report

curves = report("curves")


@cache
def planted_curves() -> tuple[LearningCurve, ...]:
    """A tuned strategy that crosses its rival ahead, a classifier, and one that gets worse."""
    stage = Planted.of(300, 3)
    sized = [
        *stage.sized(PIVOT, lambda size: 0.1 + 0.5 * (size / 19) ** -0.5),
        *stage.sized("embedding_classifier", pow3, tuned=False),
        *stage.sized("few_shot(k=8)", worse, seeds=1, tuned=False),
    ]
    panel = stage.panel(embedding_classifier=0.2)
    economics = Economics(usd_per_label=0.1, requests_per_month=1000.0, usd_per_correct_answer=0.5)
    return learning_curves(sized, panel, stage.test, economics, np.random.default_rng(2))


def with_curves(payload: str = "") -> Comparison:
    found = tuple(replace(curve, label=payload + curve.label) for curve in planted_curves())
    return changed(comparison(payload=payload), curves=found)


def test_facts_carry_every_figure() -> None:
    facts = {fact.name: fact for fact in curves.facts(with_curves().curves[0])}
    assert set(facts) == {
        "Mean score",
        "Above embedding_classifier from",
        "Gain from 2 times the examples (600)",
        "Gain from 4 times the examples (1,200)",
        "Put to the test",
    }
    assert "15 trainings" in facts["Mean score"].meaning
    assert "already above" in facts["Above embedding_classifier from"].meaning
    assert "labels and training: $30.0" in facts["Gain from 2 times the examples (600)"].meaning
    assert "worth after that" in facts["Gain from 4 times the examples (1,200)"].meaning


def test_a_curve_that_gets_worse_says_so_and_promises_nothing() -> None:
    names = [fact.name for fact in curves.facts(with_curves().curves[2])]
    assert names == ["Mean score", "Mind"]
    drawing = curves.figure(with_curves().curves[2], with_curves(), 2)
    assert "No curve was fitted" in drawing.caption


@pytest.mark.parametrize("extension", ["html", "md"])
def test_without_curves_one_line_says_how_to_get_them(extension: str) -> None:
    text = report("html" if extension == "html" else "markdown").render(comparison())
    assert len(re.findall("learning.?curve", text)) == 1
    assert text.count("What more training examples would bring") == 1


def test_html_has_drawing_facts_and_how() -> None:
    page = report("html").render(with_curves())
    assert page.count('aria-labelledby="curve') == 3 + 1
    for words in ("Gain from 2 times the examples", "How this was computed: strategies were trained on nested parts"):
        assert words in page
    assert "nan" not in re.sub(r"[a-z]nan|nan[a-z]", "", page.lower())
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids)), "no two drawings share an id"


def test_console_and_markdown_say_the_same() -> None:
    from rich.console import Console

    console = Console(width=80, record=True, file=io.StringIO())
    console.print(report("console").render(with_curves(), 80))
    shown = " ".join(console.export_text().split())
    text = report("markdown").render(with_curves())
    for words in ("Put to the test", "Gain from 4 times the examples", "The score falls as examples are added"):
        assert words in shown
        assert words in text


def test_a_hostile_name_stays_text() -> None:
    page = report("html").render(with_curves(HOSTILE))
    assert "<script>" not in page
    assert "\x1b" not in page
    section = (
        report("markdown").render(with_curves(HOSTILE)).partition("What more training")[2].partition("**Checks")[0]
    )
    assert "<script" not in section.replace("\\<script", "")
    assert "\\<script" in section


def test_json_keeps_the_dataclasses() -> None:
    import json

    kept = json.loads("".join(report("machine").render_json(with_curves())))["curves"][0]
    assert kept["crossing"]["rival"] == "embedding_classifier"
    assert {fit["family"] for fit in kept["fits"]} == {"rectified power law", "pow3", "exp3"}
    assert kept["more"][1]["labels"] == 1200
