"""From runs to rows: grouping over seeds, pairing by example id, and one summary a strategy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from advisor.core.errors import ConfigurationError
from advisor.core.fingerprints import digest
from advisor.core.specs import Spec
from advisor.core.types import EvalSet, Example, FitCost, Interval, Outcomes, Run, Usage
from advisor.stats.bootstrap import FloatArray, IntArray, Panel

SHOWN_DISAGREEMENTS = 12
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Group:
    """The runs of one strategy with one set of parameters, one run a seed, in the order of the seeds."""

    label: str
    runs: tuple[Run, ...]

    @property
    def answered(self) -> tuple[Run, ...]:
        """The runs that have outcomes; a run that failed as a whole has none."""
        return tuple(run for run in self.runs if run.outcomes)


@dataclass(frozen=True, slots=True)
class Table:
    """One group's outcomes on the test examples.

    Attributes:
        outcomes: per answered run, its outcomes.
        places: int (R, n), where the outcome of a test example stands in them; -1 where the run never got there.
        scores: float64 (R, n), NaN where missing.
        answered: bool (R, n), whether there is an answer.
        usage: per `Usage` field float64 (n,), mean over the seeds that answered; NaN where none did.
    """

    outcomes: tuple[Outcomes, ...]
    places: IntArray
    scores: FloatArray
    answered: NDArray[np.bool_]
    usage: Mapping[str, FloatArray]

    @property
    def common(self) -> FloatArray:
        """Seed-averaged scores float64 (n,), NaN where any seed has none."""
        if not len(self.scores):
            return np.full(self.scores.shape[1], np.nan)
        return np.asarray(self.scores.mean(axis=0), dtype=np.float64)


def group_runs(runs: Sequence[Run]) -> list[Group]:
    """Group runs of the same strategy and parameters over seeds, in the order in which strategies first appear.

    Raises:
        ConfigurationError: no runs, runs of different metrics or eval sets, or the same run twice.
    """
    if not runs:
        raise ConfigurationError("there is nothing to compare: no runs", hint="name at least one with --strategy")
    for what in ("metric", "evalset_fingerprint"):
        found = sorted({getattr(run, what) for run in runs})
        if len(found) > 1:
            raise ConfigurationError(
                f"runs with different {what} cannot be compared: {', '.join(map(repr, found))}",
                hint="run all strategies on one eval set with one metric",
            )
    grouped: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        grouped.setdefault((run.strategy, digest(run.params)), []).append(run)
    by_seed = [sorted(group, key=lambda run: run.seed) for group in grouped.values()]
    for group in by_seed:
        _refuse_twice(group)
    return [Group(label, tuple(group)) for label, group in zip(_labels(by_seed), by_seed, strict=True)]


def _refuse_twice(group: Sequence[Run]) -> None:
    seed, times = Counter(run.seed for run in group).most_common(1)[0]
    if times > 1:
        raise ConfigurationError(
            f"strategy {group[0].strategy!r} stands there {times} times with seed {seed} and the same parameters",
            hint="pass each run once",
        )


def _labels(groups: Sequence[Sequence[Run]]) -> list[str]:
    """Names, with the parameters that tell them apart where one name occurs twice."""
    labels = []
    for group in groups:
        name = group[0].strategy
        same = [other[0].params for other in groups if other[0].strategy == name]
        keys = sorted({key for params in same for key in params})
        differing = [key for key in keys if len({digest([key in params, params.get(key)]) for params in same}) > 1]
        params = {key: group[0].params[key] for key in differing if key in group[0].params}
        labels.append(str(Spec(name, params)) if params else name)
    return labels


def tabulate(group: Group, test: Sequence[Example]) -> Table:
    """Line a group's outcomes up with the test examples.

    Raises:
        ConfigurationError: an outcome whose example is not in the test split.
    """
    ids = [example.id for example in test]
    known = set(ids)
    found, places = [], []
    for run in group.answered:
        outcomes = Outcomes.of(run.outcomes)
        place = {identity: at for at, identity in enumerate(outcomes.ids)}
        strange = next((identity for identity in place if identity not in known), None)
        if strange is not None:
            raise ConfigurationError(
                f"run {run.id!r} of {run.strategy!r} has an outcome for example {strange!r}, which the test split of "
                f"{run.evalset!r} does not have",
                hint="compare runs on the eval set they were made on",
            )
        found.append(outcomes)
        places.append([place.get(identity, -1) for identity in ids])
    at = np.array(places, dtype=np.intp).reshape(len(found), len(ids))
    scores = _aligned([np.frombuffer(one.scores) for one in found], at, np.nan)
    answered = _aligned([np.frombuffer(one.answered, np.uint8) for one in found], at, 0.0) > 0.0
    return Table(tuple(found), at, scores, answered, _usage_by_example(found, at, answered))


def _aligned(columns: Sequence[NDArray[Any]], places: IntArray, otherwise: float) -> FloatArray:
    """Return columns in the order of the test examples, float64 (R, n)."""
    rows = [np.where(at >= 0, column[at], otherwise) for column, at in zip(columns, places, strict=True)]
    return np.array(rows, dtype=np.float64).reshape(places.shape)


def _usage_by_example(
    outcomes: Sequence[Outcomes], places: IntArray, answered: NDArray[np.bool_]
) -> dict[str, FloatArray]:
    found, n = {}, places.shape[1]
    seeds = answered.sum(axis=0)
    for name in Usage.__slots__:
        values = _aligned([np.asarray(one.usage(name), dtype=np.float64) for one in outcomes], places, 0.0)
        total = np.where(answered, values, 0.0).sum(axis=0)
        found[name] = np.divide(total, seeds, out=np.full(n, np.nan), where=seeds > 0)
    return found


def clusters_of(test: Sequence[Example]) -> IntArray:
    """Number the clusters of the test examples: int (n,), 0 … K-1, in order of first appearance."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(example.group, len(numbers)) for example in test], dtype=np.intp)


