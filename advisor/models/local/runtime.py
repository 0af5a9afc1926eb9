"""How torch uses this machine: settled in one place, before it is loaded, and told in reports.

Threads: by default one that has nothing to do spins for about a millisecond and keeps a core busy. Beside a second
process both become many times slower, since each spins while the other needs the core. So idle threads sleep at once
where something else runs on this machine; where nothing does they wait a moment first, which saves a fifth of the time,
since a pass of the model hands out work some thousand times.

Memory: torch keeps every matrix product it has prepared, one for each number of tokens. Passes without padding come
with any number of tokens, so these would grow to half a gigabyte; a few are enough.

Whoever sets one of these variables decides for himself.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from advisor.core.docstrings import DROPPED
from advisor.core.errors import ModelError
from advisor.core.paths import cache

WAITING = "OMP_WAIT_POLICY"
SPINNING = "GOMP_SPINCOUNT"
_MOMENT = "5000"
"""Turns of a spinning thread, some twenty microseconds."""
_PREPARED = {"LRU_CACHE_CAPACITY": "64", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64"}
_WORK = Path("/proc/stat")


def settle() -> None:
    """Choose how idle threads wait and what torch keeps; without effect where torch is loaded already.

    Raises:
        ModelError: Python leaves out docstrings, which transformers reads.
    """
    if DROPPED:
        raise ModelError(
            "models on this machine need docstrings, which transformers reads and PYTHONOPTIMIZE=2 (or -OO) leaves out",
            hint="unset PYTHONOPTIMIZE, or set it to 1",
        )
    if os.path.expanduser("~") == "~":  # a user without a home: the Hub's files would go into a folder called ~
        os.environ.setdefault("HF_HOME", str(cache() / "huggingface"))
    if "torch" in sys.modules:
        return
    for name, value in _PREPARED.items():
        os.environ.setdefault(name, value)
    if WAITING not in os.environ and SPINNING not in os.environ:
        os.environ[WAITING] = "PASSIVE"
        if _is_alone():
            os.environ[SPINNING] = _MOMENT


def described() -> str:
    """Say how many threads torch uses and how they wait; empty where torch is not loaded."""
    torch = sys.modules.get("torch")
    if torch is None:
        return ""
    waits = [f"{name}={os.environ[name]}" for name in (WAITING, SPINNING) if name in os.environ]
    return ", ".join([str(torch.get_num_threads()), *(waits or [f"{WAITING}=unset"])])


@contextmanager
def memory_errors() -> Iterator[None]:
    """Let torch, which says it in a `RuntimeError`, raise a `MemoryError` where memory runs out, a GPU's too."""
    try:
        yield
    except RuntimeError as error:
        said = str(error).lower()
        if "out of memory" in said or "can't allocate memory" in said:
            raise MemoryError(str(error)) from error
        raise


def give_back() -> None:
    """Give memory that is free back to the system, where the C library can (glibc), and to the GPU."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def _is_alone() -> bool:
    """Say whether the rest of the machine is idle: in one of three moments nothing else takes half a core."""
    try:
        return any(_busy_cores() < 0.5 for _ in range(3))
    except (OSError, ValueError, IndexError, ZeroDivisionError):
        return False


def _busy_cores() -> float:
    """Return how many cores work while this process sleeps for a tenth of a second."""
    busy, total = _spent()
    time.sleep(0.1)
    busy_after, total_after = _spent()
    return (busy_after - busy) / (total_after - total) * (os.cpu_count() or 1)


def _spent() -> tuple[int, int]:
    """Return the time the processors have worked since the start, and all of it, in the same unit."""
    spent = [int(each) for each in _WORK.read_text(encoding="ascii").splitlines()[0].split()[1:9]]
    idle = spent[3] + spent[4]  # user, nice, system, idle, waiting for disks, interrupts, soft ones, stolen
    return sum(spent) - idle, sum(spent)
