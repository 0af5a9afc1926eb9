from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from advisor.core.brought_code import BroughtCode
from advisor.core.errors import CallFailed, ConfigurationError, EvalSetError
from advisor.core.schemas import problem, validate_schema
from advisor.core.tool_files import run_tools, spec_from_json
from advisor.core.tools import (
    parse_call,
    parse_calls,
    render_result,
    render_tool_specs,
    tool_from_function,
    validate_tool_call,
)
from advisor.core.types import ToolCall, ToolSpec


def lookup_order(order_id: str, field: Literal["status", "total"], copy: int = 1, note: str | None = None) -> Any:
    """Look up one field of an order.

    Over several lines.

    Args:
        order_id: The number on
            the receipt.
        field (str): What to look up.

    Returns:
        The value.
    """
    if order_id == "down":
        raise CallFailed("the shop does not answer")
    if order_id == "missing":
        raise ValueError(f"there is no order {order_id!r}")
    return {"status": "sent", "total": 122.0}[field] if order_id != "bug" else json.loads("{}")["x"]


TOOL = tool_from_function(lookup_order)


# --- from a function -------------------------------------------------------------------------------------------------


def test_schema_from_hints_and_docstring() -> None:
    assert TOOL.spec == ToolSpec(
        "lookup_order",
        "Look up one field of an order. Over several lines.",
        {
            "type": "object",
            "properties": {
                "order_id": {"type": "string", "description": "The number on the receipt."},
                "field": {"type": "string", "enum": ["status", "total"], "description": "What to look up."},
                "copy": {"type": "integer", "default": 1},
                "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            },
            "required": ["order_id", "field"],
            "additionalProperties": False,
        },
    )
    assert validate_schema(TOOL.spec.parameters) == ""


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        ({"order_id": "1", "field": "total"}, "122"),
        ({"order_id": "1", "field": "status", "copy": 2, "note": None}, "sent"),
    ],
)
def test_calls(arguments: dict[str, Any], result: str) -> None:
    assert TOOL.call(arguments) == result


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "lookup_order: argument 'order_id' is missing; arguments are: order_id, field, copy, note"),
        ({"order": "1", "field": "total"}, "there is no argument 'order'; did you mean 'order_id'?"),
        ({"order_id": 5, "field": "total"}, "argument 'order_id' is 5; input should be a valid string"),
        ({"order_id": "1", "field": "colour"}, "argument 'field' is 'colour'; input should be 'status' or 'total'"),
        ({"order_id": "x" * 999, "field": "t" * 999}, "argument 'field' is 'ttt"),
        ({"order_id": "missing", "field": "total"}, "there is no order 'missing'"),
        ({"order_id": "bug", "field": "total"}, "lookup_order failed: KeyError: 'x'"),
    ],
)
def test_wrong_calls_end_in_one_sentence(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r"\A.{1,300}\Z") as caught:
        TOOL.call(arguments)
    assert said in str(caught.value)


def test_a_service_that_is_down_is_a_failed_call() -> None:
    with pytest.raises(CallFailed):
        TOOL.call({"order_id": "down", "field": "total"})


@dataclass
class Place:
    title: str
    floor: int = 0


def test_richer_hints() -> None:
    def find(place: Place, sizes: list[float], limit: Annotated[int, Field(ge=1, description="At most.")] = 3) -> str:
        """Find."""
        return f"{place.title} {sum(sizes)} {limit}"

    tool = tool_from_function(find)
    assert tool.spec.parameters["properties"]["limit"]["description"] == "At most."
    assert tool.call({"place": {"title": "x"}, "sizes": [1, 2.5]}) == "x 3.5 3"
    assert render_tool_specs([tool.spec]) == "find(place: object, sizes: number[], limit?: integer) - Find."
    assert "title" in json.dumps(tool.spec.parameters["$defs"])
    with pytest.raises(ValueError, match=r"argument 'limit' is 0"):
        tool.call({"place": {"title": "x"}, "sizes": [], "limit": 0})


def no_doc(a: int) -> int:
    return a


def no_hint(a, b: int) -> None:  # type: ignore[no-untyped-def]
    """Do."""


def variadic(*numbers: int) -> int:
    """Do."""
    return sum(numbers)


async def later(a: int) -> int:
    """Do."""
    return a


