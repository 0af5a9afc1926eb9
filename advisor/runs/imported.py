"""Runs from another machine: marked as such for ever, and scored again by the metric at hand.

The verdict of an imported comparison is what the file says. Its scores are what the metric here gives to the answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from advisor.core.errors import ConfigurationError
from advisor.core.types import EvalSet, Example, Outcome, Outcomes, Run
from advisor.runs.plugin_calls import score_of, summaries_of

if TYPE_CHECKING:
    from advisor.core.metric import Metric
    from advisor.decision.comparison import Comparison
    from advisor.stats.summaries import StrategySummary

CLOSE = 1e-6
"""Scores on two machines may differ by rounding."""
_FEW_DRAWS = 100
"""Of the bootstrap, whose intervals are not looked at."""

_FIGURES: Mapping[str, Callable[[StrategySummary], float | None]] = {
    "score": lambda row: row.quality.estimate if row.quality else None,
    "answers": lambda row: row.n,
    "failed": lambda row: row.failed,
}


def marked(comparison: Comparison) -> Comparison:
    """Return a comparison from elsewhere with the mark on each of its runs, whatever the file says of itself."""
    return replace(comparison, runs=tuple(replace(run, imported=True) for run in comparison.runs))


def scored_again(outcomes: Outcomes, examples: Mapping[str, Example], metric: Metric) -> Outcomes:
    """Return outcomes with the scores that `metric` gives to their outputs; `examples` are those of the test split."""
    return Outcomes(_scored(one, examples[one.example_id], metric) for one in outcomes)


def _scored(outcome: Outcome, example: Example, metric: Metric) -> Outcome:
    if outcome.error or outcome.output is None:
        return replace(outcome, score=None)
    return replace(outcome, score=score_of(metric, outcome.output, example))


def remarks(runs: Sequence[Run]) -> list[str]:
    """Say of a comparison made here which of its answers were imported."""
    names = sorted({f"{run.strategy}, seed {run.seed}" for run in runs if run.imported})
    if not names:
        return []
    return [f"Answers of {'; '.join(names)} were imported; their scores were computed again here."]


def made_on(comparison: Comparison, evalset: EvalSet) -> bool:
    """Return whether all runs are of this eval set."""
    return {run.evalset_fingerprint for run in comparison.runs} == {evalset.fingerprint}


def verify(comparison: Comparison, evalset: EvalSet, metric: Metric) -> int:
    """Compute all scores of a comparison again, and the figures of the table that are their means.

    Args:
        comparison: as it was read from a file.
        evalset: what it was made on, cut to the same examples.
        metric: that of the set.

    Returns:
        How many scores were computed.

    Raises:
        ConfigurationError: the set is another one, or a figure is not what the metric gives.
    """
    examples = {example.id: example for example in evalset.test}
    if not made_on(comparison, evalset):
        raise ConfigurationError(
            f"the comparison was made on another eval set than {evalset.name!r} is here",
            hint="name the one that it was made on: advisor import FILE EVALSET",
        )
    for run in comparison.runs:
        _refuse(_first_other(run, examples, metric))
    _refuse(_other_row(comparison, evalset))
    return sum(len(run.outcomes) for run in comparison.runs)


def _refuse(found: str) -> None:
    if found:
        raise ConfigurationError(
            f"the file is not taken in, its scores are not those of its answers: {found}",
            hint="where another version of tuneworthy or of the metric made it, make the comparison again there",
        )


def _first_other(run: Run, examples: Mapping[str, Example], metric: Metric) -> str:
    """Return the first figure of a run that is not what the metric gives, in words; nothing where all are."""
    for one in run.outcomes:
        if one.example_id not in examples:
            return f"{run.strategy} answers an example {one.example_id!r}, which the test split does not have"
        score = _scored(one, examples[one.example_id], metric).score
        if not _same(score, one.score):
            return f"{run.strategy}, example {one.example_id!r}: {one.score} in the file, {score} here"
    if run.error:
        return ""
    summaries = summaries_of(metric, [(one.output, examples[one.example_id]) for one in run.outcomes if not one.error])
    other = [name for name in {*summaries, *run.summaries} if not _same(summaries.get(name), run.summaries.get(name))]
    return f"{run.strategy}: {other[0]}" if other else ""


def _other_row(comparison: Comparison, evalset: EvalSet) -> str:
    """Return the first strategy whose score in the table is not that of its answers, in words."""
    from advisor.decision.comparison import gather
    from advisor.decision.request import Provenance

    request = replace(comparison.evidence.request, draws=_FEW_DRAWS)
    rows = {row.label: row for row in gather(comparison.runs, evalset, request, Provenance()).strategies}
    for told in comparison.strategies:
        here = rows.pop(told.label, None)
        if here is None:
            return f"the table has a strategy {told.label!r} without answers"
        for name, figure in _FIGURES.items():
            if not _same(figure(told), figure(here)):
                return f"{told.label}, {name}: {figure(told)} in the table, {figure(here)} here"
    return f"{next(iter(rows))} is not in the table" if rows else ""


def _same(one: float | None, other: float | None) -> bool:
    return one is other if one is None or other is None else math.isclose(one, other, abs_tol=CLOSE)
