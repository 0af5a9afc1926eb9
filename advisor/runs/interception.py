"""The model as strategies get it, with a switch: during a run it passes through, during a probe it changes requests.

A probe asks the very strategy that was fitted, so that it works for a custom strategy exactly as for a built-in one:
what is changed is what reaches the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from advisor.core.model import Completion, Model, Request, Trainer, TuningJob, TuningReport, forget, trainer_of
from advisor.core.tokens import context_tokens, count_tokens
from advisor.core.types import Message

Change = Callable[[Request], Request]

Shape = tuple[tuple[str, ...], str]
"""How a conversation begins: the roles of its turns, and the text of its system turn."""


class _HeardError(BaseException):
    """Enough was heard; no strategy can take it for an error of its own."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """One `tune` call of a strategy: what was asked for, and the model that came out (behind the same switch)."""

    job: TuningJob
    model: Model


@dataclass(slots=True)
class Switch:
    """What one strategy's models share.

    Attributes:
        change: what happens to every request now; `None` passes it through.
        changed: how many requests came out different since `changing` was entered.
        tunings: every model that was tuned, in order; of those that may go on only the last, since each is large.
        asked: how the conversations that reached a tuned model began, before any change.
        listens: whether requests to a tuned model are only looked at; see `listening`.
    """

    change: Change | None = None
    changed: int = 0
    tunings: list[Tuning] = field(default_factory=list)
    asked: set[Shape] = field(default_factory=set)
    listens: bool = False

    @contextmanager
    def changing(self, change: Change | None) -> Iterator[None]:
        """Change every request for as long as this lasts."""
        self.change, self.changed = change, 0
        try:
            yield
        finally:
            self.change = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """End the block with the first requests that reach a tuned model, once it is seen how they begin; none is sent.

        What a strategy asks before that is asked.
        """
        self.listens = True
        try:
            with suppress(_HeardError):
                yield
        finally:
            self.listens = False

    def pass_on(self, request: Request) -> Request:
        """Return the request as it is to be asked now."""
        if self.change is None:
            return request
        other = self.change(request)
        self.changed += other != request
        return other


class SwitchableModel:
    """Behaves as the model it wraps, but for what the switch changes; the models tuned from it have the same switch."""

    def __init__(self, model: Model, switch: Switch, *, tuned: bool = False) -> None:
        self._model, self._switch, self._tuned = model, switch, tuned
        self.name = model.name
        self.fingerprint = model.fingerprint

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """Answer every request, in order, changed as the switch says."""
        if self._tuned:
            self._switch.asked |= {shape for request in requests if (shape := opening(request.messages))}
            if self._switch.listens:
                raise _HeardError
        return self._model.generate([self._switch.pass_on(request) for request in requests])

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text takes for the model."""
        return count_tokens(self._model, texts)

    @property
    def context_tokens(self) -> int | None:
        """How many tokens a prompt and its answer may take together; `None` where the model does not say."""
        return context_tokens(self._model)

    @property
    def trainer(self) -> Trainer:
        """Who trains the model."""
        return trainer_of(self._model)

    def forget(self) -> None:
        """Have the model forget, where it can."""
        forget(self._model)

    def tune(self, job: TuningJob) -> tuple[Model, TuningReport]:
        """Train, and remember what was asked for and what came out."""
        tuned, report = self._model.tune(job)
        model = SwitchableModel(tuned, self._switch, tuned=True)
        if self._switch.tunings and self._switch.tunings[-1].job.states is not None:
            self._switch.tunings.pop()
        self._switch.tunings.append(Tuning(job, model))
        return model, report


def opening(messages: Sequence[Message]) -> Shape | None:
    """Return how a conversation begins, where its last turn is the user's; `None` in the middle of one."""
    roles = tuple(message.role for message in messages)
    if not roles or roles[-1] != "user":
        return None
    return roles, messages[0].content if roles[0] == "system" else ""
