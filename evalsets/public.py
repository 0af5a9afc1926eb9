"""Public data sets by name: ``public:banking77``, and ``hf:org/name@revision`` for any on the Hugging Face Hub.

The table is public.yaml. With ``ADVISOR_DATA_MIRROR`` a folder of that name in it is read in place of the network.
"""

from __future__ import annotations

import os
import re
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from advisor._util.files import exists
from advisor.core.errors import EvalSetError, did_you_mean
from advisor.core.paths import expanded
from advisor.core.progress import Progress, silent
from advisor.core.types import EvalSet, Example

from . import fetching, splitting
from .configuration import read_yaml
from .draft import SPLITS, Draft
from .files import FileDefaults, guess_columns, task_of
from .folder import Refused, read_all, read_folder
from .formats import RecordLayout
from .public_formats import FORMATS, passages
from .readers import Record

PREFIX, HUB_PREFIX = "public:", "hf:"
TABLE = Path(__file__).parent / "public.yaml"
HUB = "https://huggingface.co"
MAX_HUB_BYTES = 200_000_000


class PublicSet(BaseModel):
    """One entry of the table; what the keys mean stands at its head."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    family: str
    licence: str
    source: str
    revision: str = Field(pattern=r"^[0-9a-f]{40}$")
    citation: str
    instruction: str
    metric: str
    format: Literal["table", "tabbed", "pairs", "parallel", "snips", "spans", "bfcl", "squad", "mirror"]
    splits: dict[Literal["train", "dev", "test", "all"], list[str]]
    base: str = ""
    caveat: str = ""
    labels: list[str] | Literal["from_train"] = Field(default_factory=list)
    output: Literal["text", "json"] = "text"
    tools_field: str = ""
    columns: dict[str, str] = Field(default_factory=dict)
    template: str = ""
    after: str = ""
    group: str = ""
    sha256: dict[str, str] = Field(default_factory=dict)


@lru_cache(maxsize=1)
def table() -> Mapping[str, PublicSet]:
    """Return the public sets by name."""
    return {name: PublicSet.model_validate(entry) for name, entry in read_yaml(TABLE).items()}


def summary(name: str) -> str:
    """Return the family and the licence of a public set in one line."""
    entry = table()[name.removeprefix(PREFIX)]
    return f"{entry.family.capitalize()}; {entry.licence}. Fetched at first use."


def mirrored(name: str) -> Path | None:
    """Return the folder with a local copy of a public set, if there is one."""
    mirror = os.environ.get("ADVISOR_DATA_MIRROR", "")
    folder = expanded(mirror) / name if mirror else None
    return folder if folder and exists(folder / "evalset.yaml") else None


def read_public(name: str, seed: int = 0, refused: Refused | None = None, progress: Progress = silent) -> Draft:
    """Read a public set, from the mirror or the network.

    Raises:
        EvalSetError: there is none of that name, or it cannot be fetched or is not what the table expects.
    """
    short = name.removeprefix(PREFIX)
    if short not in table():
        raise EvalSetError(f"there is no public set {short!r}; {did_you_mean(short, table())}")
    if folder := mirrored(short):
        return read_folder(folder, refused)
    entry = table()[short]
    if entry.format == "mirror":
        raise EvalSetError(
            f"{name} is made from thousands of files and cannot be fetched by itself; its source is {entry.source}",
            hint="set ADVISOR_DATA_MIRROR to a folder in which it lies as a folder with an evalset.yaml",
        )
    notes = [f"caveat: {entry.caveat}"] if entry.caveat else []
    parts, documents = _fetched(short, entry, notes, refused, progress)
    if "all" in parts:
        parts, note = splitting.split_file(parts["all"], seed)
        notes.append(note)
    splits = {split: parts.get(split, ()) for split in SPLITS}
    labels = entry.labels if entry.labels != "from_train" else sorted({e.target for e in splits["train"]})
    return Draft(
        name=short,
        instruction=entry.instruction,
        metric=entry.metric,
        splits=splits,
        docs=documents,
        labels=tuple(labels),
        output=entry.output,
        family=entry.family,
        gold_document_field="doc_id" if documents else "",
        licence=entry.licence,
        source=f"{entry.source} at {entry.revision}",
        notes=tuple(notes),
        carve="dev" not in entry.splits,
        refused=tuple(refused or ()),
    )


def _fetched(
    name: str, entry: PublicSet, notes: list[str], refused: Refused | None, progress: Progress
) -> tuple[dict[str, tuple[Example, ...]], tuple[Any, ...]]:
    parts: dict[str, tuple[Example, ...]] = {}
    documents: tuple[Any, ...] = ()
    base = os.environ.get("ADVISOR_PUBLIC_BASE", "") or entry.base  # a server with copies; the tests' own
    for split, sources in entry.splits.items():
        layout = RecordLayout(split if split != "all" else name, entry.output, entry.tools_field)
        rows: list[Record] = []
        for source in sources:
            paths, _, part = source.partition("#")
            files = []
            for path in paths.split("|"):
                url = urllib.parse.urljoin(base.replace("{revision}", entry.revision), path)
                file, told = fetching.fetch(url, sha256=entry.sha256.get(path, ""), progress=progress)
                files.append(file)
                notes += [told] if told and told not in notes else []
            rows += _rows(name, entry, files, part)
            if entry.format == "squad":
                documents = passages(files[0])
        parts[split] = tuple(read_all(_numbered(rows), layout, refused))
        if not parts[split]:
            raise EvalSetError(f"public:{name}: {', '.join(sources)} hold no example; the source has changed")
    return parts, documents


def _rows(name: str, entry: PublicSet, files: list[Path], part: str) -> list[Record]:
    try:
        return list(FORMATS[entry.format](files, part, entry.model_dump()))
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise EvalSetError(
            f"public:{name}: {files[0].name} is not written as the table of public sets expects "
            f"({type(error).__name__}: {error})",
            hint=f"its source may have changed: {entry.source}",
        ) from error


def _numbered(rows: list[Record]) -> Iterator[Record]:
    """Number the rows through, since those of several files would have the same ids."""
    for at, row in enumerate(rows, 1):
        yield Record(row.file, at, row.fields)


def __getattr__(name: str) -> Callable[..., EvalSet]:
    """Return the function that loads the public set `name`; the registry asks for it so."""
    if name.startswith("_") or name not in table():
        raise AttributeError(f"there is no public set {name!r}")
    return lambda seed=0: read_public(name, seed).finished(seed)


# --- the Hub ---------------------------------------------------------------------------------------------------------

_SPLIT_WORDS = {"train": ("train",), "dev": ("validation", "valid", "dev", "val"), "test": ("test",)}
_SAFE = (".parquet", ".jsonl", ".csv")


def read_hub(source: str, columns: Mapping[str, str] | None, seed: int, refused: Refused | None) -> Draft:
    """Read ``hf:org/name@revision``: its Parquet, JSON-lines or CSV files, never any code.

    Raises:
        EvalSetError: it is not written so, cannot be fetched, holds no such file, or its columns cannot be told.
    """
    name, _, revision = source.removeprefix(HUB_PREFIX).partition("@")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+|[\w.-]+", name):
        raise EvalSetError(f"{source!r} is not written hf:org/name@revision", hint="hf:PolyAI/banking77@main")
    hub = os.environ.get("HF_ENDPOINT", HUB).rstrip("/")
    asked = urllib.parse.quote(revision or "main", safe="")
    about = fetching.fetch_json(f"{hub}/api/datasets/{name}/revision/{asked}?blobs=true")
    commit = str(about.get("sha", "")) if isinstance(about, dict) else ""
    if not re.fullmatch(r"[0-9a-f]{40}", commit):
        raise EvalSetError(f"{source}: the server does not say which revision this is")
    notes = [f"revision {commit}"] + ([] if revision else [f"no revision was named; hf:{name}@{commit} stays the same"])
    chosen = _chosen(about.get("siblings") or [], source, notes)
    from advisor.core import registry

    rows: dict[str, list[Record]] = {}
    for split, files in chosen.items():
        for path, sha256 in files:
            url = f"{hub}/datasets/{name}/resolve/{commit}/{urllib.parse.quote(path)}"
            file, told = fetching.fetch(url, sha256=sha256, limit_bytes=MAX_HUB_BYTES)
            notes += [told] if told else []
            rows.setdefault(split, []).extend(registry.load("readers", Path(path).suffix[1:])(file))
    return _from_rows(name, rows, columns, notes, seed, refused)


def _chosen(siblings: list[Any], source: str, notes: list[str]) -> dict[str, list[tuple[str, str]]]:
    """Choose the data files, by split where their names say it; the first configuration where there are several."""
    known = {
        str(one.get("rfilename", "")): str((one.get("lfs") or {}).get("sha256", ""))
        for one in siblings if isinstance(one, dict)
    }  # fmt: skip
    for extension in _SAFE:
        paths = sorted(path for path in known if path.endswith(extension) and ".." not in path.split("/"))
        if not paths:
            continue
        folder = paths[0].rpartition("/")[0]
        kept = [path for path in paths if path.rpartition("/")[0] == folder]
        if len(kept) < len(paths):
            notes.append(f"only {folder or 'the top folder'} is read; there are {len(paths) - len(kept)} other files")
        found: dict[str, list[tuple[str, str]]] = {}
        for path in kept:
            found.setdefault(_split_of(Path(path).name), []).append((path, known[path]))
        if {"train", "test"} <= set(found):
            found.pop("all", None)
            return found
        return {"all": [one for files in found.values() for one in files]}
    allowed = ", ".join(_SAFE)
    raise EvalSetError(
        f"{source} holds no {allowed} file; data sets that need code to be read are never run",
        hint=f"see whether its branch refs/convert/parquet has one: {source.partition('@')[0]}@refs/convert/parquet",
    )


def _split_of(name: str) -> str:
    words = re.split(r"[^a-z]+", name.lower())
    return next((split for split, marks in _SPLIT_WORDS.items() if set(marks) & set(words)), "all")


def _from_rows(
    name: str, rows: Mapping[str, list[Record]], columns: Mapping[str, str] | None, notes: list[str], seed: int,
    refused: Refused | None,
) -> Draft:  # fmt: skip
    first = next(iter(rows.values()))
    columns = columns or guess_columns(first, notes)
    read = {
        split: tuple(read_all(iter(found), RecordLayout(split, "any", columns=columns), refused))
        for split, found in rows.items()
    }
    if "all" in read:
        parts, note = splitting.split_file(read["all"], seed)
        notes.append(note)
    else:
        parts = {split: read.get(split, ()) for split in SPLITS}
    task: FileDefaults = task_of((*parts["train"], *parts["dev"]))
    notes.append(f"metric {task.metric} and the instruction were chosen by the look of the targets")
    return Draft(
        name=name.replace("/", "-"),
        instruction=task.instruction,
        metric=task.metric,
        splits=parts,
        labels=task.labels,
        output="json" if task.output == "json" else "text",
        source=f"hf:{name}",
        notes=tuple(notes),
        carve=not parts["dev"],
        refused=tuple(refused or ()),
    )
