"""Schemas and patterns from data: right, and never fetched. Hostile ones: tests/faults/test_schemas_from_data.py."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from advisor.core import patterns
from advisor.core.errors import EvalSetError
from advisor.core.schemas import problem, validate_schema

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, 0.5]) | st.text("ab1", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=6,
)
PATTERNS = st.sampled_from(["^a", "b$", "^a+b?$", "[0-9]", "a|1", "^(?!a)", "(a)\\1"])
SCHEMAS = st.recursive(
    st.one_of(
        st.fixed_dictionaries({"type": st.sampled_from(["string", "integer", "array", "object", "null"])}),
        st.fixed_dictionaries({"pattern": PATTERNS}),
        st.fixed_dictionaries({"uniqueItems": st.booleans()}),
        st.fixed_dictionaries({"enum": st.lists(VALUES, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"minLength": st.integers(0, 3)}),
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"items": inner}),
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
        st.fixed_dictionaries(
            {
                "properties": st.dictionaries(st.text("ab", max_size=2), inner, max_size=2),
                "patternProperties": st.dictionaries(PATTERNS, inner, max_size=2),
                "additionalProperties": st.booleans() | inner,
            }
        ),
    ),
    max_leaves=5,
)


@given(SCHEMAS, VALUES)
def test_a_value_follows_a_schema_where_jsonschema_says_so(schema: dict[str, Any], value: Any) -> None:
    assert validate_schema(schema) == ""
    assert (problem(value, schema) == "") is Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize("ref", ["http://127.0.0.1:1/x", "file:///etc/passwd", "other.json", "//host/x"])
def test_no_reference_leads_out(ref: str) -> None:
    assert "leads out of the schema" in validate_schema({"items": {"$ref": ref}})
    assert "does not hold" in problem([1], {"items": {"$ref": ref}})


def test_a_pattern_that_takes_too_long_is_named_with_its_field() -> None:
    slow = "^(?!x)(a|aa)+$"
    said = validate_schema({"properties": {"order": {"properties": {"number": {"pattern": slow}}}}})
    assert said.startswith(f"the pattern {slow!r} of field 'order.number' cannot be used: it takes longer than")
    with pytest.raises(EvalSetError, match="takes longer than"):
        problem({"x": "a" * 60 + "!"}, {"properties": {"x": {"pattern": slow}}})
    assert validate_schema({"enum": [{"pattern": "("}], "properties": {"pattern": {"type": "string"}}}) == ""


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("^é", "éa", True), ("^a$", "a\n", False), (r"\d{3}", "a123", True), (r"^\p{L}+$", "aé", True),
        (r"(a)\1", "aa", True), (r"^[\w.+-]+@[\w-]+\.[a-z]{2,}$", "a.b@c.de", True), ("a{,3}", "b", True),
        (r"^\S+\Z", "ab", True), ("^(?=.*[0-9]).{3,}$", "ab1", True),
    ],
)  # fmt: skip
def test_patterns_mean_what_they_say(pattern: str, text: str, found: bool) -> None:
    assert patterns.problem_of(pattern) == ""
    assert patterns.found(pattern, text) is found
