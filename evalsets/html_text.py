"""The text of an HTML page as Markdown: headings, lists, tables and code keep their form; scripts and styles go."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_SKIPPED = {"script", "style", "noscript", "template", "svg", "iframe", "object", "nav", "footer"}
_BLOCKS = (
    "p",
    "div",
    "section",
    "article",
    "main",
    "header",
    "aside",
    "blockquote",
    "figure",
    "dl",
    "dt",
    "dd",
    "form",
)
_BEFORE = {
    **dict.fromkeys((*_BLOCKS, "table"), "\n\n"),
    **{f"h{level}": f"\n\n{'#' * level} " for level in range(1, 7)},
    "pre": "\n\n```\n",
    "br": "\n",
    "td": "| ",
    "th": "| ",
}
_AFTER = {
    **dict.fromkeys((*_BLOCKS, "table", *(f"h{level}" for level in range(1, 7))), "\n\n"),
    "pre": "\n```\n\n",
    "td": " ",
    "th": " ",
}
_LISTS = {"ul": "- ", "ol": "1. "}


def text_of_html(page: str) -> tuple[str, str]:
    """Return title and text of a page; the title is empty where it has none.

    Navigation and footers are left out, since every page of a site repeats them. What is broken is read as browsers do:
    as far as it goes.
    """
    reader = _Page()
    reader.feed(page)
    reader.close()
    lines = "".join(reader.parts).splitlines()
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in lines)).strip()
    return " ".join("".join(reader.title).split()), text


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.title: list[str] = []
        self._skipping = self._code = self._cells = self._rows = 0
        self._in_title = False
        self._lists: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag in _SKIPPED:
            self._skipping += 1
        elif tag in _LISTS:
            self.parts.append("" if self._lists else "\n\n")
            self._lists.append(_LISTS[tag])
        elif tag == "li":
            self.parts.append(f"\n{'  ' * (len(self._lists) - 1)}{self._lists[-1] if self._lists else '- '}")
        self.parts.append(_BEFORE.get(tag, ""))
        self._in_title = self._in_title or tag == "title"
        self._code += tag == "pre"
        self._rows = 0 if tag == "table" else self._rows
        self._cells = 0 if tag == "tr" else self._cells + (tag in ("td", "th"))

    def handle_endtag(self, tag: str) -> None:
        if tag in _SKIPPED:
            self._skipping = max(0, self._skipping - 1)
        elif tag in _LISTS and self._lists:
            self._lists.pop()
            self.parts.append("" if self._lists else "\n\n")
        elif tag == "tr" and self._cells:
            self._rows += 1
            rule = f"\n|{'---|' * self._cells}" if self._rows == 1 else ""
            self.parts.append(f"|{rule}\n")
        self.parts.append(_AFTER.get(tag, ""))
        self._in_title = self._in_title and tag != "title"
        self._code = max(0, self._code - (tag == "pre"))

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title.append(data)
        elif not self._skipping:
            self.parts.append(data if self._code else re.sub(r"[ \t\r\n\f]+", " ", data))
