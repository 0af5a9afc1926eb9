from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from advisor.core.errors import CallFailed, ConfigurationError
from advisor.core.model import Completion, Request
from advisor.core.shipped import shipped
from advisor.core.tools import tool_from_function
from advisor.core.types import Chat, EvalSet, Example, Message, Tool, ToolCall, ToolSpec, Usage
from advisor.testing.toy_task import KEYWORDS, toy_evalset
from tests.strategies.recording import MakeContext, MakeRecorder, MakeStrategy

shipped("strategies")
from advisor.strategies.tool_loop import answer_call, gold_calls, run_call, worked_conversation  # noqa: E402


def calculate(expression: str) -> float:
    """Evaluate a sum or a product of two whole numbers.

    Args:
        expression: For example "12 + 3".
    """
    left, sign, right = re.fullmatch(r"(\d+) ([+*]) (\d+)", expression).groups()
    return int(left) + int(right) if sign == "+" else int(left) * int(right)


CALCULATE = tool_from_function(calculate)


def sums(**changes: Any) -> Any:
    """Word problems with gold expressions, as SVAMP has them, and two questions that need no tool."""
    rows = [Example(f"s{a}", f"{a} boxes and {a + 2} more, how many?", str(2 * a + 2), {"expression": f"{a} + {a + 2}"})
            for a in range(2, 20)]  # fmt: skip
    policy = [Example(f"p{at}", f"May I ask {at} times?", "yes") for at in range(2)]
    parts = {"train": (*rows[:9], *policy), "dev": tuple(rows[9:12]), "test": tuple(rows[12:])}
    named = {"name": "sums", "instruction": "Answer.", "metric": "exact_match", "tools": (CALCULATE,)}
    return EvalSet(**{**named, **parts, **changes})


def caller(request: Request) -> Any:
    """A model that writes the right call, then repeats the result it reads."""
    last = request.messages[-1]
    if last.role == "tool":
        return last.content
    numbers = re.findall(r"\d+", last.content)
    call = ToolCall("calculate", {"expression": " + ".join(numbers[:2])})
    return Completion(calls=(call,), usage=Usage(10, 0, 5, 1, 0.1, 0.1), finish_reason="tool_calls")


def fitted(spec: Any, model: Any, evalset: Any, context: MakeContext, strategy: MakeStrategy) -> Any:
    built = strategy(spec)
    built.fit(evalset.train, context(model, evalset))
    return built


# --- gold calls ------------------------------------------------------------------------------------------------------


def test_gold_calls_are_read_or_derived_from_the_one_string_parameter() -> None:
    given = Example("1", "q", "a", {"calls": [{"name": "calculate", "arguments": {"expression": "1 + 1"}}]})
    derived = Example("2", "q", "a", {"expression": "1 + 1"})
    expected = (ToolCall("calculate", {"expression": "1 + 1"}, "call_1"),)
    assert gold_calls(given, (CALCULATE,)) == gold_calls(derived, (CALCULATE,)) == expected


def area(width: int, height: int) -> int:
    """Area of a rectangle."""
    return width * height


def double(number: int) -> int:
    """Double a number."""
    return 2 * number


@pytest.mark.parametrize(
    ("tools", "metadata"),
    [
        ((CALCULATE,), {}),
        ((CALCULATE,), {"expression": 4}),
        ((CALCULATE, tool_from_function(double)), {"expression": "1 + 1"}),
        ((tool_from_function(area),), {"width": "1", "height": "2"}),
        ((tool_from_function(double),), {"number": "1"}),
        ((), {"expression": "1 + 1"}),
    ],
)
def test_nothing_is_derived_where_it_would_be_a_guess(tools: Any, metadata: Any) -> None:
    assert gold_calls(Example("1", "q", "a", metadata), tools) == ()


def test_a_worked_conversation_really_calls_the_tool() -> None:
    turns = worked_conversation(sums().train[0], (CALCULATE,))
    assert [turn.role for turn in turns] == ["user", "assistant", "tool", "assistant"]
    assert turns[2].content == turns[3].content == "6"
    assert turns[1].tool_calls[0].id == turns[2].tool_call_id


def test_a_worked_conversation_whose_gold_call_fails_is_left_out() -> None:
    assert worked_conversation(Example("1", "q", "a", {"expression": "nonsense"}), (CALCULATE,)) == ()


@pytest.mark.parametrize(
    ("target", "call"),
    [
        ('{"name": "f", "arguments": {"x": 1}}', ToolCall("f", {"x": 1}, "call_1")),
        ("no json", None),
        ("[1]", None),
        ('{"name": "f"}', None),
    ],
)
def test_answer_call(target: str, call: Any) -> None:
    assert answer_call(Example("1", "q", target)) == call


