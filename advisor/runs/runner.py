"""Runs one strategy on one eval set with one seed, keeping every outcome as it comes.

Targets stop here: a strategy gets training and dev examples and the inputs of the test split, nothing else.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor._util.unknown import total
from advisor.core import registry
from advisor.core.errors import CallFailed
from advisor.core.fingerprints import digest, params_of, source_digest
from advisor.core.model import Model
from advisor.core.progress import Progress, silent
from advisor.core.specs import Spec
from advisor.core.strategy import Context, Strategy, traits_of
from advisor.core.thinking import thinks
from advisor.core.types import Embed, EvalSet, Example, FitCost, Outcome, Outcomes, Prediction, Run, Task, Usage
from advisor.runs.answer_room import AnswerRoom, cut_predictions
from advisor.runs.embedding import EmbeddingMeter, OpenEmbedder, PaidEmbedding
from advisor.runs.imported import scored_again
from advisor.runs.interception import Switch, SwitchableModel
from advisor.runs.metering import Budget, CallPrice, Meter, MeteredModel, shares
from advisor.runs.plugin_calls import BrokenStrategyError, calling, checked, listed, recorded, score_of, summaries_of
from advisor.runs.provenance import versions
from advisor.runs.timing import FreshRequests

if TYPE_CHECKING:
    from advisor.core.metric import Metric
    from advisor.runs.store import Store

CHUNK = 64
"""Examples that a strategy is asked for at once."""
WAIT_SECONDS = 0.05
"""How long outcomes may wait to be committed together; a chunk that takes longer is committed at once."""
RUN_FORMAT = "2"
"""1 took an answer that was cut off as it was."""
Predict = Callable[[Sequence[Example]], Any]
"""How a strategy is asked for some examples: what it returns, unchecked."""
Opener = Callable[[str], tuple[Model, CallPrice]]
"""Opens another model by its specification, with what it charges."""


@dataclass(frozen=True)
class RunContext:
    """What all strategies of one comparison share.

    `kept` is where fitted strategies wait for their probes, by run id; `None` if there are none. One with a tuned model
    is not kept, since that is large and comes back from its checkpoint at once. `pool` is `Context.pool`.
    `max_answer_tokens` is the user's own limit; `rooms` is what is known of the room that each model needs, by
    fingerprint.
    """

    evalset: EvalSet
    model: Model
    metric: Metric
    store: Store
    embed: Embed
    workdir: Path
    model_spec: str = ""
    progress: Progress = silent
    budget: Budget = field(default_factory=Budget)
    open_other: Opener | None = None
    open_embedder: OpenEmbedder | None = None
    kept: dict[str, Attempt] | None = None
    pool: tuple[Example, ...] = ()
    max_answer_tokens: int | None = None
    rooms: dict[str, AnswerRoom] = field(default_factory=dict)

    def room_of(self, model: Model) -> AnswerRoom:
        """Return the room for the answers of a model; all strategies share what was learned of it."""
        known = (example.target for example in (*self.evalset.train, *self.evalset.dev))
        if model.fingerprint not in self.rooms:
            self.rooms[model.fingerprint] = AnswerRoom(thinks(known), self.max_answer_tokens)
        return self.rooms[model.fingerprint]

    @cached_property
    def task(self) -> Task:
        """The eval set as strategies see it."""
        return Task.of(self.evalset)

    @cached_property
    def fingerprint(self) -> str:
        """The eval set's content address, computed once."""
        return self.evalset.fingerprint


def run_strategy(spec: str, seed: int, context: RunContext) -> Run:
    """Run what `spec` names and return its `Run`; examples that are stored already are not answered again.

    A stored failure is no answer: it is tried again.

    A strategy that breaks gives a Run with `error` and whatever it had answered.

    Raises:
        RegistryError, ConfigurationError: `spec` cannot be built.
        ConfigurationError: the metric is the user's own and breaks.
        ModelError: the model cannot be reached at all.
        IncompleteError: the budget is reached.
    """
    attempt = Attempt.of(spec, seed, context)
    run = attempt.run()
    if context.kept is not None and attempt.fitted and not attempt.switch.tunings and not run.error:
        context.kept[run.id] = attempt
    return run


