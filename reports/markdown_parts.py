"""What Markdown is made of: foreign text that can do nothing, tables, lines to type, parts that open."""

from __future__ import annotations

import re

from . import numbers
from .safe import line, shorten

SHOWN_CHARACTERS = 200
_SPECIAL = re.compile(r"([\\`*_\[\]!|<>~$&]|^[#+=-]|:(?=\S)|(?<=^\d)[.)])")


def text(foreign: str) -> str:
    """Return `foreign` as plain words: one line, every sign of Markdown escaped, nobody mentioned, nothing linked."""
    escaped = _SPECIAL.sub(r"\\\1", line(foreign))
    return escaped.replace("@", "@\u2060").replace("www.", "www\u2060.")


def code(foreign: str, limit: int = SHOWN_CHARACTERS) -> str:
    """Return `foreign` as a code span that can stand in a table cell: fenced by more backticks than it contains."""
    plain = shorten(line(foreign), limit).replace("|", "\\|")
    if not plain:
        return numbers.MISSING
    fence = "`" * (max((len(run) for run in re.findall("`+", plain)), default=0) + 1)
    pad = " " if "`" in plain else ""
    return f"{fence}{pad}{plain}{pad}{fence}"


def table(header: list[str], rows: list[list[str]], words: tuple[int, ...] = (0,)) -> str:
    """Lay out a table; the columns in `words` hold words and stand left, the others figures."""
    align = [":--" if column in words else "--:" for column in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, align, *rows))


def block(command: str) -> str:
    """Return a line to type as a block of its own, fenced by more backticks than it contains."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", command)), default=0))
    return f"{fence}\n{line(command)}\n{fence}"


def folded(title: str, body: str) -> str:
    """Return a part that opens when it is clicked."""
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"
