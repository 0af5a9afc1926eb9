"""One small comparison that is disturbed in every way, and the one function that says what must be true afterwards."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from advisor.core.types import Outcome
from advisor.runs.runner import CHUNK
from advisor.runs.store import Store
from tests.faults.warm import Started, Warm
from tests.small_comparison import asked, write_evalset, write_model

STRATEGIES = ("majority", "zero_shot", 'few_shot(pick="fixed")', "fine_tuning")
EXPORTS = ("report.json", "report.csv", "report.md")
NO_CHECKS = ("--checks", "none")
CODES = (0, 1, 2, 3, 4, 5, 100, 130, 141, 143, -2, -9)
"""The documented exit codes, and those of a process that a signal ended (a shell says 130 of -2)."""
CONFIGURATION = """
draws: 500
economics:
  requests_per_month: [1000, 20000]
  usd_per_correct_answer: 0.05
  prices: {usd_per_1m_input_tokens: 1.0, usd_per_1m_output_tokens: 4.0}
  tuned_prices: {usd_per_1m_input_tokens: 2.0, usd_per_1m_output_tokens: 8.0, usd_per_1m_training_tokens: 10}
"""
"""Prices by token, so that money does not depend on how fast this machine is today."""


@dataclass
class Trial:
    """One command with a home of its own, started as often as it takes.

    Attributes:
        place: the working folder with the eval set, the model and the configuration, shared by all trials.
        home: the trial's own ADVISOR_HOME, which holds the reports too.
        model: what stands after ``--model``.
        in_flight: how many calls one interruption may lose.
        exported: the reports it writes.
        options: what is typed besides.
        interruptions: how often it was interrupted.
        codes: the exit codes so far.
    """

    place: Path
    home: Path
    model: str
    warm: Warm
    in_flight: int = CHUNK
    exported: Sequence[str] = EXPORTS
    options: Sequence[str] = NO_CHECKS
    interruptions: int = 0
    started: list[Started] = field(default_factory=list)

    @property
    def words(self) -> list[str]:
        """What is typed; the reports go to names relative to the home, so that all trials print the same."""
        strategies = [word for spec in STRATEGIES for word in ("--strategy", spec)]
        outputs = [word for name in self.exported for word in ("--output", str(self.home / name))]
        words = ["compare", str(self.place / "small"), "--model", self.model, *strategies]
        return [*words, "--config", str(self.place / "c.yaml"), *self.options, *outputs]

    def start(self, *, pause: float = 0.0, inject: Sequence[str] = (), closed: Sequence[str] = ()) -> Started:
        """Start the command; `pause` is the time one call of the model takes, in seconds."""
        self.home.mkdir(exist_ok=True)
        env = {"ADVISOR_HOME": str(self.home), "ASKED": str(self.log), "PAUSE": str(pause), "FAULTS_STILL": "1"}
        env |= {"FAULTS_ACKS": str(self.home / "acks.txt"), "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
        self.started.append(self.warm.start(self.words, cwd=self.place, env=env, inject=inject, closed=closed))
        return self.started[-1]

    def interrupted(self, started: Started) -> int:
        """Wait for the end of a command that was disturbed; return its exit code."""
        self.interruptions += 1
        return started.wait()

    def finish(self) -> str:
        """Run to the end, undisturbed; return what was printed."""
        started = self.start()
        started.wait()
        return started.out

    @property
    def log(self) -> Path:
        """What the model was asked."""
        return self.home / "asked.txt"

    @property
    def acknowledged(self) -> Counter[tuple[str, ...]]:
        """The (run, example) that were said to be kept."""
        path = self.home / "acks.txt"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return Counter(tuple(line.split(" ", 1)) for line in lines)

    def query(self, statement: str) -> list[Any]:
        """Read from the store, without making one."""
        path = self.home / "store.sqlite"
        if not path.exists():
            return []
        connection = sqlite3.connect(path, timeout=30)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def exports(self) -> Mapping[str, bytes]:
        """Return the reports as they were written."""
        paths = [self.home / name for name in self.exported]
        return {path.name: path.read_bytes() if path.exists() else b"" for path in paths}


class Trials:
    """Makes trials of one comparison, and its undisturbed twin."""

    def __init__(
        self,
        place: Path,
        warm: Warm,
        *,
        test: int = 40,
        streaming: bool = False,
        exported: Sequence[str] = EXPORTS,
        options: Sequence[str] = NO_CHECKS,
        earlier: int = 0,
    ) -> None:
        self.place, self.warm, self._exported, self._options, self._count = place, warm, exported, options, 0
        self._in_flight, self._earlier = 1 if streaming else CHUNK, earlier
        place.mkdir(parents=True, exist_ok=True)
        write_evalset(place / "small", dev=6, test=test)
        (place / "c.yaml").write_text(CONFIGURATION, encoding="utf-8")
        self._model = write_model(place, streaming=streaming, paid=True)
        self.whole = self.new()
        self.printed = self.whole.finish()
        assert self.whole.started[-1].code == 0, self.whole.started[-1].err

    def new(self, home: Path | None = None) -> Trial:
        """Return a trial that has not begun; its store holds `earlier` outcomes of another run."""
        self._count += 1
        home = home or self.place / f"home-{self._count}"
        if self._earlier:
            home.mkdir(exist_ok=True)
            with Store(home / "store.sqlite") as store:
                store.add_outcomes("earlier", [Outcome(f"e{at}", "kept", 1.0) for at in range(self._earlier)])
        return Trial(
            self.place, home, self._model, self.warm, self._in_flight, exported=self._exported, options=self._options
        )


def violations(trial: Trial, whole: Trial) -> list[str]:
    """Return every clause of invariant I that a trial breaks, once it was disturbed and then finished.

    (a) each outcome that was acknowledged is in the store; (b) no outcome is there twice; (c) the reports equal those
    of an undisturbed run byte for byte; (d) calls are at most those of an undisturbed run and what was in flight at the
    interruptions, and each stands in the attempt log; (e) no traceback, documented exit codes; (f) the file is
    sound.
    """
    found = []
    rows = trial.query("SELECT run, example FROM outcomes")
    if lost := set(trial.acknowledged) - set(rows):
        found.append(f"(a) acknowledged but not stored: {sorted(lost)[:3]}")
    if len(set(rows)) < len(rows) or not trial.query("SELECT id FROM comparisons"):
        found.append("(b) something is stored twice, or no comparison")
    if set(rows) != set(whole.query("SELECT run, example FROM outcomes")):
        found.append("(b) not the outcomes of an undisturbed run")
    for name, content in trial.exports().items():
        if content != (wanted := whole.exports()[name]):
            found.append(f"(c) {name} differs: {_first_difference(wanted, content)}")
    found += _calls(trial, whole)
    found += _endings(trial)
    if trial.query("PRAGMA integrity_check") != [("ok",)]:
        found.append("(f) the store is not sound")
    return found


def _first_difference(wanted: bytes, content: bytes) -> str:
    at = next((at for at, (a, b) in enumerate(zip(wanted, content, strict=False)) if a != b), len(wanted))
    return f"{wanted[max(0, at - 80) : at + 60]!r} became {content[max(0, at - 80) : at + 60]!r}"


def _endings(trial: Trial) -> list[str]:
    found = []
    for started in trial.started:
        if "Traceback" in started.err + started.out or "BrokenPipe" in started.err:
            found.append(f"(e) a traceback: {started.err[-1500:]}")
        if started.code not in CODES:
            found.append(f"(e) exit code {started.code}")
    if trial.started[-1].code != 0:
        found.append(f"(c) the last run did not finish: {trial.started[-1].code}, {trial.started[-1].err[-500:]}")
    return found


def _calls(trial: Trial, whole: Trial) -> list[str]:
    calls, needed = asked(trial.log), asked(whole.log)
    found = []
    if set(calls) != set(needed):
        found.append("(d) not the calls of an undisturbed run")
    if len(calls) > len(needed) + trial.interruptions * trial.in_flight:
        found.append(f"(d) {len(calls)} calls where {len(needed)} were needed")
    [[opened]] = trial.query("SELECT COUNT(*) FROM attempts")
    if opened < len(calls):
        found.append(f"(d) {len(calls)} calls, of which {opened} stand in the attempt log")
    return found


def shown(problems: Mapping[str, Sequence[str]]) -> str:
    """Return what was broken, for the message of an assertion."""
    return json.dumps({name: list(those) for name, those in list(problems.items())[:5]}, indent=1)
