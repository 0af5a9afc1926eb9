"""The JSON Schema of the JSON report, read off the dataclasses it is written from.

python -m advisor.reports.schema        writes comparison.schema.json anew; a test says when that is due
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from datetime import date
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from advisor.core.docstrings import docstring_of
from advisor.core.statement import Statement
from advisor.core.types import Outcome, Outcomes
from advisor.decision.comparison import Comparison

from .machine import IN_WORDS, SCHEMA_FILE, SCHEMA_VERSION, STATEMENTS, written

_NUMBER: dict[str, Any] = {
    "description": "A number; an infinite one is written as a text, an undefined one is null where null is allowed.",
    "anyOf": [{"type": "number"}, {"enum": ["Infinity", "-Infinity"]}],
}
_PLAIN: Mapping[Any, dict[str, Any]] = {
    date: {"type": "string", "format": "date"},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"$ref": "#/$defs/number"},
    NoneType: {"type": "null"},
    Any: {},
}
_IN_WORDS: Mapping[Any, Any] = {
    Statement: str,
    tuple[Statement, ...]: tuple[str, ...],
    Mapping[str, Statement]: Mapping[str, str],
}


def comparison_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of what `render_json` writes."""
    found: dict[str, Any] = {}
    whole, evidence = _object(Comparison, found), found.pop("Evidence")
    whole["properties"] = {**whole["properties"], "model": dict(_PLAIN[str]), **evidence["properties"]}
    whole["required"] = [*whole["required"], "model", *evidence["required"]]
    del whole["properties"]["evidence"]
    whole["required"].remove("evidence")
    whole["required"].insert(0, "schema_version")
    whole["properties"] = {"schema_version": {"const": SCHEMA_VERSION}, **whole["properties"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"tuneworthy comparison, version {SCHEMA_VERSION}",
        "description": "Everything behind one verdict, single answers included. "
        "Readers should ignore properties they do not know.",
        **{key: value for key, value in whole.items() if key != "description"},
        "$defs": {"number": _NUMBER, **dict(sorted(found.items()))},
    }


def _object(kind: type, found: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    hints |= {name: get_type_hints(getattr(kind, name).fget)["return"] for name in IN_WORDS.get(kind, ())}
    said = STATEMENTS.get(kind, {})
    hints |= {name: _IN_WORDS[hints[field]] for name, field in said.items()}
    names = [*written(kind), *said]
    return {
        "type": "object",
        "description": " ".join(docstring_of(kind).split("\n\n")[0].split()),
        "required": list(names),
        "properties": {name: _schema(hints[name], found) for name in names},
    }


def _schema(hint: Any, found: dict[str, Any]) -> dict[str, Any]:
    if hint in _PLAIN:
        return dict(_PLAIN[hint])
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Literal:
        return {"enum": list(inside)}
    if origin in (Union, UnionType):
        return _one_of([_schema(part, found) for part in inside])
    if is_dataclass(hint) and isinstance(hint, type):
        if hint.__name__ not in found:
            found[hint.__name__] = {}  # before its fields are read, as a dataclass may hold its own kind
            found[hint.__name__] = _object(hint, found)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    if hint is Outcomes:
        return {"type": "array", "items": _schema(Outcome, found)}
    if origin is tuple and inside[-1] is not Ellipsis:
        parts = [_schema(part, found) for part in inside]
        return {"type": "array", "prefixItems": parts, "minItems": len(parts), "maxItems": len(parts)}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        values = _schema(inside[1], found)
        return {"type": "object", **({"additionalProperties": values} if values else {})}
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return {"type": "array", "items": _schema(inside[0], found)}
    raise TypeError(f"the JSON report has no schema for {hint!r}; say in reports/schema.py how it is written")


def _one_of(options: Sequence[dict[str, Any]]) -> dict[str, Any]:
    different = [option for at, option in enumerate(options) if option not in options[:at]]
    number: dict[str, Any] = _PLAIN[float]
    if number in different:
        different = [option for option in different if option != _PLAIN[int]]
    return different[0] if len(different) == 1 else {"anyOf": different}


def text() -> str:
    """Return the file's text."""
    return json.dumps(comparison_schema(), indent=1) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(text(), encoding="utf-8")
