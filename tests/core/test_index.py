"""The retrieval index: exact, the same every time, and in no need of room for all similarities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from advisor.core import index as module
from advisor.core.index import Index
from advisor.testing.toy_task import embed


def random_embedder(texts: Any) -> Any:
    rows = np.stack([np.random.default_rng(list(text.encode())).normal(size=32) for text in texts])
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_the_index_is_exact_and_the_same_every_time() -> None:
    texts = [f"text {at}" for at in range(700)]
    queries = [f"query {at}" for at in range(40)]
    first, second = (Index(texts, random_embedder).search(queries, 5) for _ in range(2))
    assert first == second
    exact = np.argsort(-(random_embedder(queries) @ random_embedder(texts).T), axis=1)[:, :5]
    assert [[hit.position for hit in hits] for hits in first] == exact.tolist()


def test_the_index_knows_its_bounds_and_orders_duplicates() -> None:
    index = Index(["same", "other words", "same", "same"], embed)
    assert [hit.position for hit in index.search(["same"], 3)[0]] == [0, 2, 3]
    assert index.search(["same"], 1)[0][0].similarity == pytest.approx(1.0, abs=1e-5)
    assert len(index.search(["same"], 99)[0]) == 4
    assert index.search([], 2) == []


def test_among_many_equals_the_first_win() -> None:
    texts = [f"unlike number{at}" if at % 10 == 0 else "same" for at in range(200)]
    found = [Index(texts, embed).search(["same"], 3)[0] for _ in range(2)]
    assert [[hit.position for hit in hits] for hits in found] == [[1, 2, 3]] * 2


def test_near_equals_are_ranked_beyond_float32_and_equals_by_position() -> None:
    steps = np.array([0, 4e-7, 3e-6, 0, 5e-5])
    rows = np.stack([np.sqrt(1 - (0.5 + steps) ** 2), 0.5 + steps], axis=1).astype(np.float32)
    queries = np.array([[0.0, 1.0]], dtype=np.float32)
    index = Index(list("abcde"), lambda texts: rows if len(texts) == 5 else queries)
    assert [hit.position for hit in index.search(["q"], 5)[0]] == [4, 2, 0, 1, 3]
    assert [hit.position for hit in index.search(["q"], 3)[0]] == [4, 2, 0]


def test_indexes_of_the_same_texts_share_their_vectors() -> None:
    one, two, other = Index(["a", "b"], embed), Index(["a", "b"], embed), Index(["b", "a"], embed)
    assert one._vectors is two._vectors
    assert one._vectors is not other._vectors


def test_batches_do_not_change_what_is_found() -> None:
    index = Index([f"text {at}" for at in range(50)], embed)
    queries = [f"about text {at}" for at in range(300)]
    assert index.search(queries, 3) == [index.search([query], 3)[0] for query in queries]


def test_few_similarities_are_held_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    texts, queries = [f"text {at}" for at in range(300)], [f"query {at}" for at in range(50)]
    whole = Index(texts, random_embedder).search(queries, 7)
    monkeypatch.setattr(module, "_SCORES_AT_ONCE", 100)
    monkeypatch.setattr(module, "_RANKED_AT_ONCE", 3)
    assert Index(texts, random_embedder).search(queries, 7) == whole
