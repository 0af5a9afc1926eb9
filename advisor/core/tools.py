"""Tools: from a typed Python function to a schema, to a prompt, and from an answer back to a validated call."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, get_type_hints

from advisor.core.docstrings import DROPPED, docstring_of
from advisor.core.errors import AdvisorError, ConfigurationError, did_you_mean
from advisor.core.schemas import problem
from advisor.core.types import JSONObject, Tool, ToolCall, ToolSpec

if TYPE_CHECKING:
    from pydantic import BaseModel

MAX_CALL_CHARACTERS = 50_000
"""How far into an answer a call is looked for."""
LONGEST_TYPE = 2_000
"""Characters of a type that is referred to, as it is written into a prompt."""

_SECTION = re.compile(r"^(Args|Arguments|Parameters|Returns|Return|Yields|Raises|Examples?|Notes?):\s*$", re.M)
_ARGUMENT = re.compile(r"^\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)$")


# --- from a function -------------------------------------------------------------------------------------------------


def tool_from_function(fn: Callable[..., Any]) -> Tool:
    """Make a tool of a function with type hints and a docstring.

    The schema comes from the hints (pydantic; ``Literal`` becomes an enum), the descriptions from the docstring and its
    Google-style ``Args:`` section. `Tool.call` validates the arguments in pydantic's lax mode (``"5"`` is accepted for
    an integer) and gives the result as text: a `str` as it is, all else as JSON with floats at their shortest (122.0
    as ``122``). It raises `ValueError` with one sentence if the arguments are wrong or the function raises; an
    `AdvisorError` (such as `CallFailed`, for a service that is down) passes through.

    Raises:
        ConfigurationError: no docstring, a parameter without annotation, or one that cannot be passed by name.
    """
    doc = docstring_of(fn)
    if DROPPED and not doc:
        raise ConfigurationError(
            f"Python left out the docstring of tool {fn.__name__!r}, which the model reads (PYTHONOPTIMIZE=2 or -OO)",
            hint="unset PYTHONOPTIMIZE, or set it to 1",
        )
    refuse_undocumented(fn.__name__, doc)
    if inspect.iscoroutinefunction(fn) or inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
        raise not_plain(fn.__name__)
    hints = _hints(fn)
    parameters = [
        parameter.replace(annotation=hints.get(parameter.name, parameter.empty))
        for parameter in inspect.signature(fn).parameters.values()
    ]
    model, spec = described(fn.__name__, doc, parameters)
    return Tool(spec, lambda arguments: _run(fn, model, arguments))


def described(name: str, doc: str, parameters: Sequence[inspect.Parameter]) -> tuple[type[BaseModel], ToolSpec]:
    """Return what checks the arguments of a tool, and what a model is told of it.

    Args:
        name: of the function.
        doc: its docstring, without its indentation.
        parameters: with their types as annotations.

    Raises:
        ConfigurationError: see `tool_from_function`.
    """
    from pydantic import ConfigDict, Field, create_model

    refuse_undocumented(name, doc)
    about = _argument_docs(doc)
    fields: dict[str, Any] = {}
    for index, parameter in enumerate(parameters):
        _refuse_parameter(name, parameter)
        default = ... if parameter.default is parameter.empty else parameter.default
        text: dict[str, Any] = {"description": about[parameter.name]} if parameter.name in about else {}
        field = Field(default, alias=parameter.name, **text)
        fields[f"p{index}"] = (parameter.annotation, field)  # aliases, as pydantic reserves names such as `copy`
    try:
        model: type[BaseModel] = create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
        schema = _tidy(model.model_json_schema())
    except Exception as error:  # pydantic's own kinds, those of its core, and what a hint's own code raises
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigurationError(
            f"tool {name!r}: a type hint has no JSON form: {said}",
            hint="use str, int, float, bool, Literal, list, dict, dataclasses or pydantic models",
        ) from error
    schema.setdefault("properties", {})
    schema.pop("description", None)
    return model, ToolSpec(name, " ".join(_SECTION.split(doc)[0].split()), schema)


def refuse_undocumented(name: str, doc: str) -> None:
    """Refuse a tool without a docstring.

    Raises:
        ConfigurationError: it has none.
    """
    if not doc.strip():
        raise ConfigurationError(
            f"tool {name!r} has no docstring; the model reads it to know when to call the tool",
            hint=f'def {name}(...): """Say in one line what it does."""',
        )


def not_plain(name: str) -> ConfigurationError:
    """Return the error for a function that gives no result when it is called."""
    return ConfigurationError(f"tool {name!r} is async or a generator; a plain function is needed")


def _hints(fn: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(fn, include_extras=True)
    except Exception as error:
        raise ConfigurationError(
            f"tool {fn.__name__!r}: its annotations cannot be read: {type(error).__name__}: {error}",
            hint="import every name that stands in an annotation",
        ) from error


def _refuse_parameter(tool: str, parameter: inspect.Parameter) -> None:
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise ConfigurationError(
            f"tool {tool!r}: parameter {parameter.name!r} cannot be passed by name, as models do",
            hint="write each parameter out, without *, ** or /",
        )
    if parameter.annotation is parameter.empty:
        raise ConfigurationError(
            f"tool {tool!r}: parameter {parameter.name!r} has no type annotation",
            hint=f"def {tool}({parameter.name}: str, ...)",
        )


def _argument_docs(doc: str) -> dict[str, str]:
    """Descriptions by parameter, from a Google-style ``Args:`` section."""
    parts = _SECTION.split(doc)
    sections = dict(zip(parts[1::2], parts[2::2], strict=False))
    body = next((sections[name] for name in ("Args", "Arguments", "Parameters") if name in sections), "")
    lines = [line for line in body.splitlines() if line.strip()]
    margin = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    found: dict[str, str] = {}
    name = ""
    for line in lines:
        match = _ARGUMENT.match(line[margin:])
        if match:
            name, found[match[1]] = match[1], match[2].strip()
        elif name:
            found[name] = f"{found[name]} {line.strip()}".strip()
    return found


def _tidy(schema: Any) -> Any:
    """Drop pydantic's generated titles and the ``default: null`` of optional parameters; they only cost tokens."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            kept[key] = {name: _tidy(inner) for name, inner in value.items()}
        elif key in ("enum", "const", "default", "examples"):
            kept[key] = value
        elif key != "title":
            kept[key] = _tidy(value)
    if kept.get("default", 0) is None:
        del kept["default"]
    return kept


