"""D3: Ctrl-C, SIGTERM, Ctrl-C twice and a closed pipe: over in time, the documented code, and it can be resumed."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.sheet import IN_TIME_SECONDS, Sheet, trials
from tests.faults.trial import Trial, Trials, shown, violations
from tests.faults.warm import Started, Warm
from tests.small_comparison import asked

PAUSE = 0.01


def wait_somewhere(trial: Trial, started: Started, rng: random.Random) -> None:
    """Wait for a random number of calls, or a random moment after all of them."""
    wanted = rng.randint(1, 90)
    while started.running() and len(asked(trial.log)) < wanted:
        time.sleep(0.002)
    time.sleep(rng.uniform(0.0, 0.02))


def press(number: int) -> Callable[[Trial, random.Random], Started]:
    def disturb(trial: Trial, rng: random.Random) -> Started:
        started = trial.start(pause=PAUSE)
        wait_somewhere(trial, started, rng)
        started.kill(number)
        return started

    return disturb


def press_twice(trial: Trial, rng: random.Random) -> Started:
    started = press(signal.SIGINT)(trial, rng)
    time.sleep(rng.uniform(0.0, 0.05))
    started.kill(signal.SIGINT)
    return started


def close_pipe(trial: Trial, rng: random.Random) -> Started:
    return trial.start(closed=[rng.choice(["stdout", "stderr"])])


WAYS = {
    "Ctrl-C": (press(signal.SIGINT), (130,)),
    "SIGTERM": (press(signal.SIGTERM), (143,)),
    "Ctrl-C twice": (press_twice, (130, -signal.SIGINT)),
    "a closed pipe": (close_pipe, (141,)),
}


@pytest.mark.parametrize("way", WAYS)
def test_ends_in_time_and_can_be_resumed(tmp_path: Path, warm: Warm, sheet: Sheet, way: str) -> None:
    disturb, codes = WAYS[way]
    count, rng, problems, slowest, hit = trials(3, 100), random.Random(way), dict[str, list[str]](), 0.0, 0
    many = Trials(tmp_path, warm, streaming=True)
    for number in range(count):
        trial = many.new()
        started = disturb(trial, rng)
        sent = time.monotonic()
        code = trial.interrupted(started)
        slowest = max(slowest, time.monotonic() - sent) if way != "a closed pipe" else 0.0
        hit += code in codes
        trial.finish()
        broken = violations(trial, many.whole)
        if code not in (*codes, 0):
            broken.append(f"exit code {code}: {started.err[-500:]}")
        if code in (130, 143) and way != "Ctrl-C twice" and "To go on, type:" not in started.err:
            broken.append(f"it does not say how to go on: {started.err[-500:]}")
        if slowest > IN_TIME_SECONDS:
            broken.append(f"it took {slowest:.1f} s")
        if broken:
            problems[f"{way} {number}"] = broken
        sheet.add("D3", way, hit, len(problems), f"slowest end {slowest:.1f} s" if slowest else "")
    assert not problems, shown(problems)
    assert hit >= 0.8 * count, f"only {hit} of {count} runs were disturbed before they were over"
