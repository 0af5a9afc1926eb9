"""JSON Schemas: is one usable, does a value follow it. References stay inside the schema; nothing is ever fetched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from advisor.core.types import JSONObject


def validate_schema(schema: object) -> str:
    """Return what makes `schema` unusable as a JSON Schema (draft 2020-12), or ``""``."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    if not isinstance(schema, dict):
        return f"a JSON Schema is an object, not {type(schema).__name__}"
    outside = next((ref for ref in _references(schema) if not ref.startswith("#")), "")
    if outside:
        return f"$ref {outside!r} leads out of the schema; only references that begin with # are followed"
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"{_where(error.absolute_path)}{_short(error.message)}"
    except RecursionError:
        return "it is nested too deeply"
    return ""


def problem(value: Any, schema: JSONObject) -> str:
    """Return one sentence on how `value` departs from `schema`, or ``""`` if it follows it."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    empty: Any = Registry()  # given explicitly, so that no reference is looked up on the network
    try:
        error = best_match(Draft202012Validator(dict(schema), registry=empty).iter_errors(value))
    except Unresolvable as missing:
        return f"the schema refers to {missing.ref!r}, which it does not hold"
    except RecursionError:
        return "the value or its schema is nested too deeply"
    return "" if error is None else f"{_where(error.absolute_path)}{_short(error.message)}"


def _references(schema: Any, depth: int = 0) -> Iterator[str]:
    if depth > 100:
        return
    for key, value in schema.items() if isinstance(schema, dict) else ():
        if key in ("$ref", "$dynamicRef") and isinstance(value, str):
            yield value
        yield from _references(value, depth + 1)
    for item in schema if isinstance(schema, list) else ():
        yield from _references(item, depth + 1)


def _where(path: Any) -> str:
    steps = ".".join(str(step) for step in path)
    return f"{steps}: " if steps else ""


def _short(message: str, limit: int = 300) -> str:
    return message if len(message) <= limit else f"{message[:limit]}…"
