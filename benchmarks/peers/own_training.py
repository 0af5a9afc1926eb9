"""Our own training behind the same protocol: choosing the epoch on dev is part of it, and of its seconds."""

from __future__ import annotations

import time
from importlib.metadata import version
from pathlib import Path

from protocol import Job, serve

from advisor.core.model import TuningConfig, TuningExample, TuningJob
from advisor.core.types import Message
from advisor.models.local.model import open_local

model = open_local("smollm2")


def work(job: Job) -> list[float]:
    """Train; returns the seconds of the whole."""
    train, dev = (tuple(_row(*pair) for pair in job[name]) for name in ("questions", "dev"))
    folder = Path(job["folder"])
    folder.mkdir(parents=True)
    started = time.perf_counter()
    model.tune(TuningJob(train, dev, folder, TuningConfig(**job["options"], seed=job["seed"])))
    return [time.perf_counter() - started]


def _row(question: str, answer: str) -> TuningExample:
    return TuningExample((Message("user", question), Message("assistant", answer)))


serve({f"tuneworthy ({model.precision})": version("tuneworthy"), "torch": version("torch")}, work)
