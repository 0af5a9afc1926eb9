"""Prints what `make newest` or `make oldest` installs beside torch: the ends of what pyproject.toml allows.

torch stays as it is locked: a resolver that is not offered its CPU build would take gigabytes of CUDA.
"""

from __future__ import annotations

import re
import sys

from renew import GPU, HERE, PROJECT, compiled

RESOLUTIONS = {"newest": "highest", "oldest": "lowest-direct"}


def main(end: str) -> None:
    """Print the requirements of one end, each with its release."""
    [torch] = re.findall(r"^torch==([\d.]+) ;", (HERE / "cpu.txt").read_text(), re.M)
    words = ("--resolution", RESOLUTIONS[end], "--extra", "dev", str(PROJECT))
    for line in compiled(*words, pins=f"torch=={torch}\n").splitlines():
        name = re.split(r"[=\s\[]", line)[0]
        if name != "torch" and not GPU.match(name):
            print(line)


if __name__ == "__main__":
    main(sys.argv[1])
