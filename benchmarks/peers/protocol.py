"""How a peer's process talks to the benchmark: one JSON line a job on stdin, one JSON line back on stdout.

A job of evaluation has ``prompts`` (texts, chat template applied), ``messages`` (the same as chats), ``choices``
(labels to choose from, or none), ``max_tokens`` and the peer's own ``options``; one of training has what `training.py`
sends. Its line back has ``seconds`` and ``processors`` (of the work itself, not of starting or loading), ``answers``
and ``peak_gb``.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

Job = dict[str, Any]


def peak_gb() -> float:
    """Return the most memory this process has held; `ru_maxrss` begins with what its parent held, on Linux."""
    status = Path("/proc/self/status")
    if status.exists():
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)


def serve(versions: dict[str, str], work: Callable[[Job], Any]) -> None:
    """Do jobs until stdin ends; whatever a library prints goes to stderr."""
    warnings.simplefilter("ignore")
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    out.write(json.dumps({"versions": versions}) + "\n")
    for line in sys.stdin:
        clock, processors = time.perf_counter(), time.process_time()
        answers = work(json.loads(line))
        told: Job = {"seconds": time.perf_counter() - clock, "processors": time.process_time() - processors}
        told |= {"answers": answers, "peak_gb": peak_gb()}
        out.write(json.dumps(told) + "\n")
