"""Whole answers: one that was cut off is asked for again with more room, and thinking has a room of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from advisor.core.model import Completion, CountsTokens, Model, Request
from advisor.core.thinking import split_thinking
from advisor.core.tokens import context_tokens, count_tokens

MORE = 4
"""How many times as much room a cut answer gets when it is asked for again."""
THINKING_TOKENS = 4096
"""Room for thinking beside that for the answer, once a model was seen to think; more where it was seen to need it."""


AskBatch = Callable[[Sequence[Request], bool], list[Completion]]
"""Asks a batch; the second argument says that these are asked again."""


@dataclass(slots=True)
class AnswerRoom:
    """How much room the answers of one model have; it learns whether, and how long, the model thinks.

    Attributes:
        keeps_thinking: thinking is part of what is wanted, so that it stays in the answer.
        most: the most tokens that an answer may take, where the user says so.
        thinking: tokens of room for thinking; 0 until it is seen.
    """

    keeps_thinking: bool = False
    most: int | None = None
    thinking: int = 0

    def sent(self, request: Request) -> Request:
        """Return a request as it is sent: with the room for thinking."""
        return replace(request, max_tokens=request.max_tokens + self.thinking) if self.thinking else request

    def answered(self, done: Completion, model: Model) -> Completion:
        """Return a completion as strategies get it, thinking apart; what it shows of thinking is learned.

        One whose thinking never ended is cut, and has no answer.
        """
        if done.error:
            return done
        done = self._apart(done)
        [seen] = count_tokens(model, [done.thinking])
        thought = max(seen, done.thinking_tokens)
        if not thought and _is_empty(done) and not isinstance(model, CountsTokens):  # used up by what it does not show
            thought = max(1, int(done.usage.output_tokens))
        if thought:
            self.thinking = max(self.thinking, THINKING_TOKENS, 2 * thought)
        return done

    def again(self, request: Request, done: Completion, model: Model) -> Request | None:
        """Return what to ask in place of a request whose answer was cut; `None` where no more room can be given."""
        if done.finish_reason != "length" or request.may_be_cut:
            return None
        room = MORE * request.max_tokens
        if self.most is not None:
            room = max(request.max_tokens, min(room, self.most))
        limit = context_tokens(model)
        if limit is not None:
            left = limit - int(done.usage.input_tokens)
            if done.usage.output_tokens >= left:
                return None
            room = min(room, left)
        thought_only = bool(self.thinking) and _is_empty(done)
        return replace(request, max_tokens=room) if room > request.max_tokens or thought_only else None

    def _apart(self, done: Completion) -> Completion:
        if self.keeps_thinking:
            return replace(done, content=done.thinking + done.content, thinking="")
        if done.thinking:
            return done
        thinking, answer, is_whole = split_thinking(done.content)
        reason = done.finish_reason if is_whole else "length"
        return replace(done, content=answer, thinking=thinking, finish_reason=reason) if thinking else done


def whole_answers(requests: Sequence[Request], ask: AskBatch, room: AnswerRoom, model: Model) -> list[Completion]:
    """Ask, and ask again once for what was cut; a completion carries the usage of both calls.

    What is still cut keeps `finish_reason` ``length``, and is a failed call where it is empty.
    """
    asked = zip(requests, ask(requests, False), strict=True)
    answers = [_enough(request, room.answered(done, model)) for request, done in asked]
    todo = {
        at: other
        for at, (request, done) in enumerate(zip(requests, answers, strict=True))
        if (other := room.again(request, done, model)) is not None
    }
    for at, done in zip(todo, ask(list(todo.values()), True) if todo else (), strict=True):
        first, second = answers[at], _enough(requests[at], room.answered(done, model))
        kept = first if second.error and not _is_empty(first) else second
        answers[at] = replace(kept, usage=first.usage + second.usage)
    return [_failed(done) if _is_empty(done) else done for done in answers]


def _enough(request: Request, done: Completion) -> Completion:
    """Take an answer for whole that was cut behind all that counts of it."""
    begun = done.content.lstrip()
    whole = done.finish_reason == "length" and any(end in begun for end in request.enough_at)
    return replace(done, finish_reason="stop") if whole else done


def is_cut(done: Completion) -> bool:
    """Return whether an answer was cut off for want of room, the one that never began included."""
    return done.finish_reason == "length" or done.cause == "cut"


def cut_predictions(batches: Sequence[Sequence[bool]], inputs: int) -> list[bool] | None:
    """Tell which of `inputs` answers rest on a cut completion; `None` where that cannot be seen.

    It can be where no completion was cut, where every batch has one request an input, and where so many calls were made
    one after the other for each input in turn.

    Args:
        batches: for every call of `generate`, in order, whether each of its completions was cut.
        inputs: how many answers were asked for.
    """
    flags = [flag for batch in batches for flag in batch]
    if not any(flags):
        return [False] * inputs
    if all(len(batch) == inputs for batch in batches):
        return [any(batch[at] for batch in batches) for at in range(inputs)]
    each = len(flags) // inputs
    if len(flags) == inputs or (len(flags) == each * inputs and all(len(batch) == 1 for batch in batches)):
        return [any(flags[at * each : (at + 1) * each]) for at in range(inputs)]
    return None


def _is_empty(done: Completion) -> bool:
    return done.finish_reason == "length" and not done.content.strip() and not done.calls


def _failed(done: Completion) -> Completion:
    used = f"{int(done.usage.output_tokens):,} tokens in {int(done.usage.calls)} calls"
    return replace(
        done,
        content="",
        finish_reason="error",
        error=f"cut off before an answer began: {used} went into thinking, or into nothing that can be seen",
        cause="cut",
    )
