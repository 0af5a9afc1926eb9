"""The checks that look into a local model: the tokens of training and serving, and ten rows learned by heart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from advisor.core import metrics
from advisor.core.model import TuningExample
from advisor.core.types import Message, Task, ToolCall, ToolSpec
from advisor.runs.probes import ProbePlan, Subject, run_probes
from advisor.runs.runner import RunContext, run_strategy
from advisor.runs.store import Store
from advisor.testing import toy_task

if TYPE_CHECKING:
    from advisor.models.local.model import LocalModel

pytestmark = pytest.mark.weights

ASKED, ANSWER = Message("user", "Where is my parcel?"), Message("assistant", "delivery")
CALL = (Message("assistant", "", (ToolCall("find", {"word": "parcel"}, "1"),)), Message("tool", "7", (), "1"))


@pytest.mark.parametrize("messages", [
    (ASKED, ANSWER),
    (Message("system", "Be brief."), ASKED, ANSWER),
    (ASKED, ANSWER, ASKED, ANSWER),
    (ASKED, *CALL, ANSWER),
])  # fmt: skip
def test_training_and_serving_have_the_same_tokens(local_model: LocalModel, messages: tuple[Message, ...]) -> None:
    tools = (ToolSpec("find", "Find a word.", {"type": "object", "properties": {"word": {"type": "string"}}}),)
    assert local_model.serves_as_trained(TuningExample(messages))
    assert local_model.serves_as_trained(TuningExample(messages, tools))


def test_another_template_when_serving_is_seen(local_model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = local_model.chat.prompt
    monkeypatch.setattr(local_model.chat, "prompt", lambda messages, tools=(): plain(messages, tools)[:-1])
    assert not local_model.serves_as_trained(TuningExample((ASKED, ANSWER)))


@pytest.mark.slow
def test_a_real_tune_learns_ten_rows_by_heart(local_model: LocalModel, tmp_path: Path) -> None:
    evalset = replace(toy_task.toy_evalset(), dev=(), test=toy_task.toy_evalset().test[:6])
    metric = metrics.for_task(evalset.metric, Task.of(evalset))
    context = RunContext(evalset, local_model, metric, Store(tmp_path / "s"),
                  toy_task.embed, tmp_path, kept={})  # fmt: skip
    runs = {name: run_strategy(name, 0, context) for name in ("zero_shot", "fine_tuning(search=0, epochs=1)")}
    specs = {run.id: name for name, run in runs.items()}
    subjects = tuple(Subject(run.strategy, (run,)) for run in runs.values())
    found = run_probes(ProbePlan(subjects, specs, "fine_tuning", ("zero_shot",), suite="none.jsonl"), context)
    [training] = found.training
    assert (training.template_matches, training.asked_as_trained) == (True, True)
    assert training.overfitted is not None
    assert training.overfitted >= 0.8
    [held] = found.probes_of("constrained", "zero_shot")
    assert {outcome.output for outcome in held.outcomes} <= set(evalset.labels)
    assert [one.what for one in found.skipped] == ["suites"]
