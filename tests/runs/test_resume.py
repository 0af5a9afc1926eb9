"""A real process killed at random moments: nothing stored is lost, asked again or doubled; the verdict is the same."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from advisor.runs.runner import CHUNK
from tests.small_comparison import asked, hear_ctrl_c, write_evalset, write_model

ROOT = Path(__file__).parents[2]
EXAMPLES, DEV, RUNS = 150, 6, 5
CALLS = EXAMPLES + 3 * DEV + EXAMPLES
"""Zero-shot, then on dev two kinds of few-shot, and the better one without the labels named, then that which is chosen;
the tuned model is another one."""
KILLS = 8
PAUSE = 0.003
STRATEGIES = ("majority", "zero_shot", 'few_shot(pick="fixed")', "fine_tuning")
CONFIGURATION = """
economics:
  requests_per_month: [1000, 20000]
  usd_per_correct_answer: 0.05
  prices: {usd_per_1m_input_tokens: 1.0, usd_per_1m_output_tokens: 4.0}
  tuned_prices: {usd_per_1m_input_tokens: 2.0, usd_per_1m_output_tokens: 8.0, usd_per_1m_training_tokens: 10}
"""
"""Prices by token, so that money does not depend on how fast this machine is today."""
TIMES = {"seconds", "latency_seconds", "latency_p50", "latency_p95", "training_seconds", "date"}


@dataclass(frozen=True)
class RunContext:
    """One command, and where its results and the log of its model's calls go."""

    folder: Path
    home: Path
    model: str

    @property
    def log(self) -> Path:
        return self.home / "asked.txt"

    def start(self, pause: float = PAUSE) -> subprocess.Popen[str]:
        self.home.mkdir(exist_ok=True)
        strategies = [word for spec in STRATEGIES for word in ("--strategy", spec)]
        words = [str(self.folder / "small"), "--model", self.model, *strategies, "--config", "c.yaml"]
        words += ["--output", str(self.home / "report.json"), "--checks", "none"]
        own = {"PYTHONPATH": str(ROOT), "ADVISOR_HOME": str(self.home), "ASKED": str(self.log), "PAUSE": str(pause)}
        return subprocess.Popen(
            [sys.executable, "-m", "advisor", "compare", *words],
            cwd=self.folder,
            env={**os.environ, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=hear_ctrl_c,
        )

    def finish(self) -> str:
        """Run to the end; return what was printed."""
        process = self.start(pause=0)
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
        assert "Traceback" not in err
        return out

    def until(self, process: subprocess.Popen[str], calls: int) -> None:
        """Wait until so many calls were made, or the process is through."""
        while process.poll() is None and len(asked(self.log)) < calls:
            time.sleep(0.001)

    def database(self) -> sqlite3.Connection:
        return sqlite3.connect(self.home / "store.sqlite")


def context(tmp_path: Path, name: str, *, streaming: bool = False) -> RunContext:
    folder = tmp_path / ("streaming" if streaming else "batches")
    if not folder.exists():
        write_evalset(folder / "small", dev=DEV, test=EXAMPLES)
        (folder / "c.yaml").write_text(CONFIGURATION)
    return RunContext(folder, folder / name, write_model(folder, streaming=streaming))


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_times(inner) for key, inner in value.items() if key not in TIMES}
    return [without_times(inner) for inner in value] if isinstance(value, list) else value


def report(one: RunContext) -> Any:
    return without_times(json.loads((one.home / "report.json").read_text(encoding="utf-8")))


def killed(one: RunContext, rng: random.Random) -> list[str]:
    """Start, kill at a random moment, and return what the model was asked in between."""
    before = len(asked(one.log))
    process = one.start()
    if rng.random() < 0.25:  # while it starts, or thereabouts
        time.sleep(rng.uniform(0, 1.0))
    else:
        one.until(process, before + rng.randint(1, 80))
        time.sleep(rng.uniform(0, 3 * PAUSE))
    process.kill()
    process.communicate()
    assert process.returncode in (-signal.SIGKILL, 0)
    if (one.home / "store.sqlite").exists():
        assert one.database().execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return asked(one.log)[before:]


def check_calls(rounds: Sequence[Sequence[str]], in_flight: int) -> None:
    """What is asked again was in flight at a kill: among the last calls of its round, and never twice in one round."""
    for at, round_ in enumerate(rounds):
        assert max(Counter(round_).values(), default=1) == 1
        later = {text for other in rounds[at + 1 :] for text in other}
        repeated = [place for place, text in enumerate(round_) if text in later]
        assert len(repeated) <= in_flight
        assert repeated == list(range(len(round_) - len(repeated), len(round_)))


@pytest.mark.parametrize(("streaming", "in_flight", "kills"), [(False, CHUNK, KILLS), (True, 1, 3)])
def test_killed_at_random_moments(tmp_path: Path, streaming: bool, in_flight: int, kills: int) -> None:
    whole, one = (context(tmp_path, name, streaming=streaming) for name in ("undisturbed", "killed"))
    printed = whole.finish()
    assert len(asked(whole.log)) == CALLS
    assert report(whole)["verdict"]["answer"] in {"fine_tune", "do_not_fine_tune", "not_yet"}

    rng = random.Random(f"kills {streaming}")
    rounds = [killed(one, rng) for _ in range(kills)]
    before = len(asked(one.log))
    resumed = one.finish()
    rounds.append(asked(one.log)[before:])

    assert report(one) == report(whole)
    assert resumed.splitlines()[:4] == printed.splitlines()[:4]
    check_calls(rounds, in_flight)
    assert set(asked(one.log)) == set(asked(whole.log))
    assert len(asked(one.log)) <= CALLS + kills * in_flight
    rows = dict(one.database().execute("SELECT run, COUNT(*) FROM outcomes GROUP BY run").fetchall())
    assert rows == dict(whole.database().execute("SELECT run, COUNT(*) FROM outcomes GROUP BY run").fetchall())
    assert list(rows.values()) == [EXAMPLES] * RUNS
    assert one.database().execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    calls = len(asked(one.log))
    one.finish()
    assert len(asked(one.log)) == calls
    assert one.database().execute("SELECT COUNT(*) FROM comparisons").fetchone() == (1,)


def test_interrupted_by_hand(tmp_path: Path) -> None:
    one = context(tmp_path, "interrupted", streaming=True)
    process = one.start(pause=0.2)
    one.until(process, 5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    said, line = err.strip().splitlines()[-2:]
    assert said == "advisor: interrupted; all that was obtained is stored. To go on, type:"
    assert line.startswith("  advisor compare ")
    assert "--strategy zero_shot" in line
    calls = len(asked(one.log))
    assert 5 <= calls < CALLS
    one.finish()
    assert len(asked(one.log)) <= CALLS + 1
