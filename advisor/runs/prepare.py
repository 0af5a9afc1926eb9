"""A comparison before anything is run: its eval set loaded, its strategies chosen, the model opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from advisor.core import metrics, registry
from advisor.core.errors import ConfigurationError
from advisor.core.fingerprints import digest, params_of
from advisor.core.paths import home
from advisor.core.progress import Progress
from advisor.core.shipped import load_evalset, load_suite
from advisor.core.strategy import Strategy, traits_of
from advisor.core.tool_files import with_code
from advisor.core.types import EvalSet, Task
from advisor.decision.request import ALL, ComparisonRequest
from advisor.economics.horizon import refuse_past_shutdown
from advisor.economics.ledger import price_pair
from advisor.economics.money import request_cost
from advisor.economics.prices import Prices, prices_for
from advisor.runs import runner
from advisor.runs.metering import Budget, CallPrice
from advisor.runs.store import Store

if TYPE_CHECKING:
    from advisor.core.model import Model
    from advisor.models.endpoint.embedding import EndpointEmbedder
    from advisor.runs.curve_runs import Parts


@dataclass(frozen=True)
class Prepared:
    """A comparison whose eval set is loaded and whose strategies are chosen; nothing has been run.

    `test_at_hand` counts the test examples before the limit.
    """

    options: ComparisonRequest
    evalset: EvalSet
    strategies: tuple[str, ...]
    skipped: Mapping[str, str]
    test_at_hand: int = 0

    @classmethod
    def of(cls, options: ComparisonRequest) -> Prepared:
        """Load the eval set and settle which strategies run.

        Raises:
            EvalSetError: the eval set or the suite is missing or malformed.
            ConfigurationError: nothing is left to run, a strategy that was asked for does not apply, or the base model
                is said to be gone already.
        """
        refuse_past_shutdown(options.economics, date.today())
        if options.suite and options.checks != "none":
            load_suite(options.suite)  # a file that cannot be read is said before anything is run
        loaded = load_evalset(options.evalset, columns=options.columns, seed=options.seed, docs=options.docs)
        evalset = loaded.limited(train=options.train_limit, test=options.limit)
        chosen, skipped = _choose(options.strategies, Task.of(evalset))
        return cls(options, evalset, chosen, skipped, len(loaded.test))

    def with_code(self, trust_code: bool) -> Prepared:
        """Return the same with the set's own code ready to run; see `advisor.core.tool_files.with_code`.

        Raises:
            EvalSetError: nobody has agreed to it, or it fails.
        """
        return replace(self, evalset=with_code(self.evalset, trust_code))

    def context(self, store: Store, progress: Progress) -> runner.RunContext:
        """Open the model and put together what all strategies share."""
        from advisor.models.local.embeddings import Embedder
        from advisor.models.opening import open_model

        options = self.options
        return runner.RunContext(
            evalset=self.evalset,
            model=open_model(options.model, jobs=options.jobs, offline=options.offline, progress=progress),
            metric=metrics.for_task(self.evalset.metric, Task.of(self.evalset), self.evalset.origin),
            store=store,
            embed=Embedder(progress),
            workdir=home() / "work",
            model_spec=options.model,
            progress=progress,
            budget=Budget(options.budget_usd, partial(request_cost, prices=self.prices, economics=options.economics)),
            open_other=partial(self._open_other, progress=progress),
            open_embedder=partial(self._open_embedder, progress=progress),
            kept=None if options.checks == "none" else {},
            max_answer_tokens=options.max_answer_tokens,
        )

    def _open_other(self, spec: str, progress: Progress) -> tuple[Model, CallPrice]:
        """Open a model that helps a strategy's `fit`, with what it charges."""
        from advisor.models.opening import open_model

        options = self.options
        prices = prices_for(spec, usd_per_hour=options.economics.usd_per_hour)
        model = open_model(spec, jobs=options.jobs, offline=options.offline, progress=progress)
        return model, partial(request_cost, prices=prices, economics=options.economics)

    def _open_embedder(
        self, spec: str, usd_per_1m_tokens: float | None, progress: Progress
    ) -> tuple[EndpointEmbedder, float]:
        """Open what embeds for a strategy, with its price."""
        from advisor.models.endpoint.embedding import EndpointEmbedder
        from advisor.models.endpoint.model import EndpointModel
        from advisor.models.opening import open_model

        model = open_model(spec, jobs=self.options.jobs, offline=self.options.offline, progress=progress)
        if not isinstance(model, EndpointModel):
            raise ConfigurationError(
                f"{spec!r} is no endpoint, so it has no embeddings to ask for",
                hint="--strategy 'rag(embedder=\"openai:text-embedding-3-small\")', or http://host/v1#NAME",
            )
        price = prices_for(spec).usd_per_1m_input_tokens if usd_per_1m_tokens is None else usd_per_1m_tokens
        if price is None:
            raise ConfigurationError(
                f"what embeddings from {spec!r} cost is not known, and unknown is not 0",
                hint=f"--strategy 'rag(embedder=\"{spec}\", embedder_usd_per_1m_tokens=0.02)'",
            )
        return EndpointEmbedder(model, progress), price

    @property
    def parts(self) -> Parts:
        """What has to be run for the learning curves; empty where none are asked for."""
        from advisor.runs.curve_runs import Parts, plan_parts

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
        base, _ = price_pair(self.options.economics, self.options.model)
        return base

    def seeds_of(self, spec: str) -> tuple[int, ...]:
        """Return the seeds a strategy runs with: one, where it says that the seed cannot change its answers."""
        stochastic = traits_of(registry.make("strategies", spec, origin="user")).stochastic
        return tuple(range(self.options.seed, self.options.seed + (self.options.seeds if stochastic else 1)))


def _choose(asked: Sequence[str], task: Task) -> tuple[tuple[str, ...], dict[str, str]]:
    everything, named = ALL in asked, tuple(spec for spec in asked if spec != ALL)
    entries = registry.names("strategies")
    by_name = [entry.name for entry in entries if not entry.problem]
    broken = {entry.name: entry.problem for entry in entries if entry.problem}
    order = registry.built_in_order("strategies")
    by_name.sort(key=lambda name: order.index(name) if name in order else len(order))
    usual = by_name if everything or not asked else []
    skipped = {name: f"it cannot be loaded: {why}" for name, why in broken.items() if usual}
    chosen: dict[str, str] = {}
    classes: dict[str, tuple[type, str]] = {}
    for spec in (*named, *usual):
        strategy: Strategy = registry.make("strategies", spec, origin="user")
        reason = _applies(strategy, spec, task)
        if reason and spec in named:
            raise ConfigurationError(
                f"strategy {spec!r} cannot run on {task.name!r}: {reason}", hint="leave it out, or see `advisor list`"
            )
        if not (reason or asked or traits_of(strategy).by_default):
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
        chosen.setdefault(digest([strategy.name, params_of(strategy)]), spec)
    return tuple(chosen.values()), skipped


def _applies(strategy: Strategy, spec: str, task: Task) -> str:
    """Return why a strategy cannot run on `task`, or nothing; only the user's own code can break here."""
    try:
        reason = traits_of(strategy).applies(task)
    except Exception as error:
        raise ConfigurationError(f"{spec!r}: its applies(task) raised {type(error).__name__}: {error}") from error
    if not isinstance(reason, str):
        raise ConfigurationError(
            f"{spec!r}: its applies(task) returned {reason!r}; a text is needed",
            hint='return "" where it can run, and the reason where it cannot',
        )
    return reason
