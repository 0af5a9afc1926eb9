"""Environment variables that libraries obey, set for as long as something lasts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

NO_NETWORK = {"HF_HUB_OFFLINE": "1", "PIP_NO_INDEX": "1"}
"""What the libraries that fetch weights (Hugging Face's, and pip) obey."""

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""What the numeric libraries obey: several processes with several threads each get in each other's way."""


@contextmanager
def variables(settings: Mapping[str, str]) -> Iterator[None]:
    """Set these variables, and put back what was there before at the end."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
