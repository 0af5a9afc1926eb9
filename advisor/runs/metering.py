"""The model as strategies get it: counted, limited by the budget, and never asked the same thing twice.

Completions are kept in the store, so an interrupted comparison resumes without paying again, choosing on dev included:
deterministic ones (temperature 0) under the content of the model and the request, sampled ones for the run they were
made in, the first of a request, the second, and so on. A kept completion carries the usage and latency of the call that
was really made.

A call that may be billed stands in the store's attempt log before it is sent, and is closed there once it is
over.

What a model may offer besides `generate` is in `advisor.core.model`: to give answers as they come (`StreamingModel`),
to say what it sends (`AnnouncingModel`), and to end early (`AnswerStream`).
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from advisor._util import interrupts
from advisor.core.errors import BudgetReached, ModelError, StoreError
from advisor.core.fingerprints import digest
from advisor.core.model import (
    AnswerStream,
    Completion,
    HasBilling,
    Model,
    NumberedCompletion,
    Request,
    StreamingModel,
    Trainer,
    TuningJob,
    TuningReport,
    announces,
    forget,
    trainer_of,
)
from advisor.core.tokens import context_tokens, count_tokens
from advisor.core.types import Prediction, ToolCall, Usage
from advisor.runs.answer_room import AnswerRoom, is_cut, whole_answers
from advisor.runs.store import Ending, Store

CallPrice = Callable[[Usage], float | None]


@dataclass(slots=True)
class Meter:
    """What one strategy has used of the model.

    `seconds` is wall time inside `generate`, keeping and looking up included; `usage` counts kept completions at their
    original cost; `trained` knows the trainings behind `reports`. `tune_error` is why the last tuning failed. `cut`
    says, for every batch since somebody emptied it, which answers were cut off. While `is_timing`, nothing is counted,
    recalled or kept.
    """

    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    reports: list[TuningReport] = field(default_factory=list)
    trained: set[str] = field(default_factory=set)
    tune_error: str = ""
    cut: list[tuple[bool, ...]] = field(default_factory=list)
    is_timing: bool = False


@dataclass(slots=True)
class Budget:
    """The budget of a whole comparison; `price` gives the USD of a usage, or `None` where no price is known."""

    limit_usd: float | None = None
    price: CallPrice = lambda usage: None
    spent_usd: float = 0.0

    @property
    def is_reached(self) -> bool:
        """Whether the budget is reached."""
        return self.limit_usd is not None and self.spent_usd >= self.limit_usd

    def check(self) -> None:
        """Raise `BudgetReached` if nothing is left."""
        if self.is_reached:
            raise BudgetReached(
                f"the budget of ${self.limit_usd:g} is reached (${self.spent_usd:.4f} spent); "
                "everything answered so far is stored",
                hint="run the same command again with a larger --budget to go on",
            )

    def pay(self, usage: Usage, price: CallPrice | None = None) -> None:
        """Count a call that was made, at `price` where it is another model's."""
        self.spent_usd += (price or self.price)(usage) or 0.0


