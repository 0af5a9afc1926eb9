"""The report on a terminal: the verdict first, then the table, then why. Fits 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.comparison import Comparison

from . import view
from .safe import line, shorten

if TYPE_CHECKING:
    from rich.console import Console, Group, RenderableType
    from rich.table import Table
    from rich.text import Text

COLOURS = {"fine_tune": "green", "do_not_fine_tune": "red", "not_yet": "blue"}
MAX_WIDTH = 110


def show(comparison: Comparison, console: Console | None = None) -> None:
    """Print the report; on a terminal that cannot show a character, a question mark stands for it."""
    from rich.console import Console

    console = console or Console(highlight=False)
    width = min(console.width, MAX_WIDTH)
    if (console.encoding or "").lower().startswith("utf"):
        console.print(render(comparison, width), width=width)
        return
    with console.capture() as capture:
        console.print(render(comparison, width), width=width)
    text = capture.get()
    for fine, plain in (("–", "-"), ("…", "..."), ("·", "|"), ("×", "x")):
        text = text.replace(fine, plain)
    console.file.write(text.encode(console.encoding, "replace").decode(console.encoding))


def render(comparison: Comparison, width: int = 80) -> Group:
    """Return the report as one rich renderable for `width` columns (at least 60).

    Foreign text goes in as `Text`, never as markup, and without terminal escapes.
    """
    from rich.console import Group

    parts: list[RenderableType] = [_verdict(comparison), _text(""), _table(comparison, width), *_legend(comparison)]
    verdict = comparison.verdict
    parts += _listed("Why", list(verdict.reasons))
    parts += _listed("Money", [f"{f.name}: {f.value}" for f in view.money_facts(comparison)])
    parts += _listed("Checks before a yes", [f"{view.STATES[g.state]}: {g.name} - {g.finding}" for g in verdict.guards])
    parts += _listed("What would change the answer", list(verdict.would_flip))
    failed = [f"{f.name}: {f.value}{f' - {f.meaning}' if f.meaning else ''}" for f in view.failures(comparison)]
    parts += _listed("Failed or not run", [shorten(line(text), 240) for text in failed])
    parts += _listed("Notes", list(comparison.notes))
    parts += _listed("Next step", [verdict.next_step] if verdict.next_step else [])
    return Group(*parts)


def _text(foreign: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(line(foreign), style=style)


def _verdict(comparison: Comparison) -> RenderableType:
    from rich.console import Group
    from rich.panel import Panel
    from rich.text import Text

    verdict = comparison.verdict
    colour = COLOURS[verdict.answer]
    answer = Text(view.ANSWERS[verdict.answer].upper(), style=f"bold {colour}")
    use = Text.assemble("Use now: ", (line(verdict.recommended), "bold"))
    return Panel(
        Group(answer, _text(verdict.headline, "bold"), use),
        border_style=colour,
        subtitle=_text(shorten(line(view.subject(comparison)), 74), "dim"),
        padding=(0, 1),
    )


def _table(comparison: Comparison, width: int) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False, width=width)
    table.add_column("strategy", overflow="fold", ratio=1, min_width=13)
    for name in ("quality", "lead of the\nreference", "USD per\n1,000", "typical\nslow 5%", "to set\nup", "failed"):
        table.add_column(_heading(name), justify="right", no_wrap=True)
    for row in view.rows(comparison):
        title = _text(row.label, "bold" if "recommended" in row.marks else "")
        title.append(f"\n{line(', '.join(row.marks) or row.kind)}", "dim")
        table.add_row(
            title,
            _pair(row.quality, row.quality_bounds),
            _pair(row.lead, row.lead_bounds),
            _pair(row.cost, ""),
            _pair(row.latency_p50, row.latency_p95),
            _pair(row.fit_usd, row.fit_time),
            _pair(row.failed, ""),
        )
    return table


def _heading(name: str) -> Text:
    from rich.text import Text

    return Text(name, justify="right")


def _pair(first: str, second: str) -> Text:
    from rich.text import Text

    return Text.assemble(first, (f"\n{second}", "dim"))


def _legend(comparison: Comparison) -> list[RenderableType]:
    reference = line(comparison.pivot)
    return [
        _text(
            f"In brackets: where the true value lies in {view.level(comparison)} cases. The reference is {reference}; "
            "a lead whose bracket holds 0 could be chance. Typical and slow 5%: time to wait for an answer.",
            "dim",
        )
    ]


def _listed(title: str, items: list[str]) -> list[RenderableType]:
    from rich.padding import Padding
    from rich.table import Table

    if not items:
        return []
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=1)
    grid.add_column(overflow="fold")
    for item in items:
        grid.add_row(_text("-"), _text(item))
    return [_text(""), _text(title, "bold"), Padding(grid, (0, 0, 0, 1))]
