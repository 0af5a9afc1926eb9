"""The default comparison, stage by stage: seconds, and the share of the machine's own matrix-multiply peak.

    python benchmarks/stages.py                   (eight to twelve minutes on 2 idle cores)
    python benchmarks/stages.py --limit 12 --train-limit 40

The comparison of `make compare` runs twice, each time in a process and a store of its own: once by the clock, once with
every matrix product counted, which slows it down. A stage is what the progress line says it is. The peak is measured in
the timed process, before and after: one large product in the engine's own number format, best of several ways.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


class Stages:
    """Adds up, for whatever the progress line says is going on, seconds and floating-point operations."""

    def __init__(self, counter: Any = None) -> None:
        self.seconds, self.flop = defaultdict[str, float](float), defaultdict[str, float](float)
        self._counter, self._strategy, self._what = counter, "", "before the first strategy"
        self._at, self._counted = time.perf_counter(), 0.0

    def strategy_started(self, label: str, *rest: Any) -> None:
        """Take note of who is at work."""
        self._mark(self._name())
        self._strategy, self._what = label, ""

    def strategy_finished(self, *rest: Any) -> None:
        """What was going on is over."""
        self._mark(self._name())
        self._strategy, self._what = "", "afterwards"

    def __call__(self, what: str, done: int, total: int) -> None:
        """Give the time since the last call to what has just been done, or, at a start, to what was before."""
        self._mark(self._name(what) if done else self._name())
        self._what = what

    def _name(self, what: str | None = None) -> str:
        what = self._what if what is None else what
        return (
            f"{self._strategy}: {what}"
            if self._strategy and what and what != self._strategy
            else self._strategy or what
        )

    def _mark(self, name: str) -> None:
        now, counted = time.perf_counter(), self._counter.get_total_flops() if self._counter else 0.0
        self.seconds[name] += now - self._at
        self.flop[name] += counted - self._counted
        self._at, self._counted = now, counted


def compared(how: str, limits: dict[str, int]) -> dict[str, Any]:
    """Run the comparison in this process; `how` is `timed` or `counted`."""
    from local_engine import peak

    from advisor.models.local import runtime
    from advisor.models.local.model import open_local
    from advisor.runs import compare

    runtime.settle()
    if how == "timed":
        dtype = open_local("smollm2").network.dtype
        first, stages = peak(dtype), Stages()
        start = time.perf_counter()
        compare.compare("harrow_desk", progress=stages, **limits)
        whole = time.perf_counter() - start
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)
        return {"seconds": stages.seconds, "whole": whole, "peak": max(first, peak(dtype)), "peak_gb": most}
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    def linear(states: Any, weight: Any, *rest: Any, out_shape: Any = None, **options: Any) -> int:
        tokens = int(torch.Size(out_shape).numel()) // out_shape[-1]
        return 2 * tokens * states[-1] * out_shape[-1]

    packed = torch.ops.mkldnn._linear_pointwise
    with FlopCounterMode(display=False, custom_mapping={packed: linear}) as counter:
        stages = Stages(counter)
        compare.compare("harrow_desk", progress=stages, **limits)
    return {"flop": stages.flop}


def table(timed: dict[str, Any], counted: dict[str, Any]) -> str:
    """Return the stages that take a second or more as Markdown, and the rest in one line."""
    lines = ["| stage | seconds | 10⁹ FLOP in products | of the peak |", "|---|---|---|---|"]
    small = [0.0, 0.0]
    for name, seconds in [*timed["seconds"].items(), ("all", timed["whole"])]:
        flop = sum(counted["flop"].values()) if name == "all" else counted["flop"].get(name, 0.0)
        if seconds < 1 and name != "all":
            small = [small[0] + seconds, small[1] + flop]
            continue
        if name == "all":
            lines.append(f"| stages under a second | {small[0]:.1f} | {small[1] / 1e9:,.0f} | |")
        lines.append(f"| {name} | {seconds:.1f} | {flop / 1e9:,.0f} | {flop / seconds / timed['peak']:.0%} |")
    said = f"Peak {timed['peak'] / 1e9:.0f} GFLOP/s; most memory {timed['peak_gb']:.2f} GB."
    return "\n".join([*lines, "", said])


def main() -> None:
    """Run both and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--train-limit", type=int, default=300)
    parser.add_argument("--how", default="", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    limits = {"limit": asked.limit, "train_limit": asked.train_limit}
    if asked.how:
        print(json.dumps(compared(asked.how, limits)))
        return
    found = []
    for how in ("timed", "counted"):
        with tempfile.TemporaryDirectory() as home:
            words = [sys.executable, __file__, "--how", how, "--limit", str(asked.limit), "--train-limit"]
            environment = {**os.environ, "ADVISOR_HOME": home}
            done = subprocess.run([*words, str(asked.train_limit)], env=environment, stdout=subprocess.PIPE, check=True)
            found.append(json.loads(done.stdout.splitlines()[-1]))
    print(table(*found))
    kept = {**limits, **found[0], **found[1]}
    if asked.limit >= 100:
        (HERE / "results" / "stages.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
