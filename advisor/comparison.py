"""Runs of several strategies on one eval set, paired by example id, and everything that follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np

from advisor.costs import Economics, Money, weigh_ledger
from advisor.findings import Findings
from advisor.hypothesis_tests import holm, paired_tests
from advisor.information import Information
from advisor.intervals import interval, simultaneous_intervals
from advisor.learning_curve import LearningCurve, SizedRun, learning_curves
from advisor.ledger import open_ledger
from advisor.next_steps import inform
from advisor.power import detectable_difference
from advisor.stats import Contrast, Draws, FloatArray, Interval, Panel, Unseen, bootstrap, contrast
from advisor.summaries import Group, Table, disagreements, group_runs, panel_of, summarise, tabulate
from advisor.types import EvalSet, FitCost, Run, Usage, digest
from advisor.verdict import Evidence, Verdict, decide

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.95
"""Coverage of every interval in a comparison."""

_TIE = 1e-12


@dataclass(frozen=True, slots=True)
class StrategySummary:
    """One strategy over all its seeds.

    Attributes:
        label: its name, with parameters where the same strategy runs twice, e.g. ``few_shot(k=8)``.
        kind: floor, prompting, rag, tools, fine_tuning, classifier or custom.
        tuned: a model's weights were trained for it.
        seeds: the training seeds that have outcomes; all that were tried where none has.
        n: examples scored in every seed.
        failed: examples without an answer, over all seeds; a run that failed as a whole counts them all.
        undefined: outcomes with an answer and without a score, over all seeds.
        quality: mean score with its interval; `None` where nothing could be scored.
        usage: mean usage of one answered request; token counts are fractions here.
        latency_p50, latency_p95: seconds a caller waited; `None` without calls.
        fit: mean cost of one fit.
        selection: what the first seed's fit chose on dev.
        summaries: the metric's figures over the whole set, first seed.
        slices: mean score by metadata `slice`, with its n.
        errors: failure messages with their count.
    """

    label: str
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


@dataclass(frozen=True, slots=True)
class Difference:
    """`a` minus `b` on the examples both answered, in score units (0.02 = 2 points).

    Attributes:
        interval: paired two-level bootstrap.
        simultaneous: the same, valid for all differences of the comparison at once (max-T).
        p_value, test: the test and its p, for the training seeds at hand; `p_holm` adjusted for all differences.
        discordance: share of examples on which the two differ.
        detectable: smallest difference that would be found `real` in about 80 of 100 tries: at this n, spread between
            clusters and training seeds, and number of differences held together; `None` where undefined.
        probability_better: share of bootstrap draws above 0, unseen kinds of examples allowed for (`Unseen`).
        real: `p_holm` and the simultaneous interval agree that it is not 0.
    """

    a: str
    b: str
    n: int
    clusters: int
    interval: Interval
    simultaneous: Interval
    p_value: float
    p_holm: float
    test: str
    discordance: float
    detectable: float | None
    probability_better: float
    real: bool


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One test example on which strategies differ: what each answered, and its score."""

    example_id: str
    input: str
    target: str
    answers: Mapping[str, tuple[str, float | None]]


@dataclass(frozen=True, slots=True, repr=False)
class Comparison:
    """Everything a report shows. Build one with `advisor.compare(...)`.

    `pivot` is the label of the best fine-tuned strategy, or of the best of all where none was tuned; `differences` are
    the pivot minus each other strategy. `environment` holds versions, machine, date, the command to reproduce.
    """

    id: str
    evalset: str
    metric: str
    model: str
    n_train: int
    n_dev: int
    n_test: int
    runs: tuple[Run, ...]
    strategies: tuple[StrategySummary, ...]
    pivot: str
    differences: tuple[Difference, ...]
    money: Money
    verdict: Verdict
    disagreements: tuple[Disagreement, ...] = ()
    curves: tuple[LearningCurve, ...] = ()
    findings: Findings = field(default_factory=Findings)
    information: Information | None = None
    skipped: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a strategy: label, kind, tuned, n, failed, quality with its interval, cost, latency, fit."""
        import pandas as pd

        dollars = {row.label: row.usd_per_1000_requests for row in self.money.strategies}
        rows = [_frame_row(row, dollars.get(row.label)) for row in self.strategies]
        return pd.DataFrame(rows).set_index("label", drop=False).rename_axis(None)

    def save(self, path: str | Path) -> Path:
        """Write a report and return its path; its format is that of the extension (.html, .md, .json, .csv).

        Raises:
            ConfigurationError: there is no report format of that name.
            StoreError: the file cannot be written.
        """
        from importlib import import_module

        from advisor._shipped import shipped

        shipped("reports")
        written: Path = import_module("advisor.reports.writing").save(self, Path(path))
        return written

    def __str__(self) -> str:
        return f"{self.verdict.headline}\n\n{self.to_frame().to_string(index=False)}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Show the verdict and the table in a notebook."""
        from html import escape

        return f"<p><strong>{escape(self.verdict.headline)}</strong></p>{self.to_frame().to_html(index=False)}"


