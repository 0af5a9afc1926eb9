"""Makes `advisor.strategies`, `advisor.evalsets` and `advisor.reports` importable everywhere.

Installed, they are sub-packages of `advisor`. In a bare checkout they are the folders beside it; those are loaded under
the same names, so that there is only ever one import name and a user's own ``strategies.py`` can never be in the way.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

FOLDERS = ("strategies", "evalsets", "reports")


def shipped(folder: str) -> ModuleType:
    """Return the package `advisor.<folder>`, loading it from the checkout where it is not installed."""
    name = f"advisor.{folder}"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name != name:
            raise
    init = Path(__file__).parent.parent / folder / "__init__.py"
    spec = importlib.util.spec_from_file_location(name, init, submodule_search_locations=[str(init.parent)])
    if spec is None or spec.loader is None or not init.exists():
        raise ModuleNotFoundError(f"the folder {folder!r} that belongs beside the package is missing", name=name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    setattr(sys.modules["advisor"], folder, module)
    return module
