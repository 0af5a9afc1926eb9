"""What may stand in ``evalset.yaml``, read safely: no aliases, no tags that run code, no duplicate keys, bounded."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from advisor._util.strict_yaml import StrictLoader
from advisor.core.errors import EvalSetError, did_you_mean

from .readers import open_text

MAX_BYTES = 128_000

_RESOLVERS = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "null": (r"~|null|Null|NULL|", "~nN\0"),
    "int": (r"[-+]?(?:0|[1-9][0-9]{0,17})", "-+0123456789"),
    "float": (r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?", "-+0123456789"),
}


class EvalSetFile(BaseModel):
    """The keys of ``evalset.yaml``; see docs/evalset-format.md. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str = Field(default="", max_length=100, pattern=r"^[\w .()+-]*$")
    instruction: str = Field(min_length=1)
    metric: str = Field(min_length=1)
    licence: str = ""
    source: str = ""
    commit: str = ""
    citation: str = ""
    caveat: str = ""
    family: str = ""
    labels: list[str] | Literal["from_train"] = Field(default_factory=list)
    json_schema: dict[str, Any] | str | None = Field(default=None, alias="schema")
    output: Literal["text", "json"] = "text"
    docs: str = ""
    tools: str = ""
    tools_field: str = ""
    gold_document_field: str = ""

    @field_validator("labels", mode="before")
    @classmethod
    def _labels_are_texts(cls, value: object) -> object:
        """Take whole numbers as the texts they are; all else that is no text is refused."""
        if isinstance(value, list):
            return [str(item) if type(item) is int else item for item in value]
        return value

    @field_validator("labels")
    @classmethod
    def _labels_differ(cls, value: list[str] | str) -> list[str] | str:
        twice = [label for label in value if value.count(label) > 1] if isinstance(value, list) else []
        if twice:
            raise ValueError(f"the label {twice[0]!r} stands there twice")
        return value


def read_configuration(path: Path) -> EvalSetFile:
    """Read and check an ``evalset.yaml``.

    Raises:
        EvalSetError: it cannot be read, is not YAML of bounded size and depth, or a key is unknown, missing or wrong.
    """
    text = "".join(line for _, line in open_text(path, MAX_BYTES))
    plain = _parsed(text, path.name)
    if not isinstance(plain, dict):
        raise EvalSetError(
            f"{path.name}: a list of `key: value` lines is needed",
            hint="at least: instruction: … and metric: exact_match",
        )
    try:
        return EvalSetFile.model_validate(plain)
    except ValidationError as error:
        first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        raise _explained(dict(first), text, path.name) from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file of ours with the same care: bounded, without aliases or duplicate keys.

    Raises:
        EvalSetError: it cannot be read or is not a list of keys.
    """
    plain = _parsed("".join(line for _, line in open_text(path, MAX_BYTES)), path.name)
    if not isinstance(plain, dict):
        raise EvalSetError(f"{path.name}: a list of `key: value` lines is needed")
    return plain


def _explained(error: dict[str, Any], text: str, file: str) -> EvalSetError:
    names = [field.alias or name for name, field in EvalSetFile.model_fields.items()]
    key = str(error["loc"][0]) if error["loc"] else ""
    line = next((n for n, one in enumerate(text.splitlines(), 1) if re.match(rf"\s*['\"]?{re.escape(key)}\b", one)), 0)
    where = f"{file} line {line}" if line else file
    if error["type"] == "extra_forbidden":
        return EvalSetError(f"{where}: unknown key {key!r}; {did_you_mean(key, names)}")
    if error["type"] == "missing":
        return EvalSetError(f"{file}: the key {key!r} is missing", hint=_EXAMPLES.get(key, f"{key}: …"))
    said = str(error["msg"]).removeprefix("Value error, ")
    return EvalSetError(
        f"{where}: {key!r} is {repr(error['input'])[:100]}: {said[:1].lower()}{said[1:]}", hint=_EXAMPLES.get(key, "")
    )


_EXAMPLES = {
    "instruction": 'instruction: "Classify the message. Answer with one word."',
    "metric": "metric: exact_match   (all: advisor list metrics)",
    "labels": 'labels: ["ham", "spam"]   or   labels: from_train',
    "output": "output: text   or   output: json",
    "tools": "tools: tools.py",
    "schema": "schema: schema.json",
    "name": "name: my-evalset   (letters, digits, spaces and . - + ( ) only)",
}


# --- safe YAML -------------------------------------------------------------------------------------------------------


class _Loader(StrictLoader):
    """YAML 1.2's plain values (so that ``no`` is a text and ``12:30`` no number), and limits on everything."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's own form)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                raise yaml.MarkedYAMLError(problem="a key must be a text", problem_mark=key.start_mark)
        return super().construct_mapping(node, deep)


for _tag, (_pattern, _first) in _RESOLVERS.items():
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), ["" if mark == "\0" else mark for mark in _first]
    )


def _parsed(text: str, file: str) -> Any:
    loader = None
    try:
        loader = _Loader(text)
        plain = loader.get_single_data()
        json.dumps(plain, allow_nan=False)
        return plain
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        said = f"{error.context}, {error.problem}" if error.context else error.problem
        raise EvalSetError(f"{file} line {line}: {said}", hint=_yaml_hint(str(error.problem))) from None
    except yaml.YAMLError as error:
        raise EvalSetError(f"{file}: it is not YAML: {str(error).splitlines()[0]}") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise EvalSetError(f"{file}: only texts, numbers, true, false, lists and keys are read: {error}") from None
    finally:
        if loader is not None:
            loader.dispose()


def _yaml_hint(problem: str) -> str:
    return (
        'put a value that holds a colon or starts with a special sign in quotes: "…"'
        if "mapping values" in problem
        else ""
    )
