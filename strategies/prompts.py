"""How a question is put to a model: the instruction first, demonstrations as turns of their own, the question last.

The order is the cheapest one (all questions share the longest possible prefix, which engines and providers cache), and
separate turns are what small models need: the same calculator examples scored 0.00 inside one user turn and 0.90 as
turns (a pilot with the embedded model, 60 questions).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from advisor import Completion, Document, Example, Input, Message, Prediction, Request, Task, render_tool_specs

from .labels import FEW

MOST_LISTED_TOKENS = 600


def task_messages(
    task: Task,
    input: Input,
    demonstrations: Sequence[Message] = (),
    context: Sequence[Document] = (),
    *,
    labels: Sequence[str] | None = None,
    show_tools: bool = True,
    instruction: str | None = None,
) -> tuple[Message, ...]:
    """Return the whole conversation for one question.

    Args:
        task: gives the instruction, the allowed labels and the schema for the system message.
        input: the question.
        demonstrations: turns from `demonstration`, put between the instruction and the question.
        context: passages to stand before the question.
        labels: the allowed answers to name; by default all of up to 30, and none of more. `LabelLists` finds out which.
        show_tools: write the schemas of the input's own tools into the question (not where the request carries them).
        instruction: in place of the task's own.
    """
    asked = task if instruction is None else replace(task, instruction=instruction)
    system = "\n\n".join(part for part in (_instruction(asked, labels), _own_system(input, task)) if part)
    opening = (Message("system", system),) if system else ()
    return (*opening, *demonstrations, *question(input, context, show_tools=show_tools))


def question(input: Input, context: Sequence[Document] = (), *, show_tools: bool = True) -> tuple[Message, ...]:
    """Return the turns of one input: passages and the schemas of its own tools stand before its last user turn."""
    before = [f"Passage: {passage_text(document)}" for document in context]
    if isinstance(input, str):
        return (Message("user", "\n\n".join([*before, f"Question: {input}" if before else input])),)
    if input.tools and show_tools:
        before.insert(0, f"Functions:\n{render_tool_specs(input.tools)}")
    turns = [message for message in input.messages if message.role != "system"]
    last = max((at for at, message in enumerate(turns) if message.role == "user"), default=None)
    if before and last is not None:
        turns[last] = replace(turns[last], content="\n\n".join([*before, f"Question: {turns[last].content}"]))
    return tuple(turns)


def demonstration(example: Example, context: Sequence[Document] = ()) -> tuple[Message, ...]:
    """Return a worked example as chat turns that end with its answer."""
    return (*question(example.input, context), Message("assistant", example.target))


def passage_text(document: Document) -> str:
    """Return `title: text`, without the title where the text already begins with it."""
    return document.text if document.text.startswith(document.title) else f"{document.title}: {document.text}"


def clip(document: Document, max_words: int) -> Document:
    """Return the document cut to its first `max_words` words (white space between them becomes single spaces)."""
    return replace(document, text=" ".join(document.text.split()[:max_words]))


def _instruction(task: Task, labels: Sequence[str] | None) -> str:
    parts = [task.instruction] if task.instruction else []
    if labels is None:
        labels = task.labels if len(task.labels) <= FEW else ()
    if labels:
        parts.append(f"Allowed answers: {', '.join(labels)}")
    schema = json.dumps(dict(task.schema), ensure_ascii=False) if task.schema else ""
    if schema and _tokens(schema) <= MOST_LISTED_TOKENS:
        parts.append(f"JSON schema of the answer: {schema}")
    return "\n".join(parts)


def _own_system(input: Input, task: Task) -> str:
    """The input's own system message, unless it only repeats the instruction."""
    if isinstance(input, str):
        return ""
    own = "\n".join(message.content for message in input.messages if message.role == "system")
    return "" if own.strip() == task.instruction.strip() else own


def _tokens(text: str) -> int:
    """Tokens of `text`, estimated high: three characters each (underscored names and JSON split finely)."""
    return len(text) // 3


def request_for(task: Task, messages: tuple[Message, ...], max_tokens: int, *, constrained: bool = False) -> Request:
    """Return a greedy request; `constrained` holds the answer to the task's labels or schema while it is written."""
    choices: tuple[str, ...] = task.labels if constrained else ()
    schema = task.schema if constrained and not choices else None
    ends = ("\n",) if task.labels else ()  # what `tidy` leaves off
    return Request(messages, max_tokens=max_tokens, choices=choices, schema=schema, enough_at=ends)


def tidy(text: str, task: Task) -> str:
    """Return the answer without white space around it; for label tasks its first line only."""
    stripped = text.strip()
    return stripped.splitlines()[0].strip() if task.labels and stripped else stripped


def predictions_of(
    completions: Sequence[Completion], task: Task, traces: Sequence[dict[str, Any]] | None = None
) -> list[Prediction]:
    """Turn completions into predictions, in order.

    Raises:
        CallFailed: one of them failed; the runner finds out which examples it concerns.
    """
    found = traces or [{} for _ in completions]
    return [
        Prediction(tidy(completion.text, task), completion.usage, trace, cut=completion.finish_reason == "length")
        for completion, trace in zip(completions, found, strict=True)
    ]
