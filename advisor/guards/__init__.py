"""The conditions without which `fine_tune` is withheld (decision.md, section 6), one file a guard.

`fail` withholds the verdict. `unknown` does not: what could not be checked is listed as an assumption, never as passed.
A guard is a function from `Evidence` to `Guard`, and this list is the only place that knows them all.
"""

from __future__ import annotations

from advisor.evidence import Evidence, Guard

from .baseline import BASELINE, baseline_line, owed_baselines, strong_baseline
from .enough import DATA, MISSING, MISSING_ALLOWED, data_sentence, enough_data, missing_shares, nothing_missing
from .labels import LABELS, label_quality
from .leak import LEAK, no_leak

__all__ = [
    "BASELINE",
    "DATA",
    "LABELS",
    "LEAK",
    "MISSING",
    "MISSING_ALLOWED",
    "baseline_line",
    "check_guards",
    "data_sentence",
    "enough_data",
    "label_quality",
    "missing_shares",
    "no_leak",
    "nothing_missing",
    "owed_baselines",
    "strong_baseline",
]

NOT_CHECKED = ("skill or format", "trainer worked", "retention", "consistency")


def check_guards(evidence: Evidence) -> tuple[Guard, ...]:
    """Return every guard with its state."""
    skill, *unknown = (Guard(name, "unknown", "not checked in this version") for name in NOT_CHECKED)
    return (
        strong_baseline(evidence),
        enough_data(evidence),
        nothing_missing(evidence),
        skill,
        no_leak(evidence),
        label_quality(evidence),
        *unknown,
    )
