"""Every input is defined once: its field makes the flag, the variable, the key, its schema, the check, the words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

import jsonschema
import pytest
import typer
from typer.testing import CliRunner

from advisor.advice.inputs import CASE, LINE, MONEY, PILOT
from advisor.cli import app
from advisor.cli.compare import settle
from advisor.cli.flags import typed_keys, with_flags
from advisor.core.errors import ConfigurationError
from advisor.decision.request import ComparisonRequest
from advisor.decision.words.money import words_of
from advisor.economics.amounts import USD, Amount, Range
from advisor.economics.definition import Bounds, Option, declared_options, typed_flags
from advisor.economics.inputs import Economics
from advisor.runs.comparison_file import block, json_schema, validate_keys

ECONOMICS, OPTIONS = declared_options(Economics), declared_options(ComparisonRequest)
WITH_FLAG = [one for one in (*ECONOMICS.values(), *OPTIONS.values()) if one.flag]
OTHER: dict[str, Any] = {
    "evalset": "mine", "model": "openai:x", "strategies": ("a", "b(k=1)"), "columns": {"input": "q"}, "config": "",
    "checks": "full", "suite": "s.jsonl", "docs": "handbook", "offline": True, "learning_curve": True,
    "base_model_shutdown": date(2100, 1, 2),
}  # fmt: skip
"""A value other than the default, where it is no number."""


def in_help(verb: str) -> str:
    shown = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}).stdout
    return " ".join(shown.replace("│", " ").split())


def another(one: Option) -> Any:
    """Return a value other than the default that is allowed."""
    if one.name in OTHER:
        return OTHER[one.name]
    return 123 if one.kind is int else 1.25 if one.bounds.broken(0.75) else 0.75


@dataclass(frozen=True, slots=True)
class OneMore(Economics):
    """What a developer types to add a money input: one field."""

    usd_per_audit: Annotated[Amount, Option("Price of an audit.", USD)] = 0.0
    audits: Annotated[int, Option("How many.", bounds=Bounds(least=1))] = 1


# --- one edit is enough ----------------------------------------------------------------------------------------------


def test_one_field_makes_flag_variable_key_schema_check_and_words() -> None:
    inputs = {name: one for name, one in declared_options(OneMore).items() if name not in ECONOMICS}
    keys = block("Block", "", inputs)
    told: list[Mapping[str, Any]] = []
    added = typer.Typer()

    @added.command()
    @with_flags(("Money", inputs.values()))
    def verb(**given: Any) -> None:
        told.append(validate_keys(keys, typed_keys(given, inputs), "here"))

    shown = CliRunner().invoke(added, ["--help"], env={"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}).stdout
    assert "--usd-per-audit" in shown
    assert "Price of an audit." in shown
    assert CliRunner().invoke(added, ["--usd-per-audit", "$1k..2k", "--audits", "3"]).exit_code == 0
    assert CliRunner().invoke(added, [], env={"ADVISOR_USD_PER_AUDIT": "5"}).exit_code == 0
    assert told == [{"usd_per_audit": Range(1_000, 2_000), "audits": 3}, {"usd_per_audit": 5.0}]

    validator = jsonschema.Draft202012Validator(keys.model_json_schema())
    assert validator.is_valid({"usd_per_audit": "$1k..2k", "audits": 3})
    assert not validator.is_valid({"usd_per_audit": "10%"})
    assert not validator.is_valid({"audits": 0})
    with pytest.raises(ConfigurationError, match="audits: input should be greater than or equal to 1, found 0"):
        validate_keys(keys, {"audits": 0}, "here")
    with pytest.raises(ConfigurationError, match=r"usd_per_audit is -1\.0; allowed: a number from 0 to 1e15"):
        OneMore(usd_per_audit=-1.0)
    more = OneMore(usd_per_audit=Range(1_000, 2_000))
    assert words_of(more)["usd_per_audit"] == "$1,000 to $2,000 (90% range)"
    assert typed_flags(more) == [("--usd-per-audit", "1000..2000")]


# --- all that there are ----------------------------------------------------------------------------------------------


def test_help_names_every_flag_its_variable_and_its_text() -> None:
    shown = in_help("compare")
    for one in WITH_FLAG:
        assert one.help in shown
        assert one.argument or f"{one.flag} " in shown
        assert f"[env var: {one.variable}]" in shown
    shown = in_help("ask")
    for one in (*CASE.values(), *MONEY.values(), *PILOT.values(), *LINE.values()):
        assert not one.flag or (one.help in shown and f"[env var: {one.variable}]" in shown)


@pytest.mark.parametrize("kind", [Economics, ComparisonRequest])
def test_the_default_that_the_help_names_is_the_one_that_counts(kind: Any) -> None:
    usual = kind()
    named = {name: re.search(r"Default: ([0-9.]+)\.$", one.help) for name, one in declared_options(kind).items()}
    assert sum(found is not None for found in named.values()) >= 4
    for name, found in named.items():
        if found:
            assert getattr(usual, name) == float(found[1]), name


def test_every_input_is_a_key_of_the_schema() -> None:
    schema = json_schema()
    assert set(ECONOMICS) <= set(schema["$defs"]["EconomicsBlock"]["properties"])
    assert {name for name, one in OPTIONS.items() if one.in_file} <= set(schema["properties"])
    assert set(words_of(Economics())) == {name for name, one in ECONOMICS.items() if one.unit}


@pytest.mark.parametrize("one", WITH_FLAG, ids=lambda one: one.name)
def test_what_is_typed_arrives_and_is_typed_again(one: Option) -> None:
    value = another(one)
    texts = one.as_typed(value)
    given: Any = True if value is True else texts if isinstance(value, tuple | Mapping) else texts[0]
    options, _ = settle({one.parameter: given})
    held = options if one.name in OPTIONS else options.economics
    assert getattr(held, one.name) == value
    if one.repeated and not one.argument and value != "":
        assert typed_flags(held) == [(one.flag, text) for text in texts]


NUMBERS = [one for one in (*ECONOMICS.values(), *OPTIONS.values()) if one.unit is not None and not one.may_be_range]


@pytest.mark.parametrize("one", NUMBERS, ids=lambda one: one.name)
@pytest.mark.parametrize("value", [-1.0, 0.0, 0.02, 0.5, 0.7, 1.0, 1.5, 3.0, 1e16, float("nan"), float("inf")])
def test_bounds_are_the_same_from_python_from_a_file_and_in_the_schema(one: Option, value: float) -> None:
    kind: Any = Economics if one.name in ECONOMICS else ComparisonRequest
    said = {one.name: value} if kind is ComparisonRequest else {"economics": {one.name: value}}
    allowed = 0.0 <= value <= 1e15 and not one.bounds.broken(value)
    if allowed:
        assert getattr(kind(**{one.name: value}), one.name) == value
        settle({one.parameter: str(value)})
    else:
        with pytest.raises(ConfigurationError, match=f"{one.name} is .*; allowed: "):
            kind(**{one.name: value})
    if 0.0 <= value <= 1e15:
        assert jsonschema.Draft202012Validator(json_schema()).is_valid(said) is allowed


@pytest.mark.parametrize(
    ("flags", "value"),
    [
        ({"margin": "5%"}, {"margin": 0.05}),
        ({"requests_per_month": "5k..20k"}, {"requests_per_month": Range(5_000, 20_000)}),
        ({"value_per_correct": "$0.10..$0.50"}, {"usd_per_correct_answer": Range(0.1, 0.5)}),
        ({"usd_per_hour": "$2"}, {"usd_per_hour": 2.0}),
    ],
)
def test_amounts_are_read_after_flags(flags: dict[str, Any], value: dict[str, Any]) -> None:
    assert settle(flags)[0].economics == Economics(**value)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"margin": "$0.05"}, "--margin: '$0.05' is a sum of money; a share is needed, such as 0.02 or 2%"),
        ({"usd_per_hour": "5%"}, "--usd-per-hour: '5%' is a share; a sum of money is needed"),
        ({"requests_per_month": "5%"}, "--requests-per-month: '5%' is a share; a number is needed"),
        ({"margin": "many"}, "--margin: input should be a valid number, such as 0.02 or 2%, found 'many'"),
    ],
)
def test_a_sign_of_another_unit_is_refused_by_flag(flags: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settle(flags)
    assert says in str(caught.value)
