"""From a row as others write it (OpenAI chat, TRL, MLflow, promptfoo, plain columns) to an `Example`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

from advisor.core.errors import did_you_mean
from advisor.core.tool_files import spec_from_json
from advisor.core.types import Chat, Example, Input, Message, Role, ToolCall, ToolSpec

from .readers import Record, parse_json

OWN_FIELDS = ("id", "input", "target", "metadata")
INPUT_NAMES = ("input", "question", "text", "prompt", "query", "sentence", "utterance", "message")
TARGET_NAMES = ("target", "answer", "label", "completion", "output", "response", "expected", "category", "intent")


@dataclass(frozen=True, slots=True)
class RecordLayout:
    """How rows become examples.

    Attributes:
        split: the first part of the ids of rows that have none, e.g. ``train`` for ``train-17`` (17 is the line).
        output: ``json`` allows targets that are JSON values; they are written as text. ``any`` does so too, and takes a
            list of texts for several accepted answers, as ``text`` does.
        tools_field: the metadata field that holds each row's tool schemas, if any.
        columns: what the file calls the fields, e.g. ``{"input": "question"}``.
    """

    split: str
    output: str = "text"
    tools_field: str = ""
    columns: Mapping[str, str] | None = None


def to_example(row: Record, layout: RecordLayout) -> Example:
    """Build the `Example` of one row; keys that are none of the four known ones go into its metadata.

    Raises:
        EvalSetError: a field is missing, empty or of the wrong type; names file, line and field.
    """
    fields = _with_choices(_with_accepted(canonical(row, layout.columns), layout.output))
    metadata = _metadata(fields, row)
    asked = _input(fields, row)
    if layout.tools_field:
        asked = _with_tools(asked, metadata.get(layout.tools_field), layout.tools_field, row)
    target = _target(fields, row, layout.output)
    return Example(_id(fields.get("id"), row, layout.split), asked, target, metadata)


# --- other people's formats ------------------------------------------------------------------------------------------


def canonical(row: Record, columns: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the fields of a row under our names: by `columns`, else by the format that the keys betray.

    Raises:
        EvalSetError: `columns` names a field that the row lacks, or the format is known and its content is not usable.
    """
    fields = dict(row.fields)
    if columns:
        return _renamed(fields, columns, row)
    if "input" in fields or "target" in fields:
        return fields
    if isinstance(fields.get("messages"), list):
        return _from_chat(fields, row)
    if isinstance(fields.get("inputs"), dict) and isinstance(fields.get("expectations"), dict):
        return _from_mlflow(fields, row)
    if "__expected" in fields:
        return _from_promptfoo(fields, row)
    if "prompt" in fields and "completion" in fields:
        fields["input"], fields["target"] = fields.pop("prompt"), _last_text(fields.pop("completion"), row)
    return fields


def _with_accepted(fields: dict[str, Any], output: str) -> dict[str, Any]:
    """Take a target that is a list of texts, as inspect writes it, for the accepted answers; for JSON it is a value."""
    target = fields.get("target")
    if output == "json" or not isinstance(target, list) or not target or not all(isinstance(t, str) for t in target):
        return fields
    given = fields.get("metadata") or {}
    more = {} if len(target) == 1 or not isinstance(given, dict) else {"metadata": {"answers": target, **given}}
    return {**fields, "target": target[0], **more}


def _with_choices(fields: dict[str, Any]) -> dict[str, Any]:
    """Write inspect's `choices` under the question, where the target is the letter of one of them."""
    choices, target, asked = fields.get("choices"), fields.get("target"), fields.get("input")
    if not isinstance(choices, list) or not choices or not isinstance(target, str) or target in choices:
        return fields
    letters = [chr(ord("A") + at) for at in range(len(choices))]
    if target not in letters or not isinstance(asked, str):
        return fields  # texts of their own, which only stand beside the answer
    listed = "\n".join(f"{letter}) {choice}" for letter, choice in zip(letters, choices, strict=True))
    metadata = {"answers": [str(choices[letters.index(target)])], **(fields.get("metadata") or {})}
    return {**fields, "input": f"{asked}\n\n{listed}", "metadata": metadata}


def _renamed(fields: dict[str, Any], columns: Mapping[str, str], row: Record) -> dict[str, Any]:
    renamed = {}
    for ours, theirs in columns.items():
        if theirs in fields:
            renamed[ours] = fields[theirs]
        elif ours in ("input", "target"):
            raise row.error(
                f"field {theirs!r} is missing, which columns maps to {ours}; {did_you_mean(theirs, fields)}"
            )
    used = set(columns.values())
    return {**{name: value for name, value in fields.items() if name not in used and name not in renamed}, **renamed}


