from __future__ import annotations

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.economics.amounts import Range
from advisor.economics.inputs import Economics
from tests.reports.sample import HOSTILE, changed, comparison, report, without_money

charts, drawing, layout = report("charts"), report("drawing"), report("layout")


def test_every_figure_is_one_described_svg_in_the_pages_colours() -> None:
    figures = charts.figures(comparison())
    assert [figure.name for figure in figures] == ["quality", "lead", "cost", "volume"]
    for figure in figures:
        root = ElementTree.fromstring(figure.svg)
        assert root[0].tag.endswith("title")
        assert root[1].tag.endswith("desc")
        assert root[1].text == figure.caption
        assert "var(--ink" in figure.svg
        assert not any(code in figure.svg for code in drawing.VARIABLES)
        assert "href" not in figure.svg
        assert figure.method.startswith("How this was computed: ")


def test_all_strategies_stand_in_the_drawing_or_are_said_to_be_missing() -> None:
    quality, lead, cost, _ = charts.figures(comparison())
    for summary in comparison().strategies:
        assert summary.label in quality.svg
        assert summary.label in cost.svg or summary.label in cost.caption
    assert "my_rules" in cost.caption
    assert "could be chance" in lead.svg


def test_hostile_labels_stay_text() -> None:
    base = comparison()
    named = replace(base.strategies[3], label=HOSTILE)
    svg = charts.quality(changed(base, strategies=(named, *base.strategies[4:]))).svg
    ElementTree.fromstring(svg)
    assert "<script" not in svg
    assert "<img" not in svg


def test_nothing_is_drawn_from_what_is_unknown() -> None:
    poor = charts.figures(without_money(comparison()))
    assert [figure.name for figure in poor] == ["quality", "lead"]
    base = comparison()
    silent = changed(base, strategies=tuple(replace(s, quality=None) for s in base.strategies), differences=())
    assert charts.figures(silent) == ()


def test_without_the_value_of_an_answer_costs_are_drawn() -> None:
    base = comparison()
    economics = Economics(requests_per_month=Range(20_000, 60_000))
    figure = charts.break_even(changed(base, economics=economics))
    assert figure.title == "Total cost by volume"
    assert "fine_tuning" in figure.svg
    assert "value of the correct answers" not in figure.method


def test_retraining_whose_cost_is_unknown_is_not_drawn_as_free() -> None:
    base = comparison()
    economics = replace(base.economics, retrains_per_year=4.0)
    assert charts.break_even(changed(base, economics=economics)) is None


points = st.lists(st.tuples(st.floats(0, 380), st.floats(0, 290)), min_size=1, max_size=14)


@given(points)
def test_names_never_overlap_and_stay_inside(at: Any) -> None:
    boxes = [box for box in layout.place(at, ["embedding_classifier"] * len(at), (380, 290)) if box]
    for number, box in enumerate(boxes):
        assert box.x >= 0
        assert box.x + box.width <= 380
        assert not any(box.meets(other) for other in boxes[:number])


amounts = st.lists(st.one_of(st.just(0.0), st.floats(1e-7, 1e5)), min_size=1, max_size=10)


@given(amounts)
def test_a_cost_axis_shows_every_cost_in_order(values: Any) -> None:
    axis = layout.Axis.of_costs(values)
    pixels = [axis.pixel(value, 380) for value in sorted(values)]
    assert pixels == sorted(pixels)
    assert all(-1e-6 <= pixel <= 380 + 1e-6 for pixel in pixels)
    ticks = axis.ticks()
    assert len(ticks) >= 1
    assert all(axis.low - 1e-9 <= tick <= axis.high * (1 + 1e-9) for tick in ticks)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-0.08, 0.7), (0.4, 0.5), (0.0, 760_000.0)])
def test_ticks_are_few_and_round(low: float, high: float) -> None:
    assert 3 <= len(layout.Axis(low, high).ticks()) <= 7
