from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import advisor
from advisor.core import registry
from advisor.core.errors import ConfigurationError, RegistryError
from advisor.core.metric import Metric
from advisor.core.metrics import for_task
from advisor.core.normalisation import last_number, leaves, normalise, read_json, same_value
from advisor.core.types import Example, Task

NAMES = [
    "exact_match",
    "token_f1",
    "numeric_match",
    "label_accuracy",
    "json_field_f1",
    "tool_call_match",
    "contains",
    "chrf",
]
JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-9, 9), st.sampled_from(["a", " b", "", "5"]), st.sampled_from([0.5, 2.0])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_leaves=8,
)


def metric(name: str, **params: Any) -> Metric:
    built: Metric = registry.make("metrics", name, **params)
    return built


def example(target: str, **metadata: Any) -> Example:
    return Example("1", "?", target, metadata)


def score(name: str, output: str, target: str, **metadata: Any) -> float | None:
    return metric(name).score(output, example(target, **metadata))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("target", ["the parcel", "12", "", '{"a": 1}', '{"name": "find", "arguments": {"k": 1}}'])
def test_one_output_is_scored_as_by_the_metric_itself(name: str, target: str) -> None:
    for output in (target, "The parcel.", "12.0", "", "nothing of it"):
        assert advisor.score(name, output, target) == score(name, output, target)


def test_scoring_with_parameters_with_a_file_and_with_what_is_no_metric(tmp_path: Path) -> None:
    assert advisor.score('label_accuracy(labels=["a", "A"])', "A", "a") == 0.0
    assert advisor.score("label_accuracy", "A", "a") == 1.0
    own = tmp_path / "own.py"
    own.write_text(
        "class Same:\n    name = 'same'\n    def score(self, output, example): return float(output == example.target)\n"
    )
    assert advisor.score(f"{own}:Same", "x", "x") == 1.0
    with pytest.raises(RegistryError, match="exact_match"):
        advisor.score("exact_mach", "x", "x")


# --- all of them -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(output=st.text(max_size=40), target=st.text(max_size=40), other=st.text(max_size=20))
def test_scores_lie_in_the_unit_interval_and_more_answers_never_hurt(
    name: str, output: str, target: str, other: str
) -> None:
    one, more = score(name, output, target), score(name, output, target, answers=[other])
    for value in (one, more):
        assert value is None or 0 <= value <= 1
    assert one is None or (more is not None and more >= one)


@pytest.mark.parametrize("name", ["exact_match", "token_f1", "label_accuracy", "contains", "chrf"])
@settings(max_examples=25, deadline=None)
@given(target=st.text(max_size=40), other=st.text(max_size=40))
def test_every_accepted_text_scores_one(name: str, target: str, other: str) -> None:
    for answer in (target, other):
        value = score(name, answer, target, answers=[other])
        assert value == pytest.approx(1.0) or not answer.strip()


@given(st.floats(-1e12, 1e12))
def test_every_accepted_number_scores_one(value: float) -> None:
    assert score("numeric_match", f"so it is {value!r}.", repr(value)) == 1.0
    assert score("numeric_match", f"{value:,.6f}", f"{value:.6f}") == 1.0


@given(JSON)
def test_every_accepted_json_scores_one(value: Any) -> None:
    assert score("json_field_f1", json.dumps(value, indent=2), json.dumps(value)) == 1.0


@given(st.dictionaries(st.sampled_from("abcdef"), JSON, max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(value: dict[str, Any], rng: random.Random) -> None:
    items = list(value.items())
    rng.shuffle(items)
    assert score("json_field_f1", json.dumps(dict(items)), json.dumps(value)) == 1.0
    call = json.dumps({"arguments": dict(items), "name": "f"})
    assert score("tool_call_match", call, json.dumps({"name": "f", "arguments": value})) == 1.0


@pytest.mark.parametrize("name", NAMES)
def test_without_answers_every_figure_is_undefined(name: str) -> None:
    built = metric(name)
    assert set(built.summarise([]).values()) <= {None}
    assert set(built.summarise([(None, example("a"))]).values()) <= {None}


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("numeric_match", "none"),
        ("json_field_f1", "not json"),
        ("tool_call_match", "hello"),
        ("contains", " "),
        ("chrf", " "),
    ],
)
def test_what_cannot_be_compared_is_undefined_and_not_zero(name: str, target: str) -> None:
    assert score(name, "5", target) is None


