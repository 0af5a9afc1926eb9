"""What users call from Python: `compare`; the command line is a thin layer over the same."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from advisor._util.environment import NO_NETWORK, variables
from advisor.core.errors import AdvisorError, ConfigurationError, did_you_mean
from advisor.core.model import CountsTokens, HasNotes
from advisor.core.progress import Progress, silent, strategy_finished, strategy_started
from advisor.core.shipped import look_at_data
from advisor.core.tokens import LEAST_ROOM, answer_room, count_tokens
from advisor.core.types import EvalSet, Run
from advisor.decision.findings import Findings, Skipped
from advisor.decision.request import ComparisonRequest, Provenance
from advisor.runs import runner
from advisor.runs.imported import remarks
from advisor.runs.prepare import Prepared
from advisor.runs.provenance import environment
from advisor.runs.store import Store

if TYPE_CHECKING:
    from advisor.decision.comparison import Comparison
    from advisor.decision.evidence import Evidence
    from advisor.runs.probes import ProbePlan
    from advisor.stats.curve_points import SizedRun


def compare(
    evalset: str | os.PathLike[str] = "harrow_desk",
    *,
    strategies: Sequence[str] = (),
    progress: Progress = silent,
    trust_code: bool = False,
    **options: Any,
) -> Comparison:
    """Run strategies on an eval set and say whether fine-tuning is worth its cost.

    Args:
        evalset: a shipped name, a folder, or a file.
        strategies: e.g. ``["few_shot", "nearest.py:Nearest"]``; by default all built-ins that apply.
        progress: called as long work goes on.
        trust_code: run the code that the eval set brings (``tools.py``, a metric of its own); remembered for this
            content. Without it, code that was not agreed to before is an error.
        **options: the other fields of `ComparisonRequest`.

    Returns:
        The comparison; ``.verdict`` answers, ``.to_frame()`` is the table, ``.save("report.html")`` writes a report.

    Raises:
        AdvisorError: says what was wrong, what was allowed, and what to type.
    """
    if isinstance(strategies, str):
        raise ConfigurationError(f"strategies is the text {strategies!r}; a list is needed", hint=f"[{strategies!r}]")
    known = {f.name for f in fields(ComparisonRequest)}
    unknown = sorted(set(options) - known)
    if unknown:
        raise ConfigurationError(f"compare() has no option {unknown[0]!r}; {did_you_mean(unknown[0], known)}")
    source: Any = os.fspath(evalset) if isinstance(evalset, os.PathLike) else evalset
    return compare_options(
        ComparisonRequest(evalset=source, strategies=tuple(strategies), **options),
        progress=progress,
        trust_code=trust_code,
    )


def compare_options(options: ComparisonRequest, *, progress: Progress = silent, trust_code: bool = False) -> Comparison:
    """Run a comparison; what is stored already is not run again. See `compare`."""
    from advisor.decision.comparison import conclude, gather
    from advisor.runs.probes import run_probes

    with variables(NO_NETWORK if options.offline else {}):
        prepared = Prepared.of(options).with_code(trust_code)
    with variables(NO_NETWORK if options.offline else {}), Store() as store, store.at_work(progress):
        context = prepared.context(store, progress)
        runs, specs = _run_all(prepared, context)
        sized = _sized(prepared, context, runs, specs)
        provenance = Provenance(
            specs=specs,
            skipped=prepared.skipped,
            notes=_notes(prepared, context, runs, sized),
            environment={**environment(options, context.model), "room for an answer": _room(context)},
            test_at_hand=prepared.test_at_hand,
            earlier_looks=_earlier_looks(store, runs, prepared.evalset),
        )
        beside = _data_findings(prepared, context, runs)
        evidence = gather(runs, prepared.evalset, options, provenance, findings=beside, sized=sized)
        if options.checks != "none":
            probed = run_probes(_probe_plan(evidence, runs, prepared, specs), context)
            beside = replace(probed, data=beside.data, skipped=(*beside.skipped, *probed.skipped))
            evidence = replace(evidence, findings=beside)
        comparison = conclude(evidence, runs, prepared.evalset, provenance, sized)
        store.add_comparison(comparison)
    return comparison


def _run_all(prepared: Prepared, context: runner.RunContext) -> tuple[list[Run], dict[str, str]]:
    """Run every strategy with every seed; return the runs, and by run id what was typed for each.

    `progress` may have hooks for the start and end of a strategy.
    """
    todo = [(spec, seed) for spec in prepared.strategies for seed in prepared.seeds_of(spec)]
    runs, specs = [], {}
    for at, (spec, seed) in enumerate(todo, 1):
        label = f"{spec} seed {seed}" if len(prepared.seeds_of(spec)) > 1 else spec
        strategy_started(context.progress, label, at, len(todo))
        run = runner.run_strategy(spec, seed, context)
        runs.append(run)
        specs[run.id] = spec
        strategy_finished(context.progress, label, runner.note(run))
    if all(run.error for run in runs):
        raise AdvisorError(f"no strategy could be run; the first one said: {runs[0].error}")
    return runs, specs


def _room(context: runner.RunContext) -> str:
    """Say how many tokens an answer may take, and by which rule; see `Context.answer_tokens`."""
    if context.max_answer_tokens is not None:
        return f"{context.max_answer_tokens:,} tokens, as asked for"
    known = [example.target for example in (*context.evalset.train, *context.evalset.dev)]
    counted = "the model's own tokenizer" if isinstance(context.model, CountsTokens) else "two bytes a token"
    room = answer_room(count_tokens(context.model, known))
    return f"{room:,} tokens: those of 99.5% of the known answers x 1.5 + 16, at least {LEAST_ROOM}, by {counted}"


def _data_findings(prepared: Prepared, context: runner.RunContext, runs: Sequence[Run]) -> Findings:
    """Find out, for the guards, what the scores do not say; what cannot be looked at never stops a comparison.

    Only where a strategy was tuned: the guards stand before a yes to fine-tuning, and before nothing else.
    """
    import numpy as np

    if not any(run.tuned for run in runs):
        return Findings(skipped=(Skipped("data", "", "looked at only where a strategy was tuned"),))
    try:
        rng = np.random.default_rng(prepared.options.seed)
        data = look_at_data(prepared.evalset, context.embed, rng, context.progress)
    except Exception as error:
        return Findings(skipped=(Skipped("data", "", f"could not be looked at: {type(error).__name__}: {error}"),))
    return Findings(data=data)


def _earlier_looks(store: Store, runs: Sequence[Run], evalset: EvalSet) -> tuple[int, ...]:
    """Return the other sizes of this test split that were looked at before with this model."""
    model = next((run.model for run in runs if run.model), "")
    return store.earlier_looks(evalset.name, model, len(evalset.test))


def _sized(
    prepared: Prepared, context: runner.RunContext, runs: Sequence[Run], specs: Mapping[str, str]
) -> list[SizedRun]:
    """Run what the learning curves need beside the comparison's `runs`; those count as the largest size."""
    from advisor.runs.curve_runs import run_parts
    from advisor.stats.curve_points import SizedRun
    from advisor.stats.summaries import group_runs

    parts = prepared.parts
    if not parts.strategies:
        return []
    labels = {specs[run.id]: group.label for group in group_runs(runs) for run in group.runs}
    whole = [SizedRun(labels[specs[run.id]], len(prepared.evalset.train), run) for run in runs]
    kept = {labels[spec] for spec in parts.strategies}
    found = run_parts(parts, context, labels, prepared.options.seed)
    return [one for one in whole if one.label in kept] + found