def panel_of(groups: Sequence[Group], tables: Sequence[Table], test: Sequence[Example]) -> Panel:
    """Join the groups that have at least one example scored in every seed."""
    kept = [(group, table) for group, table in zip(groups, tables, strict=True) if np.isfinite(table.common).any()]
    usage = {name: np.stack([table.usage[name] for _, table in kept], axis=1) for name in Usage.__slots__ if kept}
    return Panel(
        labels=tuple(group.label for group, _ in kept),
        scores=tuple(table.scores for _, table in kept),
        tuned=tuple(any(run.tuned for run in group.runs) for group, _ in kept),
        clusters=clusters_of(test),
        usage=usage,
    )


def summarise(group: Group, table: Table, quality: Interval | None, test: Sequence[Example]) -> StrategySummary:
    """Put one strategy's figures into a row; `quality` is `None` where nothing could be scored.

    A run that failed as a whole counts every test example as failed and is named in `errors`.
    """
    first = (group.answered or group.runs)[0]
    answers = int(table.answered.sum())
    used = {name: _of_answers(table, name) for name in Usage.__slots__}
    waits = np.array([wait for run in group.answered for wait in run.waits])
    if not waits.size:
        waits = used["latency_seconds"][used["latency_seconds"] > 0.0]
    silent = (len(group.runs) - len(group.answered)) * len(test)
    return StrategySummary(
        label=group.label,
        strategy=first.strategy,
        kind=first.kind,
        tuned=any(run.tuned for run in group.runs),
        seeds=tuple(run.seed for run in group.answered or group.runs),
        n=int(np.isfinite(table.common).sum()),
        failed=table.answered.size - answers + silent,
        undefined=int(np.isnan(table.scores[table.answered]).sum()),
        cut=_cut(table),
        quality=quality,
        usage=_means(used),
        latency_p50=float(np.percentile(waits, 50)) if waits.size else None,
        latency_p95=float(np.percentile(waits, 95)) if waits.size else None,
        fit=mean_fit([run.fit_cost for run in group.answered]),
        selection=first.selection,
        summaries=first.summaries,
        slices=_slices(table.common, test),
        errors=_errors(group, table),
        stopped=tuple(run.error for run in group.runs if run.error),
    )


def _cut(table: Table) -> int:
    pairs = zip(table.outcomes, table.places, strict=True)
    return sum(int(np.frombuffer(one.cut, np.uint8)[at[at >= 0]].sum()) for one, at in pairs)


def _of_answers(table: Table, name: str) -> FloatArray:
    """Return one field of `Usage` of all answers, run by run, each in the order of the test examples."""
    columns = [np.asarray(one.usage(name), dtype=np.float64) for one in table.outcomes]
    rows = [column[at[known]] for column, at, known in zip(columns, table.places, table.answered, strict=True)]
    return np.concatenate(rows) if rows else np.empty(0)


def _means(used: Mapping[str, FloatArray]) -> Usage:
    """The mean of one request: the whole-number fields become fractions."""
    if not used["calls"].size:
        return Usage()
    means: dict[str, Any] = {name: float(np.mean(values)) for name, values in used.items()}
    return Usage(**means)


