"""Tools as eval sets hold them: a Python file of functions, or the JSON schemas of a data set."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from advisor.core.brought_code import BroughtCode, parsed
from advisor.core.errors import ConfigurationError, EvalSetError, did_you_mean
from advisor.core.fingerprints import code_and_data, digest
from advisor.core.schemas import validate_schema
from advisor.core.static_types import Reader, UnreadableError
from advisor.core.tools import described, not_plain, refuse_undocumented, tool_from_function
from advisor.core.types import EvalSet, JSONObject, Tool, ToolSpec

_TYPES = {
    "dict": "object", "float": "number", "double": "number", "tuple": "array", "list": "array", "int": "integer",
    "long": "integer", "bool": "boolean", "str": "string",
} | {name: name for name in ("object", "number", "array", "integer", "boolean", "string", "null")}  # fmt: skip


def read_tools(code: BroughtCode) -> tuple[Tool, ...]:
    """Return the tools of a set's tool file as they stand there, in order, without running it.

    They are what `run_tools` makes of the file; until then a call of one is refused.

    Raises:
        EvalSetError: it has no public function, one cannot be a tool, or what a model is told of it cannot be worked
            out without running the file; names the line.
    """
    tree = parsed(code.tools, code.sources[code.tools])
    reader = Reader(tree, f"advisor_read_{code.digest[:16]}")
    with reader.at_work():
        specs = [_spec_of(node, reader, code) for node in _public_functions(tree, reader, code)]
    if not specs:
        raise _no_tool(code)
    behind = _behind(code)

    def refuse(arguments: JSONObject) -> str:
        raise code.refusal()

    return tuple(Tool(spec, refuse, behind) for spec in specs)


def run_tools(code: BroughtCode) -> tuple[Tool, ...]:
    """Run a set's tool file and make a tool of each public function defined in it (not of imported ones), in order.

    ``__all__``, where there is one, says which.

    Raises:
        EvalSetError: the file may not run, fails to, or gives other tools than `read_tools` found in it.
    """
    place = Path(code.tools)
    module = code.module(place)
    public = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
    functions = [vars(module)[name] for name in public if name in vars(module)]
    functions = [fn for fn in functions if inspect.isfunction(fn) and fn.__module__ == module.__name__]
    tools = []
    for fn in functions:
        try:
            tools.append(tool_from_function(fn))
        except ConfigurationError as error:
            raise _at(code, fn.__code__.co_firstlineno, error.args[0], error.hint) from error
    read = read_tools(code)
    _refuse_others([one.spec for one in read], [one.spec for one in tools], code)
    return tuple(replace(tool, fingerprint=one.fingerprint) for tool, one in zip(tools, read, strict=True))


def with_code(evalset: EvalSet, trust_code: bool) -> EvalSet:
    """Return an eval set whose own code may run: it brings none, or was agreed to. Only a comparison asks for this.

    Raises:
        EvalSetError: nobody has agreed, or the code fails.
    """
    if not isinstance(evalset.origin, BroughtCode):
        return evalset
    code = evalset.origin.after_consent(trust_code)
    return replace(evalset, origin=code, tools=run_tools(code) if code.tools else evalset.tools)


def _refuse_others(read: list[ToolSpec], run: list[ToolSpec], code: BroughtCode) -> None:
    for one, other in zip_longest(read, run):
        if one != other:
            name = one.name if one else other.name if other else ""
            raise EvalSetError(
                f"{code.tools}: tool {name!r} is another one when the file is run than it reads: {_shown(other)}, not "
                f"{_shown(one)}",
                hint="write name, hints, defaults and docstring out where the function is defined, without a decorator",
            )


def _shown(spec: ToolSpec | None) -> str:
    return "nothing" if spec is None else json.dumps([spec.name, spec.description, dict(spec.parameters)])[:200]


def _spec_of(node: ast.FunctionDef, reader: Reader, code: BroughtCode) -> ToolSpec:
    """Return what a model is told of one function."""
    try:
        doc = ast.get_docstring(node) or ""
        refuse_undocumented(node.name, doc)
        if isinstance(node, ast.AsyncFunctionDef) or _yields(node):
            raise not_plain(node.name)
        return described(node.name, doc, _parameters(node, reader))[1]
    except UnreadableError as error:
        raise _at(code, error.line or node.lineno, f"tool {node.name!r}: {error.why}", _PLAIN) from None
    except RecursionError:
        raise _at(code, node.lineno, f"tool {node.name!r}: its types are nested too deeply") from None
    except ConfigurationError as error:
        raise _at(code, node.lineno, error.args[0], error.hint) from error


_PLAIN = (
    "types and defaults are read, never run: write them out as plain values, or pass the tools as JSON (tools_field)"
)


def _parameters(node: ast.FunctionDef, reader: Reader) -> list[inspect.Parameter]:
    given, kinds = node.args, inspect.Parameter
    plain = [*given.posonlyargs, *given.args]
    defaults: list[ast.expr | None] = [*[None] * (len(plain) - len(given.defaults)), *given.defaults]
    listed = [
        *((arg, kinds.POSITIONAL_ONLY if arg in given.posonlyargs else kinds.POSITIONAL_OR_KEYWORD) for arg in plain),
        *([(given.vararg, kinds.VAR_POSITIONAL)] if given.vararg else []),
        *((arg, kinds.KEYWORD_ONLY) for arg in given.kwonlyargs),
        *([(given.kwarg, kinds.VAR_KEYWORD)] if given.kwarg else []),
    ]
    values = [*defaults, *([None] if given.vararg else []), *given.kw_defaults, *([None] if given.kwarg else [])]
    return [
        kinds(
            arg.arg,
            kind,
            default=kinds.empty if value is None else reader.value(value),
            annotation=kinds.empty if arg.annotation is None else reader.hint(arg.annotation),
        )
        for (arg, kind), value in zip(listed, values, strict=True)
    ]


def _public_functions(tree: ast.Module, reader: Reader, code: BroughtCode) -> list[ast.FunctionDef]:
    """Return the functions that are tools, in the order in which running the file would define them."""
    public = [name for name in reader.defined if not name.startswith("_")]
    if "__all__" in reader.defined:
        try:
            public = [str(name) for name in reader.value(reader.defined["__all__"])] or public
        except (UnreadableError, TypeError):
            line = getattr(reader.defined["__all__"], "lineno", 0)
            raise _at(code, line, "__all__ is no plain list of names", '__all__ = ["lookup"]') from None
    for statement in tree.body:
        for inner in ast.iter_child_nodes(statement) if isinstance(statement, ast.If | ast.With | ast.For) else ():
            if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                raise _at(code, inner.lineno, f"{inner.name!r} is defined on a condition; write it at the top level")
    found = [_function_called(name, reader, code) for name in public if name in reader.defined]
    return [node for node in found if node is not None]


def _function_called(name: str, reader: Reader, code: BroughtCode) -> ast.FunctionDef | None:
    node: Any = reader.defined.get(name)
    for _ in range(10):  # a second name of a function
        if not isinstance(node, ast.Name):
            break
        node = reader.defined.get(node.id)
    if isinstance(node, ast.Lambda):
        raise _at(code, node.lineno, f"tool {name!r} is a lambda; a function with a docstring is needed")
    return node if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None  # type: ignore[return-value]


def _yields(node: ast.AST) -> bool:
    """Whether a function is a generator: a yield in it, and not in a function inside it."""
    return any(
        isinstance(child, ast.Yield | ast.YieldFrom)
        or (not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and _yields(child))
        for child in ast.iter_child_nodes(node)
    )


def _at(code: BroughtCode, line: int, text: str, hint: str = "") -> EvalSetError:
    return EvalSetError(f"{Path(code.tools).name}{f' line {line}' if line else ''}: {text}", hint=hint)


def _no_tool(code: BroughtCode) -> EvalSetError:
    return EvalSetError(
        f"{Path(code.tools).name} defines no public function, so there is no tool in it",
        hint='def lookup(order_id: str) -> str: """Look up an order."""',
    )


def _behind(code: BroughtCode) -> str:
    """Address what can change a result: the file, the data beside it, and other code that it imports."""
    place = code.folder / code.tools
    others = {name: source for name, source in code.sources.items() if name != code.tools}
    address = code_and_data(place)
    return digest([address, code.digest]) if others else address


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
