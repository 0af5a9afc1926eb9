"""The guards in every format, as "checks before a yes": state and finding first, then what to do, then figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from advisor.decision.comparison import Comparison
from advisor.decision.evidence import Guard
from advisor.decision.words import sentence

from . import view
from .safe import line

if TYPE_CHECKING:
    from rich.console import RenderableType

SIGNS = {"pass": "✅", "fail": "❌", "unknown": "❔"}
COLOURS = {"pass": "green", "fail": "red", "unknown": "yellow"}
_ORDER = ("fail", "unknown", "pass")


@dataclass(frozen=True, slots=True)
class GuardLine:
    """One guard, ready to print.

    `remedy` is empty where it holds, `command` the line to type, where there is one, and `adds` what that adds to the
    line that was typed before, where that is all it does.
    """

    name: str
    state: str
    word: str
    finding: str
    details: tuple[str, ...]
    how: str
    remedy: str
    command: str
    adds: str


def guard_lines(comparison: Comparison) -> tuple[GuardLine, ...]:
    """Return the guards: those that fail first, then those that are not known."""
    return tuple(sorted(map(_guard_line, comparison.verdict.guards), key=lambda one: _ORDER.index(one.state)))


def _guard_line(guard: Guard) -> GuardLine:
    action = guard.action if guard.state != "pass" else None
    how = guard.how[:1].upper() + guard.how[1:]
    return GuardLine(
        name=guard.name,
        state=guard.state,
        word=view.STATES[guard.state],
        finding=guard.finding,
        details=guard.details,
        how=how,
        remedy=sentence(action.what) if action else "",
        command=action.command if action else "",
        adds=action.adds if action else "",
    )


def terminal(comparison: Comparison) -> list[RenderableType]:
    """Return the guards for a terminal: no figures beyond the finding and no methods; the HTML report has those."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    found = guard_lines(comparison)
    if not found:
        return []
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=max(len(one.word) for one in found), no_wrap=True)
    grid.add_column(overflow="fold")
    for one in found:
        body = Text.assemble((line(one.name), "bold"), f": {line(one.finding)}")
        if one.remedy:
            body.append(f"\n{line(one.remedy)}{_briefly(one)}", "dim")
        grid.add_row(Text(one.word, style=COLOURS[one.state]), body)
    return [Text(""), Text("Checks before a yes", style="bold"), Padding(grid, (0, 0, 0, 1))]


def _briefly(one: GuardLine) -> str:
    """Return the line to type where the check fails; where it is not known, only what to add to the same command."""
    if one.adds and one.state == "unknown":
        return f": the same command with {one.adds}"
    return f": {line(one.command)}" if one.command else ""


def markdown(comparison: Comparison, text: Callable[[str], str]) -> str:
    """Return the guards as Markdown; `text` escapes foreign words. Figures and methods are folded away."""
    found = guard_lines(comparison)
    if not found:
        return ""
    lines = [f"- {SIGNS[c.state]} {c.word}: **{text(c.name)}** {text(c.finding)}{_to_do(c, text)}" for c in found]
    more = [
        f"- **{text(one.name)}**: {'; '.join(text(part) for part in (*one.details, one.how) if part)}"
        for one in found
        if one.details or one.how
    ]
    folded = "\n\n<details><summary>Figures of the checks, and how they were computed</summary>\n\n"
    tail = f"{folded}{chr(10).join(more)}\n\n</details>" if more else ""
    return f"**Checks before a yes**\n\n{chr(10).join(lines)}{tail}"


def _to_do(one: GuardLine, text: Callable[[str], str]) -> str:
    return f" (to do: {text(one.remedy).rstrip('.')})" if one.remedy else ""
