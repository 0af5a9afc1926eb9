"""From messages to token ids and back, with the model's own chat template.

Tools are shown to local models in the system turn, and called in plain text::

    <tool_call>{"name": "calculate", "arguments": {"expression": "3 * 4"}}</tool_call>

Small open models rarely have a tool template of their own; this one form serves training and answering alike, so that
what is trained is what is served.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from advisor.core.errors import ModelError
from advisor.core.model import TuningExample
from advisor.core.tools import parse_call, render_tool_specs
from advisor.core.types import Message, ToolCall, ToolSpec

CALL_OPEN, CALL_CLOSE = "<tool_call>", "</tool_call>"


def call_text(call: ToolCall) -> str:
    """Write a call the way the model is asked to write it."""
    body = json.dumps({"name": call.name, "arguments": dict(call.arguments)}, ensure_ascii=False)
    return f"{CALL_OPEN}{body}{CALL_CLOSE}"


def read_answer(text: str) -> tuple[str, tuple[ToolCall, ...]]:
    """Split what a model wrote into its text and the calls in it."""
    calls: list[ToolCall] = []
    rest = text
    while CALL_OPEN in rest:
        before, _, after = rest.partition(CALL_OPEN)
        body, _, tail = after.partition(CALL_CLOSE)
        call = parse_call(body)
        if call is None:
            break
        calls.append(replace(call, id=f"call_{len(calls) + 1}"))
        rest = before + tail
    return rest.strip(), tuple(calls)


class ChatFormat:
    """Renders conversations with one tokenizer's chat template.

    Some templates add a system turn of their own when there is none; an empty one is put in its place, so that a prompt
    holds what the strategy wrote and nothing else.
    """

    def __init__(self, tokenizer: Any) -> None:
        if not getattr(tokenizer, "chat_template", None):
            raise ModelError(
                "the model has no chat template, so its prompts cannot be written the way it was trained",
                hint="choose an instruction-tuned model, e.g. --model smollm2",
            )
        self.tokenizer = tokenizer
        probe = self._template([{"role": "user", "content": "x"}], generate=False)
        self._adds_system = "system" in probe

    def prompt(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> list[int]:
        """Return the token ids of a conversation that the model is to continue."""
        return self._encode(self._template(self._turns(messages, tools), generate=True))

    def training_pair(self, example: TuningExample) -> tuple[list[int], list[bool]]:
        """Return token ids and, for each, whether it is to be learned: what the assistant writes, with its end mark.

        The text is cut where serving cuts it and each piece is encoded by itself, so that training sees exactly the
        ids that generation will see.
        """
        turns = self._turns(example.messages, example.tools)
        ids: list[int] = []
        learned: list[bool] = []
        written = ""
        for position, turn in enumerate(turns):
            if turn["role"] != "assistant":
                continue
            before = self._template(turns[:position], generate=True)
            after = self._template(turns[: position + 1], generate=False)
            if not (before.startswith(written) and after.startswith(before)):
                raise ModelError("the chat template rewrites earlier turns, so completions cannot be told from prompts")
            for text, learn in ((before[len(written) :], False), (after[len(before) :].rstrip("\n"), True)):
                piece = self._encode(text)
                ids += piece
                learned += [learn] * len(piece)
            written = before + after[len(before) :].rstrip("\n")
        return ids, learned

    def serves_as_trained(self, example: TuningExample) -> bool:
        """Say whether, before each assistant turn, `training_pair` has the ids that `prompt` gives."""
        ids, learned = self.training_pair(example)
        starts = [at for at in range(len(ids)) if learned[at] and not (at and learned[at - 1])]
        answers = [at for at, message in enumerate(example.messages) if message.role == "assistant"]
        prompts = [self.prompt(example.messages[:at], example.tools) for at in answers]
        return len(starts) == len(prompts) and all(
            ids[:start] == prompt for start, prompt in zip(starts, prompts, strict=True)
        )

    def _turns(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> list[dict[str, str]]:
        turns = [{"role": message.role, "content": _content(message)} for message in messages]
        if tools:
            told = (
                f"You can call these tools:\n{render_tool_specs(tools)}\n"
                f'To call one, write {CALL_OPEN}{{"name": ..., "arguments": {{...}}}}{CALL_CLOSE} and nothing else.'
            )
            if turns and turns[0]["role"] == "system":
                turns[0]["content"] = f"{turns[0]['content']}\n{told}".strip()
            else:
                turns.insert(0, {"role": "system", "content": told})
        elif self._adds_system and (not turns or turns[0]["role"] != "system"):
            turns.insert(0, {"role": "system", "content": ""})
        return turns

    def _template(self, turns: list[dict[str, str]], *, generate: bool) -> str:
        text = self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=generate)
        return str(text)

    def _encode(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False))


def _content(message: Message) -> str:
    return message.content + "".join(call_text(call) for call in message.tool_calls)