class MeteredModel:
    """A model with a meter, a budget and a memory; behaves as the model it wraps.

    `price` is given where it is not the model that the budget has the price of; `run` is what the calls are made for;
    `room_of` gives the room for the answers of a model, by default one of its own.

    An answer that was cut off is asked for again, once, with more room: see `advisor.runs.answer_room`.
    """

    def __init__(
        self,
        model: Model,
        store: Store,
        meter: Meter,
        budget: Budget,
        *,
        price: CallPrice | None = None,
        run: str = "",
        room_of: Callable[[Model], AnswerRoom] = lambda model: AnswerRoom(),
    ) -> None:
        self._model, self._store, self._meter, self._purse = model, store, meter, budget
        self._room_of, self._room = room_of, room_of(model)
        self._price, self._run = price, run
        self._samples_of, self._sampled = run or uuid.uuid4().hex, Counter[str]()
        self.name = model.name
        self.fingerprint = model.fingerprint

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """Answer every request, in order, from memory where it was asked before."""
        if self._meter.is_timing:
            return whole_answers(requests, self._answer_unseen, self._room, self._model)
        started = time.perf_counter()
        try:
            result = whole_answers(requests, self._recall_or_ask, self._room, self._model)
        finally:
            self._meter.seconds += time.perf_counter() - started
        self._meter.usage = sum((completion.usage for completion in result), self._meter.usage)
        looked_at = zip(requests, result, strict=True)
        self._meter.cut.append(tuple(is_cut(done) and not request.may_be_cut for request, done in looked_at))
        return result

    def _answer_unseen(self, requests: Sequence[Request], again: bool) -> list[Completion]:
        return self._model.generate([self._room.sent(request) for request in requests])

    def forget(self) -> None:
        """Have the model forget, where it can."""
        forget(self._model)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text takes for the model."""
        return count_tokens(self._model, texts)

    @property
    def context_tokens(self) -> int | None:
        """How many tokens a prompt and its answer may take together; `None` where the model does not say."""
        return context_tokens(self._model)

    @property
    def trainer(self) -> Trainer:
        """Who trains the model."""
        return trainer_of(self._model)

    def tune(self, job: TuningJob) -> tuple[Model, TuningReport]:
        """Train; the tuned model is metered too."""
        self._purse.check()
        try:
            tuned, report = self._model.tune(job)
        except ModelError as error:
            self._meter.tune_error = str(error)
            raise
        known = digest([self.fingerprint, asdict(job.config), [each.messages for each in job.train], str(job.workdir)])
        if known not in self._meter.trained:  # the same once more is taken from the disk
            self._meter.trained.add(known)
            self._meter.reports.append(report)
        metered = MeteredModel(
            tuned, self._store, self._meter, self._purse, price=self._price, run=self._run, room_of=self._room_of
        )
        return metered, report

    def _recall_or_ask(self, requests: Sequence[Request], again: bool) -> list[Completion]:
        keys = [self._key(request, again) for request in requests]
        kept = self._store.completions(keys)
        answers = {key: _load(value) for key, value in kept.items()}
        missing = {k: self._room.sent(request) for k, request in zip(keys, requests, strict=True) if k not in answers}
        if missing:
            self._purse.check()
            answers |= self._ask(missing)
        return [answers[key] for key in keys]

    def _ask(self, missing: Mapping[str, Request]) -> dict[str, Completion]:
        """Ask the model; every answer is paid for and kept before the budget is looked at again."""
        with interrupts.finishing():
            answers = self._ask_all(missing)
        if len(answers) < len(missing):
            self._purse.check()
        return answers

    def _ask_all(self, missing: Mapping[str, Request]) -> dict[str, Completion]:
        keys, answers = list(missing), dict[str, Completion]()
        attempts = _Attempts(self._store, self._run, keys)
        stream, announced = _answers(self._model, list(missing.values()), attempts), announces(self._model)
        try:
            for answer in stream:
                fresh = {keys[at]: completion for at, completion in (answer, *stream.ready())}
                for completion in fresh.values():
                    self._purse.pay(completion.usage, self._price)
                answers |= fresh
                more = announced and not self._is_over(missing, answers)
                attempts.keep(fresh, stream.coming() if more else ())
                if self._is_over(missing, answers):  # once more, since keeping takes its time
                    stream.finish()
        finally:
            stream.close()
            attempts.close()
        return answers

    def _is_over(self, missing: Mapping[str, Request], answers: Mapping[str, Completion]) -> bool:
        """Say whether nothing new may be started though there is more to ask."""
        return len(answers) < len(missing) and (self._purse.is_reached or bool(interrupts.requested()))

    def _key(self, request: Request, again: bool = False) -> str:
        """Return what the answer is kept under: as it was asked for, whatever room for thinking was given beside."""
        key = digest(["asked again" if again else "completion", self.fingerprint, list(request.asks_the_same())])
        if request.temperature <= 0:
            return key
        self._sampled[key] += 1
        return digest(["sampled", key, self._samples_of, self._sampled[key]])


class _Attempts:
    """The attempts of one batch, as the store has them.

    `_ahead` are those that were opened in the step that keeps other answers, before their threads send them.
    """

    def __init__(self, store: Store, run: str, keys: Sequence[str]) -> None:
        self._store, self._run, self._keys = store, run, keys
        self._open: dict[str, int] = {}
        self._ahead: set[str] = set()
        self._lock = threading.Lock()

    def sending(self, at: int) -> None:
        """Write down, before it is sent, an attempt at request number `at`; an earlier one has failed by that."""
        key = self._keys[at]
        with self._lock:
            if key in self._ahead:
                self._ahead.remove(key)
                return
        failed = [self._open[key]] if key in self._open else []
        [self._open[key]] = self._store.open_attempts(self._run, [key], failed)

    def sending_all(self) -> None:
        """Write down that all requests are about to be sent."""
        self._open = dict(zip(self._keys, self._store.open_attempts(self._run, self._keys), strict=True))

    def keep(self, answers: Mapping[str, Completion], coming: Sequence[int]) -> None:
        """Keep answers with how their last attempts ended, and in the same step open attempts at the `coming` ones."""
        with self._lock:
            unsent = self._ahead.intersection(answers)  # answered from the model's own memory
            self._ahead -= unsent
        endings: dict[int, Ending] = {}
        for key, done in answers.items():
            if key in unsent:
                endings[self._open[key]] = "unsent"
            elif key in self._open:
                endings[self._open[key]] = "failed" if done.error else "answered"
        keys = [self._keys[at] for at in coming]
        good = {key: _plain(done) for key, done in answers.items() if not done.error}
        numbers = self._store.add_completions(good, endings, (self._run, keys))
        self._open.update(zip(keys, numbers, strict=True))
        self._ahead.update(keys)

    def close(self) -> None:
        """Say of the attempts that were opened and will not be sent that they were not."""
        with self._lock:
            unsent: dict[int, Ending] = {self._open.pop(key): "unsent" for key in self._ahead}
            self._ahead.clear()
        with contextlib.suppress(StoreError):  # they then count as sent, and what went wrong before is what is told
            self._store.add_completions({}, unsent)


class _PlainStream:
    """Answers of any iterable as an `AnswerStream`: nothing is known ahead, and to end it is to ask no more.

    `whole` says that all are there at once.
    """

    def __init__(self, answers: Iterable[NumberedCompletion], *, whole: bool) -> None:
        self._answers, self._whole, self._is_over = iter(answers), whole, False

    def __iter__(self) -> Iterator[NumberedCompletion]:
        return self

    def __next__(self) -> NumberedCompletion:
        if self._is_over:
            raise StopIteration
        return next(self._answers)

    def ready(self) -> list[NumberedCompletion]:
        return list(self._answers) if self._whole else []

    def coming(self) -> Sequence[int]:
        return ()

    def finish(self) -> None:
        self.close()

    def close(self) -> None:
        self._is_over = True
        if isinstance(self._answers, Generator):
            self._answers.close()


def _answers(model: Model, requests: list[Request], attempts: _Attempts) -> AnswerStream:
    """Ask the model, in the way in which it says most of what it does."""
    given: Iterable[NumberedCompletion]
    if announces(model):
        given = model.stream(requests, sending=attempts.sending)
    else:
        if not isinstance(model, HasBilling) or model.billed:
            attempts.sending_all()
        if not isinstance(model, StreamingModel):
            answers = model.generate(requests)
            if len(answers) != len(requests):
                raise ModelError(f"the model {model.name!r} gave {len(answers)} answers to {len(requests)} requests")
            return _PlainStream(enumerate(answers), whole=True)
        given = model.stream(requests)
    return given if isinstance(given, AnswerStream) else _PlainStream(given, whole=False)


def _plain(done: Completion) -> dict[str, Any]:
    """Return what `_load` reads; `asdict` would take six times as long."""
    usage = {name: getattr(done.usage, name) for name in Usage.__slots__}
    values = {name: getattr(done, name) for name in Completion.__slots__}
    return {**values, "calls": [asdict(call) for call in done.calls], "usage": usage}


def _load(value: dict[str, Any]) -> Completion:
    calls = tuple(ToolCall(**call) for call in value["calls"])
    return replace(Completion(**{**value, "calls": calls}), usage=Usage(**value["usage"]))


_COUNTS = ("input_tokens", "cached_input_tokens", "output_tokens", "calls")


def shares(predictions: Sequence[Prediction], used: Usage, around: float) -> list[Usage]:
    """Give every prediction its usage: its own where the strategy counted all calls, else an equal share.

    `around` is the time spent outside the model (retrieval, classifiers); it is shared equally and also waited for.
    """
    count = len(predictions)
    own = [prediction.usage for prediction in predictions]
    counted = [usage for usage in own if usage is not None]
    if len(counted) < count or sum(usage.calls for usage in counted) != used.calls:
        counted = _equal_shares(used, count)
    extra = Usage(seconds=around / count, latency_seconds=around / count)
    return [usage + extra for usage in counted]


def _equal_shares(used: Usage, count: int) -> list[Usage]:
    """Split a usage over `count` answers; what does not divide evenly goes to the first ones."""
    found = []
    for at in range(count):
        share = {name: getattr(used, name) // count + (at < getattr(used, name) % count) for name in _COUNTS}
        found.append(Usage(**share, seconds=used.seconds / count, latency_seconds=used.latency_seconds / count))
    return found
