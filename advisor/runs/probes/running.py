"""Which probes a comparison gets, and running them: one that fails is noted with its reason and stops nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from advisor.core.fingerprints import digest
from advisor.core.gold import gold_documents
from advisor.core.model import TrainsHere
from advisor.core.shipped import load_suite
from advisor.core.strategy import AnswersFromDocuments
from advisor.core.types import Chat, Document, Example, Outcome, Run, Task
from advisor.decision.findings import Findings, Flips, Probe, Service, Skipped, TrainingFindings
from advisor.decision.request import ProbeDepth
from advisor.runs.plugin_calls import score_of
from advisor.runs.runner import RunContext

from . import conditions, measures, suites
from .asking import EXPECTED, Asking, as_probe
from .repair import repair_for
from .rewording import PARAPHRASES, rewordings
from .training import look_at_training, losses

REWORDING_VERSION = "1"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is asked.

    Attributes:
        constrained: at most so many test examples with answers held to a form, for every strategy that asks a model.
        condition: at most so many for each of the other conditions, for the leading strategies.
        oracle: at most so many with the gold document given.
        variants: rewordings of each.
        suite: at most so many questions of each suite.
        all_seeds: whether every training is asked, or the first one only.
    """

    constrained: int | None
    condition: int | None
    oracle: int | None
    variants: int
    suite: int | None
    all_seeds: bool


