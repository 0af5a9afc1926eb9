"""Reading and writing specifications such as ``few_shot(k=8, pick="nearest")``: JSON values only, nothing evaluated."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, NoReturn

from advisor.core.errors import ConfigurationError, RegistryError

_KEYWORD = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*")
_END = re.compile(r"\s*(,\s*|$)")


@dataclass(frozen=True, slots=True)
class Spec:
    """What is asked for and its constructor parameters."""

    target: str
    params: Mapping[str, Any]

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Read ``target`` or ``target(name=json, …)``.

        Raises:
            ConfigurationError: the parameters are not ``name=value`` with JSON values.
        """
        text = text.strip()
        if not text:
            raise ConfigurationError("a name is needed and nothing was given", hint="advisor list")
        if re.fullmatch(r"\w+\([^/\\)]*", text):
            hint = f"in quotes: '{text})'" if text.isprintable() else "for example few_shot(k=8)"
            raise ConfigurationError(f"{text!r}: the closing bracket is missing", hint=hint)
        if not text.endswith(")"):
            return cls(text, {})
        for opening in re.finditer(r"\(", text):  # a folder's name may hold parentheses too
            target, body = text[: opening.start()], text[opening.end() : -1]
            if target and (not body.strip() or _KEYWORD.match(body)):
                return cls(target.strip(), _keywords(body, text))
        raise ConfigurationError(f"{text!r}: parameters are written name=value", hint="for example few_shot(k=8)")

    def __str__(self) -> str:
        if not self.params:
            return self.target
        return f"{self.target}({', '.join(f'{name}={json.dumps(value)}' for name, value in self.params.items())})"


def _keywords(body: str, text: str) -> dict[str, Any]:
    decoder = json.JSONDecoder(parse_constant=_no_constant)
    params: dict[str, Any] = {}
    position = 0
    while body[position:].strip():
        keyword = _KEYWORD.match(body, position)
        if keyword is None:
            raise ConfigurationError(f"{text!r}: expected name=value at {body[position:]!r}")
        name = keyword[1]
        if name in params:
            raise ConfigurationError(f"{text!r}: the parameter {name!r} stands there twice")
        try:
            params[name], position = decoder.raw_decode(body, keyword.end())
        except ValueError as error:
            raise _not_json(text, name, body[keyword.end() :]) from error
        end = _END.match(body, position)
        if end is None:
            raise _not_json(text, name, body[keyword.end() :])
        position = end.end()
    return params


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _not_json(text: str, name: str, rest: str) -> ConfigurationError:
    word = rest.partition(",")[0].strip()
    return ConfigurationError(
        f'{text!r}: the value of {name!r} is not JSON: {word!r}; allowed are numbers, "texts", true, false, null, '
        "[lists] and {objects}",
        hint=f"a text is written {name}={json.dumps(word.strip(chr(39)))}; in a shell, single quotes around the whole",
    )


def recordable(value: Any, what: str) -> Any:
    """Return `value` as JSON types that are the same in every process.

    Raises:
        RegistryError: it is an object with no such form.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value.value if isinstance(value, Enum) else value
    if type(value).__module__ == "numpy" and hasattr(value, "tolist") and not hasattr(value.tolist(), "tolist"):
        return recordable(value.tolist(), what)
    if isinstance(value, Enum | Path):
        return value.name if isinstance(value, Enum) else str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: recordable(getattr(value, field.name), what) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): recordable(item, what) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [recordable(item, what) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((recordable(item, what) for item in value), key=repr)
    if inspect.isclass(value) or inspect.isfunction(value):
        return f"{value.__module__}:{value.__qualname__}"
    raise RegistryError(
        f"{what} is a {type(value).__name__} and cannot be recorded in a run",
        hint="constructor parameters are numbers, texts, booleans, lists, dicts, dataclasses, classes or functions",
    )
