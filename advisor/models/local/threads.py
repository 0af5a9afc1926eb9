"""How torch's threads wait for each other: settled in one place, before torch is loaded, and told in reports.

By default a thread that has nothing to do spins for a while and keeps a core busy. One process alone on the machine
gains a little by that; with a second one beside it both become many times slower, since each spins while the other
needs the core. So idle threads sleep, unless the user has set OpenMP's own variable.
"""

from __future__ import annotations

import os
import sys

VARIABLE = "OMP_WAIT_POLICY"
_SLEEP = "PASSIVE"


def settle() -> None:
    """Let idle threads sleep; without effect where torch is loaded already or the user chose otherwise."""
    if "torch" not in sys.modules:
        os.environ.setdefault(VARIABLE, _SLEEP)


def described() -> str:
    """Say how many threads torch uses and how they wait; empty where torch is not loaded."""
    torch = sys.modules.get("torch")
    if torch is None:
        return ""
    return f"{torch.get_num_threads()}, {VARIABLE}={os.environ.get(VARIABLE, 'unset')}"
