"""The changed conditions that act on requests: answers held to a form, demonstrations in another order, sampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from advisor.core.fingerprints import digest
from advisor.core.model import Request
from advisor.core.types import Message, Task
from advisor.runs.interception import Change

TEMPERATURE = 0.7


def constrained(task: Task) -> Change | None:
    """Hold every answer to the task's labels or schema while it is written; `None` where the task has neither.

    Requests that carry tools, or are held to a form already, are left alone.
    """
    if not task.labels and task.schema is None:
        return None

    def change(request: Request) -> Request:
        if request.tools or request.choices or request.schema is not None:
            return request
        return replace(request, choices=task.labels) if task.labels else replace(request, schema=task.schema)

    return change


def order(seed: int) -> Change:
    """Shuffle the demonstrations: the turns between the system turn and the last user turn, in whole exchanges.

    An exchange is a user turn with all that follows it up to the next one (answers, calls, results). The order depends
    on the seed and on how many there are, so that questions behind the same demonstrations still share a prefix. Two
    or more are always put into another order than their own.
    """

    def change(request: Request) -> Request:
        before, exchanges, after = _parts(request.messages)
        if len(exchanges) < 2:
            return request
        shuffled = [turn for at in _another_order(len(exchanges), seed) for turn in exchanges[at]]
        return replace(request, messages=(*before, *shuffled, *after))

    return change


def sampling(seed: int) -> Change:
    """Ask with temperature 0.7, each request with a seed of its own that is read off its content."""

    def change(request: Request) -> Request:
        own = int(digest([seed, request.messages])[:8], 16) % 2**31
        return replace(request, temperature=TEMPERATURE, seed=own)

    return change


def _parts(messages: Sequence[Message]) -> tuple[Sequence[Message], list[list[Message]], Sequence[Message]]:
    """Cut a conversation into what stands before the demonstrations, these, and the question with what follows it."""
    users = [at for at, message in enumerate(messages) if message.role == "user"]
    if len(users) < 2:
        return messages, [], ()
    cuts = list(pairwise(users))
    return messages[: users[0]], [list(messages[start:end]) for start, end in cuts], messages[users[-1] :]


def _another_order(count: int, seed: int) -> list[int]:
    rng = np.random.default_rng([seed, count])
    own = list(range(count))
    while (drawn := [int(at) for at in rng.permutation(count)]) == own:
        pass
    return drawn
