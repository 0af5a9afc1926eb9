from __future__ import annotations

from typing import Any

import pytest

from advisor.core.model import Request
from advisor.core.shipped import shipped
from advisor.core.types import Document, EvalSet, Example
from advisor.testing.toy_task import KEYWORDS, toy_evalset
from tests.strategies.recording import MakeContext, MakeRecorder, MakeStrategy

shipped("strategies")
from advisor.strategies.rag import gold_documents  # noqa: E402

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