def _run(fn: Callable[..., Any], model: Any, arguments: JSONObject) -> str:
    from pydantic import ValidationError

    try:
        checked = model.model_validate(dict(arguments))
    except ValidationError as error:
        raise ValueError(f"{fn.__name__}: {_sentence(error.errors(), model)}") from None
    given = {info.alias: getattr(checked, name) for name, info in model.model_fields.items()}
    try:
        return render_result(fn(**given))
    except (ValueError, AdvisorError):
        raise
    except Exception as error:
        raise ValueError(f"{fn.__name__} failed: {type(error).__name__}: {error}") from error


def _sentence(errors: Sequence[Mapping[str, Any]], model: Any) -> str:
    """Word the first error; a name that does not exist comes before the one that is missing for it."""
    error = min(errors, key=lambda one: one["type"] != "extra_forbidden")
    where = ".".join(str(step) for step in error["loc"])
    names = [str(info.alias) for info in model.model_fields.values()]
    if error["type"] == "missing":
        return f"argument {where!r} is missing; arguments are: {', '.join(names)}"
    if error["type"] == "extra_forbidden":
        return f"there is no argument {where!r}; {did_you_mean(where, names)}"
    return f"argument {where!r} is {repr(error['input'])[:100]}; {error['msg'][:1].lower()}{error['msg'][1:]}"


