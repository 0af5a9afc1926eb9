"""The conditions without which `fine_tune` is withheld, one file a guard (docs/method.md, "The checks before a yes").

`fail` withholds the verdict. `unknown` does not: what could not be checked is listed as an assumption, never as passed.
A guard is a function from `Evidence` to `Guard`, and this list is the only place that knows them all.
"""

from __future__ import annotations

from advisor.decision.evidence import Evidence, Guard

from .baseline import BASELINE, baseline_line, owed_baselines, strong_baseline
from .best_tune import BEST_TUNE, tuned_at_its_best
from .consistency import CONSISTENCY, consistent
from .enough import (
    COMPLETE,
    CUT_ALLOWED,
    DATA,
    MISSING,
    MISSING_ALLOWED,
    answers_complete,
    cut_shares,
    enough_data,
    missing_shares,
    nothing_missing,
    shown_differences,
)
from .labels import LABELS, label_quality
from .leak import LEAK, no_leak
from .retention import RETENTION, nothing_else_broke
from .retrieval import RETRIEVAL, retrieval_worked
from .skill import SKILL, skill_or_format
from .trainer import TRAINER, trainer_worked

__all__ = [
    "BASELINE",
    "BEST_TUNE",
    "COMPLETE",
    "CONSISTENCY",
    "CUT_ALLOWED",
    "DATA",
    "LABELS",
    "LEAK",
    "MISSING",
    "MISSING_ALLOWED",
    "RETENTION",
    "RETRIEVAL",
    "SKILL",
    "TRAINER",
    "answers_complete",
    "baseline_line",
    "consistent",
    "cut_shares",
    "enough_data",
    "judge_guards",
    "label_quality",
    "missing_shares",
    "no_leak",
    "nothing_else_broke",
    "nothing_missing",
    "owed_baselines",
    "retrieval_worked",
    "shown_differences",
    "skill_or_format",
    "strong_baseline",
    "trainer_worked",
    "tuned_at_its_best",
]


def judge_guards(evidence: Evidence) -> tuple[Guard, ...]:
    """Return every guard with its state."""
    return (
        strong_baseline(evidence),
        retrieval_worked(evidence),
        enough_data(evidence),
        nothing_missing(evidence),
        answers_complete(evidence),
        skill_or_format(evidence),
        no_leak(evidence),
        label_quality(evidence),
        trainer_worked(evidence),
        tuned_at_its_best(evidence),
        nothing_else_broke(evidence),
        consistent(evidence),
    )
