"""Metrics of JSON and of tool calls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from advisor.core.errors import ConfigurationError
from advisor.core.normalisation import leaves, read_json, same_value
from tests.core.scoring import example, metric, score


def test_failed_calls_are_left_out_of_the_summary() -> None:
    pairs = [("b", example("b")), (None, example("c"))]
    assert metric("label_accuracy").summarise(pairs) == {"accuracy": 1.0, "macro_f1": 1.0}


def test_labels_that_normalisation_would_merge_are_compared_as_written() -> None:
    assert metric("label_accuracy", labels=["ham", "spam"]).score("Spam.", example("spam")) == 1.0
    strict = metric("label_accuracy", labels=["Good!", "good", "C"])
    assert strict.score("good", example("Good!")) == 0.0
    assert strict.score(" Good! ", example("Good!")) == 1.0


def test_json_field_f1_counts_fields() -> None:
    gold = '{"intent": "play", "slots": {"artist": "x", "year": 5}}'
    assert score("json_field_f1", '{"intent": "play", "slots": {"artist": "y", "year": 5.0}}', gold) == pytest.approx(
        2 / 3
    )
    assert score("json_field_f1", '{"intent": "play"}', gold) == pytest.approx(2 / 4)
    assert score("json_field_f1", f"```json\n{gold}\n```", gold) == 1.0
    assert score("json_field_f1", f"Here it is: {gold}", gold) == 0.0
    assert score("json_field_f1", '{"a": NaN}', gold) == 0.0
    assert score("json_field_f1", "[" * 100_000, gold) == 0.0
    assert score("json_field_f1", "1" * 10_000, gold) == 0.0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (["x", "y"], ["y", "x"], True),
        (["x", "x"], ["x"], False),
        (1, True, False),
        (5, 5.0, True),
        (" a", "a", True),
        ("a", "A", False),
        ({}, None, False),
        ([{"a": 1, "b": 2}, {"a": 3, "b": 4}], [{"a": 1, "b": 4}, {"a": 3, "b": 2}], False),
        ({"a.b": 1}, {"a": {"b": 1}}, False),
    ],
)
def test_leaves(one: Any, other: Any, same: bool) -> None:
    assert (leaves(one) == leaves(other)) is same


def test_validity_is_parsing_and_following_the_schema() -> None:
    schema = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}
    pairs = [(text, example("{}")) for text in ('{"a": 1}', '{"a": "x"}', "no", "{}")]
    assert metric("json_field_f1").summarise(pairs) == {"validity": 0.75}
    assert metric("json_field_f1", schema=schema).summarise([*pairs, (None, example("{}"))]) == {"validity": 0.25}
    with pytest.raises(ConfigurationError, match="leads out of the schema"):
        metric("json_field_f1", schema={"$ref": "https://example.org/s.json"})


def test_read_json_refuses_what_is_not_json() -> None:
    for text in ("", "NaN", "{'a': 1}", "{} {}"):
        with pytest.raises(ValueError, match=r"."):
            read_json(text)


TRUTH = [{"book": {"city": ["Rome", "Roma"], "nights": [2], "view": ["sea", ""], "tags": [["a", "b"]]}}]


@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        ({"city": "roma ", "nights": 2.0, "tags": ["A", "b"]}, 1.0),
        ({"city": "Rome", "nights": 2, "tags": ["a", "b"], "view": "sea"}, 1.0),
        ({"city": "Rome", "nights": 2, "tags": ["a", "b"], "view": "hill"}, 0.0),
        ({"city": "Rome", "nights": 2, "tags": ["b", "a"]}, 0.0),
        ({"city": "Rome", "nights": "2", "tags": ["a", "b"]}, 0.0),
        ({"city": "Rome", "tags": ["a", "b"]}, 0.0),
        ({"city": "Rome", "nights": 2, "tags": ["a", "b"], "pool": True}, 0.0),
    ],
)
def test_accepted_arguments(arguments: dict[str, Any], right: float) -> None:
    call = json.dumps({"name": "book", "arguments": arguments})
    assert score("tool_call_match", call, "irrelevant", ground_truth=TRUTH) == right
    assert score("tool_call_match", call.replace("book", "cook"), "irrelevant", ground_truth=TRUTH) == 0.0


def test_objects_inside_accepted_arguments() -> None:
    truth = [{"f": {"where": [{"a": [1, 2], "b": ["x", ""]}], "none": []}}]
    for where, right in (({"a": 2}, 1.0), ({"a": 2, "b": "x"}, 1.0), ({"a": 3}, 0.0), ({"b": "x"}, 0.0)):
        call = json.dumps({"name": "f", "arguments": {"where": where}})
        assert score("tool_call_match", call, "", ground_truth=truth) == right


def test_without_ground_truth_the_target_is_the_call() -> None:
    gold = '{"name": "f", "arguments": {"a": 5, "b": "x"}}'
    assert (
        score("tool_call_match", 'I call <tool_call>{"name": "f", "arguments": {"b": "X", "a": 5.0}}</tool_call>', gold)
        == 1.0
    )
    assert score("tool_call_match", '{"name": "f", "arguments": {"a": 5}}', gold) == 0.0
    assert score("tool_call_match", "no call", gold) == 0.0


def test_several_calls_are_all_needed_in_any_order() -> None:
    truth = [{"f": {"a": [1, 2]}}, {"f": {"a": [1]}}]
    calls = ['{"name": "f", "arguments": {"a": 1}}', '{"name": "f", "arguments": {"a": 2}}']
    assert score("tool_call_match", " ".join(calls), "", ground_truth=truth) == 1.0
    assert score("tool_call_match", " ".join(calls[::-1]), "", ground_truth=truth) == 1.0
    assert score("tool_call_match", calls[0], "", ground_truth=truth) == 0.0
    assert score("tool_call_match", calls[1] * 2, "", ground_truth=truth) == 0.0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [(True, 1, False), (False, 0, False), (True, True, True), (5, 5.0, True), ("5", 5, False), ([1], [1, 2], False)],
)
def test_same_value_keeps_kinds_apart(one: Any, other: Any, same: bool) -> None:
    assert same_value(one, other) is same
