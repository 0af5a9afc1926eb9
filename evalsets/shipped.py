"""The eval sets that are known by name: every whole folder under ``data/`` is one, and every entry of public.yaml."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from advisor.core.types import EvalSet

from .folder import DATA, read_folder

TABLE = Path(__file__).parent / "public.yaml"
WHOLE = ("evalset.yaml", "train.jsonl", "test.jsonl")


def names() -> tuple[str, ...]:
    """Return the names of the shipped eval sets, sorted; only looks which files there are."""
    folders = sorted(DATA.iterdir()) if DATA.is_dir() else []
    return tuple(folder.name for folder in folders if all((folder / name).is_file() for name in WHOLE))


def public_names() -> tuple[str, ...]:
    """Return the names in the table of public sets, with their prefix."""
    return tuple(f"public:{name}" for name in re.findall(r"^(\w+):", TABLE.read_text(encoding="utf-8"), re.M))


def summary(name: str) -> str:
    """Return what a set is, in a sentence: the first of a shipped one's card, a public one's family and licence."""
    if name.startswith("public:"):
        from .public import summary as told

        return told(name)
    try:
        text = (DATA / name / "README.md").read_text(encoding="utf-8")
    except OSError:
        return ""
    first = next((part for part in text.split("\n\n") if part.strip() and not part.startswith("#")), "")
    return " ".join(first.split()).partition(". ")[0].removesuffix(".") + "." if first else ""


def load_shipped(name: str, seed: int = 0) -> EvalSet:
    """Load a shipped eval set."""
    return read_folder(DATA / name).finished(seed)


def __getattr__(name: str) -> Callable[..., EvalSet]:
    """Return the function that loads the shipped set `name`; the registry asks for it so."""
    if name not in names():
        raise AttributeError(f"no eval set {name!r} is shipped")
    return partial(load_shipped, name)
