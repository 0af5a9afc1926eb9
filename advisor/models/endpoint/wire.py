"""Between our types and OpenAI's chat completions: plain JSON in both directions, no network."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from advisor.core.errors import Cause
from advisor.core.model import Completion, Request, TuningExample
from advisor.core.thinking import split_thinking
from advisor.core.tokens import estimated_tokens
from advisor.core.types import JSONObject, Message, ToolCall, ToolSpec, Usage
from advisor.models.endpoint.dialect import Dialect

ANSWER = "answer"
"""Name of the one field in which a choice is asked for: OpenAI wants an object at the root of a schema."""
WRAPPER_TOKENS = 16
"""More tokens than ``{"answer": ""}`` takes in any tokenizer we know; added where a choice is wrapped."""

# --- requests --------------------------------------------------------------------------------------------------------


def write_request(model: str, request: Request, dialect: Dialect) -> dict[str, Any]:
    """Return the body of a chat completion.

    `schema` and `choices` go into ``response_format``; a choice is wrapped in an object with the one field `answer`
    and unwrapped by `read_completion`. `stop` is left out there: it could only cut the JSON in half.
    """
    names = wire_names(request.tools)
    form = _response_format(request)
    body: dict[str, Any] = {
        "model": model,
        "messages": write_messages(request.messages, names),
        dialect.token_field: dialect.room(request.max_tokens + (WRAPPER_TOKENS if request.choices else 0)),
        "temperature": request.temperature,
        "seed": request.seed,
    }
    if form is not None:
        body["response_format"] = form
    elif request.stop:
        body["stop"] = list(request.stop)
    if request.tools:
        body["tools"] = write_tools(request.tools, names)
        body["tool_choice"] = request.tool_choice
    return {name: _clean(value) for name, value in body.items() if name not in dialect.dropped}


def wire_names(tools: Sequence[ToolSpec]) -> dict[str, str]:
    """Map tool names to ones that OpenAI admits (letters, digits, `_` and `-`, at most 64), one to one."""
    names: dict[str, str] = {}
    taken = {tool.name for tool in tools if _admitted(tool.name)}
    for name in dict.fromkeys(tool.name for tool in tools):
        wire = name if _admitted(name) else re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:60] or "tool"
        number = 2
        while wire != name and wire in taken:
            wire, number = f"{re.sub(r'_[0-9]+$', '', wire)[:56]}_{number}", number + 1
        taken.add(wire)
        names[name] = wire
    return names


def _admitted(name: str) -> bool:
    return re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) is not None


def write_tools(tools: Sequence[ToolSpec], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the `tools` field."""
    return [
        {
            "type": "function",
            "function": {
                "name": names[tool.name],
                "description": tool.description,
                "parameters": dict(tool.parameters) or {"type": "object", "properties": {}},
            },
        }
        for tool in tools
    ]