def _from_chat(fields: dict[str, Any], row: Record) -> dict[str, Any]:
    """OpenAI's fine-tuning format and TRL's `messages`: the last assistant turn that weighs something is the target."""
    turns = fields.pop("messages")
    last = max((at for at, turn in enumerate(turns) if _is_answer(turn)), default=-1)
    if last < 1:
        raise row.error(
            "field 'messages' has no assistant turn after a user turn; the last assistant turn is the target",
            hint='{"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}',
        )
    tools = fields.pop("tools", None) or ()
    asked: Any = turns[:last]
    if not tools and len(asked) == 1 and isinstance(asked[0], dict) and asked[0].get("role") == "user":
        asked = asked[0].get("content")
    fields["input"] = {"messages": asked, "tools": tools} if tools else asked
    fields["target"] = _turn_as_target(turns[last], row)
    return fields


def _is_answer(turn: Any) -> bool:
    """Say whether a turn is the assistant's and not one that OpenAI's `weight` 0 keeps from being learned."""
    return isinstance(turn, dict) and turn.get("role") == "assistant" and turn.get("weight") != 0


def _turn_as_target(turn: dict[str, Any], row: Record) -> str:
    message = _message(turn, row, "messages")
    calls = [{"name": call.name, "arguments": dict(call.arguments)} for call in message.tool_calls]
    if calls:
        return json.dumps(calls[0] if len(calls) == 1 else calls, ensure_ascii=False)
    return message.content


def _last_text(value: Any, row: Record) -> Any:
    """The text of TRL's `completion`, which may be a list of messages."""
    if not isinstance(value, list):
        return value
    if not value or not isinstance(value[-1], dict):
        raise row.error("field 'completion' must be a text or a list of messages")
    return _turn_as_target(value[-1], row)


def _from_mlflow(fields: dict[str, Any], row: Record) -> dict[str, Any]:
    inputs, expected = fields.pop("inputs"), fields.pop("expectations")
    asked = inputs.get("messages") or (next(iter(inputs.values())) if len(inputs) == 1 else None)
    if asked is None:
        raise row.error(f"field 'inputs' has {len(inputs)} values ({', '.join(map(str, inputs))}); one is needed")
    answers = expected.get("expected_response", next(iter(expected.values()), None) if len(expected) == 1 else None)
    if answers is None:
        raise row.error("field 'expectations' has no expected_response", hint='{"expected_response": "…"}')
    return {**fields, "input": asked, "target": answers}


def _from_promptfoo(fields: dict[str, Any], row: Record) -> dict[str, Any]:
    expected = str(fields.pop("__expected"))
    kind, colon, rest = expected.partition(":")
    if colon and kind in ("equals", "="):
        expected = rest.strip()
    elif colon and kind.strip() in _PROMPTFOO_CHECKS:
        raise row.error(f"field '__expected' is {expected[:80]!r}; of promptfoo's checks only equals is an answer")
    variables = [name for name in fields if not name.startswith("__")]
    if len(variables) != 1:
        raise row.error(
            f"{len(variables)} columns could be the input: {', '.join(variables) or 'none'}",
            hint='say which: columns={"input": "…", "target": "__expected"}',
        )
    return {"input": fields[variables[0]], "target": expected}


_PROMPTFOO_CHECKS = (
    "contains", "icontains", "contains-all", "contains-any", "not-contains", "starts-with", "regex", "is-json",
    "contains-json", "javascript", "fn", "eval", "python", "file", "grade", "llm-rubric", "factuality", "similar",
    "levenshtein", "cost", "latency", "webhook", "rouge-n",
)  # fmt: skip


# --- fields ----------------------------------------------------------------------------------------------------------


def _id(value: Any, row: Record, split: str) -> str:
    if value is None:
        return f"{split}-{row.line}"
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise row.error(f"field 'id' is {value!r}; a text or a whole number is needed", hint="or leave the ids out")
    return str(value)


def _metadata(fields: Mapping[str, Any], row: Record) -> dict[str, Any]:
    given = fields.get("metadata")
    if isinstance(given, str) and given.strip().startswith("{"):
        given = parse_json(given, row)
    if given is not None and not isinstance(given, dict):
        raise row.error(
            f"field 'metadata' is {str(given)[:80]!r}; an object is needed", hint='"metadata": {"group": "a"}'
        )
    found = {**{name: value for name, value in fields.items() if name not in OWN_FIELDS}, **(given or {})}
    for name in ("group", "slice"):
        if name in found and (found[name] is None or isinstance(found[name], list | dict)):
            raise row.error(f"field {name!r} is {str(found[name])[:80]!r}; a text or a number is needed")
    if isinstance(found.get("answers"), str):  # a CSV cell
        cell = found["answers"].strip()
        found["answers"] = parse_json(cell, row) if cell.startswith("[") else [cell]
    answers = found.get("answers", [])
    if not isinstance(answers, list) or any(isinstance(one, list | dict) or one is None for one in answers):
        raise row.error("field 'answers' must be a list of accepted texts", hint='"metadata": {"answers": ["…", "…"]}')
    return found


