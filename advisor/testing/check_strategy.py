"""The strategy contract as runnable checks, for anybody's class; the built-ins must pass the same ones.

    import advisor
    print(advisor.check_strategy(Nearest))
    advisor.check_strategy(Nearest).raise_for_failures()   # in a test

The idea, and checking by running on small data, is scikit-learn's (`sklearn.utils.estimator_checks`).
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from advisor.core import registry
from advisor.core.errors import AdvisorError, ConfigurationError
from advisor.core.fingerprints import digest, params_of
from advisor.core.metrics import for_task
from advisor.core.model import Model, Request
from advisor.core.strategy import Context, traits_of
from advisor.core.types import EvalSet, Example, Prediction, Task
from advisor.testing.toy_task import KEYWORDS, embed, toy_evalset

CheckState = Literal["pass", "fail", "info"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check: `info` is a finding that is neither right nor wrong."""

    name: str
    state: CheckState
    finding: str


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All checks of one strategy on one toy task; print it to read it."""

    strategy: str
    task: str
    results: tuple[CheckResult, ...]

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """The checks that failed."""
        return tuple(result for result in self.results if result.state == "fail")

    @property
    def passed(self) -> bool:
        """Whether none failed."""
        return not self.failures

    def __str__(self) -> str:
        lines = [f"{self.strategy} on the toy task {self.task!r}"]
        lines += [f"  {result.state:4}  {result.name}: {result.finding}" for result in self.results]
        return "\n".join(lines)

    def raise_for_failures(self) -> None:
        """Raise a `ConfigurationError` that lists every failed check; do nothing if all passed."""
        if self.failures:
            found = "; ".join(f"{result.name}: {result.finding}" for result in self.failures)
            raise ConfigurationError(f"{self.strategy} breaks the strategy contract: {found}")


def check_strategy(strategy: object, *, model: Model | None = None) -> CheckReport:
    """Run the contract on a strategy: a class, an instance, or a specification such as ``few_shot(k=2)``.

    The task is a small built-in one (sorting customer messages), with documents, tools or gold calls where the
    strategy's `applies` asks for them. Every check works on fresh copies made by the class's own constructor.

    Args:
        strategy: what to check.
        model: answers the strategy's requests; by default a `ScriptedModel` that reads keywords.

    Raises:
        ConfigurationError: it cannot be constructed, or applies to none of the toy tasks.
    """
    fits = _Fits(_factory(strategy), model or _keyword_model())
    return CheckReport(fits.label, fits.evalset.name, tuple(_run(name, check, fits) for name, check in _CHECKS))


def _factory(strategy: object) -> Callable[[], Any]:
    if isinstance(strategy, str):
        return lambda: registry.make("strategies", strategy, origin="user")
    if isinstance(strategy, type):
        return lambda: registry.construct(strategy, {}, strategy.__name__)
    cls = type(strategy)
    params = {name: getattr(strategy, name) for name in params_of(strategy)}
    return lambda: registry.construct(cls, params, cls.__name__)


def _keyword_model() -> Model:
    from advisor.models.scripted import ScriptedModel

    model: Model = ScriptedModel(answers=_answer)
    return model


def _answer(request: Request) -> str:
    """Answer as the most similar worked example in the prompt does; without any, by the keywords."""
    asked = request.messages[-1].content
    worked = [
        (before.content, turn.content)
        for before, turn in pairwise(request.messages)
        if before.role == "user" and turn.role == "assistant" and turn.content in KEYWORDS
    ]
    if worked:
        similarity = embed([question for question, _ in worked]) @ embed([asked])[0]
        return worked[int(similarity.argmax())][1]
    return next((label for label, words in KEYWORDS.items() if any(word in asked for word in words)), "other")


class _Fits:
    """A strategy's factory with the toy task that suits it, and the fits the checks share."""

    def __init__(self, make: Callable[[], Any], model: Model) -> None:
        self.make, self.model = make, model
        first = make()
        self.label = str(getattr(first, "name", type(first).__name__))
        self.evalset = self._suitable(first)

    def _suitable(self, strategy: Any) -> EvalSet:
        reasons: list[str] = []
        for variant in ("plain", "documents", "tools"):
            evalset = toy_evalset(variant)
            reason = traits_of(strategy).applies(Task.of(evalset))
            if not reason:
                return evalset
            reasons.append(str(reason))
        raise ConfigurationError(f"{self.label} applies to none of the toy tasks: {'; '.join(dict.fromkeys(reasons))}")

    @property
    def inputs(self) -> list[Any]:
        return [example.input for example in self.evalset.test]

    def context(self, folder: str, *, seed: int = 0, dev: bool = True, pool: Sequence[Example] = ()) -> Context:
        return Context(
            seed=seed,
            workdir=Path(folder),
            model=self.model,
            task=Task.of(self.evalset),
            dev=self.evalset.dev if dev else (),
            metric=for_task(self.evalset.metric, self.evalset),
            embed=embed,
            pool=tuple(pool),
        )

    @contextmanager
    def fitted(self, train: Sequence[Example] | None = None, **given: Any) -> Iterator[Any]:
        """A fresh copy, fitted; lives as long as its folder. `given` is what `context` is told."""
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            strategy = self.make()
            strategy.fit(list(self.evalset.train if train is None else train), self.context(folder, **given))
            yield strategy

    def answers(self, train: Sequence[Example] | None = None, **given: Any) -> list[str]:
        """Answers of a fresh copy to the test inputs, in order."""
        with self.fitted(train, **given) as strategy:
            return _texts(strategy.predict(self.inputs))

    @cached_property
    def expected(self) -> list[str]:
        return self.answers()

    def accuracy(self, answers: Sequence[str]) -> float:
        hits = [answer == example.target for answer, example in zip(answers, self.evalset.test, strict=True)]
        return sum(hits) / len(hits)


