from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from advisor.core.gold import gold_documents, holds_answer
from advisor.core.model import Request
from advisor.core.shipped import shipped
from advisor.core.types import Document, EvalSet, Example
from advisor.testing.toy_task import KEYWORDS, toy_evalset
from tests.strategies.recording import MakeContext, MakeRecorder, MakeStrategy

shipped("strategies")
from advisor.strategies.prompts import passage_text  # noqa: E402

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
    assert rag.selection["gold_examples"] == 12
    chosen = "{search} k={k} of {piece_tokens} tokens".format(**rag.selection)
    assert rag.selection["recall"][chosen] == max(rag.selection["recall"].values()) == 1.0
    assert chosen in rag.selection["dev_scores"]


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


def long_documents(fill: Sequence[str], say: str, ask: str, glue: str = " ", **changes: Any) -> EvalSet:
    """40 documents of 600 words with the one sentence that answers in the middle; titles and ids say nothing."""
    rng, docs, rows = np.random.default_rng(0), [], []
    for at in range(40):
        words = rng.choice(np.array(fill), 600).tolist()
        middle = say.format(name=f"Q{at}X", answer=f"stone{at}")
        text = glue.join([glue.join(words[:300]), middle, glue.join(words[300:])])
        docs.append(Document(f"d{at}", f"Report {at * 7 % 40}", text))
        rows.append(Example(f"e{at}", ask.format(name=f"Q{at}X"), f"stone{at}", {"gold": f"d{at}"}))
    parts = {"train": tuple(rows[:8]), "dev": tuple(rows[8:18]), "test": tuple(rows[18:])}
    named = {"name": "long", "instruction": "Answer.", "metric": "exact_match", "gold_document_field": "gold"}
    return EvalSet(**{**named, "docs": tuple(docs), **parts, **changes})


FILL = "the of a river stone bridge paid for under old market and seven houses were. Later, someone built".split()
HAN = [*"山河大地春夏秋冬人来人往水火木金土。"]


def perfect(request: Request) -> Any:
    """Find the sentence about the name that was asked for, if it was shown."""
    passages, _, asked = request.messages[-1].content.rpartition("Question: ")
    name = re.search(r"Q\d+X", asked)
    found = re.search(rf"{name[0]}\D*?(stone\d+)", passages) if name else None
    return found[1] if found else "unknown"


@pytest.mark.parametrize("gold", [True, False], ids=["gold ids", "no gold ids"])
@pytest.mark.parametrize(
    ("fill", "say", "ask", "glue"),
    [
        (FILL, "The keeper of {name} holds {answer}.", "What does the keeper of {name} hold?", " "),
        (HAN, "{name}的看守人拿着{answer}。", "{name}的看守人拿着什么", ""),
        (FILL, "\n\n| place | holds |\n|---|---|\n| {name} | {answer} |\n\n", "What does {name} hold?", " "),
    ],
    ids=["English", "Chinese", "table"],
)
def test_answers_in_the_middle_of_long_documents_are_shown(
    fill: Any,
    say: str,
    ask: str,
    glue: str,
    gold: bool,
    context: MakeContext,
    recorder: MakeRecorder,
    strategy: MakeStrategy,
) -> None:
    changes = {} if gold else {"gold_document_field": ""}
    model, evalset, rag = recorder(perfect), long_documents(fill, say, ask, glue, **changes), strategy("rag")
    rag.fit(evalset.train, context(model, evalset))
    answers = rag.predict([example.input for example in evalset.test])
    shown = [
        example.target in request.messages[-1].content
        for example, request in zip(evalset.test, model.requests[-22:], strict=True)
    ]
    assert np.mean(shown) >= 0.95
    assert (
        np.mean([answer.output == example.target for answer, example in zip(answers, evalset.test, strict=True)])
        >= 0.95
    )
    texts = {document.id: document.text for document in evalset.docs}
    for answer, example in zip(answers, evalset.test, strict=True):
        pairs = zip(answer.trace["retrieved"], answer.trace["spans"], strict=True)
        assert any(example.target in texts[name][start:end] for name, (start, end) in pairs)


def test_what_does_not_fit_the_context_is_left_out_whole_and_said(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    evalset = mines()
    holds_little = recorder(reads)
    holds_little.context_tokens = 330
    rag = strategy("rag(k=4, piece_tokens=64, shots=1)")
    rag.fit(evalset.train, context(holds_little, evalset))
    [answer] = rag.predict(["Goods of Ardo?"])
    passages = holds_little.requests[-1].messages[-1].content.split("\n\n")[:-1]
    assert answer.trace["left_out"] == 4 - len(passages) > 0
    assert len(answer.trace["retrieved"]) == len(passages) > 0
    pieces = {f"Passage: {passage_text(piece)}" for piece in rag._library.pieces(64)}
    assert set(passages) <= pieces


def test_given_documents_are_shown_whole_where_they_fit(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    evalset = long_documents(FILL, "The keeper of {name} holds {answer}.", "What does the keeper of {name} hold?")
    for limit, whole in ((None, True), (1500, False)):
        model = recorder(perfect)
        model.context_tokens = limit
        rag = strategy('rag(shots=0, k=2, piece_tokens=128, search="lexical")')
        rag.fit(evalset.train, context(model, evalset))
        given = [[evalset.docs[18 + at]] for at in range(22)]
        answers = rag.predict_from([example.input for example in evalset.test], given)
        assert [answer.output for answer in answers] == [example.target for example in evalset.test]
        assert (given[-1][0].text in model.requests[-1].messages[-1].content) is whole


def test_k_is_chosen_on_dev_where_one_passage_is_not_enough(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    """A reader that needs two passages in the prompt to say anything."""

    def needs_two(request: Request) -> Any:
        return reads(request) if request.messages[-1].content.count("Passage: ") >= 2 else "unknown"

    evalset = mines(gold_document_field="")
    rag = strategy("rag")
    rag.fit(evalset.train, context(recorder(needs_two), evalset))
    assert rag.selection["k"] >= 2
    assert (
        rag.selection["dev_scores"][f"{rag.selection['search']} k=1 of {rag.selection['piece_tokens']} tokens"] == 0.0
    )


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
    [
        ({"gold": "d-Ardo"}, ("d-Ardo",)),
        ({"gold": ["d-Belm", "gone", "d-Belm"]}, ("d-Belm",)),
        ({"gold": 7}, ("7",)),
        ({}, ()),
        ({"gold": None}, ()),
    ],
)
def test_gold_documents_are_one_a_list_or_none(metadata: Any, found: Any) -> None:
    assert gold_documents(Example("1", "q", "a", metadata), "gold", {"d-Ardo", "d-Belm", "7"}) == found
    assert gold_documents(Example("1", "q", "a", metadata), "", {"d-Ardo"}) == ()


def test_an_answer_is_held_word_for_word() -> None:
    example = Example("1", "q", "Two  Words", {"answers": ["other", ""]})
    assert holds_answer(example, ["so two\nwords it is"])
    assert holds_answer(example, ["no", "another"])
    assert not holds_answer(example, ["two of the words", ""])


def test_among_very_many_pieces_one_size_is_tried_and_that_is_said(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("advisor.strategies.retrieval")
    monkeypatch.setattr(module, "MOST_PIECES", 5)
    evalset, rag = mines(), strategy("rag")
    rag.fit(evalset.train, context(recorder(reads), evalset))
    assert rag.selection["piece_sizes_tried"] == [256]
    assert {name.split()[-2] for name in rag.selection["recall"]} == {"256"}
