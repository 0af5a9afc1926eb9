"""Runs of several strategies on one eval set, paired by example id, and everything that follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from advisor.core.errors import ConfigurationError
from advisor.core.fingerprints import digest
from advisor.core.shipped import save_comparison
from advisor.core.statement import say
from advisor.core.types import EvalSet, Interval, Run
from advisor.decision.evidence import Evidence, Verdict
from advisor.decision.findings import Findings
from advisor.decision.information import Information
from advisor.decision.learning_curve import LearningCurve, learning_curves
from advisor.decision.next_steps import inform
from advisor.decision.request import ComparisonRequest, Provenance
from advisor.decision.retrieval import Retrieval, retrievals
from advisor.decision.verdict import decide
from advisor.decision.words import sentence
from advisor.economics.inputs import Economics
from advisor.economics.ledger import open_ledger
from advisor.economics.money import Money, weigh_ledger
from advisor.stats.alpha_spending import error_of_differences
from advisor.stats.curve_points import SizedRun
from advisor.stats.paired import Difference, paired_statistics
from advisor.stats.summaries import (
    Disagreement,
    StrategySummary,
    disagreements,
    group_runs,
    panel_of,
    summarise,
    tabulate,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, repr=False)
class Comparison:
    """Everything a report shows. Build one with `advisor.compare(...)`.

    Attributes:
        id: content address of what was compared.
        evalset: the eval set's name.
        evidence: what the verdict was made from.
        verdict: the answer and why.
        runs: every run, single answers included.
        skipped: strategies that were not run, and why.
        notes: remarks.
        environment: versions, machine, date, the command to reproduce.
    """

    id: str
    evalset: str
    evidence: Evidence
    verdict: Verdict
    runs: tuple[Run, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """The model, as it is typed on the command line."""
        return self.evidence.request.model

    @property
    def economics(self) -> Economics:
        """The user's side of the money."""
        return self.evidence.economics

    @property
    def metric(self) -> str:
        """The name of the metric."""
        return self.evidence.metric

    @property
    def n_train(self) -> int:
        """Training examples that were learned from."""
        return self.evidence.n_train

    @property
    def n_dev(self) -> int:
        """Examples that were chosen on."""
        return self.evidence.n_dev

    @property
    def n_test(self) -> int:
        """Test examples that were asked."""
        return self.evidence.n_test

    @property
    def strategies(self) -> tuple[StrategySummary, ...]:
        """One summary a strategy."""
        return self.evidence.strategies

    @property
    def pivot(self) -> str:
        """The best fine-tuned strategy, or the best of all where none was tuned; `differences` are it minus another."""
        return self.evidence.pivot

    @property
    def differences(self) -> tuple[Difference, ...]:
        """The pivot minus each other strategy."""
        return self.evidence.differences

    @property
    def money(self) -> Money:
        """Cost, net benefit and break-even."""
        return self.evidence.money

    @property
    def disagreements(self) -> tuple[Disagreement, ...]:
        """Examples on which strategies differ."""
        return self.evidence.disagreements

    @property
    def findings(self) -> Findings:
        """What was found out beside the scores."""
        return self.evidence.findings

    @property
    def curves(self) -> tuple[LearningCurve, ...]:
        """Learning curves; empty where none were asked for."""
        return self.evidence.curves

    @property
    def retrieval(self) -> tuple[Retrieval, ...]:
        """What strategies that look up showed of what the answers need."""
        return self.evidence.retrieval

    @property
    def looks(self) -> int:
        """The number of this look at a growing test set, from 1 on."""
        return self.evidence.looks

    @property
    def information(self) -> Information | None:
        """What could be done next, and what it is worth."""
        return self.evidence.information

    def to_frame(self) -> pd.DataFrame:
        """Return a row a strategy: label, kind, tuned, n, failed, cut, quality and its interval, cost, latency, fit."""
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
        "cut": row.cut,
        "quality": row.quality.estimate if row.quality else None,
        "low": row.quality.low if row.quality else None,
        "high": row.quality.high if row.quality else None,
        "usd_per_1000": usd_per_1000.estimate if usd_per_1000 else None,
        "latency_p50": row.latency_p50,
        "latency_p95": row.latency_p95,
        "fit_seconds": row.fit.seconds,
    }