def write_messages(messages: Sequence[Message], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the `messages` field. Calls without an id get one, and results without one are tied to them in order."""
    written: list[dict[str, Any]] = []
    open_ids: list[str] = []
    for at, message in enumerate(messages):
        plain: dict[str, Any] = {"role": message.role, "content": message.content}
        if message.tool_calls:
            open_ids = [call.id or f"call_{at}_{number}" for number, call in enumerate(message.tool_calls)]
            plain["content"] = message.content or None
            plain["tool_calls"] = [
                _write_call(call, identity, names) for call, identity in zip(message.tool_calls, open_ids, strict=True)
            ]
        elif message.role == "tool":
            plain["tool_call_id"] = _claim(message.tool_call_id, open_ids)
        written.append(plain)
    return written


def _claim(identity: str, open_ids: list[str]) -> str:
    claimed = identity or (open_ids[0] if open_ids else "call_0_0")
    if claimed in open_ids:
        open_ids.remove(claimed)
    return claimed


def _write_call(call: ToolCall, identity: str, names: Mapping[str, str]) -> dict[str, Any]:
    arguments = json.dumps(dict(call.arguments), ensure_ascii=False)
    return {
        "id": identity,
        "type": "function",
        "function": {"name": names.get(call.name, call.name), "arguments": arguments},
    }


def _response_format(request: Request) -> dict[str, Any] | None:
    if request.choices:
        inner = {"type": "string", "enum": list(request.choices)}
        schema: JSONObject = {
            "type": "object",
            "properties": {ANSWER: inner},
            "required": [ANSWER],
            "additionalProperties": False,
        }
    elif request.schema is not None:
        schema = request.schema
    else:
        return None
    return {
        "type": "json_schema",
        "json_schema": {"name": ANSWER, "schema": dict(schema), "strict": _admits_strict(schema)},
    }


def _admits_strict(schema: Any) -> bool:
    """Return whether OpenAI's strict mode takes it: every object closed, with all of its properties required."""
    if isinstance(schema, list):
        return all(map(_admits_strict, schema))
    if not isinstance(schema, Mapping):
        return True
    if schema.get("type") == "object" or "properties" in schema:
        properties = schema.get("properties", {})
        closed = schema.get("additionalProperties") is False
        if not closed or set(schema.get("required", ())) != set(properties):
            return False
        return all(map(_admits_strict, properties.values()))
    return all(_admits_strict(value) for key, value in schema.items() if key not in ("enum", "const", "default"))


def write_examples(examples: Sequence[TuningExample]) -> str:
    """Return chat JSONL, OpenAI's exchange format for tuning: one conversation a line, with its tools."""
    lines = []
    for example in examples:
        names = wire_names(example.tools)
        plain: dict[str, Any] = {"messages": write_messages(example.messages, names)}
        if example.tools:
            plain["tools"] = write_tools(example.tools, names)
        lines.append(json.dumps(plain, ensure_ascii=False))
    return "".join(f"{line}\n" for line in lines)


# --- answers ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reply:
    """One body as it came, and how long it took."""

    body: bytes
    seconds: float


def read_completion(reply: Reply, request: Request) -> tuple[Completion, bool]:
    """Read an answer; return it, and whether the server said how many tokens it took.

    What cannot be read becomes a failed completion. A tool call whose arguments are no JSON object is the model's
    mistake and not a failure: the answer is then what the model wrote, as text.
    """
    try:
        plain = json.loads(reply.body)
    except (ValueError, RecursionError):
        said = f"the endpoint answered with something that is not JSON: {_start(reply.body)}"
        return _failed(said, "malformed", reply), False
    usage = _usage(plain, reply)
    counted = usage is not None
    usage = usage or Usage(calls=1, seconds=reply.seconds, latency_seconds=reply.seconds)
    try:
        choice = plain["choices"][0]
        if choice.get("finish_reason") == "content_filter":
            said = "the provider's content filter withheld the answer"
            return _failed(said, "filtered", reply, usage), counted
        return _completion(choice["message"], choice.get("finish_reason"), usage, _thought(plain), request), counted
    except (KeyError, IndexError, TypeError, AttributeError, RecursionError):
        said = f"the endpoint's answer holds no completion: {_start(reply.body)}"
        return _failed(said, "malformed", reply, usage), counted


_REASONS: Mapping[Any, Literal["stop", "length", "tool_calls"]] = {
    "stop": "stop",
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


def _completion(
    message: Mapping[str, Any], finish_reason: Any, usage: Usage, thought: int, request: Request
) -> Completion:
    text, written = _text_of(message), list(_written_calls(message))
    reason = _REASONS.get(finish_reason, "stop")
    ours = {wire: name for name, wire in wire_names(request.tools).items()}
    calls = [(ours.get(name, name), _arguments(raw), identity) for name, raw, identity in written]
    if any(arguments is None for _, arguments, _ in calls):
        raw = "\n".join(f"{name}({arguments})" for name, arguments, _ in written)
        reason = "length" if reason == "length" else "stop"
        return Completion(_clean("\n".join(part for part in (text, raw) if part)), (), usage, reason)
    thinking, text, is_whole = split_thinking(_clean(text))
    apart: dict[str, Any] = {"thinking": thinking, "thinking_tokens": thought or _thinking_shown(message)}
    if not calls:
        reason = "stop" if reason == "tool_calls" else reason
        return Completion(_finished(text, request), (), usage, reason if is_whole else "length", **apart)
    read = tuple(ToolCall(_clean(name), _clean(arguments), _clean(identity)) for name, arguments, identity in calls)
    return Completion(text, read, usage, "tool_calls", **apart)


def _thinking_shown(message: Mapping[str, Any]) -> int:
    """Return about how many tokens of thinking stand beside the answer, in the fields that servers use for it."""
    shown = message.get("reasoning_content") or message.get("reasoning") or message.get("thinking")
    return estimated_tokens([shown])[0] if isinstance(shown, str) else 0


def _finished(text: str, request: Request) -> str:
    """Unwrap a choice, or cut at the first stop text (a server may have ignored either)."""
    if request.choices:
        try:
            answer = json.loads(text)[ANSWER]
        except (ValueError, TypeError, KeyError, IndexError, RecursionError):
            return text.strip()
        return answer if isinstance(answer, str) else text.strip()
    if request.schema is not None:
        return text
    return text[: min((at for stop in request.stop if (at := text.find(stop)) >= 0), default=len(text))]


def _text_of(message: Mapping[str, Any]) -> str:
    """Return the text; where the model refused, its refusal is its answer."""
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content)
    if content is None:
        content = message.get("refusal") or ""
    if not isinstance(content, str):
        raise TypeError("content")
    return content


def _written_calls(message: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Yield name, arguments as written and id of every call; the older ``function_call`` too."""
    calls = message.get("tool_calls") or []
    if not calls and message.get("function_call"):
        calls = [{"function": message["function_call"]}]
    for call in calls:
        function = call["function"]
        yield str(function["name"]), function.get("arguments"), str(call.get("id") or "")


def _arguments(raw: Any) -> dict[str, Any] | None:
    """Return arguments as an object; nothing at all means no arguments, and `None` that they are no JSON object."""
    if raw is None or (isinstance(raw, str) and not raw.strip()):
        return {}
    try:
        read = json.loads(raw, parse_constant=_refuse_constant) if isinstance(raw, str) else raw
    except (ValueError, RecursionError):
        return None
    return dict(read) if isinstance(read, Mapping) else None


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is not JSON")


def _usage(plain: Any, reply: Reply) -> Usage | None:
    """Return what the server counted, or `None` if it did not, or counted what cannot be."""
    counted = plain.get("usage") if isinstance(plain, Mapping) else None
    if not isinstance(counted, Mapping):
        return None
    details = counted.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else None
    read, written = _count(counted.get("prompt_tokens")), _count(counted.get("completion_tokens"))
    if read is None or written is None:
        return None
    thought, all_told = _thought(plain), _count(counted.get("total_tokens"))
    if thought > written or all_told == read + written + thought:  # a server that counts thinking apart
        written += thought
    return Usage(
        input_tokens=read,
        cached_input_tokens=min(_count(cached) or 0, read),
        output_tokens=written,
        calls=1,
        seconds=reply.seconds,
        latency_seconds=reply.seconds,
    )


def _thought(plain: Mapping[str, Any]) -> int:
    """Return how many of the output tokens the server counts as thinking; 0 where it does not say."""
    counted = plain.get("usage")
    details = counted.get("completion_tokens_details") if isinstance(counted, Mapping) else None
    return (_count(details.get("reasoning_tokens")) or 0) if isinstance(details, Mapping) else 0


def _count(value: Any) -> int | None:
    possible = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53
    return int(value) if possible else None


def _failed(error: str, cause: Cause, reply: Reply, usage: Usage | None = None) -> Completion:
    usage = usage or Usage(calls=1, seconds=reply.seconds, latency_seconds=reply.seconds)
    return Completion(usage=usage, finish_reason="error", error=error, cause=cause)


def _start(body: bytes) -> str:
    return one_line(body[:120].decode("utf-8", "replace")) or "(nothing)"


def one_line(text: str, longest: int = 200) -> str:
    """Return the beginning of a server's words as one line without control characters."""
    return "".join(character if character.isprintable() else " " for character in text[:longest]).strip()


def _clean(value: Any) -> Any:
    """Replace lone surrogates (JSON may escape them): they cannot be written to any file."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, Mapping):
        return {_clean(key): _clean(inner) for key, inner in value.items()}
    return [_clean(inner) for inner in value] if isinstance(value, list) else value
