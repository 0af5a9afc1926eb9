"""Fine-tuning files: chat JSONL as OpenAI, Together and Fireworks take it, and TRL's; written, validated, read back.

A row that is written here is read again by `advisor.evalsets.formats`, with the same question and answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisor.core.errors import ConfigurationError, EvalSetError, did_you_mean
from advisor.core.normalisation import read_json
from advisor.core.tools import parse_calls
from advisor.core.types import Chat, EvalSet, Example, Message, ToolSpec

from .readers import Fields, Record, read_jsonl
from .writing import message_row, tool_row

LEAST = {"openai": 10, "together": 1, "fireworks": 3}
"""Fewest examples a provider takes, by its documentation (November 2026)."""
ROLES = ("system", "user", "assistant", "tool", "developer")


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write a training example.

    Attributes:
        row: from an example and the eval set to the row.
        check: what is wrong with a row; empty where it is fine.
    """

    row: Callable[[Example, EvalSet], Fields]
    check: Callable[[Mapping[str, Any]], str]


# --- rows ------------------------------------------------------------------------------------------------------------


def chat_row(example: Example, evalset: EvalSet) -> Fields:
    """Return the example as a chat: the instruction, the question, the answer; tool calls as calls."""
    messages = _asked(example, evalset)
    tools = tools_of(example, evalset)
    row: Fields = {"messages": [message_row(one) for one in messages]}
    row["messages"].append(_answer(example, tools))
    if tools:
        row["tools"] = [tool_row(tool) for tool in tools]
    return row


def weighted_row(example: Example, evalset: EvalSet) -> Fields:
    """Return the chat with weights: only the last turn of the assistant is learned from."""
    row = chat_row(example, evalset)
    for turn in row["messages"][:-1]:
        if turn["role"] == "assistant":
            turn["weight"] = 0
    return row


def prompt_row(example: Example, evalset: EvalSet) -> Fields:
    """Return TRL's conversational prompt and completion."""
    row = chat_row(example, evalset)
    split: Fields = {"prompt": row["messages"][:-1], "completion": row["messages"][-1:]}
    return {**split, **({"tools": row["tools"]} if "tools" in row else {})}


def text_row(example: Example, evalset: EvalSet) -> Fields:
    """Return TRL's plain prompt and completion."""
    asked = "\n\n".join(one.content for one in _asked(example, evalset) if one.content)
    return {"prompt": asked, "completion": example.target}


def _asked(example: Example, evalset: EvalSet) -> list[Message]:
    turns = list(example.input.messages) if isinstance(example.input, Chat) else [Message("user", example.input)]
    first = [] if any(turn.role == "system" for turn in turns) else [Message("system", evalset.instruction)]
    return first + turns


def tools_of(example: Example, evalset: EvalSet) -> tuple[ToolSpec, ...]:
    """Return the tools that stand beside an example, where its answer is a call of one of them."""
    own = example.input.tools if isinstance(example.input, Chat) else ()
    tools = own or tuple(tool.spec for tool in evalset.tools)
    names = {tool.name for tool in tools}
    calls = parse_calls(example.target) if own or evalset.metric == "tool_call_match" else []
    return tools if calls and all(call.name in names for call in calls) else ()


def _answer(example: Example, tools: Sequence[ToolSpec]) -> Fields:
    calls = tuple(parse_calls(example.target)) if tools else ()
    return message_row(Message("assistant", "" if calls else example.target, calls))


# --- the validator ---------------------------------------------------------------------------------------------------


def problem_of_chat(row: Mapping[str, Any]) -> str:
    """Say what is wrong with a chat row by the rules that the providers share; empty where nothing is."""
    turns = row.get("messages")
    if not isinstance(turns, list) or not turns:
        return "field 'messages' must be a list of messages"
    for at, turn in enumerate(turns, 1):
        if wrong := _problem_of_turn(turn, first=at == 1):
            return f"message {at}: {wrong}"
    roles = [turn["role"] for turn in turns]
    if roles[-1] != "assistant":
        return f"the last message is of {roles[-1]!r}; the assistant's answer is needed"
    if not {"user", "tool"} & set(roles[:-1]):
        return "there is no message of the user before the answer"
    if turns[-1].get("weight") == 0 or all(t.get("weight") == 0 for t in turns if t["role"] == "assistant"):
        return "every answer has the weight 0, so nothing is learned"
    return _problem_of_tools(row.get("tools"), turns)


