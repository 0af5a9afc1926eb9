"""Fine-tuning for tools: trained on conversations with the gold calls, then run with the tools."""

from __future__ import annotations

from collections.abc import Sequence

from advisor import ConfigurationError, Context, Example, Input, Message, Prediction, Task, TuningConfig, TuningExample

from .fine_tuning import bare
from .prompts import task_messages
from .recipe_search import Given, checked_budget, tune
from .tool_loop import (
    Limits,
    answer_call,
    answer_with_calls,
    converse,
    gold_calls,
    own_tools,
    tokens_for_calls,
    worked_conversation,
)


class FineTuningTools:
    """Fine-tuning + tools: trained to make the gold calls, then run in the loop of `function_calling` without examples.

    Args:
        epochs: passes over the training conversations at most; the one best on dev is kept. 0: as usual (3).
        rank: LoRA rank.
        learning_rate: peak of the schedule. 0: as usual for a model of this size.
        layers: how many of the top layers are adapted; 0 means all, the default.
        search: epochs that all recipes together may train (learning rate, epochs and depth, as in `fine_tuning`; what
            is given is not searched). 0: one recipe, the usual one for a model of this size.
        max_turns: the most requests to the model for one question.
        answer_with_result: take the first result as the answer and save the last request.
    """

    name = "fine_tuning_tools"
    kind = "fine_tuning"
    stochastic = True
    by_default = False

    def __init__(
        self,
        epochs: int = 0,
        rank: int = 16,
        learning_rate: float = 0.0,
        layers: int | None = None,
        search: int = 0,
        max_turns: int = 4,
        answer_with_result: bool = False,
    ) -> None:
        self.epochs, self.rank, self.learning_rate, self.layers = epochs, rank, learning_rate, layers
        self.search = checked_budget(self.name, search)
        self.max_turns, self.answer_with_result = max_turns, answer_with_result

    def applies(self, task: Task) -> str:
        """Return why not, where there is nothing to call."""
        return "" if task.tools or task.example_tools else "the task has no tools"

    def fit(self, train: Sequence[Example], ctx: Context) -> None:
        """Tune on worked conversations: question, calls, the tools' real results, answer.

        Raises:
            ConfigurationError: no training example carries a gold call.
        """
        self._task = ctx.task
        max_tokens = tokens_for_calls((*train, *ctx.dev), ctx)
        self._limits = Limits(self.max_turns, max_tokens, self.answer_with_result)
        known = answer_call if not ctx.task.tools else lambda example: gold_calls(example, ctx.task.tools)
        if not any(known(example) for example in train):
            raise ConfigurationError(
                f"fine_tuning_tools: none of the {len(train)} training examples carries a gold call",
                hint='put them in the metadata: {"calls": [{"name": "...", "arguments": {...}}]}',
            )
        given = Given(self.learning_rate or None, self.epochs or None, self.layers, instruction=False)
        config = TuningConfig(self.rank, seed=ctx.seed)
        rows, dev = self._rows(train), self._rows(ctx.dev)
        pool = [] if ctx.task.tools else self._rows(ctx.pool)  # tools are really run, so only for what is learned
        self._model, self.selection = tune(lambda instruction: (rows, dev, pool), given, config, ctx, self.search)

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Hold all conversations side by side with the tuned model; the trace has every call with its result."""
        openings = [self._opening(input) for input in inputs]
        if self._task.tools:
            return converse(self._model, openings, self._task, self._limits)
        return answer_with_calls(self._model, inputs, openings, self._task, self._limits.max_tokens)

    def _opening(self, input: Input) -> tuple[Message, ...]:
        return task_messages(bare(self._task), input, show_tools=False)

    def _rows(self, examples: Sequence[Example]) -> list[TuningExample]:
        """Worked conversations as training rows, without those whose gold calls fail or whose answer is no call."""
        tools = self._task.tools
        if tools:
            specs = tuple(tool.spec for tool in tools)
            worked = [worked_conversation(example, tools, self._opening(example.input)) for example in examples]
            return [TuningExample(turns, specs) for turns in worked if turns]
        return [
            TuningExample((*self._opening(e.input), Message("assistant", "", (call,))), own_tools(e.input))
            for e in examples
            if (call := answer_call(e))
        ]
