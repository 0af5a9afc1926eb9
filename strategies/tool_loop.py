"""Conversations in which the model calls tools: how gold ones are shown, and how real ones are run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from advisor import (
    AdvisorError,
    Chat,
    Completion,
    Context,
    Example,
    Input,
    Message,
    Model,
    Prediction,
    Request,
    Task,
    Tool,
    ToolCall,
    ToolSpec,
    Usage,
    validate_tool_call,
)

from .prompts import question, tidy

# --- gold conversations ----------------------------------------------------------------------------------------------


def gold_calls(example: Example, tools: Sequence[Tool]) -> tuple[ToolCall, ...]:
    """Return the calls this example should make, `()` if none are known.

    They stand in `metadata["calls"]` as `[{"name": ..., "arguments": {...}}]`. Where they are missing and the task has
    exactly one tool with exactly one parameter, and that a string, a text in `metadata` under the parameter's name is
    its argument (SVAMP: `metadata["expression"]` for `calculate(expression)`).
    """
    if calls := example.metadata.get("calls"):
        return tuple(
            ToolCall(call["name"], call.get("arguments", {}), f"call_{at}") for at, call in enumerate(calls, 1)
        )
    if len(tools) != 1:
        return ()
    parameters = tools[0].spec.parameters.get("properties", {})
    [name, schema] = next(iter(parameters.items())) if len(parameters) == 1 else ("", {})
    argument = example.metadata.get(name) if schema.get("type") == "string" else None
    return (ToolCall(tools[0].spec.name, {name: argument}, "call_1"),) if isinstance(argument, str) else ()


def worked_conversation(
    example: Example, tools: Sequence[Tool], opening: Sequence[Message] = ()
) -> tuple[Message, ...]:
    """Return the example as turns, its gold calls really made one after the other; `()` if one of them fails.

    Without calls it is a direct answer. `opening` stands in place of the bare question.
    """
    turns = list(opening or question(example.input, show_tools=False))
    for call in gold_calls(example, tools):
        result = run_call(call, tools)
        if result.startswith("error:"):
            return ()
        turns += [Message("assistant", "", (call,)), Message("tool", result, tool_call_id=call.id)]
    return (*turns, Message("assistant", example.target))


def answer_call(example: Example) -> ToolCall | None:
    """Return the call that is this example's answer, `{"name": ..., "arguments": {...}}`; `None` if it is none."""
    try:
        plain = json.loads(example.target)
    except ValueError:
        return None
    if not isinstance(plain, dict) or not isinstance(plain.get("arguments"), dict):
        return None
    return ToolCall(str(plain.get("name")), plain["arguments"], "call_1")


def tokens_for_calls(examples: Sequence[Example], ctx: Context) -> int:
    """Return how many tokens one turn may take: enough for answers and gold calls; see `Context.answer_tokens`."""
    calls = [_turn_text(call) for example in examples for call in gold_calls(example, ctx.task.tools)]
    return max(ctx.answer_tokens(examples), ctx.answer_tokens(calls))


def _turn_text(call: ToolCall) -> str:
    """A call about as a model writes it, with the tags that most templates put around it."""
    return f"<tool_call>\n{call_json(call)}\n</tool_call>"


def call_json(call: ToolCall) -> str:
    """Write a call as the JSON object that is compared with a target."""
    return json.dumps({"name": call.name, "arguments": dict(call.arguments)}, ensure_ascii=False)


# --- real conversations ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a conversation: requests to the model, tokens each, and whether a result is already the answer."""

    max_turns: int = 4
    max_tokens: int = 96
    answer_with_result: bool = False


@dataclass(slots=True)
class _Conversation:
    messages: tuple[Message, ...]
    usage: Usage = field(default_factory=Usage)
    calls: list[dict[str, Any]] = field(default_factory=list)
    answer: str | None = None
    latest: str = ""
    cut: bool = False


def run_call(call: ToolCall, tools: Sequence[Tool]) -> str:
    """Return the tool's result, or `error: ...` for the model to read: an unknown tool, bad arguments, a crash.

    Raises:
        CallFailed: the tool itself could not be reached, which says nothing about the answer.
    """
    if wrong := validate_tool_call(call, [tool.spec for tool in tools]):
        return f"error: {wrong}"
    tool = next(tool for tool in tools if tool.spec.name == call.name)
    try:
        return tool.call(call.arguments)
    except AdvisorError:
        raise
    except Exception as error:  # a tool is the user's code: whatever it raises goes back to the model
        return f"error: {error}"


def converse(model: Model, openings: Sequence[tuple[Message, ...]], task: Task, limits: Limits) -> list[Prediction]:
    """Run all conversations side by side, one batch of requests a turn, until each has an answer.

    A turn without a call is the answer. At the limit the last text counts, or else the last result. The trace holds
    every call with its result.

    Raises:
        CallFailed: a request failed.
    """
    conversations = [_Conversation(opening) for opening in openings]
    specs = tuple(tool.spec for tool in task.tools)
    for turn in range(1, limits.max_turns + 1):
        waiting = [conversation for conversation in conversations if conversation.answer is None]
        if not waiting:
            break
        requests = [Request(c.messages, max_tokens=limits.max_tokens, tools=specs) for c in waiting]
        for conversation, completion in zip(waiting, model.generate(requests), strict=True):
            _advance(conversation, completion, task.tools, turn)
            result = conversation.calls[-1]["result"] if conversation.calls else "error: no call"
            if limits.answer_with_result and conversation.answer is None and not result.startswith("error:"):
                conversation.answer = result
    return [
        Prediction(tidy(c.latest if c.answer is None else c.answer, task), c.usage, {"calls": c.calls}, c.cut)
        for c in conversations
    ]


def _advance(conversation: _Conversation, completion: Completion, tools: Sequence[Tool], turn: int) -> None:
    text = completion.text
    conversation.usage += completion.usage
    conversation.cut |= completion.finish_reason == "length"
    if not completion.tool_calls:
        conversation.answer = text
        return
    calls = tuple(
        ToolCall(call.name, call.arguments, call.id or f"call_{turn}_{at}")
        for at, call in enumerate(completion.tool_calls, 1)
    )
    results = [run_call(call, tools) for call in calls]
    replies = [Message("tool", result, tool_call_id=call.id) for call, result in zip(calls, results, strict=True)]
    conversation.messages = (*conversation.messages, Message("assistant", text, calls), *replies)
    conversation.calls += [
        {"name": call.name, "arguments": dict(call.arguments), "result": result}
        for call, result in zip(calls, results, strict=True)
    ]
    conversation.latest = text.strip() or results[-1]


# --- where the answer is the call ------------------------------------------------------------------------------------


def answer_with_calls(
    model: Model, inputs: Sequence[Input], openings: Sequence[tuple[Message, ...]], task: Task, max_tokens: int
) -> list[Prediction]:
    """Ask once for a call of one of the input's own tools; the call, as JSON, is the answer and nothing is run.

    A model that writes no call has its text taken as it is.

    Raises:
        CallFailed: a request failed.
    """
    requests = [
        Request(opening, max_tokens=max_tokens, tools=tools, tool_choice="required" if tools else "auto")
        for opening, tools in zip(openings, map(own_tools, inputs), strict=True)
    ]
    return [
        Prediction(
            call_json(calls[0]) if (calls := done.tool_calls) else tidy(done.text, task),
            done.usage,
            cut=done.finish_reason == "length",
        )
        for done in model.generate(requests)
    ]


def own_tools(input: Input) -> tuple[ToolSpec, ...]:
    """Return the tool schemas that the input carries."""
    return input.tools if isinstance(input, Chat) else ()