@pytest.mark.parametrize(
    ("fn", "said"),
    [
        (no_doc, "tool 'no_doc' has no docstring"),
        (no_hint, "tool 'no_hint': parameter 'a' has no type annotation"),
        (variadic, "parameter 'numbers' cannot be passed by name"),
        (later, "'later' is async"),
    ],
)
def test_what_cannot_be_a_tool(fn: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        tool_from_function(fn)


def test_hints_that_cannot_be_read() -> None:
    def odd(a: Missing) -> int:  # type: ignore[name-defined]  # noqa: F821
        """Do."""
        return 1

    def opaque(a: Opaque) -> int:
        """Do."""
        return 1

    with pytest.raises(ConfigurationError, match="'odd': its annotations cannot be read: NameError"):
        tool_from_function(odd)
    with pytest.raises(ConfigurationError, match="'opaque': a type hint has no JSON form"):
        tool_from_function(opaque)


class Opaque:
    pass


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (122.0, "122"),
        (0.1, "0.1"),
        (1e20, "1e+20"),
        (True, "true"),
        (None, "null"),
        ("5.0", "5.0"),
        (float("nan"), "NaN"),
        ({"a": [1.0, 2.5]}, '{"a": [1, 2.5]}'),
        (Place("é"), '{"title": "é", "floor": 0}'),
        (-0.0, "0"),
        ((1, 2), "[1, 2]"),
    ],
)
def test_results_as_text(value: Any, text: str) -> None:
    assert render_result(value) == text


# --- from a file -----------------------------------------------------------------------------------------------------


def written(folder: Path, code: str) -> BroughtCode:
    (folder / "tools.py").write_text(code)
    return BroughtCode.read(folder, "tools.py", "", may_run=True)


def test_public_functions_of_the_file_and_no_others(tmp_path: Path) -> None:
    code = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom os.path import join\n"
        "@dataclass\nclass Point:\n    x: int\n"
        "def second(p: Point) -> int:\n    '''Two.'''\n    return p.x\n"
        "def first() -> int:\n    '''One.'''\n    return _helper()\n"
        "def _helper():\n    return 1\n"
    )
    tools = run_tools(written(tmp_path, code))
    assert [tool.spec.name for tool in tools] == ["second", "first"]
    assert tools[0].call({"p": {"x": 4}}) == "4"
    assert tools[1].call({}) == "1"
    assert [tool.spec.name for tool in run_tools(written(tmp_path, code + "__all__ = ['first']\n"))] == ["first"]
    assert [path.name for path in tmp_path.iterdir() if path.is_file() or path.name == "__pycache__"] == ["tools.py"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def f(:\n", "tools.py line 1: it is not Python: invalid syntax"),
        ("x = 1\n1 / 0\n", "tools.py line 2: it cannot be run: ZeroDivisionError"),
        ("import nothing_of_that_name\n", "tools.py line 1: it cannot be run: ModuleNotFoundError"),
        ("raise SystemExit(3)\n", "tools.py line 1: it cannot be run: SystemExit"),
        ("def _f(): pass\n", "defines no public function"),
        ("\n\ndef f(a: int) -> int:\n    return a\n", "tools.py line 3: tool 'f' has no docstring"),
        ("def f(a) -> int:\n    '''Do.'''\n", "tools.py line 1: tool 'f': parameter 'a' has no type annotation"),
        ("x = '\0'\n", "it is not Python: source code string cannot contain null bytes"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, code: str, said: str) -> None:
    before = set(sys.modules)
    with pytest.raises(EvalSetError) as caught:
        run_tools(written(tmp_path, code))
    assert said in str(caught.value)
    left = {name for name in set(sys.modules) - before if name.startswith("advisor_set_")}
    assert not left or "cannot be run" not in said


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(EvalSetError, match=r"no file 'tools\.py'"):
        BroughtCode.read(tmp_path, "tools.py", "")


# --- from JSON -------------------------------------------------------------------------------------------------------


def test_types_of_other_languages_become_json_schemas() -> None:
    plain = {
        "name": "f",
        "description": "Do.",
        "parameters": {
            "type": "dict",
            "properties": {
                "type": {"type": "any", "description": "a parameter called type"},
                "a": {"type": "tuple", "items": {"type": "float"}},
                "b": {"type": "dict", "properties": {"c": {"type": "boolean"}}},
            },
            "required": ["a"],
        },
    }
    spec = spec_from_json(plain)
    assert spec.parameters["properties"] == {
        "type": {"description": "a parameter called type"},
        "a": {"type": "array", "items": {"type": "number"}},
        "b": {"type": "object", "properties": {"c": {"type": "boolean"}}},
    }
    assert spec.parameters["type"] == "object"
    assert spec_from_json({"type": "function", "function": plain}) == spec
    assert plain["parameters"]["type"] == "dict"  # type: ignore[index]


@pytest.mark.parametrize("plain", [None, 5, "f", [], {}, {"name": ""}, {"name": "f", "parameters": 3}, {"function": 1}])
def test_what_is_no_tool_schema(plain: Any) -> None:
    with pytest.raises(ValueError, match="tool"):
        spec_from_json(plain)


# --- prompts and answers ---------------------------------------------------------------------------------------------


def test_render_specs() -> None:
    line = (
        'lookup_order(order_id: string, field: "status" | "total", copy?: integer, note?: string | null)'
        " - Look up one field of an order. Over several lines."
    )
    assert render_tool_specs([TOOL.spec]) == line
    described = render_tool_specs([TOOL.spec], describe_parameters=True).splitlines()
    assert described == [line, "  order_id: The number on the receipt.", "  field: What to look up."]
    assert render_tool_specs([]) == ""


CALL = '{"name": "f", "arguments": {"a": {"b": [1, "}"]}}}'


@pytest.mark.parametrize(
    "text",
    [
        CALL,
        f"I will call it.\n```json\n{CALL}\n```\nDone.",
        f"<tool_call>\n{CALL}\n</tool_call>",
        f"{{not json}} {{}} {CALL} {CALL.replace('f', 'g')}",
        '{"function": {"name": "f", "arguments": "{\\"a\\": {\\"b\\": [1, \\"}\\"]}}"}, "type": "function"}',
        '{"name": "f", "parameters": {"a": {"b": [1, "}"]}}}',
        f'{{"calls": [{CALL}]}}',
    ],
)
def test_calls_are_found_in_answers(text: str) -> None:
    call = parse_call(text)
    assert call is not None
    assert (call.name, call.arguments) == ("f", {"a": {"b": [1, "}"]}})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "f(a=1)",
        "{",
        CALL[:-1],
        '{"name": "f"}',
        '{"name": 5, "arguments": {}}',
        '{"name": "f", "arguments": [1]}',
        '{"name": "f", "arguments": {"a": NaN}}',
        '{"name": "f", "arguments": "x"}',
        "{" * 50_000,
        '{"a":' * 50_000,
    ],
)
def test_what_is_no_call(text: str) -> None:
    assert parse_call(text) is None