# --- texts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The  Cat's hat.", "cats hat"),
        ("1,200", "1200"),
        ("1,234,567.50", "1234567.50"),
        ("A.", "a"),
        ("\uff15 km", "5 km"),
        ("“Yes!”", "yes"),
        ("\u22125", "-5"),
        ("card_arrival", "Card arrival"),
        ("an apple", "apple"),
        ("100.", "100"),
        ("(-5)", "-5"),
        ("STRASSE", "straße"),
    ],
)
def test_same_after_normalisation(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("€86.40", "86.40"),
        ("86.40", "8640"),
        ("86,40", "8640"),
        ("-5", "5"),
        ("5%", "5"),
        ("3/4", "34"),
        ("12:30", "1230"),
        ("C++", "C"),
        ("$5", "€5"),
        (".5", "5"),
        ("a", "b"),
        ("a", "the"),
        ("?", "!"),
        ("_", ""),
        ("-$5", "$5"),
        ("2024-05-01", "20240501"),
    ],
)
def test_different_after_normalisation(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


@given(st.text(alphabet="aAthe 5.,-$€%()'!_", max_size=15))
def test_normalising_removes_no_digit(text: str) -> None:
    assert [mark for mark in normalise(text) if mark.isdigit()] == [mark for mark in text if mark.isdigit()]


def test_token_f1_is_squads() -> None:
    assert score("token_f1", "the cat sat down", "A cat sat") == pytest.approx(2 * 2 / (3 + 2))
    assert score("token_f1", "cat cat", "cat") == pytest.approx(2 / 3)
    assert score("token_f1", "dog", "cat") == 0.0
    assert score("token_f1", "x", "cat", answers=["x y", "x"]) == 1.0


@given(st.lists(st.sampled_from("bcdef"), max_size=6), st.lists(st.sampled_from("bcdef"), max_size=6))
def test_token_f1_is_symmetric_and_blind_to_order(one: list[str], other: list[str]) -> None:
    forward = score("token_f1", " ".join(one), " ".join(other))
    assert forward == score("token_f1", " ".join(sorted(other)), " ".join(one))


def test_contains_whole_words_only() -> None:
    assert score("contains", "It costs 15 pounds.", "15") == 1.0
    assert score("contains", "It costs 150 pounds.", "15") == 0.0
    assert score("contains", "Harrow and Pine", "row and") == 0.0
    assert score("contains", "On the Monday, then", "monday") == 1.0


@given(st.text(alphabet="abc de", min_size=1, max_size=30), st.text(alphabet="abc de", min_size=1, max_size=30))
@settings(max_examples=40, deadline=None)
def test_chrf_is_sacrebleus(output: str, target: str) -> None:
    from sacrebleu import sentence_chrf

    assume(target.strip())
    assert score("chrf", output, target) == pytest.approx(sentence_chrf(output, [target]).score / 100)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("76 - 25 = 51.", 51),
        ("-$1,234.50", -1234.5),
        ("25%", 25),
        ("...5", 5),
        ("x=-5", -5),
        ("3-4", 4),
        ("1e3", 1000),
        ("$.5", 0.5),
        ("**42**", 42),
        ("\u22127", -7),
        ("Answer:\n- 7 apples", 7),
        ("12,345,678 of", 12345678),
        ("none", None),
        ("", None),
        ("1e999", None),
        ("\u0661", None),
        ("5 apples and 6", 6),
    ],
)
def test_last_number(text: str, number: float | None) -> None:
    assert last_number(text) == number