def _frame_row(row: StrategySummary, usd_per_1000: Interval | None) -> dict[str, Any]:
    return {
        "label": row.label,
        "kind": row.kind,
        "tuned": row.tuned,
        "n": row.n,
        "failed": row.failed,
        "quality": row.quality.estimate if row.quality else None,
        "low": row.quality.low if row.quality else None,
        "high": row.quality.high if row.quality else None,
        "usd_per_1000": usd_per_1000.estimate if usd_per_1000 else None,
        "latency_p50": row.latency_p50,
        "latency_p95": row.latency_p95,
        "fit_seconds": row.fit.seconds,
    }


class Circumstances(TypedDict, total=False):
    """What a comparison carries along beside its runs.

    For its reports: strategies not run and why, remarks, machine and versions. For command lines that can be typed
    again: `asked_as` is what the user typed for the eval set, `columns` for its columns, `specs`, by run id, for the
    strategies, and `asked` by flag all else that decides what is run; `test_at_hand` test examples there are without a
    limit. For the guards and the learning curves: what was found beside the scores, and the runs on smaller
    training sets.
    """

    skipped: Mapping[str, str]
    notes: tuple[str, ...]
    environment: Mapping[str, str]
    asked_as: str
    columns: Mapping[str, str]
    specs: Mapping[str, str]
    asked: Mapping[str, str]
    test_at_hand: int
    findings: Findings
    sized: Sequence[SizedRun]


def compare_runs(
    runs: Sequence[Run],
    evalset: EvalSet,
    economics: Economics,
    *,
    seed: int = 0,
    draws: int = 10_000,
    **circumstances: Unpack[Circumstances],
) -> Comparison:
    """Join runs into a comparison: rows, differences, money and the verdict.

    Runs of the same strategy and parameters are one row over their seeds. The pivot is the best tuned strategy by mean
    score (the best of all where none was tuned). Picking it is a look at the test split, so the simultaneous intervals
    and Holm's adjustment run over the differences of every strategy that could have become the pivot to every other.

    Args:
        runs: at least one, all on `evalset` with one metric.
        evalset: whose test split the outcomes belong to.
        economics: the user's side of the money.
        seed: of the bootstrap; the same seed gives the same comparison.
        draws: how many bootstrap draws.
        circumstances: see `Circumstances`.

    Raises:
        ConfigurationError: no runs, runs that do not belong together, or outcomes from another test split.
    """
    if unknown := set(circumstances) - set(Circumstances.__annotations__):
        raise TypeError(f"compare_runs() got unexpected keyword arguments: {', '.join(sorted(unknown))}")
    groups = group_runs(runs)
    tables = [tabulate(group, evalset.test) for group in groups]
    evidence = gather(groups, tables, evalset, economics, circumstances, np.random.default_rng(seed), draws)
    evidence = replace(evidence, information=inform(evidence))
    return Comparison(
        id=digest([[run.id for run in runs], evalset.fingerprint, repr(economics), seed, draws]),
        **{name: getattr(evidence, name) for name in _SHARED},
        evalset=evalset.name,
        n_dev=len(evalset.dev),
        runs=tuple(runs),
        verdict=decide(evidence),
        disagreements=disagreements(groups, tables, evalset),
        skipped=circumstances.get("skipped", {}),
        notes=(*circumstances.get("notes", ()), *evidence.money.remarks),
        environment=circumstances.get("environment", {}),
    )


def gather(
    groups: Sequence[Group],
    tables: Sequence[Table],
    evalset: EvalSet,
    economics: Economics,
    circumstances: Circumstances,
    rng: np.random.Generator,
    draws: int,
) -> Evidence:
    """Turn grouped outcomes into all that the verdict is made from: rows, differences, joint draws, money."""
    panel = panel_of(groups, tables, evalset.test)
    found = paired_statistics(panel, draws, rng)
    strategies = tuple(
        summarise(group, table, found.qualities.get(group.label), evalset.test)
        for group, table in zip(groups, tables, strict=True)
    )
    runs = [run for group in groups for run in group.runs]
    model = next((run.model for run in runs if run.model), "")
    specs = circumstances.get("specs", {})
    ledger = open_ledger(found.draws, strategies, economics, model, rng)
    return Evidence(
        strategies=strategies,
        differences=found.differences,
        family=found.family,
        money=weigh_ledger(ledger, strategies, economics, model),
        ledger=ledger,
        draws=found.draws,
        panel=panel,
        pivot=found.pivot or next((row.label for row in strategies if row.tuned), strategies[0].label),
        evalset=circumstances.get("asked_as", evalset.name),
        model=model,
        metric=runs[0].metric,
        n_train=len(evalset.train),
        n_test=len(evalset.test),
        test_ids=tuple(example.id for example in evalset.test),
        has_docs=bool(evalset.docs),
        has_tools=bool(evalset.tools),
        has_schema=evalset.schema is not None,
        economics=economics,
        specs={group.label: specs[run.id] for group in groups for run in group.runs[:1] if run.id in specs},
        columns=circumstances.get("columns", {}),
        asked=circumstances.get("asked", {}),
        test_at_hand=circumstances.get("test_at_hand", len(evalset.test)),
        findings=circumstances.get("findings", Findings()),
        curves=learning_curves(circumstances.get("sized", ()), panel, found.draws, economics, rng),
    )


