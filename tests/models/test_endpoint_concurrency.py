"""Many calls at once: order is kept, nothing is lost or sent twice, threads and late calls."""

from __future__ import annotations

import contextvars
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from advisor.core import metrics
from advisor.core.errors import ModelError
from advisor.core.model import Request
from advisor.core.types import Message, Task
from advisor.models.endpoint import EndpointModel, EndpointOptions, concurrency
from advisor.models.endpoint.concurrency import WorkerPool, within
from advisor.models.endpoint.failures import OverdueError
from advisor.runs.metering import Budget, Meter, MeteredModel
from advisor.runs.runner import RunContext, run_strategy
from advisor.runs.store import Store
from advisor.testing import toy_task
from tests.models.endpoint_calls import MANY, QUICK, Serve
from tests.models.fake_server import (
    FakeServer,
    Seen,
    answer,
    echo,
    status,
)
from tests.small_comparison import hear_ctrl_c

pytestmark = pytest.mark.usefixtures("no_keys")


def test_order_is_kept_and_calls_really_run_side_by_side(serve: Serve) -> None:
    all_eight = threading.Barrier(8)

    def uneven(seen: Any) -> bytes:
        number = int(seen.question.split()[-1])
        if number < 8:
            all_eight.wait(600)  # nobody gets past it alone
        time.sleep(0.01 if number % 2 else 0.0)
        return echo(seen)

    model, server = serve(default=uneven, jobs=8)
    done = model.generate(MANY)
    assert [completion.text for completion in done] == [f"re: question {number}" for number in range(60)]
    assert server.most_at_once == 8
    assert len(server.seen) == 60


def test_faults_in_between_lose_and_repeat_nothing(serve: Serve) -> None:
    failing = threading.Lock(), set[str]()

    def every_third_fails_once(seen: Any) -> bytes | None:
        lock, before = failing
        number = int(seen.question.split()[-1])
        with lock:
            fresh = seen.question not in before
            before.add(seen.question)
        if fresh and number % 3 == 0:
            return None if number % 2 else status(503)
        return echo(seen)

    model, server = serve(default=every_third_fails_once)
    done = model.generate(MANY)
    assert [completion.text for completion in done] == [f"re: question {number}" for number in range(60)]
    assert len(server.seen) == 80


def test_ctrl_c_need_not_wait_for_a_silent_server(serve: Serve) -> None:
    over = threading.Event()

    def silent(seen: Any) -> bytes:
        over.wait(600)  # for as long as the client may take to end
        return b""

    _, server = serve(default=silent)
    code = f"""
from advisor.core.model import Request
from advisor.models.endpoint import EndpointModel
from advisor.core.types import Message
EndpointModel("m", url={server.url!r}).generate([Request((Message("user", str(n)),)) for n in range(20)])
"""
    child = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, preexec_fn=hear_ctrl_c)
    while not server.seen and child.poll() is None:
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=600)
    over.set()
    assert "KeyboardInterrupt" in said
    assert len(server.seen) <= 8


def test_nothing_to_ask_is_nothing_sent(serve: Serve) -> None:
    model, server = serve()
    assert model.generate([]) == []
    assert server.seen == []


def test_an_error_starts_nothing_new() -> None:
    begun: list[int] = []

    def work(at: int) -> int:
        begun.append(at)
        raise KeyError(at)

    with pytest.raises(KeyError):
        list(WorkerPool(work, 1000, 3))
    assert len(begun) <= 6
    with pytest.raises(ZeroDivisionError):
        within(1.0, lambda: 1 // 0)


def test_a_late_call_keeps_its_thread_and_the_next_one_gets_another(monkeypatch: pytest.MonkeyPatch) -> None:
    idle: deque[Any] = deque()
    monkeypatch.setattr(concurrency, "_idle", idle)
    gate, late = threading.Event(), list[int]()

    def dawdle() -> None:
        late.append(threading.get_ident())
        gate.wait(600)

    with pytest.raises(OverdueError):
        within(0.05, dawdle)
    others = {within(600.0, threading.get_ident) for _ in range(20)}
    gate.set()
    while len(idle) < 2:  # the late one comes back here, and not into another test
        time.sleep(0.001)
    assert len(others) == 1
    assert not others & {*late, threading.get_ident()}


def test_calls_in_one_thread_share_no_context_and_an_idle_thread_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    idle: deque[Any] = deque()
    monkeypatch.setattr(concurrency, "_idle", idle)
    word = contextvars.ContextVar("word", default="nothing")
    first = within(600.0, lambda: (word.set("a secret"), threading.get_ident())[1])
    monkeypatch.setattr(concurrency, "IDLE_SECONDS", 0.2)  # from the next call on
    assert within(600.0, lambda: (word.get(), threading.get_ident())) == ("nothing", first)
    until = time.monotonic() + 600
    while idle or any(thread.ident == first for thread in threading.enumerate()):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert within(600.0, lambda: "another thread") == "another thread"


def test_answers_that_are_done_can_be_taken_at_once() -> None:
    gate = threading.Event()
    spread = WorkerPool(lambda at: at if at < 4 else gate.wait(600), 5, 5)
    found = [next(spread)]
    while len(found) < 4:
        found += spread.ready()
    assert sorted(found) == [(at, at) for at in range(4)]
    assert spread.ready() == []
    gate.set()
    assert list(spread) == [(4, True)]


def test_an_error_among_those_that_are_done_comes_when_it_is_its_turn() -> None:
    def work(at: int) -> int:
        if at == 1:
            raise ValueError("no")
        return at

    spread, found = WorkerPool(work, 2, 1), list[tuple[int, int]]()
    found.append(next(spread))
    found += spread.ready()
    with pytest.raises(ValueError, match="no"):
        next(spread)
    assert found == [(0, 0)]


def test_a_failing_example_is_missing_and_is_paid_for_once(serve: Serve, tmp_path: Path) -> None:
    def one_fails(seen: Any) -> bytes:
        return status(500, "broken") if "invoice looks strange" in seen.question else echo(seen)

    model, server = serve(default=one_fails)
    evalset = toy_task.toy_evalset()
    metric = metrics.for_task(evalset.metric, Task.of(evalset))
    context = RunContext(evalset, model, metric, Store(tmp_path / "s.sqlite"), toy_task.embed, tmp_path / "work")
    run = run_strategy("zero_shot", 0, context)
    assert [outcome.error for outcome in run.outcomes if outcome.error] == ["HTTP 500: broken"]
    assert len(server.seen) == len(evalset.test) - 1 + QUICK.attempts


def test_what_was_answered_before_the_end_is_kept(tmp_path: Path) -> None:
    def script(seen: Seen) -> bytes:
        return status(401) if seen.question == "last" else answer(seen.question.upper())

    texts = [*"abcdefghijkl", "last"]
    asking = [Request((Message("user", text),)) for text in texts]
    with FakeServer([], default=script) as server, Store(tmp_path / "s.sqlite") as store:
        model = EndpointModel("m", url=server.url, options=EndpointOptions(jobs=2))
        with pytest.raises(ModelError, match="refused the key"):
            MeteredModel(model, store, Meter(), Budget()).generate(asking)
        kept = MeteredModel(model, store, Meter(), Budget(0.0)).generate(asking[:-2])
    assert [done.content for done in kept] == [text.upper() for text in texts[:-2]]
