"""Foreign text, disarmed. Answers, inputs, labels and error messages are data from strangers in every report."""

from __future__ import annotations

import re

from advisor._util.redaction import hide_known

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
_HARMLESS = re.compile("(?:[A-Za-z0-9][A-Za-z0-9_ .,-]*)?")
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
    if _HARMLESS.fullmatch(text):
        return text
    kept = _UNPRINTABLE.sub("", _ESCAPE.sub("", text))
    shapes = (text, text.lstrip(), kept, kept.lstrip())
    return f"'{kept}" if any(shape.startswith(_FORMULA) for shape in shapes) else kept
