"""What a server was found not to understand, and how much room it says there is, read off its refusals."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from advisor.core.types import JSONObject

_ADAPTABLE = ("max_tokens", "temperature", "seed", "stop", "response_format", "tool_choice")
_UNSUPPORTED = re.compile(
    r"unsupported|not (?:be )?support|(?:does not|doesn't) support|unrecogni[sz]ed|unknown|"
    r"not permitted|not allowed|extra[ _]"
)
_SPEAKS_OF_ROOM = re.compile(r"max_(?:completion_|output_|new_)?tokens")
_LEAST = re.compile(r"(?i)(?:>=|at least|greater than or equal to|minimum (?:value )?(?:is|of)) *(\d{1,9})")
_MOST = re.compile(r"(?i)supports at most (\d{1,9}) (?:completion|output)|(?:<=|less than or equal to) *(\d{1,9})")
_MOST_LEAST = 1024
"""A server that wants more room for every answer than this is not understood."""
_FULL = re.compile(r"(?i)could not finish the message because max_tokens|model output limit was reached")
_CONTEXT = re.compile(r"(?i)maximum context length is (\d+) tokens")
_PROMPT = re.compile(r"(?i)(\d+) (?:in the messages|in your prompt|in the prompt|input tokens|in the input)")
_WITHOUT = {
    "temperature": "it answers with its own temperature, so answers vary from call to call",
    "seed": "it takes no seed, so sampled answers cannot be repeated",
    "stop": "stop texts are cut off here and their tokens are paid for",
    "response_format": "it does not hold answers to a JSON schema or to a list of choices",
    "tool_choice": "it cannot be made to call a tool",
}


@dataclass(slots=True)
class Dialect:
    """What an endpoint was found not to understand; learned from its 400 answers and remembered."""

    token_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    dropped: set[str] = field(default_factory=set)
    least_tokens: int = 1
    most_tokens: int | None = None

    def adapt(self, sent: JSONObject, param: object, message: str) -> bool:
        """Learn from a refusal; return whether sending again makes sense.

        Args:
            sent: the body that was refused.
            param: the field the server names as wrong, if it names one.
            message: what it says.
        """
        if self._adapt_room(sent, message):
            return True
        if not _UNSUPPORTED.search(message.lower()):
            return False
        named = [param] if param in _ADAPTABLE else _ADAPTABLE
        wrong = next((name for name in named if name in sent and re.search(rf"\b{name}\b", f"{param} {message}")), None)
        if wrong == "max_tokens":
            self.token_field = "max_completion_tokens"
        elif wrong is not None:
            self.dropped.add(str(wrong))
        return wrong is not None

    def room(self, wanted: int) -> int:
        """Return how many tokens to ask for where `wanted` are."""
        room = max(self.least_tokens, wanted)
        return room if self.most_tokens is None else min(room, self.most_tokens)

    def _adapt_room(self, sent: JSONObject, message: str) -> bool:
        """Learn how many tokens an answer must, or may, be given at all."""
        asked = sent.get(self.token_field)
        if not isinstance(asked, int) or not _SPEAKS_OF_ROOM.search(message):
            return False
        if (least := _LEAST.search(message)) and asked < int(least[1]) <= _MOST_LEAST:
            self.least_tokens = int(least[1])
            return True
        if (most := _MOST.search(message)) and 0 < int(most[1] or most[2]) < asked:
            self.most_tokens = int(most[1] or most[2])
            return True
        return False

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of results should know of it."""
        return tuple(_WITHOUT[name] for name in sorted(self.dropped))


def is_full(said: str) -> bool:
    """Return whether a refusal says that the answer was begun, and cut off for want of room."""
    return _FULL.search(said) is not None


def room_left(said: str, wanted: int) -> int | None:
    """Return how many tokens the context leaves for the answer, where a refusal of `wanted` says so; else `None`."""
    context, prompt = _CONTEXT.search(said), _PROMPT.search(said)
    left = int(context[1]) - int(prompt[1]) if context and prompt else 0
    return left if 0 < left < wanted else None