def test_all_calls_in_order() -> None:
    text = '{"name": "f", "arguments": {}} and {"id": "7", "name": "g", "arguments": {}}'
    assert parse_calls(text) == (ToolCall("f", {}), ToolCall("g", {}, "7"))


@settings(max_examples=100)
@given(st.text(alphabet='{}[]":,nameargumts 1\\', max_size=60))
def test_parsing_never_fails(text: str) -> None:
    parse_call(text + CALL[: len(text) % len(CALL)])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (ToolCall("lookup_order", {"order_id": "1", "field": "total"}), ""),
        (ToolCall("lookup_orders", {}), "there is no tool 'lookup_orders'; did you mean 'lookup_order'?"),
        (
            ToolCall("lookup_order", {"order": "1"}),
            "lookup_order: there is no argument 'order'; did you mean 'order_id'?",
        ),
        (ToolCall("lookup_order", {"order_id": "1"}), "lookup_order: 'field' is a required property"),
        (
            ToolCall("lookup_order", {"order_id": 1, "field": "total"}),
            "lookup_order: order_id: 1 is not of type 'string'",
        ),
        (ToolCall("lookup_order", {"order_id": "1", "field": "x"}), "field: 'x' is not one of ['status', 'total']"),
    ],
)
def test_validate_call(call: ToolCall, said: str) -> None:
    found = validate_tool_call(call, [TOOL.spec])
    assert found == said if not said else said in found


# --- schemas ---------------------------------------------------------------------------------------------------------


def test_schemas_never_reach_outside_or_loop() -> None:
    assert "leads out" in validate_schema({"properties": {"a": {"$ref": "http://127.0.0.1:9/x"}}})
    assert validate_schema([]) == "a JSON Schema is an object, not list"
    assert "is not valid" in validate_schema({"type": "nothing"})
    assert "does not hold" in problem(1, {"$ref": "#/$defs/missing"})
    assert problem(1, {"$ref": "#"}) == "the value or its schema is nested too deeply"
    assert "refers to" in problem(1, {"$ref": "http://127.0.0.1:9/x"})


def test_a_hint_that_breaks_without_a_word_is_a_sentence() -> None:
    class Silent:
        @classmethod
        def __get_pydantic_core_schema__(cls, source: object, handler: object) -> None:
            raise RuntimeError

    def broken(thing: Silent) -> str:
        """Do something."""
        return ""

    broken.__annotations__["thing"] = Silent
    with pytest.raises(ConfigurationError, match="'broken': a type hint has no JSON form: RuntimeError"):
        tool_from_function(broken)
