"""What the tests of the runner share: one strategy, one model, and what they are run with."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

from advisor.core import metrics
from advisor.core.model import Completion, Request
from advisor.core.types import EvalSet, Task
from advisor.models.scripted import ScriptedModel
from advisor.runs.runner import RunContext
from advisor.runs.store import Store
from advisor.testing import toy_task

ASKS = """
    from advisor.core.model import Request
    from advisor.core.types import Message, Prediction

    class Asks:
        name = "asks"
        stochastic = False
        def fit(self, train, ctx):
            self.model = ctx.model
        def predict(self, inputs):
            done = self.model.generate([Request((Message("user", str(i)),)) for i in inputs])
            return [c.text for c in done]
"""


class Log:
    """A scripted answer that counts how often it was really asked; it may be interrupted after so many answers."""

    def __init__(self, fails: str = "\0", interrupted_after: int | None = None) -> None:
        self.asked: list[str] = []
        self.fails = fails
        self.interrupted_after = interrupted_after

    def __call__(self, request: Request) -> str | Completion:
        text = request.messages[-1].content
        if len(self.asked) == self.interrupted_after:
            raise KeyboardInterrupt
        self.asked.append(text)
        if self.fails in text:
            return Completion(error="timed out", finish_reason="error")
        return next(label for label, words in toy_task.KEYWORDS.items() if any(word in text for word in words))


def context(tmp_path: Path, answers: Any = None, evalset: EvalSet | None = None, **options: Any) -> RunContext:
    chosen = evalset or toy_task.toy_evalset()
    return RunContext(
        evalset=chosen,
        model=ScriptedModel(answers or Log()),
        metric=metrics.for_task(chosen.metric, Task.of(chosen), chosen.origin),
        store=Store(tmp_path / "s.sqlite"),
        embed=toy_task.embed,
        workdir=tmp_path / "work",
        **options,
    )


def written(tmp_path: Path, source: str) -> str:
    path = tmp_path / "mine.py"
    path.write_text(dedent(source), encoding="utf-8")
    class_name = source.split("class ")[1].split(":")[0].split("(")[0]
    return f"{path}:{class_name}"
