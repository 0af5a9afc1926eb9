from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.thinking import split_thinking, thinks


@pytest.mark.parametrize(
    ("text", "answer", "is_whole"),
    [
        ("<think>\nA parcel…\n</think>\n\nbilling", "billing", True),
        ("\n<think></think>billing", "billing", True),
        ("<think>\nA parcel", "", False),
        ("A parcel…\n</think>\nbilling", "billing", True),
        ("billing", "billing", True),
        ("the tag <think> opens a block that </think> ends", "the tag <think> opens a block that </think> ends", True),
        ("<think>a</think>b</think>c", "b</think>c", True),
        ("<thinking>a</thinking>\nb", "b", True),
        ("[THINK]a[/THINK]b", "b", True),
        ("<reasoning>a", "", False),
        ("a </thinking> b", "a </thinking> b", True),
        ("<thinks>a</think>b", "b", True),
        ("", "", True),
    ],
)
def test_what_stands_in_a_leading_block_is_not_the_answer(text: str, answer: str, is_whole: bool) -> None:
    found = split_thinking(text)
    assert (found.answer, found.is_whole) == (answer, is_whole)
    assert found.thinking + found.answer == text


@given(st.lists(st.sampled_from(["<think>", "</think>", "a ", "\n", "<"]), max_size=8).map("".join))
def test_nothing_is_lost(text: str) -> None:
    found = split_thinking(text)
    assert found.thinking + found.answer == text
    assert split_thinking(f"<think>{text}").is_whole == ("</think>" in text)


def test_targets_that_think_are_known() -> None:
    assert thinks(["a", "<think>b</think>c"])
    assert thinks(["<reasoning>b</reasoning>c"])
    assert not thinks(["a", "think"])
