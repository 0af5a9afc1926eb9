from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from advisor.core.types import Chat, Example, Message, Usage
from advisor.testing.toy_task import toy_evalset
from tests.strategies.recording import MakeContext, MakeRecorder, MakeStrategy


def test_majority_takes_the_most_frequent_and_the_first_of_equals(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model = recorder()
    majority = strategy("majority")
    majority.fit([Example(str(at), "q", target) for at, target in enumerate(["b", "c", "b", "a"])], context(model))
    assert [p.output for p in majority.predict(["x", "y"])] == ["b", "b"]
    majority.fit([Example("1", "q", "z"), Example("2", "q", "a")], context(model))
    assert majority.predict(["x"])[0].output == "a"
    assert majority.predict(["x"])[0].usage == Usage()


def test_nearest_example_finds_itself_and_beats_the_majority(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model, evalset = recorder(), toy_evalset()
    nearest = strategy("nearest_example")
    nearest.fit(evalset.train, context(model))
    [itself] = nearest.predict([evalset.train[5].input])
    assert itself.trace["nearest"] == evalset.train[5].id
    answers = [p.output for p in nearest.predict([example.input for example in evalset.test])]
    right = sum(answer == example.target for answer, example in zip(answers, evalset.test, strict=True))
    assert right > len(evalset.test) / 2
    assert model.requests == []


def test_copy_input_gives_the_last_turn_back(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    copy = strategy("copy_input")
    copy.fit([], context(recorder()))
    chat = Chat((Message("user", "first"), Message("assistant", "ok"), Message("user", "last")))
    assert [p.output for p in copy.predict(["text", chat])] == ["text", "last"]


def test_the_classifier_learns_chooses_c_on_dev_and_asks_no_model(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model, evalset = recorder(), toy_evalset()
    classifier = strategy("embedding_classifier")
    classifier.fit(evalset.train, context(model))
    answers = classifier.predict([example.input for example in evalset.test])
    right = sum(p.output == example.target for p, example in zip(answers, evalset.test, strict=True))
    assert right / len(evalset.test) > 0.8
    scores = classifier.selection["dev_scores"]
    assert set(scores) == {"C=1", "C=10", "C=100"}
    assert scores[f"C={classifier.selection['C']:g}"] == max(scores.values())
    assert all(0 < p.trace["probability"] <= 1 for p in answers)
    assert model.requests == []


def test_the_classifier_with_shuffled_labels_is_no_better_than_chance(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    evalset = toy_evalset()
    labels = [example.target for example in evalset.train]
    wrong = [replace(e, target=labels[(at + 9) % 27]) for at, e in enumerate(evalset.train)]
    classifier = strategy("embedding_classifier(C=10)")
    classifier.fit(wrong, context(recorder()))
    answers = classifier.predict([example.input for example in evalset.test])
    assert sum(p.output == e.target for p, e in zip(answers, evalset.test, strict=True)) < len(evalset.test) / 3


def test_the_classifier_survives_a_single_class_and_no_dev(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    classifier = strategy("embedding_classifier")
    classifier.fit([Example("1", "a", "only"), Example("2", "b", "only")], context(recorder(), dev=()))
    assert [p.output for p in classifier.predict(["c", "d"])] == ["only", "only"]
    assert classifier.selection == {"C": 10.0, "dev_examples": 0, "dev_scores": {"C=10": None}}
    assert classifier.predict([]) == []


@pytest.mark.parametrize("name", ["nearest_example", "embedding_classifier", 'few_shot(pick="nearest")', "rag"])
def test_a_shared_system_prompt_changes_nothing_that_is_embedded(
    name: str, context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    plain = toy_evalset()
    system = Message("system", "You are the assistant of a shop. Be brief, kind and exact. " * 40)

    def behind(examples: Sequence[Example]) -> tuple[Example, ...]:
        return tuple(replace(e, input=Chat((system, Message("user", str(e.input))))) for e in examples)

    chats = replace(plain, train=behind(plain.train), dev=behind(plain.dev), test=behind(plain.test))
    found = []
    for evalset in (plain, chats):
        made = strategy(name)
        made.fit(evalset.train, context(recorder(), evalset))
        found.append([(p.output, p.trace) for p in made.predict([example.input for example in evalset.test])])
    assert found[0] == found[1]
