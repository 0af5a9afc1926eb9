"""What ``advisor check`` found: on a terminal, as HTML (one file, no script) and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from advisor._util.redaction import known_secrets
from advisor.core.data_check import GATES, DataCheckResult, DataReport
from advisor.core.paths import expanded

from . import numbers
from .html import environment
from .safe import line
from .terminal import print_report
from .writing import write_atomically

if TYPE_CHECKING:
    from rich.console import Console, Group, RenderableType

SCHEMA_VERSION = 1
TEMPLATE = "data_report.html.jinja"
HEADLINES = {
    "fail": "Not fit to be trusted yet",
    "warn": "Fit to be used; read the warnings",
    "unknown": "Nothing wrong was found, but not all could be looked at",
    "ok": "Nothing wrong was found",
}
WORDS = {"fail": "fail", "warn": "warn", "unknown": "not known", "ok": "ok"}
WORD_WIDTH = max(len(word) for word in WORDS.values())
COLOURS = {"fail": "red", "warn": "yellow", "unknown": "blue", "ok": "green"}


def counted(found: DataReport) -> str:
    """Return how many checks ended how: ``2 fail, 1 warn, 20 ok``."""
    counts = {gate: len(found.with_gate(gate)) for gate in GATES}
    return ", ".join(f"{numbers.count(count)} {WORDS[gate]}" for gate, count in counts.items() if count)


def sizes(found: DataReport) -> str:
    """Return how large the eval set is: ``harrow_desk: 441 train, 100 dev, 220 test, 60 documents``."""
    counts = [f"{numbers.count(count)} {what}" for what, count in found.counts.items() if count]
    return f"{found.evalset}: {', '.join(counts)}"


def ordered(found: DataReport) -> list[DataCheckResult]:
    """Return the findings, the worst first, else as the table of data checks has them."""
    return sorted(found.findings, key=lambda one: GATES.index(one.gate))


# --- terminal --------------------------------------------------------------------------------------------------------


def show(found: DataReport, console: Console | None = None, *, short: bool = False) -> None:
    """Print the findings; `short` leaves out what is ok."""
    print_report(render(found, short=short), console)


def render(found: DataReport, *, short: bool = False) -> Group:
    """Return the findings as one rich renderable. Foreign text goes in as `Text`, without terminal escapes."""
    from rich.console import Group
    from rich.panel import Panel
    from rich.text import Text

    colour = COLOURS[found.gate]
    title = Text(HEADLINES[found.gate].upper(), style=f"bold {colour}")
    parts: list[RenderableType] = [
        Panel(Group(title, Text(line(sizes(found))), Text(counted(found))), border_style=colour, padding=(0, 1))
    ]
    wrong = [one for one in ordered(found) if one.gate != "ok"]
    parts += [part for one in wrong for part in _detailed(one)]
    if not short:
        parts += _fine(found)
    notes = list(found.notes)
    if notes and not short:
        parts += [Text(""), Text("Notes", style="bold"), *(Text(f" - {line(note)}") for note in notes)]
    return Group(*parts)


def _detailed(one: DataCheckResult) -> list[RenderableType]:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    body = [Text(line(one.check), style="bold"), Text(line(one.figure))]
    body += [Text(f"do: {line(one.todo)}", style="italic")] if one.todo else []
    body += [Text(f"· {line(text)}", style="dim") for text in one.shown]
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=WORD_WIDTH)
    grid.add_column(overflow="fold")
    grid.add_row(Text(WORDS[one.gate], style=f"bold {COLOURS[one.gate]}"), Group(*body))
    return [Text(""), grid]


def _fine(found: DataReport) -> list[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=WORD_WIDTH)
    grid.add_column(min_width=18, max_width=30)
    grid.add_column(overflow="fold")
    for one in found.with_gate("ok"):
        grid.add_row(Text("ok", style=COLOURS["ok"]), Text(line(one.check)), Text(line(one.figure)))
    for name, why in found.not_asked.items():
        grid.add_row(Text("–", style="dim"), Text(line(name), style="dim"), Text(line(why), style="dim"))
    return [Text(""), grid] if grid.row_count else []


# --- files -----------------------------------------------------------------------------------------------------------


def as_json(found: DataReport) -> str:
    """Return the findings as JSON with a schema version; all ids of the examples concerned are in it."""
    plain = {"schema_version": SCHEMA_VERSION, "gate": found.gate, **asdict(known_secrets().hide_in(found))}
    return json.dumps(plain, ensure_ascii=False, indent=2) + "\n"


def as_html(found: DataReport) -> str:
    """Return the findings as one page that loads nothing; every foreign text in it is escaped and cleaned."""
    content = {
        "title": f"{HEADLINES[found.gate]} – {found.evalset}",
        "found": found,
        "headline": HEADLINES[found.gate],
        "counted": counted(found),
        "sizes": sizes(found),
        "findings": ordered(found),
        "words": WORDS,
        "tones": {"fail": "fail", "warn": "unknown", "unknown": "unknown", "ok": "pass"},
    }
    return str(environment().get_template(TEMPLATE).render(content))


_FORMATS = {"html": as_html, "json": as_json}


def save(found: DataReport, path: str) -> None:
    """Write the findings to a file, whole or not at all, in the format of its extension."""
    found = known_secrets().hide_in(found)
    write_atomically(expanded(path), _FORMATS[Path(path).suffix.lower().removeprefix(".")](found))


__all__ = ["as_html", "as_json", "render", "save", "show"]
