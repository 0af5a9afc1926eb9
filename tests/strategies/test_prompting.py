from __future__ import annotations

from typing import Any

import pytest

from advisor.core.errors import CallFailed, ConfigurationError
from advisor.core.model import Completion, Request
from advisor.testing.toy_task import KEYWORDS, toy_evalset
from tests.strategies.recording import MakeContext, MakeRecorder, MakeStrategy


def shown(request: Request) -> Any:
    """The demonstrations of a request: (question, answer) pairs between the system turn and the question."""
    turns = request.messages[1:-1]
    return [(a.content, b.content) for a, b in zip(turns[::2], turns[1::2], strict=True)]


def test_zero_shot_sends_the_instruction_with_the_labels_and_the_question(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model, evalset = recorder(), toy_evalset()
    zero = strategy("zero_shot")
    zero.fit(evalset.train, context(model))
    answers = zero.predict([example.input for example in evalset.test])
    assert [p.output for p in answers] == [example.target for example in evalset.test]
    assert all(p.usage.calls == 1 for p in answers)
    request = model.requests[0]
    assert [message.role for message in request.messages] == ["system", "user"]
    assert all(label in request.messages[0].content for label in KEYWORDS)
    assert request.choices == ()
    assert model.batches == [len(evalset.test)]


def test_constrained_zero_shot_passes_the_labels(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model = recorder()
    zero = strategy("zero_shot(constrained=true)")
    zero.fit(toy_evalset().train, context(model))
    zero.predict(["my invoice"])
    assert model.requests[-1].choices == tuple(KEYWORDS)


def test_a_failed_call_is_raised_and_never_answered(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    zero = strategy("zero_shot")
    zero.fit(toy_evalset().train, context(recorder(lambda request: Completion(error="refused"))))
    with pytest.raises(CallFailed, match="refused"):
        zero.predict(["my invoice"])


def test_fixed_examples_are_the_same_for_all_and_of_all_labels(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model, evalset = recorder(), toy_evalset()
    few = strategy('few_shot(k=3, pick="fixed")')
    few.fit(evalset.train, context(model))
    assert model.requests == []  # nothing is left to choose
    few.predict([example.input for example in evalset.test])
    assert len({tuple(shown(request)) for request in model.requests}) == 1
    assert {answer for _, answer in shown(model.requests[0])} == set(KEYWORDS)


def test_fixed_examples_follow_the_seed(context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy) -> None:
    drawn = []
    for seed in (0, 0, 1):
        few = strategy('few_shot(k=4, pick="fixed")')
        few.fit(toy_evalset().train, context(recorder(), seed=seed))
        drawn.append(few.predict(["x"])[0].trace["demonstrations"])
    assert drawn[0] == drawn[1] != drawn[2]


def test_nearest_examples_come_most_similar_last(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model, evalset = recorder(), toy_evalset()
    few = strategy('few_shot(k=2, pick="nearest")')
    few.fit(evalset.train, context(model))
    [answer] = few.predict([evalset.train[7].input])
    assert answer.trace["demonstrations"][-1] == evalset.train[7].id
    assert shown(model.requests[-1])[-1] == (evalset.train[7].input, evalset.train[7].target)


def test_the_plan_is_chosen_on_dev_where_nearest_examples_help(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    """A model that copies the last demonstration's answer: only nearest examples can help it."""
    model, evalset = recorder(lambda request: request.messages[-2].content), toy_evalset()
    few = strategy("few_shot")
    few.fit(evalset.train, context(model))
    assert few.selection["pick"] == "nearest"
    assert set(few.selection["dev_scores"]) == {"fixed k=4", "fixed k=8", "nearest k=4"}
    assert few.selection["dev_scores"]["nearest k=4"] == max(few.selection["dev_scores"].values()) > 0.5
    assert model.batches == [len(evalset.dev)] * 4, "and the labels not named"


def test_dev_limit_bounds_what_choosing_costs(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model = recorder()
    strategy("few_shot(dev_limit=2)").fit(toy_evalset().train, context(model))
    assert model.batches == [2, 2, 2, 2]


def test_with_few_training_examples_plans_that_coincide_are_tried_once(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model = recorder()
    few = strategy("few_shot")
    few.fit(toy_evalset().train[:3], context(model))
    assert set(few.selection["dev_scores"]) == {"fixed k=3", "nearest k=3"}


@pytest.mark.parametrize("spec", ['few_shot(pick="closest")', "few_shot(k=0)", "rag(k=0)"])
def test_impossible_parameters_are_refused_with_a_line_to_type(spec: str, strategy: MakeStrategy) -> None:
    with pytest.raises(ConfigurationError, match="--strategy"):
        strategy(spec)