# --- calling ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (ToolCall("calculate", {"expression": "2 + 3"}), "5"),
        (ToolCall("calculator", {"expression": "2 + 3"}), "error: .*calculate.*"),
        (ToolCall("calculate", {"expresion": "2 + 3"}), "error: .*expresion.*"),
        (ToolCall("calculate", {"expression": "what"}), "error: .*"),
    ],
)
def test_results_and_errors_go_back_as_text(call: Any, said: str) -> None:
    assert re.fullmatch(said, run_call(call, (CALCULATE,)), re.DOTALL)


def test_a_handmade_tool_may_crash_but_an_unreachable_one_is_a_failed_call() -> None:
    spec = ToolSpec("f", "f", {"type": "object", "properties": {}})

    def crash(arguments: Any) -> str:
        raise ZeroDivisionError("by zero")

    def unreachable(arguments: Any) -> str:
        raise CallFailed("the service is down")

    assert run_call(ToolCall("f", {}), (Tool(spec, crash),)) == "error: by zero"
    with pytest.raises(CallFailed, match="down"):
        run_call(ToolCall("f", {}), (Tool(spec, unreachable),))


# --- function_calling ------------------------------------------------------------------------------------------------


def test_all_conversations_advance_together_and_answer_from_the_results(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model, evalset = recorder(caller), sums()
    built = fitted("function_calling", model, evalset, context, strategy)
    answers = built.predict([example.input for example in evalset.test])
    assert [p.output for p in answers] == [example.target for example in evalset.test]
    assert model.batches == [len(evalset.test)] * 2
    [call] = answers[0].trace["calls"]
    assert call == {"name": "calculate", "arguments": {"expression": "14 + 16"}, "result": "30"}
    assert all(p.usage.calls == 2 for p in answers)
    assert json.dumps(answers[0].trace)


def test_demonstrations_are_real_turns_and_direct_answers_are_mixed_in(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model, evalset = recorder(caller), sums()
    built = fitted("function_calling(shots=4)", model, evalset, context, strategy)
    built.predict([evalset.test[0].input])
    request = model.requests[0]
    assert request.tools == (CALCULATE.spec,)
    chosen = built.selection["demonstrations"]
    assert sum(name.startswith("p") for name in chosen) == 2
    assert sum(turn.role == "tool" for turn in request.messages) == 2
    assert request.messages[0].role == "system"


def test_without_gold_calls_nothing_is_demonstrated(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model = recorder(caller)
    evalset = sums(train=tuple(replace(example, metadata={}) for example in sums().train))
    built = fitted("function_calling", model, evalset, context, strategy)
    assert built.selection == {"demonstrations": []}
    assert built.predict([evalset.test[0].input])[0].output == evalset.test[0].target


def test_an_error_is_read_by_the_model_and_it_may_try_again(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    def stumbles(request: Request) -> Any:
        last = request.messages[-1]
        if last.role == "tool" and not last.content.startswith("error:"):
            return f"It is {last.content}"
        words = "2 plus 3" if last.role == "user" else "2 + 3"
        return Completion(calls=(ToolCall("calculate", {"expression": words}),))

    model = recorder(stumbles)
    built = fitted("function_calling", model, sums(), context, strategy)
    [answer] = built.predict(["2 and 3?"])
    assert answer.output == "It is 5"
    assert [call["result"].startswith("error:") for call in answer.trace["calls"]] == [True, False]
    ids = [message.tool_call_id for message in model.requests[-1].messages if message.role == "tool"]
    assert len(ids[-2:]) == len(set(ids[-2:])) == 2


def test_the_limit_ends_a_model_that_never_stops_calling(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    always = recorder(lambda request: Completion(calls=(ToolCall("calculate", {"expression": "2 + 3"}),)))
    built = fitted("function_calling(max_turns=3)", always, sums(), context, strategy)
    [answer] = built.predict(["loop"])
    assert answer.output == "5"
    assert len(answer.trace["calls"]) == 3
    assert always.batches == [1, 1, 1]


def test_the_result_can_be_the_answer_which_saves_a_request(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model, evalset = recorder(caller), sums()
    built = fitted("function_calling(answer_with_result=true)", model, evalset, context, strategy)
    answers = built.predict([example.input for example in evalset.test])
    assert [p.output for p in answers] == [example.target for example in evalset.test]
    assert model.batches == [len(evalset.test)]


def test_a_direct_answer_is_taken_at_once(context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy) -> None:
    built = fitted("function_calling", recorder(lambda request: " yes \n"), sums(), context, strategy)
    [answer] = built.predict(["May I?"])
    assert (answer.output, answer.trace) == ("yes", {"calls": []})


def test_a_failed_turn_is_raised(context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy) -> None:
    def fails_later(request: Request) -> Any:
        return caller(request) if request.messages[-1].role == "user" else Completion(error="timed out")

    built = fitted("function_calling", recorder(fails_later), sums(), context, strategy)
    with pytest.raises(CallFailed, match="timed out"):
        built.predict(["2 and 3?"])


# --- where the answer is the call ------------------------------------------------------------------------------------


def own(name: Any) -> Any:
    return ToolSpec(name, f"Does {name}.", {"type": "object", "properties": {"x": {"type": "integer"}}})


def calls_as_answers() -> Any:
    def row(at: Any) -> Any:
        target = json.dumps({"name": f"f{at}", "arguments": {"x": at}})
        return Example(f"c{at}", Chat((Message("user", f"do {at}" + " please" * at),), (own(f"f{at}"),)), target)

    rows = [row(at) for at in range(12)]
    return EvalSet("own", "Call.", "tool_call_match", tuple(rows[:6]), tuple(rows[6:8]), tuple(rows[8:]), output="json")


def calls_the_offered(request: Request) -> Any:
    number = int(request.tools[0].name[1:])
    return Completion(calls=(ToolCall(request.tools[0].name, {"x": number}),), finish_reason="tool_calls")


@pytest.mark.parametrize("name", ["function_calling", "fine_tuning_tools"])
def test_the_call_is_the_answer_where_inputs_carry_tools(
    name: str, context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model, evalset = recorder(calls_the_offered), calls_as_answers()
    built = fitted(name, model, evalset, context, strategy)
    answers = built.predict([example.input for example in evalset.test])
    assert [json.loads(p.output) for p in answers] == [json.loads(example.target) for example in evalset.test]
    assert {request.tool_choice for request in model.requests} == {"required"}
    assert [request.tools for request in model.requests] == [example.input.tools for example in evalset.test]


def test_demonstrated_calls_bring_their_own_schemas_and_are_the_short_ones(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model, evalset = recorder(calls_the_offered), calls_as_answers()
    built = fitted("function_calling(shots=2)", model, evalset, context, strategy)
    built.predict([evalset.test[0].input])
    turns = model.requests[0].messages
    assert [turn.role for turn in turns] == ["system", *["user", "assistant", "tool"] * 2, "user"]
    assert turns[2].tool_calls[0].name in turns[1].content
    assert turns[-1].content == evalset.test[0].input.messages[0].content
    assert set(built.selection["demonstrations"]) <= {"c0", "c1", "c2"}


def test_a_model_that_answers_in_text_or_an_input_without_tools_is_taken_as_it_is(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model = recorder(lambda request: ' {"name": "f", "arguments": {}} ')
    built = fitted("function_calling", model, calls_as_answers(), context, strategy)
    assert built.predict(["no tools here"])[0].output == '{"name": "f", "arguments": {}}'
    assert model.requests[-1].tool_choice == "auto"


# --- fine_tuning_tools -----------------------------------------------------------------------------------------------


def test_it_is_tuned_on_worked_conversations_with_the_tools_it_serves(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    model, evalset = recorder(caller), sums()
    built = fitted("fine_tuning_tools(epochs=2)", model, evalset, context, strategy)
    [job] = model.jobs
    assert len(job.train) == len(evalset.train)
    assert all(row.tools == (CALCULATE.spec,) for row in (*job.train, *job.dev))
    answers = built.predict([example.input for example in evalset.test])
    assert [p.output for p in answers] == [example.target for example in evalset.test]
    assert model.requests[0].tools == (CALCULATE.spec,)
    # what is served begins exactly as what was trained: a bare question, without demonstrations
    assert model.requests[0].messages == (Message("user", evalset.test[0].input),)
    assert job.train[0].messages[0] == Message("user", evalset.train[0].input)


def test_rows_of_the_whole_are_named_where_no_tool_has_to_be_run_for_them(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    run = []
    counted = replace(CALCULATE, call=lambda arguments: run.append(arguments) or CALCULATE.call(arguments))
    for evalset, beside in ((sums(tools=(counted,)), 0), (calls_as_answers(), 6)):
        model = recorder(caller)
        strategy("fine_tuning_tools").fit(evalset.train[:2], context(model, evalset, dev=(), pool=evalset.train))
        [job] = model.jobs
        assert len(job.train) == 2
        assert len(job.pool) == beside
        assert not beside or job.pool[:2] == job.train
    assert len(run) == 2


def test_without_gold_calls_tuning_for_tools_is_refused(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    evalset = sums(train=tuple(replace(example, metadata={}) for example in sums().train))
    with pytest.raises(ConfigurationError, match="none of the 11 training examples carries a gold call"):
        fitted("fine_tuning_tools", recorder(caller), evalset, context, strategy)


def test_the_toy_task_is_solved_by_looking_the_word_up(
    context: MakeContext, recorder: MakeRecorder, strategy: MakeStrategy
) -> None:
    words = [word for group in KEYWORDS.values() for word in group]

    def looks_up(request: Request) -> Any:
        last = request.messages[-1]
        if last.role == "tool":
            return last.content
        found = next(word for word in words if word in last.content)
        return Completion(calls=(ToolCall("team_of", {"word": found}),))

    evalset = toy_evalset("tools")
    built = fitted("function_calling", recorder(looks_up), evalset, context, strategy)
    answers = built.predict([example.input for example in evalset.test])
    assert [p.output for p in answers] == [example.target for example in evalset.test]