def _target(fields: Mapping[str, Any], row: Record, output: str) -> str:
    value = _needed(fields, "target", row)
    if isinstance(value, list | dict) and output == "text":
        raise row.error(
            "field 'target' is a list or an object; a text is needed",
            hint="for JSON answers: output: json in evalset.yaml",
        )
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if not text.strip():
        raise row.error("field 'target' is empty", hint='write the answer; for "no answer" a word that says so')
    return text


def _needed(fields: Mapping[str, Any], name: str, row: Record) -> Any:
    if fields.get(name) is None:
        listed = ", ".join(map(repr, list(row.fields)[:12])) or "nothing"
        raise row.error(
            f"field {name!r} is missing; the row holds {listed}",
            hint='{"id": "1", "input": "…", "target": "…"}, or for a single file columns={"input": "…", "target": "…"}',
        )
    return fields[name]


def _input(fields: Mapping[str, Any], row: Record) -> Input:
    value = _needed(fields, "input", row)
    if isinstance(value, dict) and set(value) == {"messages", "tools"}:
        return Chat(_messages(value["messages"], row), _specs(value["tools"], "tools", row))
    if isinstance(value, list):
        return Chat(_messages(value, row))
    if isinstance(value, bool | dict):
        raise row.error("field 'input' must be a text or a list of messages", hint='[{"role": "user", "content": "…"}]')
    if not str(value).strip():
        raise row.error("field 'input' is empty")
    return str(value)


def _messages(value: Any, row: Record) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise row.error("field 'input' holds no message", hint='[{"role": "user", "content": "…"}]')
    messages = tuple(_message(turn, row, "input") for turn in value)
    if not any(message.content.strip() for message in messages):
        raise row.error("field 'input' holds no text")
    return messages


def _message(turn: Any, row: Record, field: str) -> Message:
    if not isinstance(turn, dict):
        raise row.error(f"field {field!r}: a message is an object with role and content, not {str(turn)[:60]!r}")
    role = "system" if turn.get("role") == "developer" else turn.get("role")
    if role not in get_args(Role):
        raise row.error(f"field {field!r}: role {role!r} is unknown; {did_you_mean(str(role), get_args(Role))}")
    asked = turn.get("tool_calls") or ()
    if not isinstance(asked, list | tuple):
        raise row.error(f"field {field!r}: tool_calls must be a list, not {str(asked)[:60]!r}")
    calls = tuple(_tool_call(call, row, field) for call in asked)
    content = _content(turn.get("content"), row, field) if turn.get("content") is not None or not calls else ""
    return Message(cast(Role, role), content, calls, str(turn.get("tool_call_id") or ""))


def _content(value: Any, row: Record, field: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in value):
        return "".join(part["text"] for part in value)
    raise row.error(f"field {field!r}: the content of a message must be text, not {str(value)[:60]!r}")


def _tool_call(call: Any, row: Record, field: str) -> ToolCall:
    inner = call.get("function", call) if isinstance(call, dict) else {}
    arguments = inner.get("arguments", {}) if isinstance(inner, dict) else None
    if isinstance(arguments, str):
        arguments = parse_json(arguments or "{}", row)
    if not isinstance(arguments, dict) or not isinstance(inner.get("name"), str) or not inner["name"]:
        raise row.error(f"field {field!r}: a tool call needs a name and an object of arguments, not {str(call)[:80]!r}")
    return ToolCall(inner["name"], arguments, str(call.get("id") or ""))


def _with_tools(asked: Input, plain: Any, field: str, row: Record) -> Chat:
    if plain is None:
        raise row.error(f"field {field!r} is missing in metadata, and tools_field in evalset.yaml names it")
    messages = asked.messages if isinstance(asked, Chat) else (Message("user", asked),)
    return Chat(messages, _specs(plain, field, row))


def _specs(plain: Any, field: str, row: Record) -> tuple[ToolSpec, ...]:
    if not isinstance(plain, Sequence) or isinstance(plain, str) or not plain:
        raise row.error(f"field {field!r} must be a list of tool schemas")
    try:
        specs = tuple(spec_from_json(one) for one in plain)
    except ValueError as error:
        raise row.error(f"field {field!r}: {error}") from None
    names = [spec.name for spec in specs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise row.error(f"field {field!r}: the tool {twice[0]!r} stands there twice")
    return specs
