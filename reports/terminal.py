"""What all reports on a terminal are made of: printing at a readable width, lists with a title, lines to type."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .safe import line
from .view import Typed

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.text import Text

ANSWER_COLOURS = {"fine_tune": "green", "do_not_fine_tune": "red", "not_yet": "blue"}
MAX_WIDTH = 110
_JOINED, _CONTINUED = " \\", " " * 4
"""What ends a line that a shell joins with the next one, and how that one begins."""
_FLAGS = re.compile(r"""(?:'[^']*'|"[^"]*"|(?! --).)+""")
"""The parts of a command line, each but the first one beginning with a flag; what is quoted stays together."""
WIDEST_COMMAND = 78


def this_terminal() -> Console:
    """Return the console of this terminal, or of the pipe in its place."""
    from rich.console import Console

    return Console(highlight=False)


def print_report(report: RenderableType, console: Console | None = None) -> None:
    """Print a rendered report; on a terminal that cannot show a character, a question mark stands for it."""
    console = console or this_terminal()
    width = min(console.width, MAX_WIDTH)
    if (console.encoding or "").lower().startswith("utf"):
        console.print(report, width=width)
        return
    with console.capture() as capture:
        console.print(report, width=width)
    printed = capture.get()
    for fine, plain in (("–", "-"), ("…", "..."), ("·", "|"), ("×", "x")):
        printed = printed.replace(fine, plain)
    console.file.write(printed.encode(console.encoding, "replace").decode(console.encoding))


def one_line(foreign: str, style: str = "") -> Text:
    """Return foreign text, cleaned, on one line and never read as markup."""
    from rich.text import Text

    return Text(line(foreign), style=style)


def listed(title: str, items: Sequence[str | Typed]) -> list[RenderableType]:
    """Return a title and its items, each with a dash before it; nothing where there are none."""
    from rich.padding import Padding
    from rich.table import Table

    if not items:
        return []
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=1)
    grid.add_column(overflow="fold")
    for item in items:
        told = Typed(item, "") if isinstance(item, str) else item
        grid.add_row(one_line("-"), one_line(told.words))
        if told.command:  # on lines of its own, which a shell joins again
            grid.add_row(one_line(""), CommandLine(told.command))
    return [one_line(""), one_line(title, "bold"), Padding(grid, (0, 0, 0, 1))]


def typable(words: str, width: int) -> str:
    """Return a command line cut before its flags into lines that a shell joins again, `width` wide where that goes."""
    lines = [""]
    for part in _FLAGS.findall(words):
        indent = 0 if len(lines) == 1 else len(_CONTINUED)
        if lines[-1] and indent + len(lines[-1]) + len(part) + len(" ") + len(_JOINED) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {part}".strip()
    return f"{_JOINED}\n{_CONTINUED}".join(lines)


class CommandLine:
    """A command line on a terminal of any width: whole, and a shell joins its lines again."""

    def __init__(self, words: str, style: str = "") -> None:
        self._words, self._style = line(words), style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        yield Text(typable(self._words, min(options.max_width, WIDEST_COMMAND)), style=self._style, overflow="fold")
