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
from advisor.core.errors import RegistryError
from advisor.core.metrics import for_task
from advisor.core.normalisation import last_number, normalise, same_value
from advisor.core.types import Task
from tests.core.scoring import JSON, example, metric, score

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


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25)
@given(output=st.text(max_size=40), target=st.text(max_size=40), other=st.text(max_size=20))
def test_scores_lie_in_the_unit_interval_and_more_answers_never_hurt(
    name: str, output: str, target: str, other: str
) -> None:
    one, more = score(name, output, target), score(name, output, target, answers=[other])
    for value in (one, more):
        assert value is None or 0 <= value <= 1
    assert one is None or (more is not None and more >= one)


@pytest.mark.parametrize("name", ["exact_match", "token_f1", "label_accuracy", "contains", "chrf"])
@settings(max_examples=25)
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
@settings(max_examples=40)
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


@given(st.lists(st.tuples(st.sampled_from("bcd"), st.sampled_from(["b", "c", "d", "zebra"])), min_size=1, max_size=40))
@settings(max_examples=40)
def test_macro_f1_is_sklearns(pairs: list[tuple[str, str]]) -> None:
    from sklearn.metrics import accuracy_score, f1_score

    golds, guesses = [gold for gold, _ in pairs], [guess for _, guess in pairs]
    found = metric("label_accuracy").summarise([(guess.upper(), example(gold)) for gold, guess in pairs])
    expected = f1_score(golds, guesses, labels=sorted(set(golds)), average="macro", zero_division=0)
    assert found["macro_f1"] == pytest.approx(expected)
    assert found["accuracy"] == pytest.approx(accuracy_score(golds, guesses))


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