def _problem_of_turn(turn: Any, *, first: bool) -> str:
    if not isinstance(turn, dict) or turn.get("role") not in ROLES:
        role = turn.get("role") if isinstance(turn, dict) else turn
        return f"role {str(role)[:40]!r} is unknown; {did_you_mean(str(role), ROLES)}"
    if turn["role"] in ("system", "developer") and not first:
        return "a system message must be the first"
    content, calls = turn.get("content"), turn.get("tool_calls")
    if content is not None and not isinstance(content, str | list):
        return "content must be text"
    if not (content or calls):
        return "it has no content and calls no tool"
    if turn.get("weight", 1) not in (0, 1) or ("weight" in turn and turn["role"] != "assistant"):
        return "weight is 0 or 1, and for the assistant only"
    if turn["role"] == "tool" and not turn.get("tool_call_id"):
        return "a tool's answer needs tool_call_id"
    return ""


def _problem_of_tools(tools: Any, turns: Sequence[Mapping[str, Any]]) -> str:
    names = set()
    for tool in tools or ():
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            return "a tool needs type and function with a name"
        names.add(function["name"])
    for call in (call for turn in turns for call in turn.get("tool_calls") or ()):
        function = call.get("function") or {}
        if function.get("name") not in names:
            return f"the tool {str(function.get('name'))[:40]!r} is called and does not stand in 'tools'"
        try:
            read_json(str(function.get("arguments", "")))
        except ValueError as error:
            return f"the arguments of {function['name']!r} are no JSON: {error}"
    return ""


def problem_of_prompt(row: Mapping[str, Any]) -> str:
    """Say what is wrong with a row of TRL's prompt and completion."""
    prompt, completion = row.get("prompt"), row.get("completion")
    if isinstance(prompt, list) and isinstance(completion, list):
        return problem_of_chat({"messages": [*prompt, *completion], "tools": row.get("tools")})
    texts = isinstance(prompt, str) and isinstance(completion, str)
    return "" if texts and str(completion).strip() else "prompt and completion must both be texts or both messages"


FORMATS: Mapping[str, Format] = {
    "openai": Format(weighted_row, problem_of_chat),
    "together": Format(weighted_row, problem_of_chat),
    "fireworks": Format(weighted_row, problem_of_chat),
    "trl": Format(chat_row, problem_of_chat),
    "trl-prompt": Format(prompt_row, problem_of_prompt),
    "trl-text": Format(text_row, problem_of_prompt),
}


def export(evalset: EvalSet, split: str, name: str) -> str:
    """Return one split as a fine-tuning file.

    Raises:
        ConfigurationError: there is no such format.
        EvalSetError: the split is empty, too small for the provider, or a row would be refused.
    """
    if name not in FORMATS:
        raise ConfigurationError(f"there is no format {name!r}; {did_you_mean(name, FORMATS)}")
    kind, examples = FORMATS[name], getattr(evalset, split)
    if not examples:
        raise EvalSetError(f"{evalset.name!r} has no {split} examples")
    if len(examples) < LEAST.get(name, 1):
        raise EvalSetError(f"{name} takes {LEAST[name]} examples at least; {split} has {len(examples)}")
    rows = [kind.row(example, evalset) for example in examples]
    for example, row in zip(examples, rows, strict=True):
        if wrong := kind.check(row):
            raise EvalSetError(f"{split} example {example.id!r} cannot be written for {name}: {wrong}")
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def validate(path: Path, name: str) -> int:
    """Check a fine-tuning file and return its number of rows.

    Raises:
        ConfigurationError: there is no such format.
        EvalSetError: names file, line and what is wrong.
    """
    if name not in FORMATS:
        raise ConfigurationError(f"there is no format {name!r}; {did_you_mean(name, FORMATS)}")
    count = 0
    for row in read_jsonl(path):
        count += 1
        if wrong := FORMATS[name].check(row.fields):
            raise Record(row.file, row.line, {}).error(wrong)
    if count < LEAST.get(name, 1):
        raise EvalSetError(f"{path.name} has {count} rows; {name} takes {LEAST.get(name, 1)} at least")
    return count