SIZES: Mapping[ProbeDepth, Sizes] = {
    "quick": Sizes(constrained=100, condition=16, oracle=16, variants=1, suite=100, all_seeds=False),
    "full": Sizes(constrained=None, condition=None, oracle=None, variants=3, suite=None, all_seeds=True),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """One strategy of the comparison: its label, and its runs by seed."""

    label: str
    runs: tuple[Run, ...]

    @property
    def answered(self) -> tuple[Run, ...]:
        """The runs that have outcomes."""
        return tuple(run for run in self.runs if run.outcomes and not run.error)


@dataclass(frozen=True)
class ProbePlan:
    """What is to be looked at.

    Attributes:
        subjects: every strategy of the comparison.
        specs: by run id, what was typed for the strategy.
        tuned: the label of the tuned strategy that leads; empty where none was tuned.
        alternatives: the labels of the best alternatives.
        checks: `quick` or `full`.
        suite: a file with suites of the user's own; empty for the shipped ones.
        retention_margin: the loss on them that is still acceptable.
        concurrency: under which load answers were given, in words.
    """

    subjects: tuple[Subject, ...]
    specs: Mapping[str, str]
    tuned: str
    alternatives: tuple[str, ...]
    checks: ProbeDepth = "quick"
    suite: str = ""
    retention_margin: float = 0.05
    concurrency: str = ""


def run_probes(plan: ProbePlan, context: RunContext) -> Findings:
    """Run the probes and return what they found; where nothing is tuned there is no yes to check, and none is run."""
    looking = _Looking(plan, context)
    if not plan.tuned:
        return looking.findings()
    leading = [label for label in (plan.tuned, *plan.alternatives) if label]
    for subject in plan.subjects:
        if not subject.answered:
            continue
        looking.repaired(subject)
        looking.constrained(subject)
        if subject.label in leading:
            looking.conditions(subject)
            looking.oracle(subject)
        elif any(run.usage.calls for run in subject.answered) and context.evalset.docs:
            looking.oracle(subject)
        if subject.label == plan.tuned:
            looking.training(subject)
            looking.suites(subject)
        for run in subject.runs:
            looking.asking.forget(run)
    return looking.findings()


class _Looking:
    """Collects what the probes find."""

    def __init__(self, plan: ProbePlan, context: RunContext) -> None:
        self.plan, self.context, self.task = plan, context, context.task
        self.sizes = SIZES[plan.checks]
        self.asking = Asking(context, dict(plan.specs))
        self.by_id = {example.id: example for example in context.evalset.test}
        self._probes: list[Probe] = []
        self._flips: list[Flips] = []
        self._service: list[Service] = []
        self._training: list[TrainingFindings] = []
        self._skipped: list[Skipped] = []

    def findings(self) -> Findings:
        """Return all of it."""
        return Findings(
            probes=tuple(self._probes),
            training=tuple(self._training),
            flips=tuple(self._flips),
            service=tuple(self._service),
            skipped=tuple(self._skipped),
            checks=self.plan.checks,
            retention_margin=self.plan.retention_margin,
        )

    @contextmanager
    def _noting(self, what: str, label: str) -> Iterator[None]:
        """Run a probe; what goes wrong in it is its own affair."""
        try:
            yield
        except EXPECTED as error:
            self._skip(what, label, " ".join(str(error).split()))

    def _skip(self, what: str, label: str, reason: str) -> None:
        self._skipped.append(Skipped(what, label, reason))

    def _seeds(self, subject: Subject) -> tuple[Run, ...]:
        return subject.answered if self.sizes.all_seeds else subject.answered[:1]

    # --- form against skill ------------------------------------------------------------------------------------------

    def repaired(self, subject: Subject) -> None:
        """Score the answers at hand once more, brought into form by rule."""
        found = repair_for(self.context.evalset)
        if found is None:
            return
        repair, how = found
        with self._noting("repaired", subject.label):
            for run in subject.answered:
                outcomes = [self._mended(outcome, repair) for outcome in run.outcomes]
                self._probes.append(Probe("repaired", subject.label, run.seed, tuple(outcomes), how))

    def _mended(self, outcome: Outcome, repair: Callable[[str], str]) -> Outcome:
        if outcome.output is None:
            return Outcome(outcome.example_id, None, None, outcome.error, cause=outcome.cause)
        mended = repair(outcome.output)
        if mended == outcome.output:
            return Outcome(outcome.example_id, mended, outcome.score)
        example = self.by_id[outcome.example_id]
        return Outcome(outcome.example_id, mended, score_of(self.context.metric, mended, example))

    def constrained(self, subject: Subject) -> None:
        """Ask a strategy again with its answers held to labels or schema, if it asks a model once an answer."""
        change = conditions.constrained(self.task)
        calls = sum(run.usage.calls for run in subject.answered)
        if change is None or not calls:
            return
        answers = sum(outcome.output is not None for run in subject.answered for outcome in run.outcomes)
        if calls != answers:
            self._skip(
                "constrained",
                subject.label,
                "it asks the model several times an answer, and which one is the last cannot be told; its answers are "
                "repaired by rule instead",
            )
            return
        examples = self._drawn(self.sizes.constrained)
        with self._noting("constrained", subject.label):
            for run in self._seeds(subject):
                asked = self.asking.strategy(run, examples, ["constrained"], f"{subject.label}, answers held", change)
                self._probes.append(as_probe("constrained", subject.label, run, asked, self._share(examples)))

    # --- consistency -------------------------------------------------------------------------------------------------

    def conditions(self, subject: Subject) -> None:
        """Ask again in other words, with demonstrations in another order, and with sampling; compare the seeds."""
        labelled, label, seed = bool(self.task.labels), subject.label, self.probe_seed
        self._service.append(measures.service(label, subject.answered, self.task, self.plan.concurrency))
        if len(subject.answered) > 1:
            self._flips.append(measures.seed_flips(label, subject.answered, labelled))
        with self._noting("paraphrase", label):
            self._paraphrase(subject, labelled)
        plain = self._drawn(self.sizes.condition)
        changes = {"order": conditions.order(seed), "sampling": conditions.sampling(seed)}
        names: tuple[Literal["order", "sampling"], ...] = ("order", "sampling")
        for name in names:
            examples = [e for e in plain if name != "order" or not _has_history(e)]
            with self._noting(name, label):
                run = subject.answered[0]
                asked = self.asking.strategy(run, examples, [name], f"{label}, {name} changed", changes[name])
                unchanged = "" if asked.changed else _NOTHING[name]
                note = self._share(examples)
                self._probes.append(as_probe(name, label, run, asked, f"{note}; {unchanged}" if unchanged else note))
                found = measures.flips(label, name, run.outcomes, [asked.outcomes], labelled, note)
                self._flips.append(replace(found, unchanged=unchanged))

    @property
    def probe_seed(self) -> int:
        """The seed of the probes: that of the first run, so that the same comparison asks the same."""
        return min(run.seed for subject in self.plan.subjects for run in subject.runs)

    def _paraphrase(self, subject: Subject, labelled: bool) -> None:
        drawn = self._drawn(self.sizes.condition)
        reworded = {example.id: rewordings(example, self.sizes.variants, self.probe_seed) for example in drawn}
        own = sum(bool(example.metadata.get(PARAPHRASES)) for example in drawn)
        run, repeats = subject.answered[0], []
        note = f"{self._share(drawn)}; {own} with paraphrases of their own, the others reworded by rule"
        for variant in range(self.sizes.variants):
            examples = [found[variant] for found in reworded.values() if variant < len(found)]
            if not examples:
                break
            identity = ["paraphrase", REWORDING_VERSION, digest([example.input for example in examples])]
            asked = self.asking.strategy(run, examples, identity, f"{subject.label}, reworded")
            repeats.append(asked.outcomes)
            self._probes.append(as_probe("paraphrase", subject.label, run, asked, note))
        self._flips.append(measures.flips(subject.label, "reworded", run.outcomes, repeats, labelled, note))

    # --- knowledge against retrieval ---------------------------------------------------------------------------------

    def oracle(self, subject: Subject) -> None:
        """Give a strategy that can take them the gold documents, where the eval set says which they are."""
        documents = _gold(self.task, self.context.evalset.test)
        examples = [example for example in self.context.evalset.test if example.id in documents]
        if not examples:
            return
        examples, run = _by_content(examples, self.sizes.oracle), subject.answered[0]

        with self._noting("oracle_context", subject.label):
            strategy = self.asking.made(run).strategy
            if not isinstance(strategy, AnswersFromDocuments):
                return
            ask = strategy.predict_from

            def way(part: Sequence[Example]) -> object:
                return ask(tuple(e.input for e in part), [documents[e.id] for e in part])

            asked = self.asking.strategy(run, examples, ["oracle"], f"{subject.label}, given the document", way=way)
            note = f"{len(examples)} of {len(documents)} test examples that name their document"
            self._probes.append(as_probe("oracle_context", subject.label, run, asked, note))

    # --- the training, and what else it changed ----------------------------------------------------------------------

    def training(self, subject: Subject) -> None:
        """Look at the loss of every seed, and closer at the first one."""
        first, *others = subject.answered
        self._training += [losses(subject.label, run) for run in others]
        here = isinstance(self.context.model, TrainsHere) and self.context.model.trains_here
        found = losses(subject.label, first)
        with self._noting("training", subject.label):
            found = look_at_training(subject.label, first, self.asking, overfit=False)
        if here or self.plan.checks == "full":
            with self._noting("overfitting", subject.label):
                found = look_at_training(subject.label, first, self.asking, overfit=True)
        else:
            reason = "training on ten rows costs another training job there; --checks full does it"
            self._skip("overfitting", subject.label, reason)
        self._training.insert(0, found)

    def suites(self, subject: Subject) -> None:
        """Ask the tuned model and its base model the general questions."""
        with self._noting("suites", ""):
            items = load_suite(self.plan.suite)
            for name in suites.SUITES:
                of_suite = [item for item in items if suites.suite_of(item) == name]
                if of_suite:
                    with self._noting(name, subject.label):
                        self._suite(subject, _by_content(of_suite, self.sizes.suite), len(of_suite))

    def _suite(self, subject: Subject, items: Sequence[Example], of: int) -> None:
        note = f"{len(items)} of {of} questions"
        base = self.asking.suite(self.asking.base, items, [self.context.model.fingerprint])
        self._probes.append(replace(base, note=note))
        for run in self._seeds(subject):
            probe = self.asking.suite(lambda run=run: self.asking.tuned(run), items, [run.id])  # type: ignore[misc]
            self._probes.append(replace(probe, label=subject.label, seed=run.seed, note=note))

    # --- which examples ----------------------------------------------------------------------------------------------

    def _drawn(self, limit: int | None) -> list[Example]:
        return _by_content(self.context.evalset.test, limit)

    def _share(self, examples: Sequence[Example]) -> str:
        return f"{len(examples)} of {len(self.context.evalset.test)} test examples"


_NOTHING = {
    "order": "its prompts hold no demonstrations to put in another order",
    "sampling": "it asks no model",
}


def _by_content(examples: Sequence[Example], limit: int | None) -> list[Example]:
    """Return at most `limit` examples, chosen by content and in their own order."""
    if limit is None or limit >= len(examples):
        return list(examples)
    ranked = sorted(examples, key=lambda example: digest([example.id, example.input]))
    kept = {example.id for example in ranked[:limit]}
    return [example for example in examples if example.id in kept]


def _has_history(example: Example) -> bool:
    """Say whether an input is a conversation with earlier turns, which look like demonstrations and are none."""
    return isinstance(example.input, Chat) and sum(m.role == "user" for m in example.input.messages) > 1


def _gold(task: Task, test: Sequence[Example]) -> dict[str, list[Document]]:
    """Return the gold documents of every test example that names some that exist."""
    by_id = {document.id: document for document in task.docs}
    found = {}
    for example in test:
        if names := gold_documents(example, task.gold_document_field, by_id):
            found[example.id] = [by_id[name] for name in names]
    return found
