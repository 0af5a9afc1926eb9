"""What can be read off answers at hand: flips, form, and waiting times with their intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np

from advisor.core.normalisation import normalise, read_json
from advisor.core.schemas import problem
from advisor.core.types import Interval, Outcome, Run, Task
from advisor.decision.findings import Condition, Flips, Service
from advisor.stats.intervals import binomial_interval

PROBE_LEVEL = 0.95
QUANTILES = (0.5, 0.95, 0.99)


def flipped(one: Outcome, other: Outcome, labelled: bool) -> bool | None:
    """Say whether two answers to the same question differ in what counts; `None` where one of them has no score.

    The score goes to the other side of 0.5 (0.5 itself counts as right), or, in a task with labels, another label is
    given (case, articles and punctuation aside).
    """
    if one.score is None or other.score is None:
        return None
    crossed = (one.score >= 0.5) != (other.score >= 0.5)
    return crossed or (labelled and normalise(one.output or "") != normalise(other.output or ""))


def flips(
    label: str,
    condition: Condition,
    plain: Iterable[Outcome],
    repeats: Sequence[Iterable[Outcome]],
    labelled: bool,
    note: str = "",
) -> Flips:
    """Compare the answers of a run with those of one or more repetitions, item by item."""
    before = {outcome.example_id: outcome for outcome in plain}
    seen: dict[str, list[bool]] = {}
    for repeat in repeats:
        for outcome in repeat:
            if outcome.example_id in before:
                found = flipped(before[outcome.example_id], outcome, labelled)
                if found is not None:
                    seen.setdefault(outcome.example_id, []).append(found)
    return Flips(label, condition, {name: sum(each) / len(each) for name, each in seen.items()}, note)


def seed_flips(label: str, runs: Sequence[Run], labelled: bool) -> Flips:
    """Compare every two trainings of a strategy: per item the share of pairs that answer differently."""
    seen: dict[str, list[float]] = {}
    for one, other in combinations(runs, 2):
        for name, share in flips(label, "seeds", one.outcomes, [other.outcomes], labelled).by_item.items():
            seen.setdefault(name, []).append(share)
    by_item = {name: sum(each) / len(each) for name, each in seen.items()}
    return Flips(label, "seeds", by_item, f"{len(runs)} trainings")


def service(label: str, runs: Sequence[Run], task: Task, concurrency: str) -> Service:
    """Return form and waiting times over all seeds of one strategy.

    Sources: the share of answers in form has its exact binomial interval (Clopper and Pearson 1934); a quantile of the
    waiting times has the order-statistic interval (Conover 1999, section 3.2), which assumes nothing about their
    distribution. Both take answers for independent, which those of one batch are not quite.
    """
    answers = [outcome for run in runs for outcome in run.outcomes if outcome.output is not None]
    test = form_test(task)
    valid = None
    if test is not None and answers:
        good = sum(test[0](outcome.output or "") for outcome in answers)
        valid = Interval(
            good / len(answers), *binomial_interval(good, len(answers), PROBE_LEVEL), PROBE_LEVEL, "exact binomial"
        )
    alone = sorted(wait for run in runs for wait in run.waits)
    waits = alone or sorted(o.usage.latency_seconds for o in answers if o.usage.calls and o.usage.latency_seconds > 0.0)
    latency = tuple(quantile_interval(waits, q) for q in QUANTILES) if waits else ()
    load = "one at a time" if alone else concurrency
    return Service(label, len(answers), valid, test[1] if test else "", latency, load)


def form_test(task: Task) -> tuple[Callable[[str], bool], str] | None:
    """Return the test of an answer's form and that in words; `None` where the task asks for no form."""
    if task.labels:
        allowed = {normalise(label) for label in task.labels}
        return (lambda output: normalise(output) in allowed), "is one of the allowed labels and nothing else"
    if task.schema is not None or task.output == "json":
        return (lambda output: _follows(output, task.schema)), "is JSON" + " that follows the schema" * bool(
            task.schema
        )
    return None


def _follows(output: str, schema: Mapping[str, object] | None) -> bool:
    try:
        value = read_json(output)
    except ValueError:
        return False
    return schema is None or not problem(value, schema)


def quantile_interval(ordered: Sequence[float], q: float, level: float = PROBE_LEVEL) -> Interval:
    """Return a quantile of a sample with its order-statistic interval.

    The ends are the order statistics between which the true quantile lies with at least `level`, by the binomial
    distribution of how many values fall below it. Where the sample is too small to have such an order statistic the
    end is 0 or infinite.

    Args:
        ordered: the sample in ascending order, at least one value, none below 0.
        q: which quantile, in (0, 1).
        level: coverage, in (0, 1).
    """
    from scipy.stats import binom

    n, tail = len(ordered), (1 - level) / 2
    low = int(binom.ppf(tail, n, q))
    while low > 0 and binom.cdf(low - 1, n, q) > tail:
        low -= 1
    high = int(binom.ppf(1 - tail, n, q)) + 1
    while high <= n and binom.cdf(high - 1, n, q) < 1 - tail:
        high += 1
    return Interval(
        estimate=float(np.quantile(ordered, q)),
        low=float(ordered[low - 1]) if low >= 1 else 0.0,
        high=float(ordered[high - 1]) if high <= n else math.inf,
        level=level,
        method="order statistics",
    )
