"""One strategy, or one model, asked again; every answer is kept like a run's, so that nothing is asked twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from advisor.core.errors import AdvisorError, ModelError
from advisor.core.fingerprints import digest
from advisor.core.model import Model
from advisor.core.shipped import score_suite_answer
from advisor.core.strategy import traits_of
from advisor.core.types import Example, Outcome, Run
from advisor.decision.findings import Probe, ProbeName
from advisor.runs.interception import Change
from advisor.runs.metering import Meter, MeteredModel
from advisor.runs.plugin_calls import BrokenStrategyError
from advisor.runs.runner import CHUNK, Attempt, Predict, RunContext

from . import suites

PROBE_FORMAT = "1"
CHANGED = ""
"""The id of the stored line that says how many requests a probe changed; no example has an empty id."""

EXPECTED = (AdvisorError, BrokenStrategyError)
"""What may go wrong in a probe without ending the comparison."""


@dataclass(frozen=True)
class Asked:
    """What came of asking: outcomes in the order of the examples, and how many requests were changed on the way."""

    outcomes: tuple[Outcome, ...]
    changed: int


class Asking:
    """Asks the strategies of one comparison again; a fitted one is kept for its next probe.

    Args:
        context: what the runs shared.
        specs: by run id, what was typed for the strategy.
    """

    def __init__(self, context: RunContext, specs: dict[str, str]) -> None:
        self.context, self._specs = context, specs
        self._attempts: dict[str, Attempt] = {}

    def made(self, run: Run) -> Attempt:
        """Return the strategy behind a run, as it was kept, or new and not fitted yet."""
        if run.id not in self._attempts:
            self._attempts[run.id] = Attempt.of(self._specs[run.id], run.seed, self.context)
        return self._attempts[run.id]

    def fitted(self, run: Run) -> Attempt:
        """Return the strategy behind a run, fitted; what its fit asked and trained before comes from the store."""
        attempt = self.made(run)
        attempt.fit()
        return attempt

    def tuned(self, run: Run) -> Model:
        """Return the model that the strategy behind `run` tuned last.

        Raises:
            ModelError: it tuned none through `ctx.model`.
        """
        tunings = () if self.trains_alone(run) else self.fitted(run).switch.tunings
        if not tunings:
            raise ModelError(f"{run.strategy} trains by itself, so its model cannot be asked by anybody else")
        return tunings[-1].model

    def trains_alone(self, run: Run) -> bool:
        """Say whether a strategy is known to train without `ctx.model.tune`, so that it need not be fitted to see."""
        return traits_of(self.made(run).strategy).tunes and not run.fit_cost.training_seconds

    def forget(self, run: Run) -> None:
        """Let a fitted strategy go; it and its models are not needed any more."""
        self._attempts.pop(run.id, None)
        if self.context.kept:
            self.context.kept.pop(run.id, None)

    def strategy(
        self,
        run: Run,
        examples: Sequence[Example],
        identity: Sequence[object],
        what: str,
        change: Change | None = None,
        way: Predict | None = None,
    ) -> Asked:
        """Ask the strategy behind `run` for some examples, each request changed by `change`.

        Args:
            run: whose strategy.
            examples: with the inputs to ask.
            identity: what tells these answers from others of the same run.
            what: what the progress calls it.
            change: what is changed in each request.
            way: how to ask the strategy, where not by `predict`.

        Raises:
            AdvisorError, BrokenStrategyError: it could not be asked.
        """
        store, key = self.context.store, digest(["probe", PROBE_FORMAT, run.id, *identity])
        stored = store.outcomes(key)
        missing = [example for example in examples if example.id not in stored or stored[example.id].error]
        if missing:
            attempt = self.fitted(run)
            before = int(stored[CHANGED].output or 0) if CHANGED in stored else 0

            def changed() -> list[Outcome]:
                return [Outcome(CHANGED, str(before + attempt.switch.changed), None)]

            with attempt.switch.changing(change):
                attempt.answer(missing, key, done=len(examples) - len(missing), what=what, way=way, beside=changed)
            stored = store.outcomes(key)
        found = tuple(stored[example.id] for example in examples if example.id in stored)
        return Asked(found, int(stored[CHANGED].output or 0) if CHANGED in stored else 0)

    def suite(self, model: Callable[[], Model], items: Sequence[Example], identity: Sequence[object]) -> Probe:
        """Ask a model the items of a suite, and return the outcomes as a probe of the base model.

        `model` is called only if something is left to ask.

        Raises:
            AdvisorError, BrokenStrategyError: it could not be asked.
        """
        context, name = self.context, suites.suite_of(items[0])
        key = digest(["suite", PROBE_FORMAT, suites.fingerprint(items), *identity])
        stored = context.store.outcomes(key)
        missing = [item for item in items if item.id not in stored or stored[item.id].error]
        if missing:
            self._ask_suite(model(), missing, key, done=len(items) - len(missing))
        stored = context.store.outcomes(key)
        return Probe(name, "", 0, tuple(stored[item.id] for item in items))

    def _ask_suite(self, model: Model, items: Sequence[Example], key: str, *, done: int) -> None:
        name, total = suites.suite_of(items[0]), done + len(items)
        for start in range(0, len(items), CHUNK):
            chunk = items[start : start + CHUNK]
            answers = model.generate([suites.request_for(item) for item in chunk])
            kept = []
            for item, answer in zip(chunk, answers, strict=True):
                known = None if answer.error else score_suite_answer(item, answer.content)
                output = None if answer.error else answer.content
                trace = {"group": item.group}
                kept.append(Outcome(item.id, output, known, answer.error, answer.usage, trace, answer.cause))
            self.context.store.add_outcomes(key, kept)
            self.context.progress(f"{name} questions", done + start + len(chunk), total)

    def base(self) -> Model:
        """Return the model nothing was trained on, metered."""
        context = self.context
        return MeteredModel(context.model, context.store, Meter(), context.budget, room_of=context.room_of)


def as_probe(name: ProbeName, label: str, run: Run, asked: Asked, note: str) -> Probe:
    """Put what came of asking into the shape that the guards read."""
    return Probe(name, label, run.seed, tuple(replace(one, trace={}) for one in asked.outcomes), note)
