"""D1: SIGKILL at every write, fsync, rename and unlink of a run; then it is resumed, and nothing may be missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.points import KILLED, can_trace, points_of, some
from tests.faults.sheet import Sheet, trials
from tests.faults.trial import Trials, shown, violations
from tests.faults.warm import Warm

IN_CI = 12


def test_killed_at_every_point_of_writing(tmp_path: Path, warm: Warm, sheet: Sheet) -> None:
    if why := can_trace(warm):
        pytest.skip(why)
    many = Trials(tmp_path, warm, streaming=True)
    every = points_of(many.new(), KILLED)
    chosen = some(every, trials(IN_CI, len(every)), "D1")
    problems, killed, tried = dict[str, list[str]](), 0, 0
    for point in chosen:
        trial = many.new()
        killed += trial.interrupted(trial.start(inject=[point.rule("signal=KILL")])) == -9
        trial.finish()
        if broken := violations(trial, many.whole):
            problems[str(point)] = broken
        tried += 1
        said = f"{tried:,} of the {len(every):,} points, evenly by system call"
        sheet.add("D1", "SIGKILL at a write, fsync, rename, unlink or mkdir", killed, len(problems), said)
    assert not problems, shown(problems)
    assert killed >= 0.9 * len(chosen), "strace did not kill"
