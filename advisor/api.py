"""What users call from Python: `compare` and `load_evalset`; the command line is a thin layer over the same."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from advisor import metrics, registry, runner
from advisor.costs import Economics, Prices, prices_for, request_cost
from advisor.errors import AdvisorError, ConfigurationError, did_you_mean
from advisor.findings import Checks, DataFindings, Findings
from advisor.flags import MONEY_FLAGS, typed
from advisor.life import check_shutdown
from advisor.models.metered import Price, Purse
from advisor.paths import home
from advisor.store import Store
from advisor.strategy import Progress, Strategy, Task, silent
from advisor.types import EvalSet, Run, digest

if TYPE_CHECKING:
    from advisor.comparison import Comparison
    from advisor.curve_points import SizedRun
    from advisor.curve_runs import Parts
    from advisor.findings import DataFindings, Findings
    from advisor.models.base import Model


CHECKS: tuple[Checks, ...] = ("none", "quick", "full")
ALL = "all"
"""In place of a strategy: every one that applies, the slow hybrids included."""


@dataclass(frozen=True)
class CompareOptions:
    """What one comparison is made of.

    Attributes:
        evalset: a shipped name, a folder, or a file.
        model: a model specification, e.g. ``smollm2``, ``openai:NAME``, ``http://host/v1#NAME``.
        strategies: strategy specifications, e.g. ``few_shot(k=8)``; empty means all that apply and run by default,
            ``("all",)`` all that apply.
        seeds: training seeds for each strategy whose answers depend on one.
        limit, train_limit: at most this many test and training examples, chosen by content.
        seed: the one source of randomness.
        jobs: requests in flight at an endpoint.
        economics: the user's side of the money.
        columns: which column of a file is which field, ``{"input": "question"}``.
        draws: bootstrap draws.
        budget_usd: stop before spending more than this.
        offline: make no request to any network.
        learning_curve: also run strategies that learn from examples on parts of them, and say what more would bring.
        config: the comparison file that options were read from, so that it stands in lines to type again.
        checks: how much is looked at beside the scores before a yes: `none`, `quick` or `full`.
        suite: a file of general questions that a tuned model must still answer; empty for the shipped ones.
        retention_margin: the loss on them that is still acceptable, as a share of right answers.
    """

    evalset: str = "harrow_desk"
    model: str = "smollm2"
    strategies: tuple[str, ...] = ()
    seeds: int = 2
    limit: int | None = None
    train_limit: int | None = None
    seed: int = 0
    jobs: int = 8
    economics: Economics = field(default_factory=Economics)
    columns: Mapping[str, str] | None = None
    draws: int = 10_000
    budget_usd: float | None = None
    offline: bool = False
    learning_curve: bool = False
    config: str = ""
    checks: Checks = "quick"
    suite: str = ""
    retention_margin: float = 0.05

    def __post_init__(self) -> None:
        evalset: Any = self.evalset
        if not isinstance(evalset, str):
            raise ConfigurationError(
                f"evalset is a {type(evalset).__name__}; a shipped name, a folder or a file is needed, as text",
                hint='rows of your own: write them to a file and give its name, e.g. compare("questions.jsonl")',
            )
        spec: Any
        for spec in self.strategies:
            if not isinstance(spec, str):
                known = spec.__name__ if isinstance(spec, type) else type(spec).__name__
                raise ConfigurationError(
                    f"strategies holds {spec!r}; each is written as text, so that a run can be found again",
                    hint=f'put the class into a file and write "path/to/file.py:{known}"',
                )
        for name in ("seeds", "limit", "train_limit", "jobs", "draws"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise ConfigurationError(f"{name} is {value!r}; it must be a whole number of at least 1")
        if self.checks not in CHECKS:
            raise ConfigurationError(f"checks is {self.checks!r}; {did_you_mean(str(self.checks), CHECKS)}")
        if not 0.0 < self.retention_margin < 1.0:
            raise ConfigurationError(
                f"retention_margin is {self.retention_margin!r}; allowed: above 0 and below 1 (0.05 is 5 points)"
            )


def load_evalset(source: str, *, columns: Mapping[str, str] | None = None, seed: int = 0) -> EvalSet:
    """Load a shipped eval set by name, a folder, or a file (`columns` maps our field names to the file's).

    Raises:
        EvalSetError: it is missing or malformed; says file, line and field.
    """
    loaded: EvalSet = registry.load("evalsets", "advisor.evalsets.loading:load")(source, columns=columns, seed=seed)
    return loaded


def compare(
    evalset: str | os.PathLike[str] = "harrow_desk",
    *,
    strategies: Sequence[str] = (),
    progress: Progress = silent,
    **options: Any,
) -> Comparison:
    """Run strategies on an eval set and say whether fine-tuning is worth its cost.

    Args:
        evalset: a shipped name, a folder, or a file.
        strategies: e.g. ``["few_shot", "nearest.py:Nearest"]``; by default all built-ins that apply.
        progress: called as long work goes on.
        **options: the other fields of `CompareOptions`.

    Returns:
        The comparison; ``.verdict`` answers, ``.to_frame()`` is the table, ``.save("report.html")`` writes a report.

    Raises:
        AdvisorError: says what was wrong, what was allowed, and what to type.
    """
    if isinstance(strategies, str):
        raise ConfigurationError(f"strategies is the text {strategies!r}; a list is needed", hint=f"[{strategies!r}]")
    known = {f.name for f in fields(CompareOptions)}
    unknown = sorted(set(options) - known)
    if unknown:
        raise ConfigurationError(f"compare() has no option {unknown[0]!r}; {did_you_mean(unknown[0], known)}")
    source: Any = os.fspath(evalset) if isinstance(evalset, os.PathLike) else evalset
    return compare_options(CompareOptions(evalset=source, strategies=tuple(strategies), **options), progress=progress)


def compare_options(options: CompareOptions, *, progress: Progress = silent) -> Comparison:
    """Run a comparison; what is stored already is not run again. See `compare`."""
    from advisor.comparison import compare_runs

    prepared = Prepared.of(options)
    with _network(options.offline), Store() as store:
        bench = prepared.bench(store, progress)
        runs, specs = _run_all(prepared, bench)
        sized = _sized(prepared, bench, runs, specs)
        join = partial(
            compare_runs,
            runs,
            prepared.evalset,
            options.economics,
            seed=options.seed,
            draws=options.draws,
            skipped=prepared.skipped,
            notes=(*prepared.evalset.notes, *getattr(bench.model, "notes", ()), *prepared.curve_notes, *_broken(sized)),
            asked_as=options.evalset,
            columns=options.columns or {},
            asked=asked_flags(options),
            test_at_hand=prepared.test_at_hand,
            specs=specs,
            looked=_looked(store, runs, prepared.evalset),
            environment=environment(options, bench.model),
            sized=sized,
        )
        findings = _findings(prepared, bench, runs)
        comparison = join(findings=findings)
        if options.checks != "none":
            closer = _look_closer(comparison, prepared, bench, specs)
            skipped = {**findings.skipped, **closer.skipped}
            comparison = join(findings=replace(closer, data=findings.data, skipped=skipped))
        store.add_comparison(comparison)
    return comparison


@dataclass(frozen=True)
class Prepared:
    """A comparison whose eval set is loaded and whose strategies are chosen; nothing has been run.

    `test_at_hand` counts the test examples before the limit.
    """

    options: CompareOptions
    evalset: EvalSet
    strategies: tuple[str, ...]
    skipped: Mapping[str, str]
    test_at_hand: int = 0

    @classmethod
    def of(cls, options: CompareOptions) -> Prepared:
        """Load the eval set and settle which strategies run.

        Raises:
            ConfigurationError: nothing is left to run, a strategy that was asked for does not apply, or the base model
                is said to be gone already.
        """
        check_shutdown(options.economics, date.today())
        loaded = load_evalset(options.evalset, columns=options.columns, seed=options.seed)
        evalset = loaded.limited(train=options.train_limit, test=options.limit)
        chosen, skipped = _choose(options.strategies, Task.of(evalset))
        return cls(options, evalset, chosen, skipped, len(loaded.test))

    def bench(self, store: Store, progress: Progress) -> runner.Bench:
        """Open the model and put together what all strategies share."""
        from advisor.models.local.embeddings import Embedder
        from advisor.models.specs import open_model

        options = self.options
        return runner.Bench(
            evalset=self.evalset,
            model=open_model(options.model, jobs=options.jobs, offline=options.offline, progress=progress),
            metric=metrics.for_task(self.evalset.metric, Task.of(self.evalset)),
            store=store,
            embed=Embedder(progress),
            workdir=home() / "work",
            model_spec=options.model,
            progress=progress,
            purse=Purse(options.budget_usd, partial(request_cost, prices=self.prices, economics=options.economics)),
            open_other=partial(self._open_other, progress=progress),
            kept=None if options.checks == "none" else {},
        )

    def _open_other(self, spec: str, progress: Progress) -> tuple[Model, Price]:
        """Open a model that helps a strategy's `fit`, with what it charges."""
        from advisor.models.specs import open_model

        options = self.options
        prices = prices_for(spec, usd_per_hour=options.economics.usd_per_hour)
        model = open_model(spec, jobs=options.jobs, offline=options.offline, progress=progress)
        return model, partial(request_cost, prices=prices, economics=options.economics)

    @property
    def parts(self) -> Parts:
        """What has to be run for the learning curves; empty where none are asked for."""
        from advisor.curve_runs import Parts, plan_parts

        if not self.options.learning_curve:
            return Parts((), (), {})
        return plan_parts(self.strategies, self.evalset, seed=self.options.seed, seeds=self.options.seeds)

    @property
    def curve_notes(self) -> tuple[str, ...]:
        """Which strategies get no learning curve although they learn from examples."""
        return tuple(f"{spec}: {why}." for spec, why in self.parts.left_out.items())

    @property
    def prices(self) -> Prices:
        """What the model charges, as far as it is known."""
        economics = self.options.economics
        return economics.prices or prices_for(self.options.model, usd_per_hour=economics.usd_per_hour)

    def seeds_of(self, spec: str) -> tuple[int, ...]:
        """Return the seeds a strategy runs with: one, where it says that the seed cannot change its answers."""
        stochastic = getattr(registry.make("strategies", spec), "stochastic", True)
        return tuple(range(self.options.seed, self.options.seed + (self.options.seeds if stochastic else 1)))


_NO_NETWORK = {"HF_HUB_OFFLINE": "1", "PIP_NO_INDEX": "1"}
"""What the libraries that fetch weights (Hugging Face's, and pip) obey."""


@contextmanager
def _network(offline: bool) -> Iterator[None]:
    """Keep whatever fetches from the network away from it for as long as this lasts, if `offline`."""
    settings = _NO_NETWORK if offline else {}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _choose(asked: Sequence[str], task: Task) -> tuple[tuple[str, ...], dict[str, str]]:
    everything, named = ALL in asked, tuple(spec for spec in asked if spec != ALL)
    by_name = [entry.name for entry in registry.names("strategies") if not entry.problem]
    order = registry.built_in_order("strategies")
    by_name.sort(key=lambda name: order.index(name) if name in order else len(order))
    skipped: dict[str, str] = {}
    chosen: dict[str, str] = {}
    classes: dict[str, tuple[type, str]] = {}
    for spec in (*named, *(by_name if everything or not asked else ())):
        strategy: Strategy = registry.make("strategies", spec)
        reason = _applies(strategy, spec, task)
        if reason and spec in named:
            raise ConfigurationError(
                f"strategy {spec!r} cannot run on {task.name!r}: {reason}", hint="leave it out, or see `advisor list`"
            )
        if not (reason or asked or getattr(strategy, "by_default", True)):
            reason = f"it runs only when asked for: --strategy {spec}, or --strategy {ALL}"
        if reason:
            skipped[spec] = reason
            continue
        first, other = classes.setdefault(strategy.name, (type(strategy), spec))
        if first is not type(strategy):
            raise ConfigurationError(
                f"{other!r} and {spec!r} are both called {strategy.name!r}, and a report could not tell them apart",
                hint='give your own another name: name = "..." in its class',
            )
        chosen.setdefault(digest([strategy.name, registry.params_of(strategy)]), spec)
    return tuple(chosen.values()), skipped


def _applies(strategy: Strategy, spec: str, task: Task) -> str:
    """Return why a strategy cannot run on `task`, or nothing; only the user's own code can break here."""
    try:
        reason = getattr(strategy, "applies", _always)(task)
    except Exception as error:
        raise ConfigurationError(f"{spec!r}: its applies(task) raised {type(error).__name__}: {error}") from error
    if not isinstance(reason, str):
        raise ConfigurationError(
            f"{spec!r}: its applies(task) returned {reason!r}; a text is needed",
            hint='return "" where it can run, and the reason where it cannot',
        )
    return reason


def _always(task: Task) -> str:
    return ""


def _run_all(prepared: Prepared, bench: runner.Bench) -> tuple[list[Run], dict[str, str]]:
    """Run every strategy with every seed; return the runs, and by run id what was typed for each.

    `progress` may have hooks for the start and end of a strategy.
    """
    started = getattr(bench.progress, "strategy_started", lambda *_: None)
    finished = getattr(bench.progress, "strategy_finished", lambda *_: None)
    todo = [(spec, seed) for spec in prepared.strategies for seed in prepared.seeds_of(spec)]
    runs, specs = [], {}
    for at, (spec, seed) in enumerate(todo, 1):
        label = f"{spec} seed {seed}" if len(prepared.seeds_of(spec)) > 1 else spec
        started(label, at, len(todo))
        run = runner.run_strategy(spec, seed, bench)
        runs.append(run)
        specs[run.id] = spec
        finished(label, runner.note(run))
    if all(run.error for run in runs):
        raise AdvisorError(f"no strategy could be run; the first one said: {runs[0].error}")
    return runs, specs


def _findings(prepared: Prepared, bench: runner.Bench, runs: Sequence[Run]) -> Findings:
    """Find out, for the guards, what the scores do not say; what cannot be looked at never stops a comparison.

    Only where a strategy was tuned: the guards stand before a yes to fine-tuning, and before nothing else.
    """
    import numpy as np

    if not any(run.tuned for run in runs):
        return Findings(skipped={"data": "looked at only where a strategy was tuned"})
    try:
        look_at = registry.load("evalsets", "advisor.evalsets.quality:look_at")
        rng = np.random.default_rng(prepared.options.seed)
        data: DataFindings = look_at(prepared.evalset, bench.embed, rng, bench.progress)
    except Exception as error:
        return Findings(skipped={"data": f"could not be looked at: {type(error).__name__}: {error}"})
    return Findings(data=data)


def _looked(store: Store, runs: Sequence[Run], evalset: EvalSet) -> tuple[int, ...]:
    """Return the smaller sizes of this test split that were looked at before with this model."""
    model = next((run.model for run in runs if run.model), "")
    return store.earlier_looks(evalset.name, model, len(evalset.test))


def _sized(prepared: Prepared, bench: runner.Bench, runs: Sequence[Run], specs: Mapping[str, str]) -> list[SizedRun]:
    """Run what the learning curves need beside the comparison's `runs`; those count as the largest size."""
    from advisor.curve_points import SizedRun
    from advisor.curve_runs import run_parts
    from advisor.summaries import group_runs

    parts = prepared.parts
    if not parts.strategies:
        return []
    labels = {specs[run.id]: group.label for group in group_runs(runs) for run in group.runs}
    whole = [SizedRun(labels[specs[run.id]], len(prepared.evalset.train), run) for run in runs]
    kept = {labels[spec] for spec in parts.strategies}
    found = run_parts(parts, bench, labels, prepared.options.seed)
    return [one for one in whole if one.label in kept] + found


def _broken(sized: Sequence[SizedRun]) -> list[str]:
    """Name the points of learning curves that are missing because a strategy broke there."""
    return [
        f"The learning curve of {one.label} lacks {one.size} examples with seed {one.run.seed}: {one.run.error}"
        for one in sized
        if one.run.error
    ]


def _look_closer(comparison: Comparison, prepared: Prepared, bench: runner.Bench, specs: dict[str, str]) -> Findings:
    """Ask again what the guards need; who leads, and the best alternatives, are those of `comparison`."""
    from advisor.probes import Closer, Subject, look_closer
    from advisor.summaries import group_runs

    options, point = prepared.options, comparison.money.break_even
    others = [one for one in comparison.strategies if not one.tuned and one.quality is not None]
    best = max(others, key=lambda one: one.quality.estimate if one.quality else 0.0, default=None)
    tuned = next((one.label for one in comparison.strategies if one.tuned and one.label == comparison.pivot), "")
    local = prepared.prices.usd_per_hour is not None
    closer = Closer(
        subjects=tuple(Subject(group.label, group.runs) for group in group_runs(comparison.runs)),
        specs=specs,
        tuned=point.tuned if point else tuned,
        alternatives=(point.alternative,) if point else (best.label,) if best else (),
        checks=options.checks,
        suite=options.suite,
        retention_margin=options.retention_margin,
        concurrency=f"in batches of {runner.CHUNK}" if local else f"with {options.jobs} requests in flight",
    )
    return look_closer(closer, bench)


def environment(options: CompareOptions, model: object = None) -> dict[str, str]:
    """Return what is needed to do a comparison again: command, versions, machine, date, seed, a model's precision."""
    precision = getattr(model, "precision", "")
    return {
        "command": command_line(options),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        **({"precision": precision} if precision else {}),
        "seed": str(options.seed),
        "bootstrap draws": str(options.draws),
        **{f"{name} version": number for name, number in runner.versions().items()},
    }


_FLAGS = ("seeds", "limit", "train_limit", "seed", "checks", "suite", "retention_margin")


def asked_flags(options: CompareOptions) -> dict[str, str]:
    """Return by flag what was asked for beside eval set, model, strategies, columns and amounts."""
    plain = CompareOptions()
    changed = [name for name in _FLAGS if getattr(options, name) != getattr(plain, name)]
    found = {f"--{name.replace('_', '-')}": typed(getattr(options, name)) for name in changed}
    return {**found, **({"--config": options.config} if options.config else {})}


def command_line(options: CompareOptions) -> str:
    """Return the `advisor compare` line that gives the same figures; prices of one's own are in the file it names."""
    import shlex

    words, plain = ["advisor", "compare", options.evalset], CompareOptions()
    if options.model != plain.model:
        words += ["--model", options.model]
    for spec in options.strategies:
        words += ["--strategy", spec]
    for field_name, column in (options.columns or {}).items():
        words += ["--column", f"{field_name}={column}"]
    for flag, value in asked_flags(options).items():
        words += [flag, value]
    for name, flag in MONEY_FLAGS.items():
        value = getattr(options.economics, name)
        if value != getattr(plain.economics, name):
            words += [flag, typed(value)]
    words += ["--learning-curve"] * options.learning_curve
    return shlex.join(words)
