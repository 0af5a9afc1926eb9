"""What the tests of local training share: a few rows to overfit, jobs on them, the answers after."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from advisor.core.model import Request, TuningConfig, TuningExample, TuningJob
from advisor.core.types import Message

if TYPE_CHECKING:
    from advisor.models.local.model import LocalModel


PAIRS = (
    ("Where is my parcel?", "team-blue"),
    ("The zip of my jacket broke.", "team-red"),
    ("I want my money back.", "team-green"),
    ("Do you sell tents?", "team-amber"),
    ("My password does not work.", "team-grey"),
    ("The courier never came.", "team-blue"),
    ("The seam is torn.", "team-red"),
    ("You charged me twice.", "team-green"),
)


def learned(question: str, answer: str) -> TuningExample:
    return TuningExample((Message("user", question), Message("assistant", answer)))


def job(folder: Path, **options: object) -> TuningJob:
    examples = tuple(learned(*pair) for pair in PAIRS)
    config = TuningConfig(epochs=8, batch_size=4, layers=4, learning_rate=4e-3, **options)  # type: ignore[arg-type]
    return TuningJob(train=examples, dev=examples[:4], workdir=folder, config=config)


def answers(model: LocalModel) -> list[str]:
    requests = [Request((Message("user", question),), max_tokens=8) for question, _ in PAIRS]
    return [completion.text for completion in model.generate(requests)]


def part_of(whole: TuningJob, folder: Path, size: int = 3, seed: int = 0) -> TuningJob:
    """One size of a learning curve: every second row, from the last one on."""
    small = TuningConfig(epochs=2, batch_size=2, layers=2, seed=seed)
    return TuningJob(whole.train[::-2][:size], whole.dev, folder, small, whole.progress, pool=whole.train)
