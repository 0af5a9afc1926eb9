"""Did the trainer work: the loss, ten rows learned by heart, and serving in the form of training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from advisor.core.errors import CallFailed
from advisor.core.fingerprints import digest
from advisor.core.model import Completion, Model, Request, ShowsTraining, TuningExample, TuningJob
from advisor.core.tokens import answer_room, count_tokens
from advisor.core.types import Message, Outcome, Run
from advisor.decision.findings import TrainingFindings
from advisor.runs.interception import opening
from advisor.runs.runner import Attempt

from .asking import PROBE_FORMAT, Asking

ROWS = 10
EPOCHS = 30
"""Passes over the ten rows at most: enough to learn them by heart at the learning rates that are usual for LoRA."""
SHOWN = 3
"""Training questions that the strategy is asked, where it was not seen asking its tuned model."""


def losses(label: str, run: Run) -> TrainingFindings:
    """Return what the run itself recorded: the loss of each epoch."""
    recorded = run.selection.get("train_loss", ())
    known = recorded if isinstance(recorded, list | tuple) else ()
    return TrainingFindings(label, run.seed, tuple(float(loss) for loss in known if isinstance(loss, int | float)))


def look_at_training(label: str, run: Run, asking: Asking, *, overfit: bool) -> TrainingFindings:
    """Return all that can be found out about the training behind one run; stored, so that it is done once.

    Args:
        label: the strategy.
        run: with the recorded losses.
        asking: fits the strategy again, from its checkpoint.
        overfit: whether to train on ten rows.

    Raises:
        AdvisorError, BrokenStrategyError: the strategy could not be fitted or asked.
    """
    key = digest(["training", PROBE_FORMAT, run.id])
    store = asking.context.store
    stored = store.outcomes(key)
    found = losses(label, run)
    wanted = {"template", "asked", *(["overfitted"] if overfit else [])}
    if wanted - set(stored) and not asking.trains_alone(run):
        attempt = asking.fitted(run)
        if not attempt.switch.tunings:
            return found
        job = attempt.switch.tunings[-1].job
        store.add_outcomes(key, [Outcome("template", None, _same_tokens(job, asking)), _asked(attempt, job, asking)])
        if overfit:
            store.add_outcomes(key, [Outcome("overfitted", None, _overfitted(job, asking))])
        stored = store.outcomes(key)
    flags = {name: stored[name].score if name in stored else None for name in ("template", "asked", "overfitted")}
    return replace(
        found,
        overfitted=flags["overfitted"],
        template_matches=None if flags["template"] is None else flags["template"] == 1.0,
        asked_as_trained=None if flags["asked"] is None else flags["asked"] == 1.0,
    )


def _same_tokens(job: TuningJob, asking: Asking) -> float | None:
    """Return 1 where the first rows are trained on the tokens that are served, else 0; `None` if no model says."""
    model = asking.context.model
    if not isinstance(model, ShowsTraining):
        return None
    return float(all(model.serves_as_trained(row) for row in job.train[:ROWS]))


def _asked(attempt: Attempt, job: TuningJob, asking: Asking) -> Outcome:
    """Compare how the strategy begins a conversation with its tuned model with how the training rows begin.

    Same roles and same system text, in at least one of them: what stands in the turns differs with the question.
    """
    if not attempt.switch.asked:
        with attempt.switch.listening():
            attempt.ask(asking.context.evalset.train[:SHOWN])
    trained = {shape for row in job.train for shape in _openings(row.messages)}
    asked = attempt.switch.asked
    return Outcome("asked", None, float(bool(asked & trained)) if asked else None)


def _openings(messages: Sequence[Message]) -> list[tuple[tuple[str, ...], str]]:
    ends = [at for at, message in enumerate(messages) if message.role == "assistant"]
    return [shape for at in ends if (shape := opening(messages[:at])) is not None]


def _overfitted(job: TuningJob, asking: Asking) -> float | None:
    """Train on ten rows alone, long enough to learn them by heart, and return the share it says back word for word."""
    rows = ten_rows(job.train)
    config = replace(job.config, epochs=EPOCHS, batch_size=len(rows))
    folder = job.workdir / "ten-rows"
    folder.mkdir(parents=True, exist_ok=True)
    model, _ = asking.base().tune(TuningJob(rows, (), folder, config, job.progress, until_learned=True))
    said = model.generate([_question(row, model) for row in rows])
    known = [_same(done, row.messages[-1]) for done, row in zip(said, rows, strict=True) if not done.error]
    return sum(known) / len(known) if known else None


def ten_rows(train: Sequence[TuningExample]) -> tuple[TuningExample, ...]:
    """Return ten rows that end with an answer, by content, the shorter half first; no two ask the same."""
    usable = {digest(row.messages[:-1]): row for row in reversed(train) if row.messages[-1].role == "assistant"}
    short = sorted(usable, key=lambda key: sum(len(message.content) for message in usable[key].messages))
    half = short[: max(ROWS, len(short) // 2)]
    return tuple(usable[key] for key in sorted(half)[:ROWS])


def _question(row: TuningExample, model: Model) -> Request:
    answer = row.messages[-1]
    parts = [answer.content, *(f"{call.name} {json.dumps(dict(call.arguments))}" for call in answer.tool_calls)]
    room = answer_room([sum(count_tokens(model, parts))])
    return Request(row.messages[:-1], max_tokens=room, tools=row.tools)


def _same(done: Completion, answer: Message) -> bool:
    try:
        calls = [(call.name, dict(call.arguments)) for call in done.tool_calls]
        text = done.text
    except CallFailed:
        return False
    return text.strip() == answer.content.strip() and calls == [(c.name, dict(c.arguments)) for c in answer.tool_calls]
