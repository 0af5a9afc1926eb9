"""Lexical and hybrid retrieval, in scripts with and without spaces; and the fusion of ranked lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from advisor.core.errors import ConfigurationError
from advisor.core.index import Hit, Index, fused
from advisor.core.lexical import LexicalIndex, words_of
from advisor.testing.toy_task import embed


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The café's No. 12", ["the", "cafe", "s", "no", "12"]),
        ("\uff21\uff22\uff23 straße", ["abc", "strasse"]),
        ("猫", ["猫"]),
        ("东京塔 hello", ["东", "京", "塔", "东京", "京塔", "hello"]),
        ("ไทย", ["ไ", "ท", "ย", "ไท", "ทย"]),
        ("हिन्दी", ["हिन्दी"]),
        ("كِتَابٌ", ["كتاب", "كتا", "تاب"]),
        ("", []),
        ("?!", []),
    ],
)
def test_words_are_compared_without_case_accents_and_widths(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("texts", "query", "first"),
    [
        (["the red house", "a blue boat", "green hills"], "Which BOAT?", 1),
        (["机器学习是人工智能的分支", "今天天气很好", "我喜欢吃苹果"], "苹果好吃吗", 2),
        (["東京タワーは赤い", "富士山は高い", "京都は古い"], "一番高い山は富士山ですか", 1),
        (["กรุงเทพเป็นเมืองหลวง", "เชียงใหม่อยู่ทางเหนือ", "ภูเก็ตเป็นเกาะ"], "เมืองเชียงใหม่อยู่ที่ไหน", 1),
        (["القلم أزرق", "والكتاب على الطاولة", "السيارة سريعة"], "أين كتاب؟", 1),
        (["서울은 수도이다", "부산은 항구이다", "제주는 섬이다"], "부산에서", 1),
        (["הבית גדול", "והספר על השולחן", "המכונית מהירה"], "ספר", 1),
    ],
    ids=["English", "Chinese", "Japanese", "Thai", "Arabic", "Korean", "Hebrew"],
)
def test_words_are_found_in_any_script(texts: list[str], query: str, first: int) -> None:
    assert Index(texts, embed, "lexical").search([query], 1)[0][0].position == first


def test_bm25_is_lucenes() -> None:
    """Against the formula itself: idf = ln(1 + (N - n + 0.5) / (n + 0.5)), k1 = 1.5, b = 0.75."""
    texts = ["a b b", "b c", "c c c d", "a"]
    tokens = [text.split() for text in texts]
    mean = np.mean([len(row) for row in tokens])

    def score(query: str, row: list[str]) -> float:
        total = 0.0
        for word in query.split():
            n = sum(word in other for other in tokens)
            idf = np.log(1 + (len(texts) - n + 0.5) / (n + 0.5))
            total += idf * row.count(word) / (row.count(word) + 1.5 * (0.25 + 0.75 * len(row) / mean))
        return total

    for query in ("a", "b c", "c d zzz"):
        found = dict(LexicalIndex(texts).nearest(query, 9))
        assert found == {
            at: pytest.approx(score(query, row), abs=2e-6) for at, row in enumerate(tokens) if score(query, row)
        }


def test_a_lexical_index_gives_only_what_shares_a_word_and_equals_by_position() -> None:
    index = Index(["same", "other", "same", ""], embed, "lexical")
    assert [hit.position for hit in index.search(["same"], 9)[0]] == [0, 2]
    assert index.search(["nothing", "", "?"], 3) == [[], [], []]
    assert index.search(["same"], 0) == [[]]
    assert Index([], embed, "lexical").search(["same"], 3) == [[]]
    assert Index(["?", ""], embed, "lexical").search(["same"], 3) == [[]]


def test_a_lexical_index_asks_for_no_embedding() -> None:
    def refuses(texts: Any) -> Any:
        raise AssertionError("embedded")

    assert Index(["a b"], refuses, "lexical").search(["b"], 1)[0][0].position == 0


def test_lists_are_fused_by_rank() -> None:
    one, two = [Hit(7, 0.9), Hit(3, 0.8)], [Hit(3, 11.0), Hit(5, 2.0)]
    assert fused([one, two]) == [
        Hit(3, round(1 / 62 + 1 / 61, 6)), Hit(7, round(1 / 61, 6)), Hit(5, round(1 / 62, 6)),
    ]  # fmt: skip


def test_a_hybrid_index_finds_what_either_finds() -> None:
    texts = [f"filler number{at}" for at in range(50)]
    texts[31] = "Wanted: zebra"
    hybrid = Index(texts, embed, "hybrid")
    assert hybrid.search(["zebra"], 1)[0][0].position == 31
    assert len(hybrid.search(["nothing in common"], 4)[0]) == 4, "by meaning there is always a nearest"
    queries = [f"number{at}" for at in range(20)]
    assert hybrid.search(queries, 3) == [hybrid.search([query], 3)[0] for query in queries]


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'hybird' is unknown; did you mean 'hybrid'"):
        Index(["a"], embed, "hybird")  # type: ignore[arg-type]
