"""JSON Schemas: is one usable, does a value follow it. References stay inside the schema; nothing is ever fetched.

A schema comes from data, and so does a value: looking at both takes a limited number of steps, and no longer on a slow
machine. Patterns are matched as `advisor.core.patterns` says.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import FrameType
from typing import Any

from advisor.core import patterns
from advisor.core.errors import EvalSetError
from advisor.core.types import JSONObject

MOST_STEPS = 20_000
"""For one value or one schema: a keyword that is looked at, 20 items of a list or 1,000 characters; under a second."""
MOST_LEVELS = 100
"""Of a schema, as it is written."""
FRAMES_A_LEVEL = 5
"""Python frames that jsonschema takes for a keyword within a keyword, rounded up: most take three."""
_NAMED = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
_PLAIN = ("enum", "const", "default", "examples")
_left: ContextVar[list[int]] = ContextVar("_left")
_levels: ContextVar[list[int]] = ContextVar("_levels")
Rule = Callable[[Any, Any, Any, Any], Iterable[Any] | None]


class _TooLongError(Exception):
    """The steps are used up."""


class _TooDeepError(Exception):
    """There are more levels than are looked at; Python's own limit is not awaited: jsonschema's tables panic there."""


def validate_schema(schema: object) -> str:
    """Return what makes `schema` unusable as a JSON Schema (draft 2020-12), or ``""``."""
    from jsonschema.exceptions import best_match

    if not isinstance(schema, dict):
        return f"a JSON Schema is an object, not {type(schema).__name__}"
    try:
        with _limited_steps():
            parts = list(_parts(schema))
            outside = next((ref for _, part in parts for ref in _references(part) if not ref.startswith("#")), "")
            if outside:
                return f"$ref {outside!r} leads out of the schema; only references that begin with # are followed"
            error = best_match(_validator()(_validator().META_SCHEMA).iter_errors(schema))
    except (RecursionError, _TooDeepError):
        return "it is nested too deeply"
    except _TooLongError:
        return f"it is too large: to check it takes more than {MOST_STEPS:,} steps"
    if error is not None:
        return f"{_where(error.absolute_path)}{_short(error.message)}"
    return _wrong_pattern(parts)


def problem(value: Any, schema: JSONObject) -> str:
    """Return one sentence on how `value` departs from `schema`, or ``""`` if it follows it.

    Raises:
        EvalSetError: to find out takes too long; names the pattern, where it is one.
    """
    from jsonschema.exceptions import best_match
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    empty: Any = Registry()  # given explicitly, so that no reference is looked up on the network
    try:
        with _limited_steps():
            error = best_match(_validator()(dict(schema), registry=empty).iter_errors(value))
    except Unresolvable as missing:
        return f"the schema refers to {missing.ref!r}, which it does not hold"
    except (RecursionError, _TooDeepError):
        return "the value or its schema is nested too deeply"
    except ArithmeticError as error:  # multipleOf with a number beyond all others
        return f"the value cannot be held against the schema: {error}"
    except (TypeError, ValueError, AttributeError, LookupError) as error:  # a reference to what is no schema
        raise EvalSetError(f"the schema cannot be used: {type(error).__name__}: {error}") from error
    except _TooLongError:
        raise EvalSetError(
            f"to hold an answer against the schema takes more than {MOST_STEPS:,} steps: {_short(str(schema))}",
            hint="write the schema with fewer alternatives and references",
        ) from None
    return "" if error is None else f"{_where(error.absolute_path)}{_short(error.message)}"


# --- in a limited number of steps ------------------------------------------------------------------------------------


@contextmanager
def _limited_steps() -> Iterator[None]:
    frame: FrameType | None = sys._getframe()
    frames = 0
    while frame is not None:
        frame, frames = frame.f_back, frames + 1
    levels = (sys.getrecursionlimit() - frames) // FRAMES_A_LEVEL
    steps, nested = _left.set([MOST_STEPS]), _levels.set([levels])
    try:
        yield
    finally:
        _left.reset(steps)
        _levels.reset(nested)


@cache
def _validator() -> Any:
    """Return jsonschema's validator that counts what it looks at, and with our patterns."""
    import attrs
    from jsonschema import Draft202012Validator, validators

    theirs: Any = Draft202012Validator.VALIDATORS
    own: dict[str, Rule] = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional(theirs["additionalProperties"]),
        "uniqueItems": _unique_items,
    }
    extend: Any = validators.extend
    made: Any = extend(Draft202012Validator, {name: _counted(own.get(name, rule)) for name, rule in theirs.items()})
    made.evolve = attrs.evolve  # jsonschema's own takes another class where a part says "$schema"
    return made


