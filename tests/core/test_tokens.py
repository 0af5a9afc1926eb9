from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core import metrics
from advisor.core.model import Completion, Request
from advisor.core.strategy import Context
from advisor.core.tokens import answer_room, count_tokens
from advisor.core.types import Example, Task
from advisor.runs.interception import Switch, SwitchableModel
from advisor.testing import toy_task


class ByCharacter:
    """Says how it counts: one token a character."""

    name = fingerprint = "by character"
    context_tokens = 4096

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        return [Completion() for _ in requests]

    def tune(self, job: object) -> None:
        raise NotImplementedError


class Silent:
    """Does not say how it counts."""

    name = fingerprint = "silent"
    generate = ByCharacter.generate
    tune = ByCharacter.tune


def context(model: object, most: int | None = None) -> Context:
    task = Task("t", "", "exact_match")
    metric = metrics.for_task("exact_match", task)
    return Context(0, Path(), model, task, (), metric, toy_task.embed, max_answer_tokens=most)  # type: ignore[arg-type]


def test_the_room_follows_the_known_answers_but_not_one_freak() -> None:
    assert answer_room([20] * 999 + [100_000]) == 20 * 3 // 2 + 16
    assert answer_room([20] * 99 + [200]) == 300 + 16
    assert answer_room([1]) == 32
    assert answer_room([9000]) == 13_516
    assert answer_room([]) == 64


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=500))
def test_the_room_holds_all_but_one_of_two_hundred(counts: list[int]) -> None:
    assert sum(count > answer_room(counts) for count in counts) <= len(counts) / 200


@pytest.mark.parametrize("text", ["ä" * 40, "手紙", "a", "\ud800", ""])
def test_a_model_that_hides_its_tokenizer_is_given_half_of_the_bytes(text: str) -> None:
    size = len(text.encode("utf-8", "replace"))
    assert count_tokens(Silent(), [text]) == [(size + 1) // 2]  # type: ignore[arg-type]


def test_a_strategy_counts_with_the_tokenizer_of_its_model_through_every_wrapper() -> None:
    ctx = context(SwitchableModel(ByCharacter(), Switch()))  # type: ignore[arg-type]
    assert ctx.count_tokens(["four", ""]) == [4, 0]
    assert ctx.context_tokens == 4096
    assert ctx.answer_tokens([Example("1", "q", "x" * 100)]) == ctx.answer_tokens(["x" * 100]) == 166
    assert context(Silent()).context_tokens is None


def test_the_limit_that_the_user_gives_wins() -> None:
    assert context(ByCharacter(), 7).answer_tokens(["x" * 100]) == 7