def _notes(
    prepared: Prepared, context: runner.RunContext, runs: Sequence[Run], sized: Sequence[SizedRun]
) -> tuple[str, ...]:
    own = context.model.notes if isinstance(context.model, HasNotes) else ()
    return (*prepared.evalset.notes, *own, *prepared.curve_notes, *_broken(sized), *_unread(runs), *remarks(runs))


def _unread(runs: Sequence[Run]) -> list[str]:
    """Name the strategies that did not learn all of what their training examples say."""
    counts = {run.strategy: run.selection.get("unread") for run in runs if run.tuned}
    return [
        f"{name}: training examples that are too long to be learned to their end: {count:,}"
        for name, count in counts.items()
        if isinstance(count, int) and count > 0
    ]


def _broken(sized: Sequence[SizedRun]) -> list[str]:
    """Name the points of learning curves that are missing because a strategy broke there."""
    return [
        f"The learning curve of {one.label} lacks {one.size} examples with seed {one.run.seed}: {one.run.error}"
        for one in sized
        if one.run.error
    ]


def _probe_plan(evidence: Evidence, runs: Sequence[Run], prepared: Prepared, specs: Mapping[str, str]) -> ProbePlan:
    """Return what is to be asked again for the guards: of the tuned strategy that leads, and of its alternative."""
    from advisor.runs.probes import ProbePlan, Subject
    from advisor.stats.summaries import group_runs

    options, local = prepared.options, prepared.prices.usd_per_hour is not None
    return ProbePlan(
        subjects=tuple(Subject(group.label, group.runs) for group in group_runs(runs)),
        specs=specs,
        tuned=evidence.tuned,
        alternatives=(evidence.alternative,) if evidence.alternative else (),
        checks=options.checks,
        suite=options.suite,
        retention_margin=options.retention_margin,
        concurrency=f"in batches of {runner.CHUNK}" if local else f"with {options.jobs} requests in flight",
    )