def _texts(answers: Any) -> list[str]:
    return [answer.output if isinstance(answer, Prediction) else answer for answer in answers]


def _run(name: str, check: Callable[[_Fits], CheckResult], fits: _Fits) -> CheckResult:
    try:
        return check(fits)
    except AdvisorError as error:
        return CheckResult(name, "fail", str(error))
    except Exception as error:  # whatever somebody's class raises is the finding
        return CheckResult(name, "fail", f"{type(error).__name__}: {error}{_where(error)}")


def _where(error: Exception) -> str:
    trace = error.__traceback__
    last = None
    while trace is not None:
        last, trace = trace, trace.tb_next
    return f" ({Path(last.tb_frame.f_code.co_filename).name}, line {last.tb_lineno})" if last else ""


# --- the checks ------------------------------------------------------------------------------------------------------


def _result(name: str, wrong: str, right: str) -> CheckResult:
    return CheckResult(name, "fail" if wrong else "pass", wrong or right)


def _check_shape(fits: _Fits) -> CheckResult:
    strategy = fits.make()
    missing = [name for name in ("name", "fit", "predict") if not hasattr(strategy, name)]
    wrong = f"it has no {' and no '.join(missing)}" if missing else ""
    if not wrong and not (isinstance(strategy.name, str) and strategy.name.strip()):
        wrong = f"name is {strategy.name!r}; a text that is not empty is needed"
    return _result("shape", wrong, "name, fit and predict are there")


def _check_parameters(fits: _Fits) -> CheckResult:
    with fits.fitted() as strategy:
        before, after = params_of(fits.make()), params_of(strategy)
    changed = [name for name in before if before[name] != after[name]]
    wrong = f"fit changes the constructor parameter {changed[0]!r}; keep what is learned elsewhere" if changed else ""
    return _result("parameters", wrong, f"kept under their own names: {', '.join(before) or 'none'}")


def _check_answers(fits: _Fits) -> CheckResult:
    with fits.fitted() as strategy:
        answers = list(strategy.predict(fits.inputs))
        nothing = list(strategy.predict([]))
    wrong = ""
    if len(answers) != len(fits.inputs):
        wrong = f"{len(answers)} answers to {len(fits.inputs)} inputs; one each is needed"
    elif nothing:
        wrong = f"{len(nothing)} answers to no inputs"
    for answer in answers:
        text = answer.output if isinstance(answer, Prediction) else answer
        if not isinstance(text, str):
            wrong = wrong or f"an answer is a {type(text).__name__}; a str or a Prediction with a str is needed"
    return _result("answers", wrong, "one str or Prediction an input")


def _check_order(fits: _Fits) -> CheckResult:
    with fits.fitted() as strategy:
        backwards = _texts(strategy.predict(fits.inputs[::-1]))[::-1]
    return _result("order", _differs(fits.expected, backwards), "does not change the answers")


def _check_batches(fits: _Fits) -> CheckResult:
    with fits.fitted() as strategy:
        singly = [_texts(strategy.predict([asked]))[0] for asked in fits.inputs]
    return _result("batch size", _differs(fits.expected, singly), "does not change the answers")


