"""D2: SIGKILL at random moments of a run; nothing acknowledged is lost, nothing is doubled, the result is the same."""

from __future__ import annotations

import math
import random
import signal
import time
from pathlib import Path

import pytest

from tests.faults.sheet import Sheet, trials
from tests.faults.trial import EXPORTS, Trial, Trials, shown, violations
from tests.faults.warm import Warm
from tests.small_comparison import asked

PAUSE = 0.003


def kill_at_random(trial: Trial, rng: random.Random, most_calls: int = 120) -> bool:
    """Start, and kill after a random number of calls or a random time; say whether it had not ended before."""
    before = len(asked(trial.log))
    started = trial.start(pause=PAUSE)
    if rng.random() < 0.4:
        time.sleep(rng.uniform(0.0, 0.6))
    else:
        wanted = before + rng.randint(1, most_calls)
        while started.running() and len(asked(trial.log)) < wanted:
            time.sleep(0.001)
        time.sleep(rng.uniform(0.0, 3 * PAUSE))
    started.kill()
    return trial.interrupted(started) == -signal.SIGKILL


@pytest.mark.parametrize("streaming", [False, True], ids=["batches", "streaming"])
def test_killed_at_random_moments(tmp_path: Path, warm: Warm, sheet: Sheet, streaming: bool) -> None:
    """Ten kills a trial, then to the end."""
    kills, killed, problems = trials(6, 200), 0, dict[str, list[str]]()
    many, rng = Trials(tmp_path, warm, streaming=streaming), random.Random(f"kills {streaming}")
    way = "one answer at a time" if streaming else "answers in batches"
    for number in range(kills // 10):
        trial = many.new()
        for _ in range(10):
            killed += kill_at_random(trial, rng)
        trial.finish()
        if broken := violations(trial, many.whole):
            problems[f"trial {number}"] = broken
        sheet.add("D2", f"SIGKILL at random moments, {way}; 10 kills a run", killed, len(problems))
    assert not problems, shown(problems)


def test_four_strategies_by_200_examples_killed_20_times(tmp_path: Path, warm: Warm, sheet: Sheet) -> None:
    """The promise of the whole suite in one sentence."""
    many, rng = Trials(tmp_path, warm, test=200, exported=(*EXPORTS, "report.html")), random.Random("done when")
    trial = many.new()
    for _ in range(20):
        kill_at_random(trial, rng)
    trial.finish()
    broken = violations(trial, many.whole)
    sheet.add("D2", "4 strategies by 200 examples, killed 20 times, then resumed: byte-identical", 20, len(broken))
    assert not broken, shown({"trial": broken})


def test_checks_and_learning_curves_killed_at_random_moments(tmp_path: Path, warm: Warm, sheet: Sheet) -> None:
    """What is asked again for the checks and for smaller sizes of the training split goes on as well."""
    options = ("--checks", "quick", "--learning-curve")
    many, rng = Trials(tmp_path, warm, test=12, streaming=True, options=options), random.Random("checks")
    assert len(asked(many.whole.log)) > 200
    kills, killed, problems = trials(6, 200), 0, dict[str, list[str]]()
    for number in range(math.ceil(kills / 10)):
        trial = many.new()
        for _ in range(min(kills, 10)):
            killed += kill_at_random(trial, rng, most_calls=len(asked(many.whole.log)) // 4)
        trial.finish()
        if broken := violations(trial, many.whole):
            problems[f"trial {number}"] = broken
        sheet.add("D2", "SIGKILL at random moments, checks and learning curve; 10 kills a run", killed, len(problems))
    assert not problems, shown(problems)
