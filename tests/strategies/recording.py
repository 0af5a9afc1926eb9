"""A model that remembers what it was asked, and how the tests of strategies make one, a context and a strategy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from advisor.core.model import Completion, Model, Request, TuningJob, TuningReport
from advisor.core.strategy import Context
from advisor.testing.toy_task import KEYWORDS


def by_keyword(request: Request) -> str:
    """Answer the last turn by its keywords, as a model that knows the task would."""
    asked = request.messages[-1].content.lower()
    return next((label for label, words in KEYWORDS.items() if any(word in asked for word in words)), "other")


@dataclass
class Recorder:
    """A model that remembers what it was asked and what it was tuned on, and answers as the one it wraps."""

    model: Model
    name: str = "recorder"
    fingerprint: str = "recorder"
    requests: list[Request] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    jobs: list[TuningJob] = field(default_factory=list)
    context_tokens: int | None = None

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        self.requests += requests
        self.batches.append(len(requests))
        return self.model.generate(requests)

    def tune(self, job: TuningJob) -> tuple[Model, TuningReport]:
        self.jobs.append(job)
        return self, TuningReport(2.0, 100, (2.0, 1.0), (2.1, 1.2), (0.1, 0.6), 2, "8 of 30")


MakeRecorder = Callable[..., Recorder]
MakeContext = Callable[..., Context]
MakeStrategy = Callable[[str], Any]
