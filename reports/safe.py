"""Foreign text, disarmed. Answers, inputs, labels and error messages are data from strangers in every report."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from advisor._util.redaction import hide_known

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

# C0 and C1 controls (ESC and CSI among them; tab and line feed stay), bidirectional overrides and isolates, and lone
# surrogates, which cannot be written as UTF-8.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_ESCAPE = re.compile(
    "\x1b\\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movements
    "|\x1b[\\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\\\|\x9c)?"  # OSC, DCS, SOS, PM, APC: titles, links, clipboard
    "|\x1b[@-Z\\\\^_]|\x9b[0-?]*[ -/]*[@-~]"
)
_JOINED, _CONTINUED = " \\", " " * 4
"""What ends a line that a shell joins with the next one, and how that one begins."""
_FLAGS = re.compile(r"""(?:'[^']*'|"[^"]*"|(?! --).)+""")
"""The parts of a command line, each but the first one beginning with a flag; what is quoted stays together."""
WIDEST_COMMAND = 78
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def clean(text: str) -> str:
    """Return `text` without terminal escapes, control and bidirectional characters, and without keys."""
    return hide_known(_UNPRINTABLE.sub("", _ESCAPE.sub("", text.replace("\r\n", "\n"))))


def line(text: str) -> str:
    """Return `text` cleaned and on one line."""
    return " ".join(clean(text).split())


def shorten(text: str, limit: int) -> str:
    """Return at most `limit` characters of `text`, the last being an ellipsis where some were cut."""
    return text if len(text) <= limit else f"{text[: max(limit - 1, 0)]}…"


def cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: an apostrophe in front of ``= + - @``, tab, CR and LF.

    A blank before the sign does not help a formula past this, and the full-width signs count too (OWASP, "CSV
    Injection").
    """
    kept = _UNPRINTABLE.sub("", _ESCAPE.sub("", text))
    shapes = (text, text.lstrip(), kept, kept.lstrip())
    return f"'{kept}" if any(shape.startswith(_FORMULA) for shape in shapes) else kept


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
