"""Function calling: the model asks for a tool, reads its result, and answers; nothing is trained.

The loop is that of ReAct (Yao et al. 2022, arXiv 2210.03629) with the model's native calls in place of its text form.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from advisor import Context, Example, Input, Message, Prediction, Task

from .demonstrations import varied
from .prompts import question, task_messages
from .tool_loop import (
    Limits,
    answer_call,
    answer_with_calls,
    converse,
    gold_calls,
    tokens_for_calls,
    worked_conversation,
)


class FunctionCalling:
    """Function calling: the task's tools, a few worked conversations, several turns.

    Where every input carries tools of its own (schemas only, as in BFCL), the answer is the call itself.

    Args:
        shots: worked conversations from training examples with gold calls (`metadata["calls"]`, or derived: see
            `gold_calls`), the tools really called; examples that need no call are mixed in as direct answers.
        max_turns: the most requests to the model for one question.
        answer_with_result: take the first result as the answer and save the last request.
    """

    name = "function_calling"
    kind = "tools"
    stochastic = False
    learns = False  # a handful of worked conversations is all it shows, however many examples there are

    def __init__(self, shots: int = 4, max_turns: int = 4, answer_with_result: bool = False) -> None:
        self.shots, self.max_turns, self.answer_with_result = shots, max_turns, answer_with_result

    def applies(self, task: Task) -> str:
        """Return why not, where there is nothing to call."""
        return "" if task.tools or task.example_tools else "the task has no tools"

    def fit(self, train: Sequence[Example], ctx: Context) -> None:
        """Draw the worked conversations, as varied in the tools they call as possible."""
        self._task, self._model = ctx.task, ctx.model
        known = (*train, *ctx.dev)
        self._limits = Limits(self.max_turns, tokens_for_calls(known, ctx), self.answer_with_result)
        worked = _worked_with_tools(train, ctx.task) if ctx.task.tools else _worked_answers(train)
        pool = [example for example in train if example.id in worked]
        drawn = varied(pool, self.shots, np.random.default_rng(ctx.seed), lambda e: _called(worked[e.id]))
        self._demonstrations = [turn for example in drawn for turn in worked[example.id]]
        self.selection: dict[str, Any] = {"demonstrations": [example.id for example in drawn]}

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Hold all conversations side by side; the trace has every call with its result."""
        openings = [task_messages(self._task, input, self._demonstrations, show_tools=False) for input in inputs]
        if self._task.tools:
            return converse(self._model, openings, self._task, self._limits)
        return answer_with_calls(self._model, inputs, openings, self._task, self._limits.max_tokens)


def _worked_with_tools(train: Sequence[Example], task: Task) -> dict[str, tuple[Message, ...]]:
    """All worked conversations by example id; none where no example has a call (they would teach not to call)."""
    if not any(gold_calls(example, task.tools) for example in train):
        return {}
    found = {example.id: worked_conversation(example, task.tools) for example in train}
    return {name: turns for name, turns in found.items() if turns}


def _worked_answers(train: Sequence[Example]) -> dict[str, tuple[Message, ...]]:
    """Examples whose answer is a call, with their own schemas in the question (a request holds only its own tools).

    The shorter half only: schemas are long, and every question pays for them. A call must be followed by a result in
    the chat protocols, so it gets one that says nothing.
    """
    found = {
        example.id: (*question(example.input), Message("assistant", "", (call,)), Message("tool", "ok", (), call.id))
        for example in train
        if (call := answer_call(example))
    }
    shortest = sorted(found, key=lambda name: len(found[name][0].content))
    return {name: found[name] for name in shortest[: (len(shortest) + 1) // 2]}


def _called(turns: Sequence[Message]) -> Hashable:
    return tuple(call.name for turn in turns for call in turn.tool_calls)
