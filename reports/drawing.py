"""Figures as inline SVG: altair writes the specification, vl-convert draws it; neither asks the network for anything.

Colours are stand-ins in the specification and CSS variables in the SVG, so that one drawing serves light and dark. The
drawings are about 420 px wide: narrow enough to be read unscaled on a phone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import Any

from . import numbers

WIDTH, ROW = 380, 40
INK, MUTED, GRID, TUNED, OTHER, BAND, PAPER = (f"#01020{digit}" for digit in range(3, 10))
VARIABLES = {
    INK: "var(--ink, #1c1d20)",
    MUTED: "var(--muted, #5d6069)",
    GRID: "var(--line, #dcdde2)",
    TUNED: "var(--tuned, #0060a8)",
    OTHER: "var(--other, #6b5b4b)",
    BAND: "var(--band, #e3e9f2)",
    PAPER: "var(--card, #ffffff)",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One drawing: `svg` is complete and safe to inline; `caption` says how to read it, `method` how it came about."""

    name: str
    title: str
    svg: str
    caption: str
    method: str


def figure_of(name: str, title: str, chart: Any, caption: str, method: str) -> Figure:
    """Draw `chart` and put it together with what is to be read beside it."""
    return Figure(name, title, draw(chart, name, title, caption), caption, f"How this was computed: {method}")


def draw(chart: Any, name: str, title: str, description: str) -> str:
    """Return `chart` as one ``<svg>`` with a title and a description, in the page's colours and font."""
    import vl_convert

    styled = (
        chart.configure(background="transparent", aria=False, font="sans-serif", padding=4)
        .configure_view(stroke=None)
        .configure_text(fontSize=12)
        .configure_axis(
            labelColor=MUTED, titleColor=MUTED, gridColor=GRID, domainColor=GRID, tickColor=GRID,
            labelFontSize=12, titleFontSize=12, titleFontWeight="normal", titlePadding=8,
        )
    )  # fmt: skip
    svg = str(vl_convert.vegalite_to_svg(styled.to_dict(), allowed_base_urls=[]))
    for placeholder, variable in VARIABLES.items():
        svg = svg.replace(placeholder, variable)
    svg = re.sub(r"(id=\"|url\(#|href=\"#)", rf"\1{name}-", svg)
    svg = svg.replace(' font-family="sans-serif"', "")
    head = f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
    named = f'<svg role="img" aria-labelledby="{name}-title {name}-desc"'
    return svg.replace("<svg", named, 1).replace(">", f">{head}", 1)


def written(texts: Any, colour: str, **where: Any) -> list[Any]:
    """Two layers: the letters on a halo of the page's colour, so that no line runs through them."""
    return [texts.mark_text(color=PAPER, stroke=PAPER, strokeWidth=7, **where), texts.mark_text(color=colour, **where)]


def by_tuning(alt: Any) -> Any:
    """Return the colour of a mark: one for tuned strategies, one for the others."""
    return alt.condition("datum.tuned", alt.value(TUNED), alt.value(OTHER))


def shape(alt: Any) -> Any:
    """Return the shape of a mark: diamonds for tuned strategies, circles for the others."""
    return alt.condition("datum.tuned", alt.value("diamond"), alt.value("circle"))


def axis_labels(values: list[float], form: numbers.Formatter = numbers.usd_tick) -> str:
    """Return a Vega expression that writes tick number i as we would; tick values themselves are never compared."""
    written = ", ".join(f"'{form(value)}'" for value in values)
    return f"[{written}][round(datum.index * {len(values) - 1})]" if len(values) > 1 else f"[{written}][0]"
