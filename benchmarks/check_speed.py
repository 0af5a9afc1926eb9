"""How long ``advisor check`` takes on 100,000 rows, and how much memory.

    python benchmarks/check_speed.py

Made-up messages of 77 labels: 75,000 to learn from, 25,000 to test, 22 words on average, 2 in 100 a near copy of
another one. The command runs in a process of its own, as typed, so that the time holds everything: start, reading,
embedding the sample, the report.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROWS, SECONDS, GIGABYTES = 100_000, 60.0, 1.5
LABELS, WORDS = 77, 6_000


def write(folder: Path, rows: int) -> None:
    """Write the eval set."""
    rng = np.random.default_rng(0)
    glue = "the and is to my it i have not with that this can was what do you on of a".split()
    words = np.array(glue + [f"w{n:x}" for n in range(WORDS)])
    weights = 1 / np.arange(5, 5 + len(words))
    lengths = np.maximum(4, rng.poisson(22, rows))
    drawn = np.split(rng.choice(words, lengths.sum(), p=weights / weights.sum()), np.cumsum(lengths)[:-1])
    texts = [" ".join(one) for one in drawn]
    for at in rng.choice(rows, rows // 50, replace=False):
        texts[at] = f"{texts[int(rng.integers(rows))]} please"
    labels = [f"label_{n}" for n in range(LABELS)]
    (folder / "evalset.yaml").write_text(
        "name: large\ninstruction: Which?\nmetric: label_accuracy\nlabels: from_train\n"
    )
    parts = {"train": range(rows * 3 // 4), "test": range(rows * 3 // 4, rows)}
    for split, places in parts.items():
        with (folder / f"{split}.jsonl").open("w") as file:
            for at in places:
                row = {"id": f"r{at}", "input": texts[at], "target": labels[int(rng.integers(LABELS))]}
                file.write(json.dumps(row) + "\n")


def main() -> int:
    """Print what it took; return 1 if that is more than is promised."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as place:
        write(Path(place), rows)
        out = Path(place) / "found.json"
        start = time.perf_counter()
        command = [sys.executable, "-m", "advisor", "check", place, "-q", "-o", str(out)]
        done = subprocess.run(command, capture_output=True, text=True)
        took = time.perf_counter() - start
        if done.returncode not in (0, 100):
            sys.exit(done.stderr)
        found = json.loads(out.read_text())
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    worked, memory = used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6
    load = os.getloadavg()[0]
    effort = f"{took:.0f} s ({worked:.0f} s of processors; load {load:.1f}), peak {memory:.2f} GB"
    print(f"{rows:,} rows, {len(found['findings'])} checks: {effort}; {platform.machine()}, {os.cpu_count()} cores")
    kept = took <= SECONDS and memory <= GIGABYTES
    print(f"promised: at most {SECONDS:g} s and {GIGABYTES:g} GB: {'kept' if kept else 'NOT KEPT'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
