"""What is needed to do a comparison again: command, versions, machine, date, seed, a local model's ways."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from advisor.core.model import DescribesItself
from advisor.decision.request import ComparisonRequest, command_line

_REPORTED = ("tuneworthy", "torch", "transformers", "peft", "openai", "numpy", "scikit-learn")


def environment(options: ComparisonRequest, model: object = None) -> dict[str, str]:
    """Return by name what a reader needs to do this comparison again."""
    described = model.description if isinstance(model, DescribesItself) else {}
    return {
        "command": command_line(options),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        **{name: words for name, words in described.items() if words},
        "seed": str(options.seed),
        "bootstrap draws": str(options.draws),
        **{f"{name} version": number for name, number in versions().items()},
    }


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that can change a result."""
    found = {"python": platform.python_version()}
    for package in _REPORTED:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