def _counted(rule: Rule) -> Rule:
    def look(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        _spend(1 + _size(value) + _size(instance))
        levels = _levels.get()
        if levels[0] <= 0:
            raise _TooDeepError
        levels[0] -= 1
        try:
            yield from rule(validator, value, instance, schema) or ()
        finally:
            levels[0] += 1

    return look


def _spend(steps: int) -> None:
    left = _left.get()
    left[0] -= steps
    if left[0] < 0:
        raise _TooLongError


def _size(value: Any) -> int:
    return len(value) // 20 if isinstance(value, list) else len(value) // 1_000 if isinstance(value, str) else 0


def _pattern(validator: Any, pattern: Any, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError

    if isinstance(instance, str) and not _matches(pattern, instance, "its text"):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, by_pattern: Any, instance: Any, schema: Any) -> Iterator[Any]:
    for pattern, inner in by_pattern.items() if isinstance(instance, dict) else ():
        for name, value in instance.items():
            if _matches(pattern, name, "its names"):
                yield from validator.descend(value, inner, path=name, schema_path=pattern)


def _additional(rule: Rule) -> Rule:
    """Leave out what the patterns of `patternProperties` match, by our matching; else as jsonschema does."""

    def look(validator: Any, allowed: Any, instance: Any, schema: Any) -> Iterator[Any]:
        by_pattern = schema.get("patternProperties", {})
        if by_pattern and isinstance(instance, dict):
            instance = {
                name: value
                for name, value in instance.items()
                if not any(_matches(pattern, name, "its names") for pattern in by_pattern)
            }
            schema = {**schema, "patternProperties": {}}
        yield from rule(validator, allowed, instance, schema) or ()

    return look


def _unique_items(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError

    if wanted and isinstance(instance, list):
        _spend(len(instance) // 4)
        plain = {json.dumps(_comparable(item), sort_keys=True, default=repr) for item in instance}
        if len(plain) < len(instance):
            yield ValidationError(f"{instance!r} has non-unique elements")


def _comparable(value: Any) -> Any:
    """Return a value so that equal ones are written the same: 1.0 is 1, and true is not."""
    if isinstance(value, dict):
        return {name: _comparable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _matches(pattern: str, text: str, what: str) -> bool:
    began = time.thread_time()
    try:
        return patterns.found(pattern, text)
    except patterns.SlowPatternError:
        raise EvalSetError(
            f"the pattern {pattern!r} of the schema takes longer than {patterns.LIMIT_SECONDS:g} seconds on {what}, "
            f"{_short(repr(text), 60)}",
            hint="write it without repetitions inside repetitions",
        ) from None
    except ValueError as error:
        raise EvalSetError(f"the pattern {pattern!r} of the schema cannot be used: {error}") from None
    finally:
        _spend(int((time.thread_time() - began) * MOST_STEPS))


# --- what stands in a schema -----------------------------------------------------------------------------------------


def _parts(schema: Any, path: tuple[str, ...] = (), depth: int = 0) -> Iterator[tuple[tuple[str, ...], JSONObject]]:
    """Yield every schema inside `schema`, itself first, with the fields that lead to it."""
    if depth > MOST_LEVELS:
        raise _TooDeepError
    if isinstance(schema, list):
        for item in schema:
            yield from _parts(item, path, depth + 1)
    if not isinstance(schema, dict):
        return
    yield path, schema
    for key, value in schema.items():
        if key in _NAMED and isinstance(value, dict):
            for name, inner in value.items():
                yield from _parts(inner, (*path, name), depth + 1)
        elif key not in _PLAIN:
            yield from _parts(value, path, depth + 1)


def _references(part: JSONObject) -> Iterator[str]:
    for key in ("$ref", "$dynamicRef"):
        if isinstance(ref := part.get(key), str):
            yield ref


def _wrong_pattern(parts: Iterable[tuple[tuple[str, ...], JSONObject]]) -> str:
    """Return what is wrong with the first pattern that cannot be used."""
    by_names = False
    for path, part in parts:
        named = part.get("patternProperties")
        listed = [part.get("pattern"), *(named if isinstance(named, Mapping) else ())]
        by_names = by_names or bool(named)
        for pattern in listed:
            if isinstance(pattern, str) and (wrong := patterns.problem_of(pattern)):
                return f"the pattern {_short(repr(pattern), 100)}{_of(path)} cannot be used: {wrong}"
        if "unevaluatedProperties" in part and by_names:
            return "unevaluatedProperties beside patternProperties is not read; write additionalProperties"
    return ""


def _of(path: tuple[str, ...]) -> str:
    return f" of field {'.'.join(path)!r}" if path else ""


def _where(path: Any) -> str:
    steps = ".".join(str(step) for step in path)
    return f"{steps}: " if steps else ""


def _short(message: str, limit: int = 300) -> str:
    return message if len(message) <= limit else f"{message[:limit]}…"
