"""D3 with an endpoint: calls in flight at a signal are waited for and kept; the attempt log has what was sent again."""

from __future__ import annotations

import random
import signal
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from tests.faults.sheet import IN_TIME_SECONDS, Sheet, trials
from tests.faults.warm import Started, Warm
from tests.models.fake_server import FakeServer, Seen, Sent, answer, status
from tests.small_comparison import write_evalset

QUESTIONS, AT_ONCE = 30, 6


class Slow:
    """Answers after a while; counts what it sent. Each question named in `first_fails` meets an error first."""

    def __init__(self, rng: random.Random, first_fails: int = 0) -> None:
        self.sent = self.failed = 0
        self._rng, self._left, self._lock = rng, first_fails, threading.Lock()
        self._met: set[str] = set()

    def __call__(self, seen: Seen) -> Sent:
        with self._lock:
            fails = self._left > 0 and seen.question not in self._met
            self._left -= fails
            self._met.add(seen.question)
            self.failed += fails
            pause = 0.0 if fails else self._rng.uniform(0.05, 0.6)
        time.sleep(pause)
        if fails:
            return status(500, "a hiccup")
        with self._lock:
            self.sent += 1
        return answer("billing")


def compare(warm: Warm, place: Path, url: str) -> Started:
    """Start a comparison with one strategy; the store is in `place`."""
    words = ["compare", str(place / "small"), "--model", f"{url}#m", "--strategy", "zero_shot", "--jobs", str(AT_ONCE)]
    env = {"ADVISOR_HOME": str(place / "home"), "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    return warm.start([*words, "--checks", "none"], cwd=place, env=env)


def count(place: Path, statement: str) -> int:
    connection = sqlite3.connect(place / "home" / "store.sqlite", timeout=30)
    try:
        return int(connection.execute(statement).fetchone()[0])
    finally:
        connection.close()


UNANSWERED = "SELECT COUNT(*) FROM attempts LEFT JOIN endings ON attempt = id WHERE how IS NULL OR how = 'failed'"


def interrupted_once(warm: Warm, place: Path, rng: random.Random, number: int) -> list[str]:
    """Interrupt a run somewhere, go on, and return what was broken."""
    write_evalset(place / "small", test=QUESTIONS)
    slow, broken = Slow(rng), list[str]()
    with FakeServer([], default=slow) as server:
        started, wanted = compare(warm, place, server.url), rng.randint(1, QUESTIONS // 2)
        while started.running() and len(server.seen) < wanted:
            time.sleep(0.002)
        time.sleep(rng.uniform(0.0, 0.2))
        started.kill(number)
        at = time.monotonic()
        code = started.wait()
        if (took := time.monotonic() - at) > IN_TIME_SECONDS:
            broken.append(f"it took {took:.1f} s")
        if code != 128 + number or "Traceback" in started.err or "To go on, type:" not in started.err:
            broken.append(f"exit code {code}: {started.err[-600:]}")
        seen = len(server.seen)
        if (kept := count(place, "SELECT COUNT(*) FROM completions")) != slow.sent or slow.sent != seen:
            broken.append(f"{seen} calls were sent, {slow.sent} answered, {kept} kept")
        last = compare(warm, place, server.url)
        if (code := last.wait()) != 0:
            broken.append(f"the second time: exit code {code}: {last.err[-600:]}")
        if len(server.seen) != QUESTIONS or count(place, UNANSWERED):
            broken.append(f"{len(server.seen)} calls, {count(place, UNANSWERED)} without an answer")
    return broken


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_calls_in_flight_are_waited_for_and_kept(
    tmp_path: Path, warm: Warm, sheet: Sheet, number: signal.Signals
) -> None:
    made, rng, problems = trials(2, 50), random.Random(number), list[str]()
    for at in range(made):
        problems += interrupted_once(warm, tmp_path / str(at), rng, number)
        sheet.add(
            "D3", f"{number.name} with {AT_ONCE} calls in flight: each is kept and paid once", at + 1, len(problems)
        )
    assert not problems, "\n".join(problems)


def test_what_was_sent_again_is_counted_and_said(tmp_path: Path, warm: Warm) -> None:
    write_evalset(tmp_path / "small", test=QUESTIONS)
    slow = Slow(random.Random(0), first_fails=4)
    with FakeServer([], default=slow) as server:
        started = compare(warm, tmp_path, server.url)
        assert started.wait() == 0, started.err
        assert len(server.seen) == QUESTIONS + 4
    assert slow.failed == 4
    assert count(tmp_path, "SELECT COUNT(*) FROM attempts") == QUESTIONS + 4
    assert count(tmp_path, UNANSWERED) == 4
    assert "4 calls were sent and brought no answer" in " ".join((started.out + started.err).split())
