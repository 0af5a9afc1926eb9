"""Runs of several strategies on one eval set, paired by example id, and everything that follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np

from advisor._util import formats
from advisor.core.fingerprints import digest
from advisor.core.shipped import save_comparison
from advisor.core.types import EvalSet, Interval, Run
from advisor.decision.evidence import Evidence, Verdict
from advisor.decision.findings import Findings
from advisor.decision.learning_curve import LearningCurve, learning_curves
from advisor.decision.next_steps import inform
from advisor.decision.verdict import decide
from advisor.economics.inputs import Economics
from advisor.economics.ledger import open_ledger
from advisor.economics.money import Money, weigh_ledger
from advisor.stats.alpha_spending import error_of_differences
from advisor.stats.curve_points import SizedRun
from advisor.stats.paired import Difference, paired_statistics
from advisor.stats.summaries import (
    Disagreement,
    Group,
    StrategySummary,
    Table,
    disagreements,
    group_runs,
    panel_of,
    summarise,
    tabulate,
)
from advisor.stats.value_of_information import Information

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, repr=False)
class Comparison:
    """Everything a report shows. Build one with `advisor.compare(...)`.

    `pivot` is the label of the best fine-tuned strategy, or of the best of all where none was tuned; `differences` are
    the pivot minus each other strategy. `looks` is the number of this look at a growing test set. `environment` holds
    versions, machine, date, the command to reproduce.
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
    looks: int = 1
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
        return save_comparison(self, path)

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
    limit. For the guards and the learning curves: what was found beside the scores, and the runs on smaller training
    sets. For the error control: `looked` are the sizes of the other test splits of this eval set that were compared
    before with this model.
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
    looked: Sequence[int]


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
    return join_runs(runs, evalset, economics, seed=seed, draws=draws, **circumstances).comparison()


@dataclass(frozen=True, slots=True)
class Joined:
    """Runs that are paired, counted and priced; what is found out beside the scores can still come in.

    Attributes:
        runs, evalset, circumstances, seed, draws: what was joined; see `join_runs`.
        evidence: what the verdict is made from.
        disagreements: examples on which strategies differ.
    """

    runs: tuple[Run, ...]
    evalset: EvalSet
    circumstances: Circumstances
    seed: int
    draws: int
    evidence: Evidence
    disagreements: tuple[Disagreement, ...]

    def comparison(self, findings: Findings | None = None) -> Comparison:
        """Return the comparison, with these findings in place of those it was joined with."""
        evidence, beside = self.evidence, self.circumstances
        evidence = evidence if findings is None else replace(evidence, findings=findings)
        evidence = replace(evidence, information=inform(evidence))
        verdict = decide(evidence)
        ids = [run.id for run in (*self.runs, *(one.run for one in beside.get("sized", ())))]
        seen = [[guard.name, guard.state, guard.finding] for guard in verdict.guards]  # it is part of what was compared
        made_of = [ids, self.evalset.fingerprint, repr(evidence.economics), self.seed, self.draws, evidence.looks, seen]
        return Comparison(
            id=digest(made_of),
            **{name: getattr(evidence, name) for name in _SHARED},
            evalset=self.evalset.name,
            n_dev=len(self.evalset.dev),
            runs=self.runs,
            verdict=verdict,
            disagreements=self.disagreements,
            skipped=beside.get("skipped", {}),
            notes=(*beside.get("notes", ()), *evidence.money.remarks, *look_note(evidence, beside.get("looked", ()))),
            environment=beside.get("environment", {}),
        )


def join_runs(
    runs: Sequence[Run],
    evalset: EvalSet,
    economics: Economics,
    *,
    seed: int = 0,
    draws: int = 10_000,
    **circumstances: Unpack[Circumstances],
) -> Joined:
    """Pair, count and price runs; see `compare_runs`, which this is the first half of."""
    if unknown := set(circumstances) - set(Circumstances.__annotations__):
        raise TypeError(f"compare_runs() got unexpected keyword arguments: {', '.join(sorted(unknown))}")
    groups = group_runs(runs)
    tables = [tabulate(group, evalset.test) for group in groups]
    evidence = gather(groups, tables, evalset, economics, circumstances, np.random.default_rng(seed), draws)
    return Joined(
        runs=tuple(runs),
        evalset=evalset,
        circumstances=circumstances,
        seed=seed,
        draws=draws,
        evidence=evidence,
        disagreements=disagreements(groups, tables, evalset),
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
    looks = 1 + len(set(circumstances.get("looked", ())))
    error = error_of_differences(economics.false_yes, look=looks)
    found = paired_statistics(panel, draws, rng, error=error, margin=economics.margin)
    strategies = tuple(
        summarise(group, table, found.qualities.get(group.label), evalset.test)
        for group, table in zip(groups, tables, strict=True)
    )
    runs = [run for group in groups for run in group.runs]
    model = next((run.model for run in runs if run.model), "")
    specs, findings = circumstances.get("specs", {}), circumstances.get("findings", Findings())
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
        findings=findings,
        curves=learning_curves(
            circumstances.get("sized", ()),
            panel,
            evalset.test,
            replace(economics, horizon_months=ledger.horizon),
            rng,
            findings.label_noise,
        ),
        looks=looks,
    )


_SHARED = (
    *("metric", "model", "n_train", "n_test", "strategies", "pivot", "differences", "money"),
    *("curves", "findings", "looks", "information"),
)


def look_note(evidence: Evidence, looked: Sequence[int]) -> tuple[str, ...]:
    """Return what a later look at a growing test set costs, in one sentence; nothing at the first."""
    if evidence.looks < 2:
        return ()
    sizes = " and ".join(formats.count(size) for size in sorted(set(looked)))
    first, false_yes = replace(evidence, looks=1), evidence.economics.false_yes
    fell = error_of_differences(false_yes, look=evidence.looks) < error_of_differences(false_yes)
    wider = ", and the brackets of the leads are wider" if fell else ""
    return (
        f"{formats.ordinal(evidence.looks).capitalize()} look at a growing test set ({sizes} test examples before): a "
        f"yes needs {formats.level(evidence.chance_needed)} instead of {formats.level(first.chance_needed)}{wider}, so "
        "that looking often does not make a false yes likelier.",
    )