def compare_runs(
    runs: Sequence[Run],
    evalset: EvalSet,
    economics: Economics | None = None,
    *,
    seed: int = 0,
    draws: int = 10_000,
    earlier_looks: Sequence[int] = (),
    sized: Sequence[SizedRun] = (),
) -> Comparison:
    """Join runs that are at hand into a comparison: rows, differences, money and the verdict.

    Runs of the same strategy and parameters are one row over their seeds. The pivot is the best tuned strategy by mean
    score (the best of all where none was tuned). Picking it is a look at the test split, so the simultaneous intervals
    and Holm's adjustment run over the differences of every strategy that could have become the pivot to every other.

    Args:
        runs: at least one, all on `evalset` with one metric.
        evalset: whose test split the outcomes belong to.
        economics: the user's side of the money.
        seed: of the bootstrap; the same seed gives the same comparison.
        draws: how many bootstrap draws.
        earlier_looks: sizes of the other test splits of this eval set that were compared before, for the error control.
        sized: runs on parts of the training examples, for learning curves.

    Raises:
        ConfigurationError: no runs, runs that do not belong together, or outcomes from another test split.
    """
    given: object = evalset
    if not isinstance(given, EvalSet):
        raise ConfigurationError(
            f"evalset is {given!r}; an eval set is needed, since its test examples are what the runs are paired by",
            hint='compare_runs(runs, advisor.load_evalset("my-evalset"))',
        )
    model = next((run.model for run in runs if run.model), "")
    request = ComparisonRequest(evalset.name, model, economics=economics or Economics(), seed=seed, draws=draws)
    provenance = Provenance(earlier_looks=tuple(earlier_looks))
    evidence = gather(runs, evalset, request, provenance, sized=sized)
    return conclude(evidence, runs, evalset, provenance, sized)


def gather(
    runs: Sequence[Run],
    evalset: EvalSet,
    request: ComparisonRequest,
    provenance: Provenance,
    *,
    findings: Findings | None = None,
    sized: Sequence[SizedRun] = (),
) -> Evidence:
    """Pair, count and price runs: all that the verdict is made from; see `compare_runs`.

    What the probes find out is not in it yet: ``replace(evidence, findings=...)`` puts it there.
    """
    groups = group_runs(runs)
    tables = [tabulate(group, evalset.test) for group in groups]
    rng, economics, findings = np.random.default_rng(request.seed), request.economics, findings or Findings()
    panel = panel_of(groups, tables, evalset.test)
    looks = 1 + len(set(provenance.earlier_looks))
    error = error_of_differences(economics.false_yes, look=looks)
    found = paired_statistics(panel, request.draws, rng, error=error, margin=economics.margin)
    strategies = tuple(
        summarise(group, table, found.qualities.get(group.label), evalset.test)
        for group, table in zip(groups, tables, strict=True)
    )
    ledger = open_ledger(found.draws, strategies, economics, request.model, rng)
    horizon = replace(economics, horizon_months=ledger.horizon)
    specs, at_hand = provenance.specs, provenance.test_at_hand
    return Evidence(
        request=request,
        metric=runs[0].metric,
        n_train=len(evalset.train),
        n_dev=len(evalset.dev),
        n_test=len(evalset.test),
        strategies=strategies,
        pivot=found.pivot or next((row.label for row in strategies if row.tuned), strategies[0].label),
        differences=found.differences,
        money=weigh_ledger(ledger, strategies, economics, request.model),
        has_docs=bool(evalset.docs),
        has_tools=bool(evalset.tools),
        has_schema=evalset.schema is not None,
        specs={group.label: specs[run.id] for group in groups for run in group.runs[:1] if run.id in specs},
        test_at_hand=len(evalset.test) if at_hand is None else at_hand,
        disagreements=disagreements(groups, tables, evalset),
        findings=findings,
        curves=learning_curves(sized, panel, evalset.test, horizon, rng, findings.label_noise),
        looks=looks,
        retrieval=retrievals(groups, evalset),
        draws=found.draws,
        ledger=ledger,
        family=found.family,
        panel=panel,
        test_ids=tuple(example.id for example in evalset.test),
    )


def conclude(
    evidence: Evidence,
    runs: Sequence[Run],
    evalset: EvalSet,
    provenance: Provenance,
    sized: Sequence[SizedRun] = (),
) -> Comparison:
    """Decide, and put together what reports show.

    Args:
        evidence: complete, findings included; see `gather`.
        runs: what it was gathered from.
        evalset: the same as there.
        provenance: the same as there.
        sized: the same as there.
    """
    evidence = replace(evidence, information=inform(evidence))
    request, verdict = evidence.request, decide(evidence)
    ids = [run.id for run in (*runs, *(one.run for one in sized))]
    guards = [[guard.name, guard.state, guard.found] for guard in verdict.guards]  # it is part of what was compared
    contradictions = (sentence(one) for one in evidence.money.contradictions)
    made_of = [ids, evalset.fingerprint, repr(request.economics), request.seed, request.draws, evidence.looks, guards]
    return Comparison(
        id=digest(made_of),
        evalset=evalset.name,
        evidence=evidence,
        verdict=verdict,
        runs=tuple(runs),
        skipped=provenance.skipped,
        notes=(*provenance.notes, *contradictions, *look_note(evidence, provenance.earlier_looks)),
        environment=provenance.environment,
    )


def look_note(evidence: Evidence, looked: Sequence[int]) -> tuple[str, ...]:
    """Return what a later look at a growing test set costs, in one sentence; nothing at the first."""
    if evidence.looks < 2:
        return ()
    first, false_yes = replace(evidence, looks=1), evidence.economics.false_yes
    fell = error_of_differences(false_yes, look=evidence.looks) < error_of_differences(false_yes)
    note = say(
        "note.later_look",
        look=evidence.looks,
        sizes=tuple(sorted(set(looked))),
        needed=evidence.chance_needed,
        first=first.chance_needed,
        wider=fell,
    )
    return (sentence(note),)
