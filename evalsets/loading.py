"""`load`: from a shipped name, a folder or one file to an `EvalSet`; its notes say what was changed on the way."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from advisor._util.files import exists
from advisor.core import registry
from advisor.core.errors import EvalSetError, did_you_mean
from advisor.core.paths import expanded
from advisor.core.specs import Spec
from advisor.core.types import EvalSet

from . import public, shipped
from .documents import read_documents
from .draft import Draft
from .files import read_file, read_frame
from .folder import DATA, Refused, read_folder


def load(source: str, *, columns: Mapping[str, str] | None = None, seed: int = 0, docs: str = "") -> EvalSet:
    """Load an eval set; see `advisor.core.shipped.load_evalset`."""
    found = _find(source, columns, seed, None)
    return _with_documents(found if isinstance(found, EvalSet) else found.finished(seed), docs)


def load_frame(frame: Any, *, columns: Mapping[str, str] | None = None, seed: int = 0, docs: str = "") -> EvalSet:
    """Load a pandas frame as a file with its rows would be; see `load`."""
    return _with_documents(read_frame(frame, columns=columns, seed=seed).finished(seed), docs)


def _with_documents(evalset: EvalSet, docs: str) -> EvalSet:
    return replace(evalset, docs=read_documents(docs)) if docs else evalset


def load_split(source: str, rule: str, *, columns: Mapping[str, str] | None = None, seed: int = 0) -> EvalSet:
    """Load one file and split it by a rule: ``stratified``, ``time=FIELD`` or ``content``; see `load`."""
    return read_file(expanded(source), columns=columns, seed=seed, rule=rule).finished(seed)


def read(source: str, *, columns: Mapping[str, str] | None = None, seed: int = 0) -> Draft:
    """Read an eval set as it stands, with nothing left out of it, and with the rows that cannot be read named.

    For the arguments see `load`.

    Raises:
        EvalSetError: it does not exist, or is malformed as a whole.
    """
    found = _find(source, columns, seed, [])
    return Draft.of(found) if isinstance(found, EvalSet) else found


def _find(source: str, columns: Mapping[str, str] | None, seed: int, refused: Refused | None) -> EvalSet | Draft:
    source = str(source)
    path = expanded(source)
    entries = {entry.name for entry in registry.names("evalsets")}
    if source in entries or (":" in source and not exists(path)):
        return _registered(source, columns, seed, refused)
    if source.endswith(")") and not exists(path) and Spec.parse(source).target in entries:
        return _registered(source, columns, seed, refused)
    if not exists(path):
        raise _unknown(source, path, entries)
    if path.is_dir():
        if columns:
            raise EvalSetError(
                f"columns {dict(columns)!r} were given for the folder {source!r}; they are for single files",
                hint="in a folder the fields are called id, input, target and metadata",
            )
        return read_folder(path, refused)
    return read_file(path, columns=columns, seed=seed, refused=refused)


def _registered(source: str, columns: Mapping[str, str] | None, seed: int, refused: Refused | None) -> EvalSet | Draft:
    if source.startswith("hf:"):
        return public.read_hub(source, columns, seed, refused)
    if columns:
        raise EvalSetError(f"columns were given for {source!r}; they are for single files")
    if source.startswith(public.PREFIX):
        return public.read_public(source, seed, refused)
    if source in shipped.names():
        return read_folder(DATA / source, refused)
    target = registry.load("evalsets", Spec.parse(source).target, origin="user")
    takes = inspect.signature(target).parameters if callable(target) else {}
    built = registry.make("evalsets", source, origin="user", **({"seed": seed} if "seed" in takes else {}))
    if not isinstance(built, EvalSet):
        raise EvalSetError(f"{source!r} gave a {type(built).__name__}; an advisor.EvalSet is needed")
    return replace(built, origin="user") if built.origin == "data" else built  # code that the user named made it


def _unknown(source: str, path: Path, entries: set[str]) -> EvalSetError:
    try:
        beside = [f"{path.parent / other.name}" for other in path.parent.iterdir()] if path.parent.is_dir() else []
    except (OSError, ValueError):
        beside = []
    near = did_you_mean(source, (*entries, *beside)).partition(" Allowed: ")
    guess = f"; {near[0]} Shipped are" if near[1] and near[0] else "; shipped are"
    return EvalSetError(
        f"there is no eval set {source[:200]!r}{guess}: {', '.join(sorted(entries))}",
        hint="give a shipped name, a folder with an evalset.yaml, or a .jsonl, .csv or .parquet file",
    )