def note(run: Run) -> str:
    """Return a run in a few words, for progress: its mean score, or what went wrong."""
    if run.error:
        return f"failed: {run.error}"
    outcomes = Outcomes.of(run.outcomes)
    scores, failed = [score for score in outcomes.scores if not math.isnan(score)], sum(outcomes.failed)
    mean = f"{run.metric} {sum(scores) / len(scores):.3f} on {len(scores)}" if scores else "no scores"
    return f"{mean}, {failed} failed" if failed else mean


class Attempt:
    """One strategy, fitted if anything is left to answer, answering what is missing."""

    def __init__(self, strategy: Strategy, seed: int, context: RunContext) -> None:
        self.strategy, self.context = strategy, context
        self.meter, self.switch, self.fitted = Meter(), Switch(), False
        self.others: list[tuple[Meter, CallPrice]] = []
        self.embeddings = EmbeddingMeter()
        self.fresh = FreshRequests(
            context.model,
            context.embed,
            context.store,
            self.meter,
            self.switch,
            lambda: self.embeddings.unwaited_seconds,
        )
        self.header = _header(strategy, seed, context)

    @classmethod
    def of(cls, spec: str, seed: int, context: RunContext) -> Attempt:
        """Make the strategy that `spec` names; one that was fitted and kept comes as it is."""
        made = cls(registry.make("strategies", spec, origin="user"), seed, context)
        return (context.kept or {}).get(made.header.id, made)

    def run(self) -> Run:
        """Answer what is missing, and return all."""
        header, outcomes = self._stored()
        if self._missing(outcomes):
            with self.context.store.claimed(self.header.id, self.context.progress, self.strategy.name):
                header, outcomes = self._stored()  # whoever had it may have answered meanwhile
                if missing := self._missing(outcomes):
                    header = self._answered(header, missing)
                    outcomes = self._kept()
        by_id = {example.id: example for example in self.context.evalset.test}
        if header.imported:
            outcomes = scored_again(outcomes, by_id, self.context.metric)
        found = zip(outcomes.ids, outcomes.outputs(), outcomes.failed, strict=True)
        pairs = [(output, by_id[identity]) for identity, output, failed in found if not failed]
        summaries = summaries_of(self.context.metric, pairs)
        return replace(
            header, outcomes=outcomes, summaries=summaries, waits=header.waits or self.fresh.waits(header.id)
        )

    def _kept(self) -> Outcomes:
        return self.context.store.outcomes_in_order(self.header.id, [one.id for one in self.context.evalset.test])

    def _stored(self) -> tuple[Run, Outcomes]:
        outcomes = self._kept()  # first: where there are any, the header was kept before
        return self.context.store.run(self.header.id) or self.header, outcomes

    def _missing(self, outcomes: Outcomes) -> list[Example]:
        found = zip(outcomes.ids, outcomes.failed, strict=True)
        answered = {identity for identity, failed in found if not failed}
        return [example for example in self.context.evalset.test if example.id not in answered]

    def _answered(self, header: Run, missing: Sequence[Example]) -> Run:
        try:
            header = self._fit(header)
            with self.fresh.answering():
                self.fresh.time(header.id, self.ask, self.context.evalset.test)
                self.answer(missing, header.id, done=len(self.context.evalset.test) - len(missing))
        except BrokenStrategyError as error:
            return replace(header, error=str(error))
        return header

    def fit(self) -> None:
        """Fit, if that was not done yet; what was asked or trained before is taken from the store."""
        if not self.fitted:
            with self.context.store.claimed(self.header.id, self.context.progress, self.strategy.name):
                self._fit(self.context.store.run(self.header.id) or self.header)

    def _fit(self, stored: Run) -> Run:
        """Fit, and keep what it cost the first time; a resumed fit is cheaper than the real one."""
        context = self.context
        workdir = context.workdir / self.header.id
        workdir.mkdir(parents=True, exist_ok=True)
        ctx = Context(
            seed=self.header.seed,
            workdir=workdir,
            model=SwitchableModel(self._metered(context.model, self.meter), self.switch),
            task=context.task,
            dev=_copies(context.evalset.dev),
            metric=context.metric,
            embed=self.fresh.embedded,
            progress=context.progress,
            pool=_copies(context.pool),
            shared=context.workdir / digest(["shared", self.strategy.name, context.model.fingerprint]),
            max_answer_tokens=context.max_answer_tokens,
        )
        if context.open_other:
            ctx = replace(ctx, other_model=partial(self._other_model, context.open_other))
        if context.open_embedder:
            ctx = replace(ctx, other_embed=partial(self._other_embed, context.open_embedder))
        started = time.perf_counter()
        self._calling("fit", lambda: self.strategy.fit(_copies(context.evalset.train), ctx))
        self.fitted = True
        if stored is not self.header:
            return stored
        reports = self.meter.reports
        header = replace(
            self.header,
            fit_cost=FitCost(
                seconds=time.perf_counter() - started + self.fresh.saved_seconds,
                usage=self.meter.usage,
                examples=len(context.evalset.train),
                training_seconds=math.fsum(report.seconds for report in reports),
                training_tokens=sum(report.tokens for report in reports),
                other_usd=self._other_usd(),
            ),
            tuned=bool(reports) or traits_of(self.strategy).tunes,
            selection=self._calling("fit", lambda: recorded(traits_of(self.strategy).selection, "selection")),
        )
        context.store.add_run(header)
        return header

    def _other_model(self, open_other: Opener, spec: str) -> Model:
        """Open a model that helps `fit`, with a meter and a price of its own and the same budget and store."""
        model, price = open_other(spec)
        meter = Meter()
        self.others.append((meter, price))
        return self._metered(model, meter, price)

    def _metered(self, model: Model, meter: Meter, price: CallPrice | None = None) -> MeteredModel:
        context = self.context
        return MeteredModel(
            model, context.store, meter, context.budget, price=price, run=self.header.id, room_of=context.room_of
        )

    def _other_embed(
        self, open_embedder: OpenEmbedder, spec: str, usd_per_1m_tokens: float | None = None
    ) -> PaidEmbedding:
        return PaidEmbedding(*open_embedder(spec, usd_per_1m_tokens), self.embeddings, self.context.budget)

    def _other_usd(self) -> float | None:
        models = (price(meter.usage) for meter, price in self.others if meter.usage.calls)
        return total([*models, self.embeddings.usd])

    def answer(
        self,
        examples: Sequence[Example],
        key: str,
        *,
        done: int = 0,
        what: str = "",
        way: Predict | None = None,
        beside: Callable[[], list[Outcome]] = list,
    ) -> None:
        """Answer some examples in chunks and keep the outcomes under `key`; the strategy is fitted.

        Args:
            examples: with the inputs to ask.
            key: what the outcomes are stored under.
            done: how many were answered before, for the progress.
            what: what the progress calls it; by default the strategy's name.
            way: how to ask; by default `predict` with the inputs.
            beside: what else is kept in the same step as outcomes.
        """
        what, total = what or self.strategy.name, done + len(examples)
        self.context.progress(what, done, total)
        waiting, since = list[Outcome](), time.monotonic()
        try:
            for start in range(0, len(examples), CHUNK):
                chunk = examples[start : start + CHUNK]
                waiting += self._outcomes(chunk, way or self._plain)
                if time.monotonic() - since >= WAIT_SECONDS:
                    self.context.store.add_outcomes(key, [*waiting, *beside()])
                    waiting, since = [], time.monotonic()
                    self.context.progress(what, done + start + len(chunk), total)
        finally:
            if waiting:
                self.context.store.add_outcomes(key, [*waiting, *beside()])
        self.context.progress(what, total, total)

    def ask(self, examples: Sequence[Example]) -> list[Prediction]:
        """Answer some examples and keep nothing; the strategy is fitted."""
        return self._predict(examples, self._plain)

    def _plain(self, examples: Sequence[Example]) -> Any:
        return self.strategy.predict(tuple(example.input for example in examples))

    def _outcomes(self, examples: Sequence[Example], way: Predict) -> list[Outcome]:
        """Answer some examples; where a call failed for good, halve until the failed ones stand alone."""
        before, inside, started = self.meter.usage, self.meter.seconds, time.perf_counter()
        self.meter.cut.clear()
        embedded = replace(self.embeddings)
        try:
            predictions = self._predict(examples, way)
        except CallFailed as failure:
            if len(examples) == 1:
                cut, said = failure.cause == "cut", str(failure)
                return [Outcome(examples[0].id, output=None, score=None, error=said, cause=failure.cause, cut=cut)]
            return self._halved(examples, way)
        around = (time.perf_counter() - started) - (self.meter.seconds - inside)
        marked = self._marked(predictions)
        if marked is None:
            return self._halved(examples, way)
        usages = [
            usage + self.embeddings.since(embedded, len(marked))
            for usage in shares(marked, self.meter.usage - before, around)
        ]
        return [
            self._scored(example, prediction, usage)
            for example, prediction, usage in zip(examples, marked, usages, strict=True)
        ]

    def _halved(self, examples: Sequence[Example], way: Predict) -> list[Outcome]:
        """Ask again in two halves; what was answered comes from the store."""
        middle = len(examples) // 2
        return [*self._outcomes(examples[:middle], way), *self._outcomes(examples[middle:], way)]

    def _marked(self, predictions: Sequence[Prediction]) -> Sequence[Prediction] | None:
        """Mark the predictions that rest on a cut answer; `None` where it must be found out with fewer of them."""
        if any(one.cut for one in predictions):  # the strategy says which
            return predictions
        found = cut_predictions(self.meter.cut, len(predictions))
        if found is None and len(predictions) > 1:
            return None
        return [replace(one, cut=cut) for one, cut in zip(predictions, found or [True], strict=True)]

    def _predict(self, examples: Sequence[Example], way: Predict) -> list[Prediction]:
        asked = self._calling("predict", lambda: listed(self.strategy.name, way(examples)))
        return checked(self.strategy.name, asked, len(examples))

    def _calling(self, what: str, call: Callable[[], Any]) -> Any:
        return calling(self.strategy, what, call, tune_error=lambda: self.meter.tune_error)

    def _scored(self, example: Example, prediction: Prediction, usage: Usage) -> Outcome:
        score = score_of(self.context.metric, prediction.output, example)
        trace = self._calling("predict", lambda: recorded(prediction.trace, "the trace of an answer"))
        return Outcome(example.id, prediction.output, score, usage=usage, trace=trace, cut=prediction.cut)


