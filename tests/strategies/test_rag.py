from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from advisor.core.model import Request
from advisor.core.shipped import shipped
from advisor.core.types import Document, EvalSet, Example
from advisor.testing.toy_task import KEYWORDS, embed, toy_evalset
from tests.strategies.recording import MakeContext, MakeRecorder, MakeStrategy

shipped("strategies")
from advisor.strategies import retrieval  # noqa: E402
from advisor.strategies.rag import gold_documents  # noqa: E402
from advisor.strategies.retrieval import Index  # noqa: E402

FACTS = {"Ardo": "iron", "Belm": "salt", "Corv": "wool", "Dain": "glass", "Elst": "tin", "Fenn": "peat"}


def mines(**changes: Any) -> Any:
    """Questions whose answers stand in the documents only; `gold` names the document in train."""
    docs = tuple(
        Document(f"d-{town}", town, f"{town} sells {good} " + "and more " * 80) for town, good in FACTS.items()
    )
    rows = [
        Example(f"{town}-{at}", f"{ask} {town}?", good, {"gold": f"d-{town}"})
        for town, good in FACTS.items()
        for at, ask in enumerate(("What comes from", "What is sold in", "Goods of"))
    ]
    parts = {"train": tuple(rows[0::3]), "dev": tuple(rows[1::3]), "test": tuple(rows[2::3])}
    named = {"name": "mines", "instruction": "Answer with one word.", "metric": "exact_match", "docs": docs}
    return EvalSet(**{**named, **parts, "gold_document_field": "gold", **changes})


def reads(request: Request) -> Any:
    """Answer from the passages of the last turn, as a reader would."""
    passages, _, asked = request.messages[-1].content.rpartition("Question: ")
    return next((good for town, good in FACTS.items() if town in asked and f"sells {good}" in passages), "unknown")


