"""The published outcomes that `advisor ask` reasons from, read from the tables beside this file."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from advisor.stats.bootstrap import FloatArray

HERE = Path(__file__).parent
TABLE = "LoRA Land, arXiv 2405.00732, Table 12"
BANDS = ((0.0, 0.5), (0.5, 0.8), (0.8, 0.9), (0.9, 1.0))
SMALL = ("gemma-2b", "gemma-2b-it", "phi-2")
"""The base models of the table with 2 to 3 billion parameters; the seven others have 7."""


@dataclass(frozen=True, slots=True)
class PublishedTune:
    """One fine-tune of the table: the scores of the base model, the tuned model and two GPT models on one task."""

    task: str
    metric: str
    model: str
    base: float
    finetuned: float
    lift: float
    gpt35: float
    gpt4: float

    @property
    def best_gpt(self) -> float:
        """The better of the two GPT scores: the strongest prompted score the table has for the task."""
        return max(self.gpt35, self.gpt4)


@dataclass(frozen=True, slots=True)
class Arm:
    """N tuned scores and what each is held against, all in [0, 1].

    Attributes:
        name: ``zero_shot`` (the base model as it is) or ``strong`` (the better GPT score of the task).
        reference, tuned: float64 (N,).
        tasks, models: N names each.
    """

    name: str
    reference: FloatArray
    tuned: FloatArray
    tasks: tuple[str, ...]
    models: tuple[str, ...]

    def where(self, keep: np.ndarray) -> Arm:
        """Return the rows at which `keep`, bool (N,), holds."""
        at = np.flatnonzero(keep)
        names = [(self.tasks[i], self.models[i]) for i in at]
        tasks, models = zip(*names, strict=True) if names else ((), ())
        return Arm(self.name, self.reference[at], self.tuned[at], tuple(tasks), tuple(models))


@dataclass(frozen=True, slots=True)
class StudyHeadline:
    """One headline of a study. `quoted`: read in a second source, not in the study itself."""

    key: str
    study: str
    arxiv: str
    quoted: bool
    headline: str

    @property
    def source(self) -> str:
        """Who says so."""
        place = f"{self.study}, arXiv {self.arxiv}" if self.arxiv else self.study
        return f"{place}, as quoted by others" if self.quoted else place


@dataclass(frozen=True, slots=True)
class Band:
    """Tasks whose GPT-4 score lies in [low, high): how the best of ten tuned models did against it.

    `wins` counts strict wins; `mean_lead` is the mean lead over GPT-4, in score units.
    """

    low: float
    high: float
    tasks: int
    wins: int
    mean_lead: float


@cache
def published_tunes() -> tuple[PublishedTune, ...]:
    """Return the 310 rows in the order of the table."""
    with (HERE / "loraland.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            PublishedTune(
                row["task"],
                row["metric"],
                row["model"],
                *(float(row[name]) for name in ("base", "finetuned", "lift", "gpt35", "gpt4")),
            )
            for row in csv.DictReader(file)
        )


@cache
def study_headlines() -> dict[str, StudyHeadline]:
    """Return the headlines by key."""
    with (HERE / "study_headlines.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        row["key"]: StudyHeadline(row["key"], row["study"], row["arxiv"], row["quoted"] == "yes", row["headline"])
        for row in rows
    }


@cache
def arm(name: str) -> Arm:
    """Return the tuned scores against the base model (``zero_shot``) or against the better GPT score (``strong``)."""
    rows = published_tunes()
    return Arm(
        name=name,
        reference=np.array([row.base if name == "zero_shot" else row.best_gpt for row in rows]),
        tuned=np.array([row.finetuned for row in rows]),
        tasks=tuple(row.task for row in rows),
        models=tuple(row.model for row in rows),
    )


@cache
def band_of(score: float) -> Band:
    """Return how the best tuned models did on tasks where GPT-4 scored about as much as `score`."""
    low, high = next(((a, b) for a, b in BANDS if a <= score < b), BANDS[-1])
    best: dict[str, float] = {}
    gpt4: dict[str, float] = {}
    for row in published_tunes():
        best[row.task] = max(best.get(row.task, 0.0), row.finetuned)
        gpt4[row.task] = row.gpt4
    inside = [task for task, found in gpt4.items() if low <= found < high or (high == 1.0 and found == 1.0)]
    leads = [best[task] - gpt4[task] for task in inside]
    return Band(low, high, len(inside), sum(lead > 0.0 for lead in leads), float(np.mean(leads)))
