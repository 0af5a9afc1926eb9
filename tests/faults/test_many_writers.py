"""D6: many processes write to one store; the same run is started twice; a process that holds the store dies."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from advisor.core.types import Outcome
from advisor.runs.store import Store
from tests.faults.sheet import Sheet, trials
from tests.faults.trial import Trials, shown, violations
from tests.faults.warm import ROOT, Warm
from tests.small_comparison import asked

PROCESSES = 8
WRITER = """
import sys
from pathlib import Path
from advisor.runs.store import Store
from advisor.core.types import Outcome
path, worker, writes = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with Store(path) as store:
    for number in range(writes):
        store.add_outcomes("one run", [Outcome(f"{worker}-{number}", "yes", 1.0)])
        if number % 100 == 0:
            assert len(store.outcomes("one run")) > number
"""
HOLDER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
connection.execute("INSERT INTO outcomes VALUES ('one run', 'never committed', '{}')")
print("held", flush=True)
time.sleep(60)
"""


def test_eight_processes_write_at_once(tmp_path: Path, sheet: Sheet) -> None:
    writes, path = trials(60, 2000), tmp_path / "store.sqlite"
    started = time.monotonic()
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(worker), str(writes)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for worker in range(PROCESSES)
    ]
    said = [writer.communicate(timeout=3000)[0] for writer in writers]
    with Store(path) as store:
        rows = len(store.outcomes("one run"))
    lost = PROCESSES * writes - rows
    seconds = time.monotonic() - started
    sheet.add("D6", f"{PROCESSES} processes x {writes:,} writes", PROCESSES * writes, lost, f"{seconds:.0f} s")
    assert (lost, "".join(said)) == (0, "")
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_same_run_twice_at_once_is_paid_once(tmp_path: Path, warm: Warm, sheet: Sheet) -> None:
    many, problems, count = Trials(tmp_path, warm), dict[str, list[str]](), trials(2, 50)
    for number in range(count):
        trial = many.new()
        both = [trial.start(pause=0.002) for _ in range(2)]
        codes = [one.wait() for one in both]
        broken = violations(trial, many.whole)
        if codes != [0, 0] or len(asked(trial.log)) != len(asked(many.whole.log)):
            said = " ".join(one.err[-300:] for one in both if one.code)
            broken.append(f"codes {codes}, {len(asked(trial.log))} calls for {len(asked(many.whole.log))}: {said}")
        if broken:
            problems[str(number)] = broken
    sheet.add("D6", "the same command twice at once: each call is paid once", count, len(problems))
    assert not problems, shown(problems)


def test_the_lock_of_a_dead_process_is_free(tmp_path: Path, sheet: Sheet) -> None:
    path, count, lost = tmp_path / "store.sqlite", trials(3, 50), 0
    for number in range(count):
        Store(path).close()
        holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.kill()
        with Store(path) as store:
            store.add_outcomes("one run", [Outcome(f"after {number}", "yes", 1.0)])
            kept = store.outcomes("one run")
        lost += f"after {number}" not in kept or "never committed" in kept
        holder.communicate()
    sheet.add("D6", "a process dies holding the store", count, lost)
    assert not lost
