"""How long ``advisor check`` takes on 100,000 rows of each of several kinds, and how much memory.

    python benchmarks/check_speed.py [ROWS] [KIND ...]

A kind is a shape that is hard for some check. The command runs in a process of its own, as typed, so that the time
holds everything: start, reading, embedding the sample, the report. Seed 0; three quarters of the rows are train.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np

ROWS, SECONDS, GIGABYTES = 100_000, 60.0, 1.5
LABELS, WORDS = 77, 6_000
TEMPLATE = (
    "Hello, I bought the heated blanket model forty two in your shop in the high street last winter and now the "
    "control lamp blinks red three times whenever I plug it in, what should I do about order"
)
Rows = list[tuple[str, str]]
"""Question and label."""


class Writer:
    """Makes up messages of 22 words on average; words are as unevenly frequent as in a language."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        glue = "the and is to my it i have not with that this can was what do you on of a".split()
        self._words = np.array(glue + [f"w{n:x}" for n in range(WORDS)])
        weights = 1 / np.arange(5, 5 + len(self._words))
        self._weights = weights / weights.sum()

    def messages(self, count: int) -> list[str]:
        """Return so many messages."""
        lengths = np.maximum(4, self.rng.poisson(22, count))
        words = self.rng.choice(self._words, lengths.sum(), p=self._weights)
        return [" ".join(one) for one in np.split(words, np.cumsum(lengths)[:-1])]

    def labelled(self, texts: list[str], labels: int = LABELS) -> Rows:
        """Give each text one of so many labels."""
        return [(text, f"label_{n}") for text, n in zip(texts, self.rng.integers(labels, size=len(texts)), strict=True)]

    def with_near_copies(self, rows: int) -> list[str]:
        """Return messages of which 2 in 100 are near copies of another one."""
        texts = self.messages(rows)
        for at in self.rng.choice(rows, rows // 50, replace=False):
            texts[at] = f"{texts[int(self.rng.integers(rows))]} please"
        return texts

    def naming_labels(self, rows: int) -> Rows:
        """Return messages of 500 labels, each with the name of its label in it."""
        return [(f"{text} about {label}", label) for text, label in self.labelled(self.messages(rows), 500)]

    def drawn(self, rows: int, of: int) -> list[str]:
        """Return texts drawn from so few."""
        known = self.messages(of)
        return [known[at] for at in self.rng.integers(of, size=rows)]


KINDS: dict[str, Callable[[Writer, int], Rows]] = {
    "messages": lambda writer, rows: writer.labelled(writer.with_near_copies(rows)),
    "labels": lambda writer, rows: writer.naming_labels(rows),
    "template": lambda writer, rows: writer.labelled([f"{TEMPLATE} {n}" for n in range(rows)]),
    "repeated": lambda writer, rows: writer.labelled(writer.drawn(rows, max(1, rows // 20))),
    "one-text": lambda writer, rows: [(TEMPLATE, f"label_{n}") for n in range(rows)],
    "copies": lambda writer, rows: [
        (f"{text}{end}", "yes" if at % 2 else "no")
        for end in (" please", "")
        for at, text in enumerate(Writer().messages(rows // 2))
    ],
}
"""Messages of 77 labels; of 500 labels that name theirs; one template with a number; 5 % distinct texts; one text with
an answer each; half of all rows a near copy of the other half."""


def write(folder: Path, rows: Rows) -> None:
    """Write the eval set."""
    (folder / "evalset.yaml").write_text(
        "name: large\ninstruction: Which?\nmetric: label_accuracy\nlabels: from_train\n"
    )
    cut = len(rows) * 3 // 4
    for split, places in {"train": range(cut), "test": range(cut, len(rows))}.items():
        with (folder / f"{split}.jsonl").open("w") as file:
            for at in places:
                text, label = rows[at]
                file.write(json.dumps({"id": f"r{at}", "input": text, "target": label}) + "\n")


def measure(kind: str, rows: int) -> bool:
    """Print what one kind took; return whether that is what is promised."""
    with tempfile.TemporaryDirectory() as place:
        write(Path(place), KINDS[kind](Writer(), rows))
        out = Path(place) / "found.json"
        command = [sys.executable, "-m", "advisor", "check", place, "-q", "-o", str(out)]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        took = time.perf_counter() - start
        if os.waitstatus_to_exitcode(status) not in (0, 100):
            sys.exit(f"{kind}: advisor check ended with {os.waitstatus_to_exitcode(status)}")
        checks = len(json.loads(out.read_text())["findings"])
    gigabytes = used.ru_maxrss / 1e6
    kept = took <= SECONDS and gigabytes <= GIGABYTES
    print(
        f"{rows:9,} {kind:9} {took:7.0f} {used.ru_utime + used.ru_stime:13.0f} {1_000 * gigabytes:8.0f} {checks:7} "
        f"{'kept' if kept else 'NOT KEPT'}",
        flush=True,
    )
    return kept


def main() -> int:
    """Print what each kind took; return 1 if one is more than is promised."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    print(
        f"{date.today()}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, numpy "
        f"{np.__version__}, load {os.getloadavg()[0]:.1f}; promised: at most {SECONDS:g} s and {GIGABYTES:g} GB each\n"
        "     rows kind      seconds of processors  peak MB  checks promise"
    )
    return 0 if all([measure(kind, rows) for kind in sys.argv[2:] or KINDS]) else 1


if __name__ == "__main__":
    sys.exit(main())
