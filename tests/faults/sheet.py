"""The sheet of figures: every scenario writes down how many trials it made and how many broke a promise.

A line is kept the moment it is known (FAULTS_SHEET, by default ``faults.jsonl`` in the root), so that a sweep that is
stopped keeps what it had; the last line of a scenario counts. ``python tests/faults/sheet.py`` prints the table.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FULL = os.environ.get("FAULTS") == "full"
"""Whether the full sweeps are asked for (`make faults`); else the samples of continuous integration."""

MOST = int(os.environ.get("FAULTS_MOST", 10**9))
"""Of a full sweep, the most trials of one scenario, where there is no time for all of them."""


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


def table(figures: list[Figure]) -> str:
    """Return the figures as a Markdown table."""
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
