from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from advisor.core.shipped import load_evalset
from advisor.core.types import Tool

FOLDER = Path(__file__).parents[2] / "evalsets" / "data" / "harrow_tools"
SPLITS = {"train": range(2000, 5000), "dev": range(5000, 6000), "test": range(6000, 8000)}


@pytest.fixture(scope="module")
def tools() -> dict[str, Tool]:
    return {tool.spec.name: tool for tool in load_evalset(str(FOLDER)).tools}


def rows(split: str) -> list[dict[str, Any]]:
    path = FOLDER / f"{split}.jsonl"
    if not path.exists():
        pytest.skip(f"{split} is not written yet")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_tools_are_the_five_of_the_brief(tools: dict[str, Tool]) -> None:
    assert set(tools) == {"lookup_order", "price_of", "calculate", "add_days", "days_between"}
    for tool in tools.values():
        assert all("description" in about for about in tool.spec.parameters["properties"].values())


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("lookup_order", {"order_id": "HP-2018", "field": "total"}, "€250.78"),
        ("lookup_order", {"order_id": " hp 2018", "field": "arrives"}, "2026-03-21"),
        ("lookup_order", {"order_id": "#2018", "field": "paid_with"}, "bank transfer"),
        ("lookup_order", {"order_id": "HP-2335", "field": "items"}, "2 x bike helmet at €78.00"),
        ("lookup_order", {"order_id": "HP-1", "field": "total"}, "no such order"),
        ("price_of", {"product": "Larkspur 2"}, "€319.00"),
        ("price_of", {"product": "dormouse kids' bags"}, "€64.50"),
        ("price_of", {"product": "quickdraws"}, "€17.35"),
        ("calculate", {"expression": "493.50 * 0.85"}, "419.48"),
        ("calculate", {"expression": "(72.50 + 7.50) * 2"}, "160"),
        ("calculate", {"expression": "3 - 3"}, "0"),
        ("calculate", {"expression": "0.10 + 0.20"}, "0.30"),
        ("add_days", {"day": "2026-04-30", "days": 1}, "2026-05-01"),
        ("add_days", {"day": "2026-12-24", "days": "14"}, "2027-01-07"),
        ("add_days", {"day": "2026-03-01", "days": -1}, "2026-02-28"),
        ("days_between", {"start": "2026-02-28", "end": "2026-03-01"}, "1"),
        ("days_between", {"start": "2026-03-01", "end": "2026-02-28"}, "-1"),
    ],
)
def test_results(tools: dict[str, Tool], name: str, arguments: dict[str, Any], result: str) -> None:
    assert tools[name].call(arguments) == result


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("lookup_order", {"order_id": "the blue one", "field": "total"}, "not an order number"),
        ("lookup_order", {"order_id": "HP-2018", "field": "colour"}, "colour"),
        ("price_of", {"product": "submarine"}, "no product has the name"),
        ("price_of", {"product": "tent"}, "could be Larkspur 2 tent"),
        ("price_of", {"product": "!"}, "no product has the name"),
        ("calculate", {"expression": "__import__('os')"}, "not arithmetic"),
        ("calculate", {"expression": "2 ** 9999999"}, "not arithmetic"),
        ("calculate", {"expression": "7 // 2"}, "not arithmetic"),
        ("calculate", {"expression": "1 / 0"}, "no usable result"),
        ("calculate", {"expression": "1 +"}, "not arithmetic"),
        ("calculate", {"expression": "1+" * 150 + "1"}, "longer than 200"),
        ("add_days", {"day": "3 May", "days": 1}, "write it as YYYY-MM-DD"),
        ("add_days", {"day": "2026-02-30", "days": 1}, "there is no such day"),
        ("add_days", {"day": "2026-02-03", "days": 10**12}, "beyond the calendar"),
        ("days_between", {"start": "2026-02-03", "end": "2026-13-01"}, "there is no such day"),
    ],
)
def test_wrong_calls_say_what_is_wrong(tools: dict[str, Tool], name: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r"\A.{1,1500}\Z") as caught:
        tools[name].call(arguments)
    assert said in str(caught.value)


@pytest.mark.parametrize("split", list(SPLITS))
def test_every_target_is_what_the_calls_give(tools: dict[str, Tool], split: str) -> None:
    for row in rows(split):
        calls = row["metadata"]["calls"]
        results = [tools[call["name"]].call(call["arguments"]) for call in calls]
        target, result = row["target"], results[-1]
        if calls[-1]["name"] == "calculate":
            assert float(target.removeprefix("€")) == float(result), row["id"]
        elif calls[-1]["arguments"].get("field") == "items" and target != "no such order":
            assert target in result, row["id"]
        else:
            assert target == result, row["id"]


@pytest.mark.parametrize("split", list(SPLITS))
def test_orders_stay_in_their_splits_range(split: str) -> None:
    for row in rows(split):
        for call in row["metadata"]["calls"]:
            if call["name"] == "lookup_order":
                assert int(call["arguments"]["order_id"].removeprefix("HP-")) in SPLITS[split], row["id"]
