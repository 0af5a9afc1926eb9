"""Tools as eval sets hold them: a Python file of functions, or the JSON schemas of a data set."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from advisor.core.errors import ConfigurationError, EvalSetError, did_you_mean
from advisor.core.fingerprints import code_and_data
from advisor.core.schemas import validate_schema
from advisor.core.tools import tool_from_function
from advisor.core.types import Tool, ToolSpec

_TYPES = {
    "dict": "object", "float": "number", "double": "number", "tuple": "array", "list": "array", "int": "integer",
    "long": "integer", "bool": "boolean", "str": "string",
} | {name: name for name in ("object", "number", "array", "integer", "boolean", "string", "null")}  # fmt: skip


def load_tools(path: str | Path) -> tuple[Tool, ...]:
    """Run a Python file and make a tool of each public function defined in it (not of imported ones), in order.

    ``__all__``, where there is one, says which. The file is code and runs as you.

    Raises:
        EvalSetError: the file is missing or fails to run, defines no public function, or a function cannot be a tool.
    """
    path = Path(path)
    if not path.is_file():
        raise EvalSetError(f"there is no tools file {path.name!r} in {str(path.parent)!r}")
    module = _executed(path)
    public = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
    functions = [vars(module)[name] for name in public if name in vars(module)]
    functions = [fn for fn in functions if inspect.isfunction(fn) and fn.__module__ == module.__name__]
    if not functions:
        raise EvalSetError(
            f"{path.name} defines no public function, so there is no tool in it",
            hint='def lookup(order_id: str) -> str: """Look up an order."""',
        )
    tools = []
    for fn in functions:
        try:
            tools.append(tool_from_function(fn))
        except ConfigurationError as error:
            line = fn.__code__.co_firstlineno
            raise EvalSetError(f"{path.name} line {line}: {error.args[0]}", hint=error.hint) from error
    behind = code_and_data(path)
    return tuple(replace(tool, fingerprint=behind) for tool in tools)


def _executed(path: Path) -> ModuleType:
    """Run `path` as a module of its own; from source, so that no bytecode is written or stale beside it."""
    source = path.read_bytes()
    name = f"advisor_tools_{hashlib.sha256(str(path.resolve()).encode() + source).hexdigest()[:16]}"
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # before it runs: dataclasses and type hints look their module up there
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, Exception | SystemExit):
            raise
        line = _failing_line(error, str(path))
        raise EvalSetError(
            f"{path.name}{f' line {line}' if line else ''}: it cannot be run: {type(error).__name__}: {error}",
            hint=f"to see where: python {path}",
        ) from error
    return module


def _failing_line(error: BaseException, filename: str) -> int:
    if isinstance(error, SyntaxError):
        return error.lineno or 0
    trace, line = error.__traceback__, 0
    while trace:
        line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == filename else line
        trace = trace.tb_next
    return line


def spec_from_json(plain: Any) -> ToolSpec:
    """Read one tool schema as data sets hold them: ``{name, description, parameters}``, or OpenAI's with ``function``.

    Types are put into JSON Schema's words, as the Berkeley Function Calling Leaderboard writes Python's: ``dict`` →
    ``object``, ``float`` → ``number``, ``tuple`` → ``array``, ``any`` → no type.

    Raises:
        ValueError: it is none of these, in one sentence.
    """
    inner = plain.get("function", plain) if isinstance(plain, Mapping) else plain
    if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str) or not inner["name"]:
        raise ValueError(f"a tool needs a name, a description and parameters, not {str(plain)[:80]!r}")
    name = inner["name"]
    parameters = inner.get("parameters") or {}
    if not isinstance(parameters, Mapping):
        raise ValueError(f"tool {name!r}: parameters must be a JSON Schema object, not {type(parameters).__name__}")
    try:
        schema = {"type": "object", "properties": {}, **_json_types(dict(parameters), name)}
        wrong = validate_schema(schema)
    except RecursionError:
        wrong = "it is nested too deeply"
    if wrong:
        raise ValueError(f"tool {name!r}: its parameters are no JSON Schema: {wrong}")
    return ToolSpec(name, str(inner.get("description") or ""), schema)


def _json_types(schema: Any, tool: str) -> Any:
    if not isinstance(schema, Mapping):
        return schema
    plain: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("properties", "$defs", "definitions") and isinstance(value, Mapping):
            plain[key] = {name: _json_types(inner, tool) for name, inner in value.items()}
        elif key in ("items", "additionalProperties", "not"):
            plain[key] = _json_types(value, tool)
        elif key in ("anyOf", "allOf", "oneOf", "prefixItems") and isinstance(value, list):
            plain[key] = [_json_types(inner, tool) for inner in value]
        elif key == "type":
            names = [str(name).lower() for name in (value if isinstance(value, list) else [value])]
            if unknown := [name for name in names if name not in _TYPES and name != "any"]:
                raise ValueError(f"tool {tool!r}: unknown type {unknown[0]!r}; {did_you_mean(unknown[0], _TYPES)}")
            if "any" not in names:
                plain["type"] = [_TYPES[name] for name in names] if isinstance(value, list) else _TYPES[names[0]]
        else:
            plain[key] = value
    return plain