def _check_refit(fits: _Fits) -> CheckResult:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        strategy = fits.make()
        strategy.fit(_relabelled(fits.evalset.train), fits.context(f"{folder}"))
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as second:
            strategy.fit(list(fits.evalset.train), fits.context(second))
            again = _texts(strategy.predict(fits.inputs))
    return _result("refit", _differs(fits.expected, again), "forgets what was learned before")


def _check_inputs(fits: _Fits) -> CheckResult:
    fresh = toy_evalset(fits.evalset.name)  # the shared one may have been changed by an earlier check
    train, asked = list(fresh.train), [example.input for example in fresh.test]
    before = digest([train, asked])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        strategy = fits.make()
        strategy.fit(train, fits.context(folder))
        strategy.predict(asked)
    wrong = "" if digest([train, asked]) == before else "fit or predict changes the lists or examples it was given"
    return _result("inputs", wrong, "stay as they were")


def _check_seed(fits: _Fits) -> CheckResult:
    expected = fits.expected
    with _other_global_randomness():
        again = fits.answers()
    wrong = _differs(expected, again)
    hint = "; draw from numpy.random.default_rng(ctx.seed) only" if wrong else ""
    return _result("seed", wrong + hint, "the same seed gives the same answers, whatever the global generators do")


def _check_without_dev(fits: _Fits) -> CheckResult:
    answers = fits.answers(dev=False)
    wrong = "" if len(answers) == len(fits.inputs) else "without dev it does not answer every input"
    return _result("no dev split", wrong, "works without one")


def _check_pool(fits: _Fits) -> CheckResult:
    """A part of a learning curve that learns from what it was not given would say that few examples do."""
    half = fits.evalset.train[::2]
    wrong = _differs(fits.answers(half), fits.answers(half, pool=fits.evalset.train))
    hint = "; learn from the examples that fit is given, and hand ctx.pool to a TuningJob only" if wrong else ""
    return _result("pool", wrong + hint, "nothing is learned from ctx.pool")


def _check_shuffled(fits: _Fits) -> CheckResult:
    """With targets that belong to other examples, what was learned must be worth less."""
    name = "shuffled targets"
    shuffled = fits.answers(_relabelled(fits.evalset.train))
    if shuffled == fits.expected:
        return CheckResult(name, "info", "the answers do not depend on the training targets here")
    right, wrong = fits.accuracy(fits.expected), fits.accuracy(shuffled)
    floor = max(sum(e.target == label for e in fits.evalset.test) for label in KEYWORDS) / len(fits.evalset.test)
    if right <= floor:
        return CheckResult(name, "info", f"accuracy {right:.2f} does not beat the majority ({floor:.2f}) here")
    kept = f"accuracy stays {wrong:.2f} with shuffled training targets, {right:.2f} with the right ones"
    return _result(name, kept if wrong >= right else "", f"lose the gain: {right:.2f} becomes {wrong:.2f}")


def _differs(expected: Sequence[str], found: Sequence[str]) -> str:
    if len(expected) != len(found):
        return f"{len(found)} answers instead of {len(expected)}"
    pairs = [(a, b) for a, b in zip(expected, found, strict=True) if a != b]
    return (
        f"{len(pairs)} of {len(expected)} answers change, e.g. {pairs[0][0]!r} becomes {pairs[0][1]!r}" if pairs else ""
    )


def _relabelled(train: Sequence[Example]) -> list[Example]:
    """Give every example the target of another kind (each label becomes the next), so that nothing right remains."""
    labels = list(KEYWORDS)
    following = dict(zip(labels, labels[1:] + labels[:1], strict=True))
    return [replace(example, target=following[example.target]) for example in train]


@contextmanager
def _other_global_randomness() -> Iterator[None]:
    """Put Python's and numpy's global generators into another state, and back afterwards."""
    import numpy as np

    python, numpy = random.getstate(), np.random.get_state()
    random.seed(987_654)
    np.random.seed(987_654)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


_CHECKS: tuple[tuple[str, Callable[[_Fits], CheckResult]], ...] = (
    ("shape", _check_shape),
    ("parameters", _check_parameters),
    ("answers", _check_answers),
    ("order", _check_order),
    ("batch size", _check_batches),
    ("refit", _check_refit),
    ("inputs", _check_inputs),
    ("seed", _check_seed),
    ("no dev split", _check_without_dev),
    ("pool", _check_pool),
    ("shuffled targets", _check_shuffled),
)
