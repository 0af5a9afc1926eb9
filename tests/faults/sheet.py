"""The sheet of figures: every scenario writes down how many trials it made and how many broke a promise.

A line is kept the moment it is known (FAULTS_SHEET, by default ``faults.jsonl`` in the root), so that a sweep that is
stopped keeps what it had; the last line of a scenario counts. ``python tests/faults/sheet.py`` prints the table.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FULL = os.environ.get("FAULTS") == "full"
"""Whether the full sweeps are asked for (`make faults`); else the samples of continuous integration."""

MOST = int(os.environ.get("FAULTS_MOST", 10**9))
"""Of a full sweep, the most trials of one scenario, where there is no time for all of them."""


IN_TIME_SECONDS = 3.0 if FULL else 120.0
"""So soon a process must have ended after a signal. Three seconds are the promise, which the full sweep measures on an
idle machine; a sample, beside who knows what else, only finds what would wait for ever."""


def trials(sample: int, full: int) -> int:
    """Return how many trials to make now."""
    return min(full, MOST) if FULL else sample


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table.

    Attributes:
        id: the scenario's name in the design: D1, H3, F1, ...
        scenario: what was done, in a few words.
        trials: how many were really made.
        violations: how many of them broke a promise.
        measured: other figures worth a line: seconds, megabytes, how many calls were repeated.
    """

    id: str
    scenario: str
    trials: int
    violations: int
    measured: str = ""

    @property
    def bound(self) -> str:
        """The rule of three: without a failure in n trials, the rate is under 3/n in 95 of 100 cases."""
        return f"< {3 / self.trials:.2%}" if self.trials > 3 and not self.violations else "–"


class Sheet:
    """Where figures are written down as they come."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or Path(os.environ.get("FAULTS_SHEET", ROOT / "faults.jsonl"))

    def add(self, id: str, scenario: str, trials: int, violations: int, measured: str = "") -> Figure:
        """Write one figure down; a test does so before it asserts."""
        figure = Figure(id, scenario, trials, violations, measured)
        if FULL:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(figure)) + "\n")
        return figure

    def figures(self) -> list[Figure]:
        """Return the last figure of each scenario, by name."""
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        found = [Figure(**json.loads(line)) for line in lines]
        last = {(figure.id, figure.scenario): figure for figure in found}
        return sorted(last.values(), key=lambda figure: (figure.id[0], int(figure.id[1:] or 0), figure.scenario))


TOGETHER = {
    "D1 writing": "init, export evalset, check --fix, killed at each step of writing, {count} commands",
    "F2 --output of": "--output names a link, a pipe, or what is open already, {count} kinds of files",
    "H1 ": "{count} faults of an endpoint",
    "H3 ": "hopeless answers (a bad key, a wrong model, …), {count} kinds",
    "H4 budget, ": "budget: spent at most budget and calls in flight, {count} numbers of calls at once (hypothesis)",
    "H4 budget with": "budget: real client and server, {count} numbers of calls at once, then resumed",
    "T7 redirect": "a redirect to another host, {count} kinds",
    "T7 what a proxy": "what a proxy sees of calls to other hosts, {count} kinds",
    "T13 weights": "the first fetch of weights: several processes, kills, a full disk, damage, {count} kinds",
    "T8 bomb": "{count} bombs",
}
"""Scenarios that have one line in the table: how their names begin, and what they are called together."""


def together(figures: list[Figure]) -> list[Figure]:
    """Return the figures with those in `TOGETHER` added up; of what was measured the longest time is kept."""
    groups: dict[str, list[Figure]] = {}
    for figure in figures:
        name = f"{figure.id} {figure.scenario}"
        groups.setdefault(next((start for start in TOGETHER if name.startswith(start)), name), []).append(figure)
    return [those[0] if name not in TOGETHER else _sum(TOGETHER[name], those) for name, those in groups.items()]


def _sum(called: str, those: list[Figure]) -> Figure:
    seconds = [float(found[1]) for one in those if (found := re.search(r"([\d.]+) s\b", one.measured))]
    longest = f"the longest took {max(seconds):.1f} s" if seconds else ""
    trials, violations = sum(one.trials for one in those), sum(one.violations for one in those)
    return Figure(those[0].id, called.format(count=len(those)), trials, violations, longest)


def table(figures: list[Figure]) -> str:
    """Return the figures as a Markdown table."""
    figures = together(figures)
    lines = [
        "| id | scenario | trials | violations | true rate | measured |",
        "|---|---|---|---|---|---|",
        *(
            f"| {one.id} | {one.scenario} | {one.trials:,} | {one.violations:,} | {one.bound} | {one.measured} |"
            for one in figures
        ),
    ]
    made = f"{time.strftime('%Y-%m-%d')}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return "\n".join([*lines, "", f"{made}, Python {platform.python_version()}. True rate: at most 3/n, from no "
                      "violation in n trials (95 of 100 cases)."])  # fmt: skip


if __name__ == "__main__":
    text = table(Sheet().figures())
    print(text)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text + "\n", encoding="utf-8")