def _copies(examples: Sequence[Example]) -> tuple[Example, ...]:
    """Return examples whose metadata a strategy may change without any other one seeing it."""
    return tuple(replace(each, metadata=deepcopy(each.metadata)) if each.metadata else each for each in examples)


def _header(strategy: Strategy, seed: int, context: RunContext) -> Run:
    """Describe the run before it starts; its id is the content of all that can change an answer."""
    params = params_of(strategy)
    code = source_digest(strategy)
    key: tuple[object, ...] = (
        RUN_FORMAT,
        strategy.name,
        params,
        code,
        context.fingerprint,
        seed,
        context.model.fingerprint,
    )
    if Spec.parse(context.evalset.metric).target not in registry.built_in_order("metrics"):
        key = (*key, source_digest(context.metric))  # the eval set knows its own metric by its name only
    if context.max_answer_tokens is not None:
        key = (*key, "max_answer_tokens", context.max_answer_tokens)
    return Run(
        id=digest(key),
        strategy=strategy.name,
        params=params,
        seed=seed,
        model=context.model_spec or context.model.name,
        evalset=context.evalset.name,
        evalset_fingerprint=context.fingerprint,
        metric=context.metric.name,
        outcomes=(),
        kind=traits_of(strategy).kind,
        tuned=traits_of(strategy).tunes,
        versions=versions(),
    )
