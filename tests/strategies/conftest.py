"""A recording model and contexts for the strategy tests; the data is the toy task that `check_strategy` uses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from advisor.core import registry
from advisor.core.model import Completion, Model, Request, TuningJob, TuningReport
from advisor.core.strategy import Context
from advisor.core.types import EvalSet, Task
from advisor.models.scripted import ScriptedModel
from advisor.testing.toy_task import KEYWORDS, embed, toy_evalset


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

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        self.requests += requests
        self.batches.append(len(requests))
        return self.model.generate(requests)

    def tune(self, job: TuningJob) -> tuple[Model, TuningReport]:
        self.jobs.append(job)
        return self, TuningReport(2.0, 100, (2.0, 1.0), (2.1, 1.2), (0.1, 0.6), 2, "8 of 30")


@pytest.fixture
def recorder() -> Callable[..., Recorder]:
    """Make a recorder around a scripted model; by default it answers by keyword."""

    def make(answers: Any = by_keyword) -> Recorder:
        return Recorder(ScriptedModel(answers=answers))

    return make


@pytest.fixture
def context(tmp_path: Path) -> Callable[..., Context]:
    """Make a context for an eval set (by default the plain toy task)."""

    def make(model: Any, evalset: EvalSet | None = None, **changes: Any) -> Context:
        evalset = evalset or toy_evalset()
        metric = registry.make("metrics", evalset.metric)
        parts = {"seed": 0, "workdir": tmp_path, "task": Task.of(evalset), "dev": evalset.dev, "embed": embed}
        return Context(model=model, metric=metric, **{**parts, **changes})

    return make


@pytest.fixture
def strategy() -> Callable[..., Any]:
    """Make a built-in the way users do: by its specification."""
    return lambda spec: registry.make("strategies", spec)
