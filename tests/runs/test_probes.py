"""Probes ask the very strategy that was fitted, built-in or custom, under changed conditions, and only once."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from advisor.core import metrics
from advisor.core.errors import ModelError
from advisor.core.model import Completion, Model, Request, TuningJob, TuningReport
from advisor.core.shipped import shipped
from advisor.core.types import EvalSet, Outcome, Task, Usage
from advisor.decision.findings import Findings
from advisor.models.scripted import ScriptedModel
from advisor.runs.metering import Budget
from advisor.runs.probes import ProbePlan, Subject, run_probes
from advisor.runs.probes.running import SIZES
from advisor.runs.runner import RunContext, run_strategy
from advisor.runs.store import Store
from advisor.testing import toy_task

CUSTOM = """
    from advisor.core.model import Request, TuningConfig, TuningExample, TuningJob
    from advisor.core.types import Message

    class Shows:
        name = "shows"
        kind = "prompting"
        stochastic = False
        def fit(self, train, ctx):
            self.model, self.shown = ctx.model, train[:4]
        def predict(self, inputs):
            turns = [t for e in self.shown for t in (Message("user", e.input), Message("assistant", e.target))]
            done = self.model.generate([Request((*turns, Message("user", str(i)))) for i in inputs])
            return [c.text for c in done]

    class Tunes:
        name = "tunes"
        kind = "fine_tuning"
        def fit(self, train, ctx):
            rows = [TuningExample((Message("user", e.input), Message("assistant", e.target))) for e in train]
            job = TuningJob(tuple(rows), (), ctx.workdir, TuningConfig(seed=ctx.seed))
            self.tuned, report = ctx.model.tune(job)
        def predict(self, inputs):
            return [c.text for c in self.tuned.generate([Request((Message("user", str(i)),)) for i in inputs])]

    class Mute(Tunes):
        name = "mute"
        def predict(self, inputs):
            if self.asked_before():
                raise ValueError("not twice")
            return super().predict(inputs)
        def asked_before(self):
            self.times = getattr(self, "times", 0) + 1
            return self.times > 1

    class Instructed(Tunes):
        name = "instructed"
        def predict(self, inputs):
            requests = [Request((Message("system", "Be brief."), Message("user", str(i)))) for i in inputs]
            return [c.text for c in self.tuned.generate(requests)]

    class Thinks(Shows):
        name = "thinks"
        def predict(self, inputs):
            self.model.generate([Request((Message("user", "think about " + str(i)),)) for i in inputs])
            return super().predict(inputs)

    class Reads:
        name = "reads"
        kind = "rag"
        stochastic = False
        def fit(self, train, ctx):
            self.model, self.docs = ctx.model, ctx.task.docs
        def predict(self, inputs):
            return self.predict_from(inputs, [self.docs[:1] for _ in inputs])
        def predict_from(self, inputs, documents):
            asked = [" ".join(d.text for d in each) + " Q: " + str(i) for i, each in zip(inputs, documents)]
            return [c.text for c in self.model.generate([Request((Message("user", a),)) for a in asked])]
