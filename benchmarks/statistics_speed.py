"""How long the statistics of a large comparison take, and how much memory: flat in the number of draws.

    python benchmarks/statistics_speed.py

8 strategies x 10,000 test examples: everything between scores and the joint draws (intervals, tests, all differences
at once), with 2,500, 5,000 and 10,000 bootstrap draws, each in a process of its own so that its peak can be read off.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import time

import numpy as np

from advisor.core.types import Usage
from advisor.stats.bootstrap import Panel
from advisor.stats.paired import paired_statistics

STRATEGIES, EXAMPLES = 8, 10_000
DRAWS = (2_500, 5_000, 10_000)
SECONDS, GIGABYTES = 3.0, 1.0


def panel(rng: np.random.Generator) -> Panel:
    """Return 0/1 scores of strategies that agree on most examples, one of them tuned with two seeds."""
    hard = rng.random(EXAMPLES)
    seeds = [1] * (STRATEGIES - 1) + [2]
    scores = tuple(
        (hard + rng.normal(0, 0.2, (count, EXAMPLES)) < 0.6 + 0.01 * at).astype(np.float64)
        for at, count in enumerate(seeds)
    )
    usage = {name: rng.random((EXAMPLES, STRATEGIES)) for name in Usage.__slots__}
    labels = tuple(f"strategy {at}" for at in range(STRATEGIES))
    return Panel(labels, scores, (False,) * (STRATEGIES - 1) + (True,), np.arange(EXAMPLES), usage)


def once(draws: int) -> dict[str, float]:
    """Return seconds (wall and processor) and peak memory (GB) of one comparison's statistics, and the peak before."""
    rng = np.random.default_rng(0)
    made = panel(rng)
    paired_statistics(panel_of_few(made), 100, rng)  # imports and first calls are not what is measured
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    start, worked = time.perf_counter(), time.process_time()
    paired_statistics(made, draws, rng)
    took, worked = time.perf_counter() - start, time.process_time() - worked
    return {
        "seconds": took,
        "processor": worked,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "before": before,
    }


def panel_of_few(full: Panel) -> Panel:
    """Return the panel of the first 50 examples."""
    usage = {name: values[:50] for name, values in full.usage.items()}
    return Panel(full.labels, tuple(rows[:, :50] for rows in full.scores), full.tuned, full.clusters[:50], usage)


def main() -> int:
    """Print one line a number of draws; return 1 if the largest takes more than is promised."""
    print(f"{STRATEGIES} strategies x {EXAMPLES:,} examples; {platform.machine()}, {os.cpu_count()} cores, "
          f"numpy {np.__version__}")  # fmt: skip
    found: dict[str, float] = {}
    for draws in DRAWS:
        done = subprocess.run([sys.executable, __file__, str(draws)], capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        took, memory = f"{found['seconds']:.2f} s ({found['processor']:.2f} s of processors)", f"{found['peak']:.2f} GB"
        print(f"{draws:>7,} draws: {took}, peak {memory} ({found['before']:.2f} GB before)", flush=True)
    kept = found["seconds"] <= SECONDS and found["peak"] <= GIGABYTES
    print(f"promised: at most {SECONDS:g} s and {GIGABYTES:g} GB: {'kept' if kept else 'NOT KEPT'}")
    return 0 if kept else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(once(int(sys.argv[1]))))
    else:
        sys.exit(main())