def mean_fit(costs: Sequence[FitCost]) -> FitCost:
    """Return the mean cost of one fit; whole-number fields become fractions."""
    if not costs:
        return FitCost()
    names = [name for name in FitCost.__slots__ if name not in ("usage", "other_usd")]
    means: dict[str, Any] = {name: float(np.mean([getattr(cost, name) for cost in costs])) for name in names}
    others = [cost.other_usd for cost in costs if cost.other_usd is not None]
    other = float(np.mean(others)) if len(others) == len(costs) else None
    used = {name: np.array([getattr(one.usage, name) for one in costs], dtype=float) for name in Usage.__slots__}
    return FitCost(**means, usage=_means(used), other_usd=other)


def _slices(scores: FloatArray, test: Sequence[Example]) -> dict[str, tuple[float, int]]:
    found: dict[str, list[float]] = {}
    for example, score in zip(test, scores, strict=True):
        if "slice" in example.metadata and np.isfinite(score):
            found.setdefault(str(example.metadata["slice"]), []).append(float(score))
    return {name: (float(np.mean(values)), len(values)) for name, values in sorted(found.items())}


def _errors(group: Group, table: Table) -> dict[str, int]:
    counted = Counter(run.error for run in group.runs if run.error)
    for outcomes, places in zip(table.outcomes, table.places.tolist(), strict=True):
        counted.update(outcomes[at].error for at in places if at >= 0 and outcomes.failed[at])
    missing = sum(len(run.outcomes) == 0 and not run.error for run in group.runs)
    if missing:
        counted["the run has no outcomes and gives no reason"] += missing
    return dict(counted.most_common())


def disagreements(groups: Sequence[Group], tables: Sequence[Table], evalset: EvalSet) -> tuple[Disagreement, ...]:
    """Return the test examples on which strategies differ most, by the variance of their scores, at most 12.

    Ties keep the order of the test split. The answers are those of each strategy's first seed.
    """
    scores = np.stack([table.common for table in tables]) if tables else np.empty((0, len(evalset.test)))
    known = np.isfinite(scores)
    count = np.maximum(known.sum(axis=0), 1)
    means = np.where(known, scores, 0.0).sum(axis=0) / count
    variance = (np.where(known, scores - means, 0.0) ** 2).sum(axis=0) / count
    found = []
    for index in np.argsort(-variance, kind="stable")[:SHOWN_DISAGREEMENTS].tolist():
        if variance[index] <= _TINY:
            break
        example = evalset.test[index]
        answers = {g.label: _answer(t, index) for g, t in zip(groups, tables, strict=True) if t.outcomes}
        found.append(Disagreement(example.id, str(example.input), example.target, answers))
    return tuple(found)


def _answer(table: Table, index: int) -> tuple[str, float | None]:
    at = int(table.places[0, index])
    outcome = table.outcomes[0][at] if at >= 0 else None
    if outcome is None or outcome.output is None:
        return (f"[no answer: {outcome.error if outcome else 'not run'}]", None)
    return (outcome.output, outcome.score)


@dataclass(frozen=True, slots=True)
class StrategySummary:
    """One strategy over all its seeds.

    Attributes:
        label: its name, with parameters where the same strategy runs twice, e.g. ``few_shot(k=8)``.
        strategy: its name alone, e.g. ``few_shot``.
        kind: floor, prompting, rag, tools, fine_tuning, classifier or custom.
        tuned: a model's weights were trained for it.
        seeds: the training seeds that have outcomes; all that were tried where none has.
        n: examples scored in every seed.
        failed: examples without an answer, over all seeds; a run that failed as a whole counts them all.
        undefined: outcomes with an answer and without a score, over all seeds.
        cut: answers that were cut off for want of room, over all seeds; those cut before they began are `failed` too.
        quality: mean score with its interval; `None` where nothing could be scored.
        usage: mean usage of one answered request; token counts are fractions here.
        latency_p50, latency_p95: seconds a caller waited; `None` without calls.
        fit: mean cost of one fit.
        selection: what the first seed's fit chose on dev.
        summaries: the metric's figures over the whole set, first seed.
        slices: mean score by metadata `slice`, with its n.
        errors: failure messages with their count.
        stopped: why runs ended before they were through, one for each that did.
    """

    label: str
    strategy: str
    kind: str
    tuned: bool
    seeds: tuple[int, ...]
    n: int
    failed: int
    undefined: int
    quality: Interval | None
    usage: Usage
    latency_p50: float | None
    latency_p95: float | None
    fit: FitCost
    selection: Mapping[str, Any] = field(default_factory=dict)
    summaries: Mapping[str, float | None] = field(default_factory=dict)
    slices: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)
    cut: int = 0
    stopped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One test example on which strategies differ: what each answered, and its score."""

    example_id: str
    input: str
    target: str
    answers: Mapping[str, tuple[str, float | None]]
