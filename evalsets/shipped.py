"""The eval sets that come with the package: every folder under ``data/`` that is whole is one, by its own name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from advisor.types import EvalSet

DATA = Path(__file__).parent / "data"
WHOLE = ("evalset.yaml", "train.jsonl", "test.jsonl")


def names() -> tuple[str, ...]:
    """Return the names of the shipped eval sets, sorted; only looks which files there are."""
    folders = sorted(DATA.iterdir()) if DATA.is_dir() else []
    return tuple(folder.name for folder in folders if all((folder / name).is_file() for name in WHOLE))


def summary(name: str) -> str:
    """Return the first sentence of a shipped set's card, or nothing where it has none."""
    try:
        text = (DATA / name / "README.md").read_text(encoding="utf-8")
    except OSError:
        return ""
    first = next((part for part in text.split("\n\n") if part.strip() and not part.startswith("#")), "")
    return " ".join(first.split()).partition(". ")[0].removesuffix(".") + "." if first else ""


def load_shipped(name: str, seed: int = 0) -> EvalSet:
    """Load a shipped eval set."""
    from .folder import read_folder

    return read_folder(DATA / name).finished(seed)


def __getattr__(name: str) -> Callable[..., EvalSet]:
    """Return the function that loads the shipped set `name`; the registry asks for it so."""
    if name not in names():
        raise AttributeError(f"no eval set {name!r} is shipped")
    return partial(load_shipped, name)
