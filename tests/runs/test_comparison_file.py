"""A comparison as YAML: what is allowed, how mistakes are named, and that the published schema says the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from advisor.core.errors import ConfigurationError
from advisor.decision.request import ComparisonRequest
from advisor.economics.amounts import Range
from advisor.economics.inputs import Economics
from advisor.economics.prices import Prices
from advisor.runs.comparison_file import economics_of, json_schema, options_of, read_comparison, validate_comparison

FULL: dict[str, Any] = {
    "evalset": "harrow_desk",
    "model": "smollm2",
    "strategies": ["few_shot(k=2)", "rag"],
    "columns": {"input": "question"},
    "seeds": 3,
    "limit": 10,
    "train_limit": 20,
    "seed": 1,
    "jobs": 4,
    "draws": 1000,
    "budget_usd": 2.5,
    "offline": True,
    "output": ["report.html"],
    "economics": {
        "requests_per_month": "5_000..20_000",
        "usd_per_correct_answer": [0.1, 0.5],
        "horizon_months": 6,
        "margin": 0.03,
        "prices": {"usd_per_1m_input_tokens": 0.15},
    },
}


def test_full_file() -> None:
    economics = economics_of(validate_comparison(FULL)["economics"])
    assert economics.requests_per_month == Range(5000, 20000)
    assert economics.usd_per_correct_answer == Range(0.1, 0.5)
    assert (economics.horizon_months, economics.margin) == (6, 0.03)
    assert isinstance(economics.prices, Prices)
    assert economics.prices.usd_per_1m_output_tokens is None
    assert economics.usd_per_hour == Economics().usd_per_hour


def test_empty_file_is_all_defaults(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("# nothing\n")
    assert read_comparison(path) == {}
    assert options_of({}) == ComparisonRequest()
    assert economics_of({}) == Economics()


@pytest.mark.parametrize(
    ("plain", "says"),
    [
        ({"evalst": "x"}, "unknown key 'evalst'; did you mean 'evalset'"),
        ({"economics": {"margn": 0.1}}, "unknown key 'economics.margn'; did you mean 'margin'"),
        ({"economics": {"prices": {"usd_per_hours": 1}}}, "did you mean 'usd_per_hour'"),
        ({"limit": 0}, "limit: input should be greater than or equal to 1, found 0"),
        ({"strategies": "few_shot"}, "strategies: input should be a valid list"),
        ({"economics": {"requests_per_month": -1}}, "requests_per_month: -1 is neither a number"),
        ({"economics": {"usd_per_hour": float("nan")}}, "usd_per_hour"),
        ({"economics": {"usd_per_hour": float("inf")}}, "usd_per_hour"),
        ([1], "keys with values are needed, found a list"),
    ],
)
def test_mistakes_are_named(plain: Any, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        validate_comparison(plain, "my.yaml")
    assert says in str(caught.value)
    assert str(caught.value).startswith("my.yaml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("seed: 1\nseed: 2\n", "'seed' stands there twice"),
        ("a: &x [1]\nb: [*x, *x]\n", "aliases"),
        ("evalset: [", "is not YAML"),
        ("evalset: !!python/object/apply:os.system [ls]", "is not YAML"),
        ("[" * 3000, "is not YAML"),
    ],
)
def test_bad_yaml_is_one_sentence(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=says) as caught:
        read_comparison(path)
    assert "bad.yaml" in str(caught.value)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        read_comparison(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"evalset: caf\xe9")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        read_comparison(tmp_path / "latin.yaml")
    (tmp_path / "large.yaml").write_text("#" * 1_000_010)
    with pytest.raises(ConfigurationError, match="at most 1,000,000 are read"):
        read_comparison(tmp_path / "large.yaml")


def test_schema_accepts_what_we_accept() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(FULL)
    for wrong in ({"evalst": "x"}, {"limit": 0}, {"economics": {"requests_per_month": -1}}):
        assert not validator.is_valid(wrong)


def test_published_schema_is_current() -> None:
    published = Path(__file__).parents[2] / "docs" / "comparison.schema.json"
    assert json.loads(published.read_text(encoding="utf-8")) == json_schema(), (
        "write it again: python -c 'import json; from advisor.runs.comparison_file import json_schema; "
        "print(json.dumps(json_schema(), indent=2))' > docs/comparison.schema.json"
    )
