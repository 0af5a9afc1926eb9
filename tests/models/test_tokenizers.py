"""Tokens counted without the model that reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import advisor
from advisor.core.data_check import DataCheckSettings
from advisor.core.model import Request
from advisor.core.types import Message
from advisor.decision.request import ComparisonRequest
from advisor.models.tokenizers import token_counter
from advisor.runs.plan import plan
from tests.small_comparison import write_evalset

HARD = (
    "2024-11-14T23:44:07Z",
    "请在收到货物后的三十天内联系客服办理退货",
    "수령일로부터 삼십 일 이내에 고객 센터로 문의해 주십시오",
    "DE89 3704 0044 0532 0130 00",
    "550e8400-e29b-41d4-a716-446655440000",
    "يرجى الاتصال بخدمة العملاء خلال ثلاثين يوما",
)


def write_tokenizer(folder: Path) -> str:
    """Write a tokenizer that takes every character for a token."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    folder.mkdir()
    made = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    made.save(str(folder / "tokenizer.json"))
    return str(folder)


def test_a_folder_with_a_tokenizer_counts(tmp_path: Path) -> None:
    count = token_counter(write_tokenizer(tmp_path / "model"))
    assert count is not None
    assert count(["abc d", "", "手紙"]) == [5, 0, 2]


@pytest.mark.parametrize("spec", ["", "openai:x", "hf:no/such", "hf:", "hf:a b//c", "http://h/v1#n", "none", "a.py:f"])
def test_where_no_tokenizer_is_at_hand_nobody_counts(spec: str) -> None:
    assert token_counter(spec) is None


def test_a_broken_tokenizer_is_none(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{", encoding="utf-8")
    assert token_counter(str(tmp_path)) is None


def test_a_dry_run_counts_with_it(tmp_path: Path) -> None:
    evalset, model = str(write_evalset(tmp_path / "small")), write_tokenizer(tmp_path / "model")
    asked = ComparisonRequest(evalset, model, ("zero_shot",), checks="none")
    found, guessed = plan(asked), plan(ComparisonRequest(evalset, "hf:no/such", ("zero_shot",), checks="none"))
    [row], [other] = found.rows, guessed.rows
    assert (row.input_tokens or 0) > 3.9 * (other.input_tokens or 0)
    assert row.output_tokens == 21 * 32
    assert (found.counted, guessed.counted.partition(";")[0]) == (
        "with the model's own tokenizer",
        "at four bytes each",
    )
    few = plan(ComparisonRequest(evalset, model, ("zero_shot",), checks="none", max_answer_tokens=7)).rows[0]
    assert few.output_tokens == 21 * 7


def test_a_check_counts_with_it(tmp_path: Path) -> None:
    folder = str(write_evalset(tmp_path / "small"))
    count = token_counter(write_tokenizer(tmp_path / "model"))
    told = [
        next(one for one in advisor.check_data(folder, settings=settings).findings if one.check == "context")
        for settings in (
            DataCheckSettings(embedded=0, context_tokens=60, count_tokens=count),
            DataCheckSettings(embedded=0, context_tokens=60),
        )
    ]
    assert [one.gate for one in told] == ["fail", "ok"]
    assert "(4 bytes a token)" in told[1].figure


@pytest.mark.weights
def test_the_embedded_model_says_hard_targets_back_in_the_room_that_they_get(local_model: Any) -> None:
    from advisor.core.tokens import answer_room

    counted = local_model.count_tokens(HARD)
    assert token_counter("smollm2")(HARD) == counted  # type: ignore[misc]
    room = answer_room(counted)
    copying = [
        Request((Message("user", "Repeat."), Message("assistant", target), Message("user", "Repeat.")), room,
                choices=(target,))
        for target in HARD
    ]  # fmt: skip
    assert [done.text for done in local_model.generate(copying)] == list(HARD)
    row = local_model._row(Request((Message("user", "x " * 8100),), 500))
    assert 0 < row.max_tokens == local_model.context_tokens - len(row.ids)
    assert "no room for an answer" in local_model._row(Request((Message("user", "x " * 8200),), 500)).error
