"""Every point at which a run writes: counted once by strace, then hit one at a time."""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import dataclass

from tests.faults.trial import Trial
from tests.faults.warm import NO_STRACE, STRACE, Warm

SYSCALLS = ("write", "pwrite64", "fsync", "fdatasync", "rename", "unlink", "ftruncate", "mkdir", "openat")
KILLED = SYSCALLS[:-1]
"""At these the process is killed; opening changes nothing that a kill could break."""


@dataclass(frozen=True, slots=True)
class Point:
    """The `number`-th call of a system call in a run, from 1."""

    syscall: str
    number: int

    def rule(self, what: str) -> str:
        """Return the rule for strace that does `what` here, e.g. ``signal=KILL``."""
        return f"{self.syscall}:{what}:when={self.number}"


def points_of(trial: Trial, syscalls: tuple[str, ...]) -> list[Point]:
    """Run a trial to its end and return all its points, but for those of the test's own before the command begins."""
    started = trial.start(inject=[f"trace={','.join(syscalls)}"])
    assert started.wait() == 0, started.err
    lines = (started.folder / "strace").read_text(encoding="utf-8", errors="replace").splitlines()
    main = [line for line in lines if line.split(maxsplit=1)[0] == str(started.pid)]
    gate = next((at for at, line in enumerate(main) if '/gate"' in line), -1)
    before, counted = _counted(main[: gate + 1]), _counted(main)
    return [Point(name, number) for name in syscalls for number in range(before[name] + 1, counted[name] + 1)]


def _counted(lines: list[str]) -> Counter[str]:
    return Counter(found[1] for line in lines if (found := re.match(r"\d+ +(\w+)\(", line)))


def some(points: list[Point], count: int, seed: str) -> list[Point]:
    """Return `count` points drawn evenly over the system calls, or all where there are no more."""
    if count >= len(points):
        return points
    rng = random.Random(seed)
    by_name = {name: [point for point in points if point.syscall == name] for name in SYSCALLS}
    queues = [rng.sample(those, len(those)) for those in by_name.values() if those]
    found: list[Point] = []
    while len(found) < count:
        for queue in queues:
            if queue and len(found) < count:
                found.append(queue.pop())
    return found


def can_trace(warm: Warm) -> str:
    """Return why strace cannot be used here, or nothing."""
    if not STRACE:
        return NO_STRACE
    try:
        started = warm.start(["--version"], cwd=warm.folder, env={}, inject=["fsync:signal=KILL:when=60000"])
    except AssertionError as error:
        return f"strace may not attach to a process here: {error}"
    return "" if started.wait() == 0 else "a process that strace is attached to does not run here"
