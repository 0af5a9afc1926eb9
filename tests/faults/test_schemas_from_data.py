# ruff: noqa: E501
"""T10: patterns and schemas from data end soon, whatever they are, and say which of them was at fault."""

from __future__ import annotations

import json
import time
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from advisor.cli import app
from advisor.core.errors import EvalSetError
from advisor.core.schemas import problem, validate_schema
from tests.faults.sheet import Sheet
from tests.small_comparison import write_evalset, write_rows

DOUBLING = {f"a{at}": {"anyOf": [{"$ref": f"#/$defs/a{at + 1}"}] * 2} for at in range(40)} | {"a40": {"type": "null"}}
ROW = "a" * 60 + "!"
HOSTILE: dict[str, tuple[dict[str, Any], Any]] = {
    **{
        pattern: ({"properties": {"name": {"pattern": pattern}}}, {"name": text})
        for pattern, text in [
            ("^(a+)+$", "a" * 50_000 + "!"), ("^(a|a)*$", ROW), ("^(a|aa)+$", ROW), ("(.*a){25}$", ROW), ("(x+x+)+y", "x" * 80),
            ("^((a{1,100}){1,100}){1,100}$", ROW), ("^(([a-z])+.)+[A-Z]([a-z])+$", "a" * 60), ("^(?:.*?,){11}P", "a," * 60),
            ("(a?){60}a{60}", "b" * 60), ("^(?=(a|aa)+$)b", ROW), ("^(?!x)(a|aa)+$", ROW), ("^(?!x)(a+)+$", "a" * 9_000 + "!"),
            ("^(?!x)((a{1,100}){1,100}){1,100}$", ROW), ("(?=x)((((((((a{9}){9}){9}){9}){9}){9}){9}){9})", ROW), ("(?R)(?=x)", ROW),
            ("a{99999999999}", "a"), ("(" * 500 + "a" + ")" * 500, "a"), ("(", "a"), ("(?<=" * 90 + "a" + ")" * 90, "b"),
            (r"(\w{50}){50}", ROW), (r"^(\w+\s?)*$", ROW), ("(?=a)" * 5_000, ROW),
        ]
    },
    "doubling references": ({"$defs": DOUBLING, "$ref": "#/$defs/a0"}, 1),
    "a reference to itself": ({"$ref": "#"}, 1),
    "alternatives": ({"allOf": [{"anyOf": [{"type": "string"}] * 300}] * 300}, 1),
    "unique items": ({"allOf": [{"uniqueItems": True}] * 2_000}, [{"a": at} for at in range(20_000)]),
    "a long enum of items": ({"items": {"enum": list(range(50_000))}}, [-1] * 2_000),
    "many properties": ({"properties": {f"p{at}": {"type": "string"} for at in range(50_000)}}, {}),
    "300 levels": (json.loads('{"items":' * 300 + "{}" + "}" * 300), [[1]]),
    "maxItems": ({"minItems": 10**12, "maxItems": 10**15}, [1]),
    "names by a pattern": ({"patternProperties": {"^(?!x)(a|aa)+$": {}}, "additionalProperties": False}, {ROW: 1}),
    "an older draft inside": ({"properties": {"x": {"$schema": "http://json-schema.org/draft-07/schema#", "pattern": "^(a|aa)+$"}}}, {"x": ROW}),
    "a number too large": ({"multipleOf": 0.1}, 10**400),
    "a reference to no schema": ({"enum": [{"pattern": 3, "required": 5}], "$ref": "#/enum/0"}, "a"),
}  # fmt: skip


def test_hostile_schemas_end_soon(sheet: Sheet) -> None:
    """Each ends by what it is, and not by a clock, with an answer or one sentence; the figure is the slowest."""
    slowest, broken = 0.0, []
    for name, (schema, value) in HOSTILE.items():
        said, took = "", [time.thread_time()]
        for ask in (partial(validate_schema, schema), partial(problem, value, schema)):
            try:
                said += ask()
            except EvalSetError as error:
                said += str(error)
            took.append(time.thread_time())
        longest = max(after - before for before, after in pairwise(took))
        slowest = max(slowest, longest)
        if not said or longest > 60:
            broken.append(f"{name[:40]}: {longest:.2f} s, {said[:100]!r}")
    figure = f"the slowest took {slowest:.2f} s"
    sheet.add("T10", "regular expressions and schemas from data", len(HOSTILE), len(broken), figure)
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("rule", ["allOf", "not", "if"])
def test_schemas_without_end_are_said_wherever_the_caller_stands(rule: str) -> None:
    """jsonschema's tables panic where Python's frames end; how many are left depends on the caller (and on a debugger)."""

    def deep(levels: int) -> str:
        if levels:
            return deep(levels - 1)
        loop = {"$ref": "#/$defs/a"}
        inner = {rule: [loop] if rule == "allOf" else loop, "unevaluatedProperties": False}
        return problem({"a": 1}, {**inner, "$defs": {"a": inner}})

    for around in range(0, 700, 23):
        assert deep(around) == "the value or its schema is nested too deeply", around


@pytest.mark.parametrize("verb", ["check {} --embed 0", "compare {} --dry-run", "compare {}"])
@pytest.mark.parametrize("place", ["schema", "file", "tools"])
def test_every_verb_says_which_pattern_of_which_field(verb: str, place: str, tmp_path: Path) -> None:
    slow = "^(?!x)(a|aa)+$"
    schema = {"type": "object", "properties": {"number": {"type": "string", "pattern": slow}}}
    folder = write_evalset(tmp_path / "set", schema="schema.json" if place == "file" else schema)
    (folder / "schema.json").write_text(json.dumps(schema))
    if place == "tools":
        folder = write_evalset(tmp_path / "tools")
        tools = [{"type": "function", "function": {"name": "f", "description": "Do.", "parameters": schema}}]
        asked = {"messages": [{"role": "user", "content": "Hi"}], "tools": tools}
        for split in ("train", "test"):
            write_rows(folder / f"{split}.jsonl", [{"input": asked, "target": "account"}])
    done = CliRunner().invoke(app, verb.format(folder).split(), prog_name="advisor")
    assert done.exit_code in (2, 100), done.output
    said = " ".join(done.output.split())
    assert f"the pattern {slow!r} of field 'number' cannot be used: it takes longer than 0.2 seconds" in said