_SHARED = (
    *("metric", "model", "n_train", "n_test", "strategies", "pivot", "differences", "money"),
    *("curves", "findings", "information"),
)


@dataclass(frozen=True, slots=True)
class PairedStatistics:
    """What the scores say: an interval a strategy, the differences to the pivot, and the joint draws behind both.

    `family` are the differences of every strategy that could have become the pivot, the `differences` first. `pivot`
    is empty where nothing could be scored.
    """

    qualities: Mapping[str, Interval]
    family: tuple[Difference, ...]
    draws: Draws
    pivot: str

    @property
    def differences(self) -> tuple[Difference, ...]:
        """The pivot minus each other strategy."""
        return tuple(one for one in self.family if one.a == self.pivot)


def paired_statistics(panel: Panel, draws: int, rng: np.random.Generator) -> PairedStatistics:
    """Draw all strategies and all differences of a panel jointly and read off intervals and tests.

    Args:
        panel: strategies with at least one example scored in every seed; may be empty.
        draws: how many bootstrap draws.
        rng: the one source of randomness.
    """
    means = [one for one in (contrast(panel, column) for column in range(len(panel.labels))) if one is not None]
    if not means:
        return PairedStatistics({}, (), Draws((), np.empty((draws, 0)), {}), "")
    pivot, pairs = _family([one.estimate for one in means], panel.tuned)
    family = [one for one in (contrast(panel, a, b) for a, b in pairs) if one is not None]
    drawn = bootstrap(panel, [*means, *family], draws=draws, rng=rng)
    split = len(means)
    qualities = {
        label: interval(one, drawn.contrasts[:, column], rng, level=LEVEL)
        for column, (label, one) in enumerate(zip(panel.labels, means, strict=True))
    }
    unseen = Unseen.draw(min(one.clusters for one in means), draws, split, rng)
    quality = unseen.of_means(np.clip(drawn.contrasts[:, :split], 0.0, 1.0))
    differences = _differences(panel.labels, family, drawn.contrasts[:, split:], unseen, rng)
    joint = Draws(panel.labels, quality, drawn.usage)
    return PairedStatistics(qualities, differences, joint, panel.labels[pivot])


def _family(estimates: Sequence[float], tuned: Sequence[bool]) -> tuple[int, list[tuple[int, int]]]:
    """Pick the pivot, and list the pairs of every strategy that could have been it with every other, its own first."""
    columns = range(len(estimates))
    candidates = [column for column in columns if tuned[column]] or list(columns)
    pivot = max(candidates, key=lambda column: estimates[column])
    pairs = [(pivot, other) for other in columns if other != pivot]
    for candidate in candidates:
        known = {frozenset(pair) for pair in pairs}
        pairs += [(candidate, o) for o in columns if o != candidate and frozenset((candidate, o)) not in known]
    return pivot, pairs


def _differences(
    labels: Sequence[str], family: Sequence[Contrast], drawn: FloatArray, unseen: Unseen, rng: np.random.Generator
) -> tuple[Difference, ...]:
    tests = paired_tests(family, rng, draws=len(drawn))
    adjusted = holm([p for p, _ in tests])
    own = [interval(one, drawn[:, j], rng, level=LEVEL) for j, one in enumerate(family)]
    wide = simultaneous_intervals(own, drawn, [one.clusters for one in family])
    found = []
    for j, (one, narrow, together) in enumerate(zip(family, own, wide, strict=True)):
        p_value, test = tests[j]
        assert one.b is not None
        found.append(
            Difference(
                a=labels[one.a],
                b=labels[one.b],
                n=len(one.values),
                clusters=one.clusters,
                interval=narrow,
                simultaneous=together,
                p_value=p_value,
                p_holm=adjusted[j],
                test=test,
                discordance=float(np.mean(np.abs(one.values) > _TIE)),
                detectable=_detectable(one, len(family)),
                probability_better=float(np.mean(unseen.of_difference(drawn[:, j], one.a, one.b) > 0.0)),
                real=adjusted[j] < 1 - LEVEL and not together.low <= 0.0 <= together.high,
            )
        )
    return tuple(found)


def _detectable(one: Contrast, family: int) -> float | None:
    """Smallest difference found at 80 %, with this sample's discordance and the design effect of clusters and seeds.

    The level is Bonferroni's over the family, since a difference is called real only where all of them hold together.
    """
    graded = not np.isin(one.values, (-1.0, 0.0, 1.0)).all()
    independent = float(np.var(one.values)) / len(one.values)
    effect = max(1.0, one.standard_error**2 / independent if independent > 0.0 else 1.0)
    moment = min(1.0, float(np.mean(one.values**2)))
    level = 1.0 - (1.0 - LEVEL) / family
    return detectable_difference(len(one.values), moment, level=level, design_effect=effect, graded=graded)
