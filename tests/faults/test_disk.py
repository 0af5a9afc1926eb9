"""D4: a full, broken, read-only or forbidden disk at every point of writing; what was kept before is unharmed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.points import SYSCALLS, can_trace, points_of, some
from tests.faults.sheet import Sheet, trials
from tests.faults.trial import Trial, Trials, shown, violations
from tests.faults.warm import Warm

ERRORS = ("ENOSPC", "EIO", "EROFS", "EACCES")


def earlier(trial: Trial) -> set[tuple[object, ...]]:
    return {("outcome", *row) for row in trial.query("SELECT run, example, value FROM outcomes")}


def disturbed(trial: Trial, inject: list[str]) -> list[str]:
    """Run into the error, and say what was wrong about the way it ended."""
    before = earlier(trial)
    assert len(before) == 40
    started = trial.start(inject=inject)
    code = trial.interrupted(started)
    broken = []
    if code not in (0, 1, 2):  # 2: a file of the eval set or the configuration could not be read
        broken.append(f"exit code {code}")
    if code in (1, 2) and "advisor: " not in started.err and "failed" not in started.err:
        broken.append(f"not a sentence: {started.err[-600:]}")
    if trial.query("PRAGMA integrity_check") not in ([("ok",)], []):
        broken.append("the store is corrupt")
    if not before <= earlier(trial):
        broken.append("an earlier run was harmed")
    return broken


def test_an_error_at_every_point_of_writing(tmp_path: Path, warm: Warm, sheet: Sheet) -> None:
    if why := can_trace(warm):
        pytest.skip(why)
    many = Trials(tmp_path, warm, streaming=True, earlier=40)
    every = points_of(many.new(), SYSCALLS)
    chosen = some(every, trials(5, 320), "D4")
    problems, stopped = dict[str, list[str]](), 0
    for number, point in enumerate(chosen):
        error = ERRORS[number // len(SYSCALLS) % len(ERRORS)]
        trial = many.new()
        broken = disturbed(trial, [point.rule(f"error={error}")])
        stopped += trial.started[-1].code in (1, 2)
        trial.finish()
        broken += violations(trial, many.whole)
        if broken:
            problems[f"{point} {error}"] = broken
        said = f"{stopped} stopped with a sentence, {number + 1 - stopped} went on; {len(every):,} points in all"
        sheet.add("D4", "ENOSPC, EIO, EROFS, EACCES at points of writing", number + 1, len(problems), said)
    assert stopped
    assert not problems, shown(problems)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    folder = tmp_path / "small-disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"no file system of 1 MB can be mounted here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_of_one_megabyte(tmp_path: Path, small_disk: Path, warm: Warm, sheet: Sheet) -> None:
    """The disk fills up in the middle of a run; with more room the same command goes on."""
    many = Trials(tmp_path, warm, test=200, streaming=True, earlier=40)
    problems, count = dict[str, list[str]](), trials(1, 10)
    for number in range(count):
        ballast = small_disk / "ballast"
        ballast.write_bytes(os.urandom(450_000 + 40_000 * number))
        trial = many.new(small_disk / "home")
        broken = disturbed(trial, [])
        if trial.started[-1].code != 1:
            broken.append(f"the disk did not fill up: {trial.started[-1].code}")
        ballast.unlink()
        subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
        trial.finish()
        broken += violations(trial, many.whole)
        if broken:
            problems[str(number)] = broken
        sheet.add("D4", "a disk of 1 MB fills up, then has room again", number + 1, len(problems))
        shutil.rmtree(small_disk / "home")
        subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
    assert not problems, shown(problems)
