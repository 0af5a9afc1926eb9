"""Tables in plain text, laid out by rich: no colours and no boxes, so that they can be copied and piped."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from advisor._util.redaction import for_terminal

GAP = 2
NARROWEST_NAMES, NARROWEST_TEXT = 14, 24
"""Characters that the column which gives way gets at least, however narrow the terminal is."""


def text_table(rows: Iterable[Sequence[str]], *, figures: bool = False, indent: int = 0) -> str:
    """Align columns in the width of the terminal. One column gives way: it goes on below itself. Nothing is cut.

    Args:
        rows: all of the same length; every cell is one line.
        figures: the first column holds names and gives way, all others are aligned right. Otherwise the last column
            gives way: running text, whose words (paths among them) stay whole.
        indent: blanks before each line.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [[" ".join(for_terminal(cell).split()) for cell in row] for row in rows]
    if not cells:
        return ""
    table, narrowest = Table.grid(padding=(0, GAP, 0, 0), pad_edge=False), 0
    for at, column in enumerate(zip(*cells, strict=True)):
        width = max(cell_len(cell) for cell in column)
        if figures and at == 0:
            width = min(width, NARROWEST_NAMES)
        elif not figures and at == len(cells[0]) - 1:
            width = max([NARROWEST_TEXT, *(cell_len(word) for cell in column for word in cell.split())])
        table.add_column(min_width=width, overflow="fold", justify="right" if figures and at > 0 else "left")
        narrowest += width + (GAP if at else 0)
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    screen = io.StringIO()
    console = Console(file=screen, color_system=None, force_jupyter=False)
    console.print(table, width=max(console.width - indent, narrowest), crop=False)
    return "\n".join(" " * indent + line.rstrip() for line in screen.getvalue().splitlines())