"""


def label_in(text: str) -> str:
    return next(
        (label for label, words in toy_task.KEYWORDS.items() if any(word in text.lower() for word in words)), "?"
    )


@dataclass
class Wordy:
    """Knows the task but answers in a sentence, unless it is held to choices; remembers what it was asked."""

    name: str = "wordy"
    fingerprint: str = "wordy"
    trains_here: bool = True
    tuned: Callable[[TuningJob], Model] = lambda job: ScriptedModel(lambda r: label_in(r.messages[-1].content), "t")
    asked: list[Request] = field(default_factory=list)

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        self.asked += requests
        return [Completion(self.answer(request), usage=Usage(5, 0, 2, 1, 0.1, 0.1)) for request in requests]

    def answer(self, request: Request) -> str:
        label = label_in(request.messages[-1].content)
        return label if request.choices else f"This goes to quite another team, namely: {label[:-1]}"

    def tune(self, job: TuningJob) -> tuple[Model, TuningReport]:
        return self.tuned(job), TuningReport(1.0, 10, (2.0, 0.5), (), (), 2, "8 of 30")


@dataclass
class Desk:
    """A context with its strategies run, ready to be looked at."""

    context: RunContext
    folder: Path

    @property
    def asked(self) -> list[Request]:
        """Everything the model was asked."""
        asked: list[Request] = vars(self.context.model)["asked"]
        return asked

    def look(self, *names: str, tuned: str = "tunes", suite: str = "none.jsonl", **options: Any) -> Findings:
        path = self.folder / "mine.py"
        path.write_text(dedent(CUSTOM), encoding="utf-8")
        subjects, specs = list[Any](), dict[str, str]()
        for name in names:
            spec = name if name.islower() else f"{path}:{name}"
            seeds = (0, 1) if name in ("Tunes", "Mute") else (0,)
            runs = tuple(run_strategy(spec, seed, self.context) for seed in seeds)
            specs |= {run.id: spec for run in runs}
            subjects.append(Subject(runs[0].strategy, runs))
        others = tuple(one.label for one in subjects if one.label != tuned)
        plan = ProbePlan(tuple(subjects), specs, tuned, others[:1], suite=suite, **options)
        return run_probes(plan, self.context)


@pytest.fixture
def desk(tmp_path: Path) -> Callable[..., Desk]:
    def make(model: Any = None, evalset: EvalSet | None = None, **options: Any) -> Desk:
        chosen = evalset or toy_task.toy_evalset()
        context = RunContext(
            evalset=chosen,
            model=model or Wordy(),
            metric=metrics.for_task(chosen.metric, Task.of(chosen)),
            store=Store(tmp_path / "s.sqlite"),
            embed=toy_task.embed,
            workdir=tmp_path / "work",
            kept={},
            **options,
        )
        return Desk(context, tmp_path)

    return make


def mean(outcomes: Sequence[Outcome]) -> float:
    return sum(outcome.score or 0.0 for outcome in outcomes) / len(outcomes)


def test_a_custom_strategy_is_held_to_labels_without_knowing_it(desk: Callable[..., Desk]) -> None:
    ready = desk()
    found = ready.look("Shows", "Tunes")
    [probe] = found.probes_of("constrained", "shows")
    assert mean(probe.outcomes) == 1.0, "held to the labels it is right, in its own words it never is"
    assert probe.note == "18 of 18 test examples"
    [repaired] = found.probes_of("repaired", "shows")
    assert mean(repaired.outcomes) == 0.0, "half a label inside a sentence is not repaired"
    asked = [request for request in ready.asked if len(request.messages) == 9]
    assert {request.choices for request in asked} == {(), ("billing", "delivery", "account")}


def test_only_the_order_of_demonstrations_changes(desk: Callable[..., Desk]) -> None:
    ready = desk()
    found = ready.look("Shows", "Tunes")
    asked = [r for r in ready.asked if len(r.messages) == 9 and not r.choices and not r.temperature]
    orders = {tuple(message.content for message in request.messages[:-1]) for request in asked}
    assert len(orders) == 2
    assert len({frozenset(order) for order in orders}) == 1
    ordered = [flips for flips in found.flips if flips.condition == "order"]
    assert {flips.note for flips in ordered} == {"16 of 18 test examples"}
    assert {flips.label: flips.unchanged for flips in ordered} == {
        "shows": "",
        "tunes": "its prompts hold no demonstrations to put in another order",
    }
    assert any(request.temperature == 0.7 for request in ready.asked)


def test_every_condition_has_its_flips_and_the_seeds_too(desk: Callable[..., Desk]) -> None:
    found = desk().look("Shows", "Tunes")
    assert Counter((one.label, one.condition) for one in found.flips) == Counter(
        [("tunes", "seeds"), *[(s, c) for s in ("shows", "tunes") for c in ("reworded", "order", "sampling")]]
    )
    assert all(set(one.by_item.values()) == {0.0} for one in found.flips if one.condition != "reworded")
    assert [one.label for one in found.service] == ["shows", "tunes"]
    assert [one.valid.estimate if one.valid else None for one in found.service] == [0.0, 1.0]
    assert {one.what for one in found.skipped} <= {"suites"}


def test_a_second_look_asks_and_trains_nothing(desk: Callable[..., Desk]) -> None:
    ready = desk()
    first = ready.look("Shows", "Tunes")
    asked = len(ready.asked)
    again = desk(ready.context.model).look("Shows", "Tunes")
    assert again == first
    assert len(ready.asked) == asked


def test_a_probe_that_breaks_is_noted_and_the_others_go_on(desk: Callable[..., Desk]) -> None:
    found = desk().look("Shows", "Mute", tuned="mute")
    assert "not twice" in found.why_not("sampling", "mute")
    assert found.probes_of("constrained", "shows")
    assert not found.probes_of("sampling", "mute")


def test_a_spent_budget_ends_the_probes_and_not_the_comparison(desk: Callable[..., Desk]) -> None:
    found = desk(budget=Budget(0.5, price=lambda usage: 0.01)).look("Shows", "Tunes")
    assert "the budget of $0.5 is reached" in found.why_not("sampling", "tunes")


def test_several_calls_an_answer_are_not_held(desk: Callable[..., Desk]) -> None:
    ready = desk()
    found = ready.look("Thinks", "Tunes")
    assert not found.probes_of("constrained", "thinks")
    assert "several times an answer" in found.why_not("constrained", "thinks")
    assert found.probes_of("repaired", "thinks")


# --- knowledge against retrieval -------------------------------------------------------------------------------------


def test_the_gold_document_is_given_and_nothing_else_of_the_metadata(desk: Callable[..., Desk]) -> None:
    plain = toy_task.toy_evalset("documents")
    test = tuple(replace(e, metadata={"doc": e.target, "secret": "S3CRET"}) for e in plain.test[:9])
    evalset = replace(plain, test=test, gold_document_field="doc", labels=())
    ready = desk(evalset=evalset)
    found = ready.look("Reads", "Tunes")
    [probe] = found.probes_of("oracle_context", "reads")
    assert probe.note == "9 of 9 test examples that name their document"
    given = [r.messages[-1].content for r in ready.asked if "Q: " in r.messages[-1].content]
    assert any("The delivery team answers" in text for text in given), "it retrieves the first one by itself"
    assert not any("S3CRET" in text for text in given)
    assert not found.probes_of("oracle_context", "tunes"), "it takes no documents"


@pytest.mark.parametrize("spec", ["rag", "fine_tuning_rag"])
def test_the_built_ins_with_documents_take_gold_ones(desk: Callable[..., Desk], spec: str) -> None:
    plain = toy_task.toy_evalset("documents")
    test = tuple(replace(e, metadata={"doc": [e.target]}) for e in plain.test)
    ready = desk(evalset=replace(plain, test=test, gold_document_field="doc"))
    found = ready.look("Tunes", spec, tuned="tunes")
    assert len(found.probes_of("oracle_context", spec)[0].outcomes) == SIZES["quick"].oracle


# --- the training ----------------------------------------------------------------------------------------------------


def test_what_is_found_out_about_the_training(desk: Callable[..., Desk]) -> None:
    ready = desk(ScriptedModel(lambda request: label_in(request.messages[-1].content)))
    first, second = ready.look("Tunes").training
    assert (first.overfitted, first.template_matches, first.asked_as_trained) == (1.0, None, True)
    assert (first.seed, second.seed, second.overfitted) == (0, 1, None)


def test_a_trainer_that_learns_nothing_and_a_strategy_that_serves_otherwise(desk: Callable[..., Desk]) -> None:
    learns_nothing = Wordy(tuned=lambda job: ScriptedModel(lambda r: "nothing new", "t"))
    [found] = desk(learns_nothing).look("Instructed", tuned="instructed").training
    assert (found.overfitted, found.asked_as_trained, found.train_loss) == (0.0, False, ())


def test_hosted_training_is_not_repeated_unless_all_is_asked_for(desk: Callable[..., Desk]) -> None:
    found = desk(Wordy(trains_here=False)).look("Tunes")
    assert found.training[0].overfitted is None
    assert "--checks full" in found.why_not("overfitting", "tunes")
    assert desk(Wordy(trains_here=False)).look("Tunes", checks="full").training[0].overfitted is not None


# --- general suites --------------------------------------------------------------------------------------------------


@pytest.fixture
def suite(tmp_path: Path) -> str:
    shipped("evalsets")
    if importlib.util.find_spec("advisor.evalsets.suites") is None:
        pytest.skip("the suites are not there yet")
    rows = [
        {"id": f"s{at}", "input": f"Is {at} a number?", "target": "yes", "choices": ["yes", "no"]} for at in range(9)
    ]
    path = tmp_path / "suite.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_the_tuned_model_and_its_base_are_asked_the_same(desk: Callable[..., Desk], suite: str) -> None:
    model = Wordy()
    model.answer = lambda request: "yes" if request.choices == ("yes", "no") else "?"  # type: ignore[method-assign]
    found = desk(model).look("Tunes", suite=suite)
    [base] = found.probes_of("retention", "")
    [tuned] = found.probes_of("retention", "tunes")
    assert (mean(base.outcomes), mean(tuned.outcomes), base.note) == (1.0, 0.0, "9 of 9 questions")
    assert {outcome.trace["group"] for outcome in base.outcomes} == {f"s{at}" for at in range(9)}
    assert len(desk(model).look("Tunes", suite=suite, checks="full").probes_of("retention", "tunes")) == 2
    assert found.why_not("suites") == ""


def test_a_suite_that_is_not_there_is_said(desk: Callable[..., Desk], suite: str) -> None:
    assert "nowhere.jsonl" in desk().look("Tunes", suite="nowhere.jsonl").why_not("suites")


def test_a_dead_model_is_said(desk: Callable[..., Desk], suite: str) -> None:
    @dataclass
    class Dying(Wordy):
        dead: bool = False

        def generate(self, requests: Sequence[Request]) -> list[Completion]:
            if any(request.choices for request in requests):
                raise ModelError("gone")
            return super().generate(requests)

    found = desk(Dying()).look("Shows", "Tunes", suite=suite)
    assert found.why_not("constrained", "shows") == "gone"
    assert found.why_not("retention", "tunes") == "gone"


def test_without_a_tuned_strategy_nothing_is_asked_again(desk: Callable[..., Desk]) -> None:
    ready = desk()
    found = ready.look("Shows", tuned="")
    assert found.probes == ()
    assert len(ready.asked) == 18