def random_embedder(texts: Any) -> Any:
    rows = np.stack([np.random.default_rng(list(text.encode())).normal(size=32) for text in texts])
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(params=["exact", "graph"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to search: what few texts get, and what more than `EXACT_TEXTS` get."""
    if request.param == "graph":
        monkeypatch.setattr(retrieval, "EXACT_TEXTS", 0)


@pytest.mark.usefixtures("either")
def test_the_index_is_exact_and_the_same_every_time() -> None:
    texts = [f"text {at}" for at in range(700)]
    queries = [f"query {at}" for at in range(40)]
    first, second = (Index(texts, random_embedder).search(queries, 5) for _ in range(2))
    assert first == second
    exact = np.argsort(-(random_embedder(queries) @ random_embedder(texts).T), axis=1)[:, :5]
    assert [[hit.position for hit in hits] for hits in first] == exact.tolist()


@pytest.mark.usefixtures("either")
def test_the_index_knows_its_bounds_and_orders_duplicates() -> None:
    index = Index(["same", "other words", "same", "same"], embed)
    assert [hit.position for hit in index.search(["same"], 3)[0]] == [0, 2, 3]
    assert index.search(["same"], 1)[0][0].similarity == pytest.approx(1.0, abs=1e-5)
    assert len(index.search(["same"], 99)[0]) == 4
    assert index.search([], 2) == []


@pytest.mark.usefixtures("either")
def test_among_many_equals_the_first_win_however_the_graph_was_built() -> None:
    texts = [f"unlike number{at}" if at % 10 == 0 else "same" for at in range(200)]
    found = [Index(texts, embed).search(["same"], 3)[0] for _ in range(3)]
    assert [[hit.position for hit in hits] for hits in found] == [[1, 2, 3]] * 3


def test_an_index_that_is_gone_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    import gc

    from advisor.strategies.retrieval import _client

    monkeypatch.setattr(retrieval, "EXACT_TEXTS", 0)
    index = Index(["a", "b"], embed)
    before = _client().count_collections()
    del index
    gc.collect()
    assert _client().count_collections() == before - 1


def test_both_ways_to_search_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"text {at % 150}" for at in range(300)]
    queries = [f"text {at}" for at in range(0, 300, 7)]
    exact = Index(texts, random_embedder).search(queries, 5)
    monkeypatch.setattr(retrieval, "EXACT_TEXTS", 0)
    graph = Index(texts, random_embedder).search(queries, 5)
    assert [[hit.position for hit in hits] for hits in exact] == [[hit.position for hit in hits] for hits in graph]
    pairs = [
        (a.similarity, b.similarity)
        for one, two in zip(exact, graph, strict=True)
        for a, b in zip(one, two, strict=True)
    ]
    assert max(abs(a - b) for a, b in pairs) <= 2e-6


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


@pytest.mark.usefixtures("either")
def test_batches_do_not_change_what_is_found() -> None:
    index = Index([f"text {at}" for at in range(50)], embed)
    queries = [f"about text {at}" for at in range(300)]
    assert index.search(queries, 3) == [index.search([query], 3)[0] for query in queries]


def test_rag_answers_from_documents_and_traces_what_it_found(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model, evalset = recorder(reads), mines()
    rag = strategy("rag")
    rag.fit(evalset.train, context(model, evalset))
    answers = rag.predict([example.input for example in evalset.test])
    assert [p.output for p in answers] == [example.target for example in evalset.test]
    assert [p.trace["retrieved"][0] for p in answers] == [example.metadata["gold"] for example in evalset.test]
    assert all(len(p.trace["similarity"]) == rag.selection["k"] for p in answers)
    assert rag.selection["over"] == "documents"
    assert set(rag.selection["dev_scores"]) == {"k=1", "k=2"}


def test_demonstrations_show_the_gold_passage_in_a_shared_prefix(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model, evalset = recorder(reads), mines()
    rag = strategy("rag(k=1, shots=2)")
    rag.fit(evalset.train, context(model, evalset))
    rag.predict([example.input for example in evalset.test])
    first = model.requests[0].messages
    assert [message.role for message in first] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert f"sells {first[2].content}" in first[1].content
    assert len({request.messages[:-1] for request in model.requests}) == 1


def test_passages_are_clipped(context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy) -> None:
    model, evalset = recorder(reads), mines()
    rag = strategy("rag(k=1, shots=0, max_document_words=10)")
    rag.fit(evalset.train, context(model, evalset))
    rag.predict(["Goods of Ardo?"])
    assert len(model.requests[-1].messages[-1].content.split()) < 20


def test_k_is_chosen_on_dev_where_one_passage_is_not_enough(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    """A reader that needs two passages in the prompt to say anything."""

    def needs_two(request: Request) -> Any:
        return reads(request) if request.messages[-1].content.count("Passage: ") >= 2 else "unknown"

    evalset = mines()
    rag = strategy("rag")
    rag.fit(evalset.train, context(recorder(needs_two), evalset))
    assert rag.selection["k"] == 2


def test_without_documents_the_neighbours_become_demonstrations(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model, evalset = recorder(lambda request: request.messages[-2].content), toy_evalset()
    rag = strategy("rag")
    rag.fit(evalset.train, context(model))
    answers = rag.predict([example.input for example in evalset.test])
    right = sum(p.output == example.target for p, example in zip(answers, evalset.test, strict=True))
    assert right > len(evalset.test) / 2
    assert rag.selection["over"] == "examples"
    best = {example.id: example for example in evalset.train}[answers[0].trace["retrieved"][0]]
    request = model.requests[-len(evalset.test)]
    assert [message.content for message in request.messages[-3:-1]] == [best.input, best.target]
    assert set(KEYWORDS) >= {p.output for p in answers}


@pytest.mark.parametrize(
    ("metadata", "found"),
    [({"gold": "d-Ardo"}, ["d-Ardo"]), ({"gold": ["d-Belm", "gone"]}, ["d-Belm"]), ({}, []), ({"gold": None}, [])],
)
def test_gold_documents_are_one_a_list_or_none(
    metadata: Any, found: Any, context: MakeContext, recorder: MakeRecorder
) -> None:
    task = context(recorder(), mines()).task
    assert gold_documents(Example("1", "q", "a", metadata), task, {doc.id: doc for doc in task.docs}) == found


@pytest.mark.usefixtures("either")
def test_more_texts_than_one_batch_of_chromadb() -> None:
    vectors = np.random.default_rng(0).normal(size=(6_000, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = Index([str(at) for at in range(6_000)], lambda texts: vectors[[int(text) for text in texts]])
    found = index.search([str(at) for at in range(0, 6_000, 500)], 1)
    assert [hits[0].position for hits in found] == list(range(0, 6_000, 500))
