"""H1 and H3: a run against a server that misbehaves loses nothing, repeats nothing, hangs never, and says why."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from advisor.core import metrics
from advisor.core.errors import AdvisorError, ModelError
from advisor.core.model import Request
from advisor.core.types import Message, Run, Task
from advisor.models.endpoint import EndpointModel, EndpointOptions
from advisor.models.endpoint.concurrency import within
from advisor.models.endpoint.retry import Retry
from advisor.runs.runner import RunContext, run_strategy
from advisor.runs.store import Store
from advisor.testing import toy_task
from tests.faults.http_faults import FATAL, FAULTS, Fault, sent
from tests.faults.sheet import FULL, Sheet, trials
from tests.models.fake_server import FakeServer, Seen, Sent, answer, status

RETRY = Retry(attempts=3, first_wait_seconds=0.001, longest_wait_seconds=0.02)
HANG_SECONDS = 600.0
EVALSET = toy_task.toy_evalset().limited(test=6)
METRIC = metrics.for_task(EVALSET.metric, Task.of(EVALSET))


class Moody:
    """A server's mood: some questions meet the fault, the first time or always; once `well`, none does."""

    def __init__(self, fault: Fault, rng: random.Random) -> None:
        questions = [str(example.input) for example in EVALSET.test]
        self.fault, self.well = fault, False
        self.touched = set(rng.sample(questions, rng.randint(1, len(questions))))
        self.always = rng.random() < 0.5
        self._met: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, seen: Seen) -> Sent:
        if not seen.body:  # the client hung up before it had sent its question
            return None
        question = next(asked for asked in sorted(QUESTIONS) if asked in seen.question)
        with self._lock:
            meets = question in self.touched and not self.well and (self.always or question not in self._met)
            self._met.add(question)
        return sent(self.fault.item, seen) if meets else answer("billing")


QUESTIONS = {str(example.input) for example in EVALSET.test}


def once(fault: Fault, rng: random.Random, folder: Path) -> list[str]:
    """Run, see how every example ended, let the server recover, resume; return the promises that were broken."""
    mood = Moody(fault, rng)
    options = EndpointOptions(jobs=rng.randint(1, 8), timeout_seconds=fault.timeout_seconds, retry=RETRY)
    with FakeServer([], default=mood) as server, Store(folder / "store.sqlite") as store:
        first, stopped = run(server, store, options, folder)
        broken = []
        if stopped and "stops" not in fault.ends:
            broken.append(f"it stopped: {stopped}")
        ends = {outcome.example_id: outcome.cause or "ok" for outcome in (first.outcomes if first else ())}
        if first and not stopped and len(ends) != len(EVALSET.test):
            broken.append(f"lost: {len(EVALSET.test) - len(ends)} examples")
        broken += [f"{example} ended in {end!r}" for example, end in ends.items() if end not in fault.ends]
        if first:
            broken += [f"no cause: {o.error}" for o in first.outcomes if bool(o.error) != bool(o.cause)]
        before, mood.well = len(server.seen), True
        second, stopped = run(server, store, options, folder)
        good = {o.example_id: o.output for o in (second.outcomes if second else ()) if not o.error}
        if stopped or set(good) != {example.id for example in EVALSET.test}:
            broken.append(f"after the server recovered: {len(good)} of {len(EVALSET.test)} answered; {stopped}")
        again = {str(e.input) for e in EVALSET.test if ends.get(e.id) == "ok"}
        asked = [seen.question for seen in server.seen[before:] if seen.body]
        broken += [f"paid for twice: {q}" for q in again if any(q in question for question in asked)]
    return broken


def run(server: FakeServer, store: Store, options: EndpointOptions, folder: Path) -> tuple[Run | None, str]:
    """Return a run, or the sentence with which it stopped."""
    model = EndpointModel("m", url=server.url, options=options)
    try:
        context = RunContext(EVALSET, model, METRIC, store, toy_task.embed, folder)
        done = run_strategy("zero_shot", 0, context)
        return done, f"the strategy broke: {done.error}" if done.error else ""
    except AdvisorError as error:
        return None, str(error)
    finally:
        model.close()


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_loses_nothing(name: str, sheet: Sheet) -> None:
    """Each fault by each seed, in a thread with a time limit: a hang is a failure too."""
    made, broken, longest = trials(1, 25), [], 0.0
    for seed in range(made):
        rng = random.Random(f"{name} {seed}")
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            found = within(HANG_SECONDS, partial(once, FAULTS[name], rng, Path(folder)))
            longest = max(longest, time.perf_counter() - started)
        broken += [f"seed {seed}: {one}" for one in found]
    sheet.add("H1", name, made, len(broken), f"longest {longest:.1f} s")
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("name", FATAL)
def test_what_is_hopeless_stops_early(name: str, sheet: Sheet) -> None:
    """H3: a bad key or a wrong model takes at most as many calls as may be in flight, and three."""
    broken, jobs = [], [1, 2, 8, 32] if not FULL else [1, 2, 3, 4, 8, 16, 32, 64]
    for most in jobs:
        with FakeServer([], default=FATAL[name]) as server:
            said = refused(server, most)
            if len(server.seen) > most + 3:
                broken.append(f"{len(server.seen)} calls with {most} at once")
            if not said or "\n" in said.split("\n  ")[0]:
                broken.append(f"not one sentence: {said!r}")
    sheet.add("H3", name, len(jobs), len(broken))
    assert not broken


ALIKE = {
    "400 to everything": status(400, "this account may not use it"),
    "a web page to everything": FAULTS["200 with HTML"].item,
    "nothing readable to everything": FAULTS["an error with 200"].item,
}


@pytest.mark.parametrize("name", ALIKE)
def test_the_same_words_to_all_and_an_answer_to_none_is_hopeless(name: str, sheet: Sheet) -> None:
    broken = []
    for most in (1, 4, 16):
        with FakeServer([], default=ALIKE[name]) as server:
            said = refused(server, most)
            if "the same words to all" not in said or len(server.seen) > 2 * most + 3:
                broken.append(f"{most} at once: {len(server.seen)} calls, {said!r}")
    sheet.add("H3", name, 3, len(broken))
    assert not broken


def test_one_answer_among_refusals_is_no_reason_to_stop() -> None:
    with FakeServer([answer("well")], default=status(400, "too long")) as server:
        model = EndpointModel("m", url=server.url, options=EndpointOptions(jobs=1, retry=RETRY))
        done = model.generate([ask(number) for number in range(30)])
        model.close()
    assert [one.cause for one in done] == [""] + ["refused"] * 29


def ask(number: int) -> Request:
    return Request((Message("user", f"question {number}"),))


def refused(server: FakeServer, jobs: int) -> str:
    """Ask 100 questions, and return the sentence that ended it."""
    model = EndpointModel("m", url=server.url, options=EndpointOptions(jobs=jobs, retry=RETRY))
    try:
        model.generate([ask(number) for number in range(100)])
    except ModelError as error:
        return str(error)
    finally:
        model.close()
    return ""
