from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.core.errors import EvalSetError
from advisor.core.shipped import shipped
from advisor.core.types import Chat, Example

shipped("evalsets")
from advisor.evalsets.formats import RecordLayout, to_example  # noqa: E402
from advisor.evalsets.readers import Record  # noqa: E402

CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"order": 5}'}}
TOOL = {"type": "function", "function": {"name": "find", "description": "Find.", "parameters": {"type": "object"}}}


def convert(**fields: Any) -> Example:
    example: Example = to_example(Record("train.jsonl", 7, fields), RecordLayout("train"))
    return example


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


@pytest.mark.parametrize(
    "fields",
    [
        {"input": "Q", "target": "A"},
        {"messages": [user("Q"), assistant("A")]},
        {"messages": [{"role": "user", "content": "Q"}, assistant("A"), user("thanks")]},
        {"prompt": "Q", "completion": "A"},
        {"prompt": "Q", "completion": [assistant("A")]},
        {"inputs": {"question": "Q"}, "expectations": {"expected_response": "A"}},
        {"question": "Q", "__expected": "equals: A"},
        {"question": "Q", "__expected": "A", "__description": "d"},
    ],
)  # fmt: skip
def test_formats_that_say_the_same(fields: dict[str, Any]) -> None:
    example = convert(**fields)
    assert (example.input, example.target, example.id) == ("Q", "A", "train-7")


def test_chat_with_several_turns_keeps_them() -> None:
    example = convert(
        messages=[{"role": "system", "content": "S"}, user("1"), assistant("2"), user("3"), assistant("4")]
    )
    assert isinstance(example.input, Chat)
    assert [m.content for m in example.input.messages] == ["S", "1", "2", "3"]
    assert example.target == "4"


def test_chat_with_tools_gives_the_call_as_target() -> None:
    turn = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    example = convert(messages=[user("Where is 5?"), turn], tools=[TOOL])
    assert isinstance(example.input, Chat)
    assert [tool.name for tool in example.input.tools] == ["find"]
    assert json.loads(example.target) == {"name": "find", "arguments": {"order": 5}}


def test_calls_and_results_inside_a_conversation() -> None:
    turns = [
        user("Q"),
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "content": "R", "tool_call_id": "c1"},
    ]
    example = convert(messages=[*turns, assistant("A")], tools=[TOOL])
    assert isinstance(example.input, Chat)
    assert example.input.messages[1].tool_calls[0].arguments == {"order": 5}
    assert example.input.messages[2].tool_call_id == "c1"


def test_other_keys_become_metadata() -> None:
    example = convert(input="Q", target=5, group="g", metadata={"slice": "s"})
    assert example.metadata == {"group": "g", "slice": "s"}
    assert example.target == "5"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"messages": [user("Q")]}, "field 'messages' has no assistant turn"),
        ({"messages": [assistant("A")]}, "field 'messages' has no assistant turn"),
        ({"messages": [user("Q"), {"role": "assistant", "content": 5}]}, "content of a message must be text"),
        ({"messages": [user("Q"), {"role": "assistant", "tool_calls": [{"x": 1}]}]}, "a tool call needs a name"),
        ({"messages": [user("Q"), {"role": "assistant", "tool_calls": 5}]}, "tool_calls"),
        ({"prompt": "Q", "completion": []}, "field 'completion' must be a text"),
        ({"inputs": {"a": 1, "b": 2}, "expectations": {"expected_response": "A"}}, "field 'inputs' has 2 values"),
        ({"inputs": {"a": 1}, "expectations": {}}, "field 'expectations' has no expected_response"),
        ({"q": "Q", "__expected": "llm-rubric: is polite"}, "of promptfoo's checks only equals is an answer"),
        ({"q": "Q", "p": "P", "__expected": "A"}, "2 columns could be the input: q, p"),
        ({"input": True, "target": "A"}, "field 'input' must be a text"),
        ({"input": [], "target": "A"}, "field 'input' holds no message"),
        ({"input": ["x"], "target": "A"}, "a message is an object with role and content"),
        ({"id": [], "input": "Q", "target": "A"}, "field 'id' is []"),
        ({"input": "Q", "target": "A", "group": None}, "field 'group'"),
        ({}, "field 'input' is missing"),
    ],
    ids=range(16),
)
def test_errors_name_the_field(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(EvalSetError) as caught:
        convert(**fields)
    assert "train.jsonl line 7: " in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("tools", "said"),
    [
        (None, "field 'tools' is missing in metadata"),
        ("find", "must be a list of tool schemas"),
        ([{"name": "f", "parameters": {"properties": {"a": {"type": "colour"}}}}], "unknown type 'colour'"),
        ([{"name": "f", "parameters": {"required": "a"}}], "no JSON Schema"),
        ([TOOL, TOOL], "the tool 'find' stands there twice"),
    ],
)
def test_tools_field(tools: Any, said: str) -> None:
    metadata = {} if tools is None else {"tools": tools}
    with pytest.raises(EvalSetError, match=said):
        to_example(
            Record("t.jsonl", 1, {"input": "Q", "target": "A", "metadata": metadata}),
            RecordLayout("t", tools_field="tools"),
        )


WORDS = ["messages", "input", "target", "role", "content", "user", "assistant", "tool_calls", "function", "name", "id"]
WORDS += ["arguments", "tools", "parameters", "type", "metadata", "answers", "group", "prompt", "completion", "text"]
WORDS += ["inputs", "expectations", "expected_response", "__expected", "properties", "{}", "[", "$ref"]
KEYS = st.sampled_from(WORDS)
VALUES = st.recursive(
    st.one_of(KEYS, st.none(), st.booleans(), st.integers(-3, 3), st.floats(allow_nan=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=300)
@given(st.dictionaries(KEYS, VALUES, max_size=6), st.sampled_from(["", "tools"]), st.sampled_from(["text", "json"]))
def test_any_json_becomes_an_example_or_one_sentence(fields: dict[str, Any], tools_field: str, output: str) -> None:
    try:
        example = to_example(Record("t.jsonl", 3, fields), RecordLayout("t", output, tools_field))
    except EvalSetError as error:
        said = str(error)
    else:
        said = "t.jsonl line 3: "
        assert str(example.input).strip()
        assert isinstance(example.target, str)
        assert all(isinstance(reference, str) for reference in example.references)
    assert "t.jsonl line 3: " in said


def test_a_turn_that_weighs_nothing_is_no_answer() -> None:
    turns = [user("a"), assistant("b"), user("c"), {**assistant("d"), "weight": 0}]
    example = convert(messages=turns)
    assert (example.input, example.target) == ("a", "b")


def test_samples_of_inspect() -> None:
    example = convert(input="Which is red?", target="B", choices=["sky", "blood"], id=3)
    assert example.input == "Which is red?\n\nA) sky\nB) blood"
    assert example.references == ("B", "blood")
    several = convert(input="Who?", target=["Ann", "Anna"])
    assert several.references == ("Ann", "Anna")
    assert convert(input="Which?", target="C", choices=["sky", "blood"]).input == "Which?"
    assert (
        to_example(Record("a", 1, {"input": "x", "target": ["a", "b"]}), RecordLayout("a", "json")).target
        == '["a", "b"]'
    )
