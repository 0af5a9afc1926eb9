"""The report on a terminal: the verdict first, then the table, then why. Fits 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.decision.comparison import Comparison

from . import curves, data, guard_list, prompt_search, recipe_search, retrieval, view
from . import steps as section
from .safe import line, shorten
from .terminal import ANSWER_COLOURS, MAX_WIDTH, listed, one_line, print_report, this_terminal

if TYPE_CHECKING:
    from rich.console import Console, Group, RenderableType
    from rich.table import Table
    from rich.text import Text


def show(comparison: Comparison, console: Console | None = None) -> None:
    """Print the report; on a terminal that cannot show a character, a question mark stands for it."""
    console = console or this_terminal()
    print_report(render(comparison, min(console.width, MAX_WIDTH)), console)


def render(comparison: Comparison, width: int = 80) -> Group:
    """Return the report as one rich renderable for `width` columns (at least 60).

    Foreign text goes in as `Text`, never as markup, and without terminal escapes.
    """
    from rich.console import Group

    table, left_out = _table(comparison, width)
    parts: list[RenderableType] = [*_verdict(comparison, width), one_line(""), table, *_legend(comparison, left_out)]
    verdict = comparison.verdict
    parts += listed("Why", list(verdict.reasons))
    searched = [f"{f.name}: {f.value}; {f.meaning}" for f in prompt_search.searches(comparison)]
    parts += listed("The search for a prompt", [shorten(line(text), 400) for text in searched])
    tuned = [f"{f.name}: {f.value}; {f.meaning}" for f in recipe_search.facts(comparison)]
    parts += listed(recipe_search.TITLE, [shorten(line(text), 400) for text in tuned])
    parts += listed(retrieval.TITLE, [f"{f.name}: {f.value}; {f.meaning}" for f in retrieval.facts(comparison)])
    parts += listed("Money", [f"{f.name}: {f.value}" for f in view.money_facts(comparison)])
    parts += listed("What more training examples would bring", curves.lines(comparison))
    parts += guard_list.terminal(comparison)
    parts += listed(
        "The examples", [f"{f.name}: {f.value}{f' ({f.meaning})' if f.meaning else ''}" for f in data.facts(comparison)]
    )
    parts += listed("What would change the answer", list(verdict.would_flip))
    failed = [f"{f.name}: {f.value}{f' - {f.meaning}' if f.meaning else ''}" for f in view.failures(comparison)]
    steps, what_if = section.console(comparison)
    parts += listed(section.WHAT_IF_TITLE, what_if)
    parts += listed(section.NEXT_TITLE, steps)
    parts += listed("Failed or not run", [shorten(line(text), 240) for text in failed])
    parts += listed("Notes", list(comparison.notes))
    parts += listed("Next step", [view.next_step(comparison)])
    return Group(*parts)


def _verdict(comparison: Comparison, width: int) -> list[RenderableType]:
    """Return the box, with what was compared in its lower edge, or under it where the edge is too short."""
    from rich.console import Group
    from rich.panel import Panel
    from rich.text import Text

    verdict = comparison.verdict
    colour = ANSWER_COLOURS[verdict.answer]
    answer = Text(view.ANSWERS[verdict.answer].upper(), style=f"bold {colour}")
    missing = [one_line(verdict.gaps, "bold red")] if verdict.missing else []
    use = Text.assemble("Use now: ", (line(verdict.recommended), "bold"))
    subject = one_line(view.subject(comparison), "dim")
    fits = subject.cell_len <= width - 6
    box = Panel(
        Group(*missing, answer, one_line(verdict.concluded, "bold"), use),
        border_style=colour,
        subtitle=subject if fits else None,
        padding=(0, 1),
    )
    return [box] if fits else [box, subject]


COLUMNS = {
    "quality": "quality",
    "lead": "against the\nreference",
    "cost": "USD per\n1,000",
    "wait": "typical\nslow 5%",
    "set-up": "to set\nup",
    "failed": "failed\ncut off",
}
LEFT_OUT_FIRST = {
    "set-up": "set-up",
    "wait": "waiting times",
    "cost": "cost of a request",
    "lead": "the lead over the reference",
}
"""What a narrow terminal goes without, in this order, and what it is called."""
MIN_NAME = 13


def _table(comparison: Comparison, width: int) -> tuple[Table, list[str]]:
    """Return the table and what it leaves out, because the names of the strategies must stay readable."""
    from rich import box
    from rich.table import Table

    rows = view.rows(comparison)
    cells = {row.label: _cells(row) for row in rows}
    widths = {
        key: max(
            part.cell_len for text in (_heading(name), *(row[key] for row in cells.values())) for part in text.split()
        )
        for key, name in COLUMNS.items()
    }
    left_out: list[str] = []
    for key in LEFT_OUT_FIRST:
        if MIN_NAME + sum(size + 1 for name, size in widths.items() if name not in left_out) > width:
            left_out.append(key)
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False, width=width)
    table.add_column("strategy", overflow="fold", ratio=1, min_width=MIN_NAME)
    shown = [key for key in COLUMNS if key not in left_out]
    for key in shown:
        table.add_column(_heading(COLUMNS[key]), justify="right", no_wrap=True)
    for row in rows:
        title = one_line(row.label, "bold" if "recommended" in row.marks else "")
        title.append(f"\n{line(', '.join(row.marks) or row.kind)}", "dim")
        table.add_row(title, *(cells[row.label][key] for key in shown))
    return table, [LEFT_OUT_FIRST[key] for key in left_out]


def _cells(row: view.Row) -> dict[str, Text]:
    return {
        "quality": _pair(row.quality, row.quality_bounds),
        "lead": _pair(row.lead, row.lead_bounds),
        "cost": _pair(row.cost, ""),
        "wait": _pair(row.latency_p50, row.latency_p95),
        "set-up": _pair(row.fit_usd, row.fit_time),
        "failed": _pair(row.failed, row.cut),
    }


def _heading(name: str) -> Text:
    from rich.text import Text

    return Text(name, justify="right")


def _pair(first: str, second: str) -> Text:
    from rich.text import Text

    return Text.assemble(first, (f"\n{second}", "dim"))


def _legend(comparison: Comparison, left_out: list[str]) -> list[RenderableType]:
    reference = line(comparison.pivot)
    narrow = f" Left out, as the terminal is narrow: {', '.join(left_out)}." if left_out else ""
    return [
        one_line(
            f"In brackets: where the true value lies in {view.level(comparison)} cases. The reference is {reference}; "
            "a lead over it whose bracket holds 0 could be chance. Typical and slow 5%: time to wait for an answer. "
            f"A dash: not known.{narrow}",
            "dim",
        )
    ]
