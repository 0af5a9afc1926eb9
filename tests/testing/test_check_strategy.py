"""The contract checks: every built-in passes, and each planted fault is found by the check it was planted for."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from advisor.core import registry
from advisor.core.errors import ConfigurationError
from advisor.core.strategy import Context
from advisor.core.types import Example, Prediction
from advisor.testing.check_strategy import CheckReport, check_strategy
from advisor.testing.toy_task import KEYWORDS, embed, toy_evalset

BUILT_INS = [entry.name for entry in registry.names("strategies") if entry.distribution == registry.OURS]


@pytest.mark.parametrize("name", BUILT_INS)
def test_every_built_in_keeps_the_contract(name: str) -> None:
    report = check_strategy(name)
    assert report.passed, str(report)


class Nearest:
    """A correct strategy, from which the faulty ones below differ in one thing."""

    name = "nearest"

    def __init__(self, k: int = 1) -> None:
        self.k = k

    def fit(self, train: Sequence[Example], ctx: Context) -> None:
        self._embed, self._targets = ctx.embed, [example.target for example in train]
        self._rows = ctx.embed([str(example.input) for example in train])

    def predict(self, inputs: Sequence[Any]) -> list[Any]:
        if not inputs:
            return []
        nearest = np.argmax(self._embed([str(asked) for asked in inputs]) @ self._rows.T, axis=1)
        return [self._targets[at] for at in nearest]


class Retrieving(Nearest):
    """A correct strategy that searches as the built-ins do."""

    def fit(self, train: Sequence[Example], ctx: Context) -> None:
        self._train, self._index = list(train), ctx.index([str(example.input) for example in train])

    def predict(self, inputs: Sequence[Any]) -> list[Any]:
        found = self._index.search([str(asked) for asked in inputs], self.k)
        return [self._train[hits[0].position].target for hits in found]


def test_a_strategy_of_your_own_searches_as_the_built_ins_do() -> None:
    assert check_strategy(Retrieving).passed
    evalset = toy_evalset()
    ctx = Context(0, Path(), None, None, (), None, embed)  # type: ignore[arg-type]
    mine, theirs = Retrieving(), registry.make("strategies", "nearest_example")
    asked = [example.input for example in evalset.test]
    for strategy in (mine, theirs):
        strategy.fit(evalset.train, ctx)
    assert mine.predict(asked) == [prediction.output for prediction in theirs.predict(asked)]


class TooFew(Nearest):
    def predict(self, inputs: Sequence[Any]) -> list[Any]:
        return super().predict(inputs)[:-1]


class Numbers(Nearest):
    def predict(self, inputs: Sequence[Any]) -> list[Any]:
        return [3 for _ in inputs]


class OrderMatters(Nearest):
    def predict(self, inputs: Sequence[Any]) -> list[Any]:
        return [f"{at} {answer}" for at, answer in enumerate(super().predict(inputs))]


class BatchMatters(Nearest):
    def predict(self, inputs: Sequence[Any]) -> list[Any]:
        return [f"{answer} of {len(inputs)}" for answer in super().predict(inputs)]


class LearnsFromAll(Nearest):
    def fit(self, train: Sequence[Example], ctx: Context) -> None:
        super().fit(ctx.pool or train, ctx)


class Remembers(Nearest):
    def fit(self, train: Sequence[Example], ctx: Context) -> None:
        self._all = [*getattr(self, "_all", []), *train]
        super().fit(self._all, ctx)


class Mutates(Nearest):
    def fit(self, train: Any, ctx: Context) -> None:
        super().fit(list(train), ctx)
        train.reverse()


class MutatesMetadata(Nearest):
    def fit(self, train: Any, ctx: Context) -> None:
        train[0].metadata["seen"] = True
        super().fit(train, ctx)


class GlobalRandomness(Nearest):
    def fit(self, train: Sequence[Example], ctx: Context) -> None:
        super().fit(random.sample(list(train), 4), ctx)


class GlobalNumpyRandomness(Nearest):
    def fit(self, train: Sequence[Example], ctx: Context) -> None:
        picked = np.random.permutation(len(train))[:4]
        super().fit([train[at] for at in picked], ctx)


class ChangesItsParameter(Nearest):
    def fit(self, train: Sequence[Example], ctx: Context) -> None:
        super().fit(train, ctx)
        self.k = len(train)


class ForgetsItsParameter(Nearest):
    def __init__(self, neighbours: int = 1) -> None: ...


class NeedsDev(Nearest):
    def fit(self, train: Sequence[Example], ctx: Context) -> None:
        assert ctx.dev[0]
        super().fit(train, ctx)


class KnowsTheAnswer(Nearest):
    """Uses the targets for show only: what it answers right it did not learn from them."""

    def predict(self, inputs: Sequence[Any]) -> list[Any]:
        show = self._targets[0]
        known = [next(label for label, words in KEYWORDS.items() if any(w in asked for w in words)) for asked in inputs]
        return [*known[:-1], show] if known else []


class Nameless:
    def fit(self, train: Sequence[Example], ctx: Context) -> None: ...

    def predict(self, inputs: Sequence[Any]) -> list[Any]:
        return ["" for _ in inputs]


class EmptyName(Nameless):
    name = " "


PLANTED = [
    (TooFew, "answers", "17 answers to 18 inputs"),
    (Numbers, "answers", "an answer is a int"),
    (OrderMatters, "order", "answers change"),
    (BatchMatters, "batch size", "of 18' becomes"),
    (Remembers, "refit", "answers change"),
    (Mutates, "inputs", "changes the lists"),
    (MutatesMetadata, "inputs", "changes the lists"),
    (GlobalRandomness, "seed", "default_rng(ctx.seed)"),
    (GlobalNumpyRandomness, "seed", "default_rng(ctx.seed)"),
    (ChangesItsParameter, "parameters", "changes the constructor parameter 'k'"),
    (ForgetsItsParameter, "parameters", "self.neighbours = neighbours"),
    (NeedsDev, "no dev split", "IndexError"),
    (LearnsFromAll, "pool", "hand ctx.pool to a TuningJob only"),
    (KnowsTheAnswer, "shuffled targets", "accuracy stays"),
    (Nameless, "shape", "it has no name"),
    (EmptyName, "shape", "name is ' '"),
]


@pytest.mark.parametrize(("faulty", "check", "says"), PLANTED, ids=lambda value: getattr(value, "__name__", None))
def test_planted_fault_is_found(faulty: type, check: str, says: str) -> None:
    report = check_strategy(faulty)
    found = {failure.name: failure.finding for failure in report.failures}
    assert check in found, str(report)
    assert says in found[check]
    with pytest.raises(ConfigurationError, match="breaks the strategy contract"):
        report.raise_for_failures()


def test_correct_strategy_passes_and_the_report_is_readable() -> None:
    report = check_strategy(Nearest)
    report.raise_for_failures()
    assert str(report).splitlines()[0] == "nearest on the toy task 'plain'"
    assert {result.name: result.state for result in report.results}["shuffled targets"] == "pass"
    assert "1.00 becomes 0.00" in str(report)


def test_instance_keeps_its_parameters() -> None:
    asked: list[int] = []

    class Asked(Nearest):
        def fit(self, train: Sequence[Example], ctx: Context) -> None:
            asked.append(self.k)
            super().fit(train, ctx)

    assert check_strategy(Asked(k=7)).passed
    assert set(asked) == {7}


def test_predictions_are_answers_too() -> None:
    class Wrapped(Nearest):
        def predict(self, inputs: Sequence[Any]) -> list[Any]:
            return [Prediction(answer, trace={"why": "near"}) for answer in super().predict(inputs)]

    assert check_strategy(Wrapped).passed


def test_demonstrations_with_wrong_targets_cost_few_shot_its_gain() -> None:
    report = check_strategy('few_shot(k=3, pick="nearest")')
    states = {result.name: result.state for result in report.results}
    assert states["shuffled targets"] == "pass", str(report)


def test_what_applies_nowhere_says_why() -> None:
    class Picky(Nearest):
        def applies(self, task: Any) -> str:
            return "there are no pictures"

    with pytest.raises(ConfigurationError, match="applies to none of the toy tasks: there are no pictures"):
        check_strategy(Picky)


def test_checking_leaves_the_global_generators_alone() -> None:
    random.seed(1)
    np.random.seed(1)
    before = (random.getstate(), np.random.get_state()[1].tolist())  # type: ignore[index]
    assert isinstance(check_strategy(Nearest), CheckReport)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # type: ignore[index]


@pytest.mark.parametrize("variant", ["plain", "documents", "tools"])
def test_toy_task_is_balanced_and_its_tools_answer(variant: str) -> None:
    evalset = toy_evalset(variant)
    for split in (evalset.train, evalset.dev, evalset.test):
        counts = {label: sum(example.target == label for example in split) for label in KEYWORDS}
        assert len(set(counts.values())) == 1
    assert len(evalset.docs) == (0 if variant == "plain" else 3)
    for tool in evalset.tools:
        assert tool.call({"word": "parcel"}) == "delivery"
        with pytest.raises(ValueError, match="no team"):
            tool.call({"word": "moon"})


def test_toy_embeddings_have_unit_length() -> None:
    rows = embed(["", "the parcel", "the invoice"])
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-6)
