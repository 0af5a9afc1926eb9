from __future__ import annotations

from typing import Any

import pytest

from advisor.core.errors import ModelError
from advisor.core.model import TuningConfig
from advisor.core.types import Chat, Document, EvalSet, Example, Message, ToolSpec
from advisor.testing.toy_task import toy_evalset
from tests.strategies.recording import MakeContext, MakeRecorder, MakeStrategy

GOODS = {f"town{at}": f"good{at}" for at in range(30)}


def mines(**changes: Any) -> Any:
    docs = tuple(Document(f"d-{town}", town, f"{town} sells {good}") for town, good in GOODS.items())
    rows = [
        Example(f"{town}-{at}", f"{ask} {town}?", good, {"gold": f"d-{town}"})
        for town, good in GOODS.items()
        for at, ask in enumerate(("What comes from", "What is sold in", "Goods of"))
    ]
    parts = {"train": tuple(rows[0::3]), "dev": tuple(rows[1::3]), "test": tuple(rows[2::3])}
    named = {"name": "mines", "instruction": "Answer.", "metric": "exact_match", "docs": docs}
    return EvalSet(**{**named, **parts, "gold_document_field": "gold", **changes})


def passages(messages: Any) -> Any:
    return [part.removeprefix("Passage: ") for part in messages[0].content.split("\n\n") if part.startswith("Passage")]


def test_fine_tuning_passes_its_parameters_and_serves_what_it_trained(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model, evalset = recorder(), toy_evalset()
    tuned = strategy("fine_tuning(epochs=3, rank=8, learning_rate=0.001, layers=2, batch_size=4)")
    ctx = context(model, evalset, seed=7)
    tuned.fit(evalset.train, ctx)
    [job] = model.jobs
    assert job.config == TuningConfig(rank=8, learning_rate=0.001, epochs=3, batch_size=4, layers=2, seed=7)
    assert job.workdir == ctx.workdir
    assert [row.messages for row in job.train] == [
        (Message("user", str(example.input)), Message("assistant", example.target)) for example in evalset.train
    ]
    assert len(job.dev) == len(evalset.dev)
    answers = tuned.predict([example.input for example in evalset.test])
    assert [p.output for p in answers] == [example.target for example in evalset.test]
    assert model.requests[0].messages == (Message("user", str(evalset.test[0].input)),)
    assert tuned.selection["epoch"] == 2
    assert tuned.selection["dev_loss"] == [2.1, 1.2]
    assert tuned.selection["unread"] == 0


def test_a_part_of_the_training_set_names_the_rows_of_the_whole(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model, evalset = recorder(), toy_evalset()
    strategy("fine_tuning").fit(evalset.train[1::2], context(model, evalset, pool=evalset.train))
    strategy("fine_tuning").fit(evalset.train, context(model, evalset))
    part, whole = model.jobs
    assert part.pool == whole.train
    assert whole.pool == ()
    assert set(part.train) < set(part.pool)


def test_with_the_instruction_it_stands_in_training_and_in_serving(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model, evalset = recorder(), toy_evalset()
    tuned = strategy("fine_tuning(instruction=true)")
    tuned.fit(evalset.train, context(model, evalset))
    tuned.predict(["my invoice"])
    trained, served = model.jobs[0].train[0].messages[0], model.requests[0].messages[0]
    assert trained == served
    assert trained.role == "system"
    assert evalset.instruction in trained.content


def test_an_examples_own_tools_are_written_into_its_question(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    spec = ToolSpec("area", "Area.", {"type": "object", "properties": {"side": {"type": "number"}}})
    example = Example("1", Chat((Message("user", "side 2?"),), (spec,)), '{"name": "area", "arguments": {"side": 2}}')
    model = recorder()
    strategy("fine_tuning").fit([example], context(model))
    [row] = model.jobs[0].train
    assert "area(" in row.messages[0].content
    assert row.messages[-1].content == example.target


def test_a_model_that_cannot_be_tuned_says_so(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    class Fixed:
        name = fingerprint = "fixed"

        def tune(self, job: Any) -> None:
            raise ModelError("this model cannot be tuned")

    with pytest.raises(ModelError, match="cannot be tuned"):
        strategy("fine_tuning").fit(toy_evalset().train, context(Fixed()))


def test_retrieval_tuning_shows_gold_and_distractors_as_raft_does(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model, evalset = recorder(), mines()
    strategy("fine_tuning_rag(distractors=2, p_without_gold=0.2)").fit(evalset.train, context(model, evalset))
    rows = model.jobs[0].train
    with_gold = [row.messages[-1].content in row.messages[0].content for row in rows]
    assert 0.6 < sum(with_gold) / len(rows) < 1
    assert all(len(set(passages(row.messages))) == 3 for row in rows)
    places = {
        at
        for row in rows
        for at, text in enumerate(passages(row.messages))
        if text.endswith(f" {row.messages[-1].content}")
    }
    assert places == {0, 1, 2}  # the gold passage's place gives nothing away


@pytest.mark.parametrize(("share", "expected"), [(0.0, 30), (1.0, 0)])
def test_the_share_without_gold_is_what_was_asked_for(
    share: float, expected: int, context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model, evalset = recorder(), mines()
    strategy(f"fine_tuning_rag(p_without_gold={share})").fit(evalset.train, context(model, evalset))
    rows = model.jobs[0].train
    assert sum(any(p.endswith(f" {row.messages[-1].content}") for p in passages(row.messages)) for row in rows) == (
        expected
    )


def test_serving_and_dev_use_plain_retrieval(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model, evalset = recorder(), mines()
    tuned = strategy("fine_tuning_rag")
    tuned.fit(evalset.train, context(model, evalset))
    answers = tuned.predict([example.input for example in evalset.test])
    assert all(len(p.trace["retrieved"]) == 2 for p in answers)
    assert [p.trace["retrieved"][0] for p in answers] == [example.metadata["gold"] for example in evalset.test]
    assert passages(model.requests[0].messages)[0] == "town0 sells good0"
    assert len(passages(model.jobs[0].dev[0].messages)) == 2


def test_rows_are_the_same_for_the_same_seed(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    jobs = []
    for seed in (0, 0, 1):
        model, evalset = recorder(), mines()
        strategy("fine_tuning_rag").fit(evalset.train, context(model, evalset, seed=seed))
        jobs.append(model.jobs[0].train)
    assert jobs[0] == jobs[1] != jobs[2]


def test_without_documents_neighbours_are_shown_but_never_the_row_itself(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model, evalset = recorder(), toy_evalset()
    twice = (*evalset.train, Example("twin", evalset.train[0].input, evalset.train[0].target))
    tuned = strategy("fine_tuning_rag")
    tuned.fit(twice, context(model, evalset))
    for example, row in zip(twice, model.jobs[0].train, strict=True):
        shown = passages(row.messages)
        assert len(shown) == 2
        assert row.messages[0].content.endswith(f"Question: {example.input}")
        assert all("Answer: " in passage for passage in shown)
    [answer] = tuned.predict([evalset.train[3].input])
    assert answer.trace["retrieved"][0] == evalset.train[3].id


def test_a_row_never_sees_its_own_answer_as_a_neighbour(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model = recorder()
    train = [Example(str(at), f"question about thing{at}", f"answer{at}") for at in range(12)]
    strategy("fine_tuning_rag").fit(train, context(model))
    for example, row in zip(train, model.jobs[0].train, strict=True):
        assert f"Answer: {example.target}\n" not in f"{row.messages[0].content}\n"
