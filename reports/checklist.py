"""The checks before a yes, in every format: the state and the finding first, then what to do about it, then figures."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from advisor.decision.comparison import Comparison
from advisor.decision.evidence import Guard

from . import view
from .safe import line

if TYPE_CHECKING:
    from rich.console import RenderableType

SIGNS = {"pass": "✅", "fail": "❌", "unknown": "❔"}
COLOURS = {"pass": "green", "fail": "red", "unknown": "yellow"}
_ORDER = ("fail", "unknown", "pass")
_COMMAND = ": advisor "
_ADDED = re.compile(r"(--checks full|--suite FILE)$")


@dataclass(frozen=True, slots=True)
class Check:
    """One check, ready to print; `remedy` is empty where it holds, `command` the line to type, where there is one."""

    name: str
    state: str
    word: str
    finding: str
    details: tuple[str, ...]
    how: str
    remedy: str
    command: str


def checks(comparison: Comparison) -> tuple[Check, ...]:
    """Return the checks: those that fail first, then those that are not known."""
    return tuple(sorted(map(_check, comparison.verdict.guards), key=lambda check: _ORDER.index(check.state)))


def _check(guard: Guard) -> Check:
    remedy, _, command = guard.remedy.partition(_COMMAND) if guard.state != "pass" else ("", "", "")
    how = guard.how[:1].upper() + guard.how[1:]
    return Check(
        name=guard.name,
        state=guard.state,
        word=view.STATES[guard.state],
        finding=guard.finding,
        details=guard.details,
        how=how,
        remedy=remedy,
        command=f"advisor {command}" if command else "",
    )


def terminal(comparison: Comparison) -> list[RenderableType]:
    """Return the checklist for a terminal: no figures beyond the finding and no methods; the HTML report has those."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    found = checks(comparison)
    if not found:
        return []
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=max(len(check.word) for check in found), no_wrap=True)
    grid.add_column(overflow="fold")
    for check in found:
        body = Text.assemble((line(check.name), "bold"), f": {line(check.finding)}")
        if check.remedy:
            body.append(f"\n{line(check.remedy)}{_briefly(check)}", "dim")
        grid.add_row(Text(check.word, style=COLOURS[check.state]), body)
    return [Text(""), Text("Checks before a yes", style="bold"), Padding(grid, (0, 0, 0, 1))]


def _briefly(check: Check) -> str:
    """Return the line to type where the check fails; where it is not known, only what to add to the same command."""
    if not check.command or check.state == "fail":
        return f": {line(check.command)}" if check.command else ""
    added = _ADDED.search(check.command)
    return f": the same command with {added[1]}" if added else f": {line(check.command)}"


def markdown(comparison: Comparison, text: Callable[[str], str]) -> str:
    """Return the checklist as Markdown; `text` escapes foreign words. Figures and methods are folded away."""
    found = checks(comparison)
    if not found:
        return ""
    lines = [f"- {SIGNS[c.state]} {c.word}: **{text(c.name)}** {text(c.finding)}{_to_do(c, text)}" for c in found]
    more = [
        f"- **{text(check.name)}**: {'; '.join(text(part) for part in (*check.details, check.how) if part)}"
        for check in found
        if check.details or check.how
    ]
    folded = "\n\n<details><summary>Figures of the checks, and how they were computed</summary>\n\n"
    tail = f"{folded}{chr(10).join(more)}\n\n</details>" if more else ""
    return f"**Checks before a yes**\n\n{chr(10).join(lines)}{tail}"


def _to_do(check: Check, text: Callable[[str], str]) -> str:
    return f" (to do: {text(check.remedy).rstrip('.')})" if check.remedy else ""
