from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reports.sample import HOSTILE, report

safe = report("safe")
BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"


@given(st.text(alphabet=st.characters(categories=None), max_size=60))
def test_no_control_bidi_or_surrogate_character_survives(text: str) -> None:
    kept = safe.clean(text)
    assert not [c for c in kept if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
    assert not set(kept) & set(BIDI)
    kept.encode("utf-8")


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters=BIDI)))
def test_ordinary_text_of_any_script_is_left_alone(text: str) -> None:
    assert safe.clean(text) == text


@pytest.mark.parametrize(
    "escape",
    ["\x1b[31m", "\x1b[2J", "\x1b]0;title\x07", "\x1b]8;;http://evil.invalid\x1b\\", "\x1bPq\x1b\\", "\x9b2J", "\x1bc"],
)
def test_terminal_escapes_go_whole(escape: str) -> None:
    assert safe.clean(f"a{escape}b") in ("ab", "acb")  # of ESC c, a reset, the letter may stay


def test_a_line_has_one_line() -> None:
    assert safe.line(" a\r\n b\t\tc ") == "a b c"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", " =", "\x1b[0m=", "\u202e="])
def test_formulas_are_disarmed(start: str) -> None:
    cell = safe.cell(f"{start}cmd|'/c calc'!A1")
    assert cell.startswith("'")


@given(st.text(alphabet=st.characters(categories=None), max_size=40))
def test_no_cell_ever_starts_a_formula(text: str) -> None:
    kept = safe.cell(text)
    assert not kept.lstrip().startswith(("=", "+", "-", "@"))
    assert not kept.startswith(("\t", "\r", "\n"))


def test_plain_cells_are_left_alone() -> None:
    assert safe.cell("a=1, -2") == "a=1, -2"
    assert "\x1b" not in safe.cell(HOSTILE)


def test_shortening_keeps_within_the_limit() -> None:
    assert safe.shorten("abcdef", 4) == "abc…"
    assert safe.shorten("abcd", 4) == "abcd"