def test_numeric_match_tolerance() -> None:
    assert score("numeric_match", "1000000.5", "1000000") == 1.0
    assert score("numeric_match", "1000002", "1000000") == 0.0
    assert score("numeric_match", "0", "0.0") == 1.0
    assert score("numeric_match", "no idea", "5") == 0.0


# --- labels ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from("bcd"), st.sampled_from(["b", "c", "d", "zebra"])), min_size=1, max_size=40))
@settings(max_examples=40, deadline=None)
def test_macro_f1_is_sklearns(pairs: list[tuple[str, str]]) -> None:
    from sklearn.metrics import accuracy_score, f1_score

    golds, guesses = [gold for gold, _ in pairs], [guess for _, guess in pairs]
    found = metric("label_accuracy").summarise([(guess.upper(), example(gold)) for gold, guess in pairs])
    expected = f1_score(golds, guesses, labels=sorted(set(golds)), average="macro", zero_division=0)
    assert found["macro_f1"] == pytest.approx(expected)
    assert found["accuracy"] == pytest.approx(accuracy_score(golds, guesses))


def test_failed_calls_are_left_out_of_the_summary() -> None:
    pairs = [("b", example("b")), (None, example("c"))]
    assert metric("label_accuracy").summarise(pairs) == {"accuracy": 1.0, "macro_f1": 1.0}


def test_labels_that_normalisation_would_merge_are_compared_as_written() -> None:
    assert metric("label_accuracy", labels=["ham", "spam"]).score("Spam.", example("spam")) == 1.0
    strict = metric("label_accuracy", labels=["Good!", "good", "C"])
    assert strict.score("good", example("Good!")) == 0.0
    assert strict.score(" Good! ", example("Good!")) == 1.0


# --- JSON ------------------------------------------------------------------------------------------------------------


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


# --- tool calls ------------------------------------------------------------------------------------------------------

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


def test_tool_call_summary() -> None:
    gold = example('{"name": "f", "arguments": {}}')
    pairs = [
        ('{"name": "f", "arguments": {"x": 1}}', gold),
        ('{"name": "g", "arguments": {}}', gold),
        ("hm", gold),
        (None, gold),
    ]
    assert metric("tool_call_match").summarise(pairs) == {
        "validity": pytest.approx(2 / 3),
        "right_name": pytest.approx(1 / 3),
    }


@given(JSON, JSON)
def test_same_value_is_symmetric(one: Any, other: Any) -> None:
    assert same_value(one, one)
    assert same_value(one, other) == same_value(other, one)


# --- building --------------------------------------------------------------------------------------------------------


def test_for_task_passes_labels_and_schema_to_those_that_take_them() -> None:
    task = Task("t", "Do.", "label_accuracy", labels=("a", "b"), schema={"type": "object"})
    assert for_task("label_accuracy", task).labels == ("a", "b")  # type: ignore[attr-defined]
    assert for_task('label_accuracy(labels=["x"])', task).labels == ("x",)  # type: ignore[attr-defined]
    assert for_task("json_field_f1", task).schema == {"type": "object"}  # type: ignore[attr-defined]
    assert for_task("exact_match", task).name == "exact_match"
    with pytest.raises(RegistryError, match="did you mean 'exact_match'"):
        for_task("exactmatch", task)


def test_the_registry_lists_exactly_these() -> None:
    assert sorted(NAMES) == sorted(
        entry.name for entry in registry.names("metrics") if entry.distribution == registry.OURS
    )
    assert all(metric(name).name == name for name in NAMES)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [(True, 1, False), (False, 0, False), (True, True, True), (5, 5.0, True), ("5", 5, False), ([1], [1, 2], False)],
)
def test_same_value_keeps_kinds_apart(one: Any, other: Any, same: bool) -> None:
    assert same_value(one, other) is same