def render_result(value: Any) -> str:
    """Write a tool's result as the model reads it: text as it is, else JSON with 122.0 as ``122``."""
    from pydantic_core import to_jsonable_python

    if isinstance(value, str):
        return value
    plain = _short_floats(to_jsonable_python(value, fallback=str, inf_nan_mode="strings"))
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _short_floats(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    if isinstance(value, dict):
        return {key: _short_floats(item) for key, item in value.items()}
    return [_short_floats(item) for item in value] if isinstance(value, list) else value


# --- into a prompt and back ------------------------------------------------------------------------------------------


def render_tool_specs(specs: Sequence[ToolSpec], *, describe_parameters: bool = False) -> str:
    """Write tools for a small model's prompt, a line each.

    For example ``lookup_order(order_id: string, field?: "status" | "total") - Looks up one field.`` A question
    mark marks what may be left out. `describe_parameters` adds an indented line for each described parameter.
    """
    lines = []
    for spec in specs:
        required = spec.parameters.get("required", ())
        properties: Mapping[str, Any] = spec.parameters.get("properties", {})
        shown = ", ".join(
            f"{name}{'' if name in required else '?'}: {_type(inner, spec.parameters)}"
            for name, inner in properties.items()
        )
        about = " ".join(spec.description.split())
        lines.append(f"{spec.name}({shown}){f' - {about}' if about else ''}")
        if describe_parameters:
            notes = {name: inner.get("description") for name, inner in properties.items() if isinstance(inner, dict)}
            lines += [f"  {name}: {' '.join(str(note).split())}" for name, note in notes.items() if note]
    return "\n".join(lines)


def _type(schema: Any, root: JSONObject, depth: int = 0, known: dict[Any, str] | None = None) -> str:
    """Write a schema as a type; `known` holds what references were written as, so that none is followed twice."""
    known = {} if known is None else known
    if not isinstance(schema, Mapping) or depth > 4:
        return "any"
    if isinstance(ref := schema.get("$ref"), str):
        if (ref, depth) not in known:
            inner = root.get("$defs", {}).get(ref.rpartition("/")[2])
            known[ref, depth] = _type(inner, root, depth + 1, known)[:LONGEST_TYPE]
        return known[ref, depth]
    if isinstance(schema.get("enum"), list) or "const" in schema:
        return " | ".join(json.dumps(value, ensure_ascii=False) for value in schema.get("enum", [schema.get("const")]))
    if options := schema.get("anyOf", schema.get("oneOf")):
        return " | ".join(_type(option, root, depth + 1, known) for option in options)
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        return " | ".join(map(str, kind))
    if kind == "array" and "items" in schema:
        return f"{_type(schema['items'], root, depth + 1, known)}[]"
    return str(kind)


def parse_call(text: str) -> ToolCall | None:
    """Find the first call ``{"name": …, "arguments": {…}}`` in an answer: alone, in prose, a code fence or tags.

    OpenAI's form (``function``, arguments as a JSON text) and ``parameters`` for ``arguments`` are understood too.
    """
    return next(_calls(text), None)


def parse_calls(text: str) -> tuple[ToolCall, ...]:
    """Find every call in an answer, in order; see `parse_call`."""
    return tuple(_calls(text))


def _calls(text: str) -> Iterator[ToolCall]:
    text = text[:MAX_CALL_CHARACTERS]
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    position, tries = text.find("{"), 0
    while position >= 0 and tries < 1_000:
        tries += 1
        call, end = None, position + 1
        try:
            value, finish = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            value = None
        if value is not None and (call := _as_call(value)):
            yield call
            end = finish
        position = text.find("{", end)


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _as_call(value: Any) -> ToolCall | None:
    inner = value.get("function") if isinstance(value.get("function"), dict) else value
    name, arguments = inner.get("name"), inner.get("arguments", inner.get("parameters"))
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}", parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            return None
    if not isinstance(name, str) or not name or not isinstance(arguments, dict):
        return None
    return ToolCall(name, arguments, str(value.get("id") or ""))


def validate_tool_call(call: ToolCall, specs: Sequence[ToolSpec]) -> str:
    """Return ``""`` if `call` fits one of `specs`, else one sentence on what is wrong with it."""
    spec = next((spec for spec in specs if spec.name == call.name), None)
    if spec is None:
        return f"there is no tool {call.name!r}; {did_you_mean(call.name, (spec.name for spec in specs))}"
    known = spec.parameters.get("properties", {})
    unknown = [name for name in call.arguments if name not in known]
    if unknown and not spec.parameters.get("additionalProperties"):
        return f"{call.name}: there is no argument {unknown[0]!r}; {did_you_mean(unknown[0], known)}"
    wrong = problem(dict(call.arguments), spec.parameters)
    return f"{call.name}: {wrong}" if wrong else ""
