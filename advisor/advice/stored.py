"""A stored comparison as the pilot of a forecast."""

from __future__ import annotations

from advisor.advice.situation import PROMPTED_BY, Pilot
from advisor.core.errors import ConfigurationError
from advisor.runs.store import Store

_Z = 1.96


def pilot_from(run: str) -> Pilot:
    """Return the lead that a stored comparison found for its tuned strategy, with the standard error it measured.

    The tuned strategy and its alternative are those of its break-even, else the best of each by score.

    Raises:
        ConfigurationError: it holds no tuned strategy beside another one with scores on the same examples.
        StoreError: there is no such comparison.
    """
    with Store() as store:
        comparison = store.load_comparison(run)
    rows = {one.label: one for one in comparison.strategies if one.quality is not None}
    scores = {label: one.quality.estimate for label, one in rows.items() if one.quality is not None}
    tuned = [label for label, one in rows.items() if one.tuned]
    others = [label for label, one in rows.items() if not one.tuned]
    if not tuned or not others:
        raise ConfigurationError(
            f"comparison {comparison.id!r} has no tuned strategy beside another one with a score, so no lead to learn "
            f"from. {comparison.verdict.gaps}".strip(),
            hint="advisor list runs shows the others",
        )
    ours, theirs = max(tuned, key=lambda label: scores[label]), max(others, key=lambda label: scores[label])
    if comparison.money.break_even is not None:
        ours, theirs = comparison.money.break_even.tuned, comparison.money.break_even.alternative
    pair = next((one for one in comparison.differences if {one.a, one.b} == {ours, theirs}), None)
    n = pair.n if pair else min(rows[ours].n, rows[theirs].n)
    error = (pair.interval.high - pair.interval.low) / (2.0 * _Z) if pair else None
    foreign = "imported " if any(run.imported for run in comparison.runs) else ""
    source = f"{foreign}comparison {comparison.id[:12]} ({ours} against {theirs})"
    name = rows[theirs].strategy
    by = name if name in PROMPTED_BY else None
    return Pilot(scores[ours], scores[theirs], n, error, source, by, comparison.verdict.gaps)
