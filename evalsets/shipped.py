"""The eval sets that come with the package: a function each, its data in a folder of the same name under ``data/``."""

from __future__ import annotations

from pathlib import Path

from advisor.types import EvalSet

from .loading import load_folder

DATA = Path(__file__).parent / "data"


def harrow_desk(seed: int = 0) -> EvalSet:
    """Questions to the help desk of an invented shop, with its documents and its tools."""
    return load_folder(DATA / "harrow_desk", seed=seed)
