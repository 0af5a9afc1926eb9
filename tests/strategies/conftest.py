"""A recording model and contexts for the strategy tests; the data is the toy task that `check_strategy` uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from advisor.core import registry
from advisor.core.strategy import Context
from advisor.core.types import EvalSet, Task
from advisor.models.scripted import ScriptedModel
from advisor.testing.toy_task import embed, toy_evalset
from tests.strategies.recording import MakeContext, MakeRecorder, MakeStrategy, Recorder, by_keyword


@pytest.fixture
def recorder() -> MakeRecorder:
    """Make a recorder around a scripted model; by default it answers by keyword."""

    def make(answers: Any = by_keyword) -> Recorder:
        return Recorder(ScriptedModel(answers=answers))

    return make


@pytest.fixture
def context(tmp_path: Path) -> MakeContext:
    """Make a context for an eval set (by default the plain toy task)."""

    def make(model: Any, evalset: EvalSet | None = None, **changes: Any) -> Context:
        evalset = evalset or toy_evalset()
        metric = registry.make("metrics", evalset.metric)
        parts = {"seed": 0, "workdir": tmp_path, "task": Task.of(evalset), "dev": evalset.dev, "embed": embed}
        return Context(model=model, metric=metric, **{**parts, **changes})

    return make


@pytest.fixture
def strategy() -> MakeStrategy:
    """Make a built-in the way users do: by its specification."""
    return lambda spec: registry.make("strategies", spec)
