"""Reading a folder in the format of docs/evalset-format.md: from its files to a `Draft`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from advisor._util.files import exists
from advisor.core.brought_code import BroughtCode
from advisor.core.errors import EvalSetError, did_you_mean
from advisor.core.registry import is_registered, leads_to_code, named_by_data
from advisor.core.schemas import validate_schema
from advisor.core.specs import Spec
from advisor.core.tool_files import read_tools, run_tools
from advisor.core.types import Document, Example

from . import splitting
from .configuration import EvalSetFile, read_configuration
from .documents import KINDS, left_out, read_place
from .draft import SPLITS, Draft
from .formats import RecordLayout, to_example
from .readers import Record, open_text, parse_json, read_jsonl, refuse_unreadable

DATA = Path(__file__).parent / "data"
"""Where the shipped sets lie: their code is ours."""
Refused = list[str]
"""Where rows that cannot be read are collected; in place of it `None` stops at the first one."""


DOCUMENTS = ("docs.jsonl", "docs")
"""Where documents lie, if `docs` in ``evalset.yaml`` says nothing else."""
GUESSED = 10
"""For how many of these the nearest label is looked for, which takes long where there are many labels."""


def read_folder(folder: Path, refused: Refused | None = None) -> Draft:
    """Read a folder.

    Args:
        folder: with ``evalset.yaml``, ``train.jsonl`` and ``test.jsonl``.
        refused: collects what is wrong with single rows, so that all of it is seen; `None` raises at the first.

    Raises:
        EvalSetError: a file is missing or malformed; names file, line and field.
    """
    settings = read_configuration(_member(folder, "evalset.yaml"))
    parts = {split: _examples(folder, split, settings, refused) for split in SPLITS}
    notes = [f"caveat: {settings.caveat}"] if settings.caveat else []
    labels = _labels(settings, parts, notes, refused)
    docs = _documents(folder, settings, notes, refused)
    if settings.gold_document_field and not docs:
        raise EvalSetError(
            f"evalset.yaml: gold_document_field is {settings.gold_document_field!r}, and there are no documents",
            hint="write docs.jsonl, or put documents into the folder docs, or delete that line",
        )
    metric, code = _code(folder, settings)
    tools = (run_tools if code.may_run else read_tools)(code) if code and code.tools else ()
    return Draft(
        name=settings.name or folder.resolve().name,
        instruction=settings.instruction,
        metric=metric,
        splits=parts,
        docs=docs,
        tools=tools,
        labels=labels,
        schema=_schema(folder, settings),
        output=settings.output,
        family=settings.family,
        gold_document_field=settings.gold_document_field,
        licence=settings.licence,
        source=settings.source,
        notes=tuple(notes),
        carve=not exists(folder / "dev.jsonl"),
        folder=folder,
        refused=tuple(refused or ()),
        origin=code or "data",
    )


def _member(folder: Path, name: str, *, inside: bool = False) -> Path:
    """Return the path of a file of the folder, or say what is there instead; `inside` refuses ways out of it."""
    path = folder / name
    out = ".." in Path(name).parts or Path(name).is_absolute()
    if exists(path):  # a link may lead out too
        out = not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
    if inside and out:
        raise EvalSetError(f"evalset.yaml names {name!r}, which leads out of the folder {str(folder)!r}")
    if not exists(path):
        there = sorted(other.name for other in folder.iterdir())[:30]
        raise EvalSetError(
            f"the folder {str(folder)!r} has no {name!r}; {did_you_mean(name, there).replace('Allowed', 'it holds')}",
            hint="a folder needs evalset.yaml, train.jsonl and test.jsonl; advisor init evalset writes an example",
        )
    return path


def _examples(folder: Path, split: str, settings: EvalSetFile, refused: Refused | None) -> splitting.Examples:
    if split == "dev" and not exists(folder / "dev.jsonl"):
        return ()
    path = _member(folder, f"{split}.jsonl")
    layout = RecordLayout(split, settings.output, settings.tools_field)
    found = read_all(read_jsonl(path), layout, refused)
    if not found and not refused:
        raise EvalSetError(
            f"{path.name} holds no example; at least one is needed",
            hint='one object a line: {"id": "1", "input": "…", "target": "…"}',
        )
    return tuple(found)


def read_all(rows: Iterator[Record], layout: RecordLayout, refused: Refused | None = None) -> list[Example]:
    """Read rows into examples; see `read_folder` for `refused`.

    Raises:
        EvalSetError: a row cannot be read or its id stands there twice, and `refused` is `None`.
    """
    lines: dict[str, int] = {}
    found = []
    for row in rows:
        try:
            example = to_example(row, layout)
            if example.id in lines:
                raise row.error(
                    f"field 'id' is {example.id!r}, which already stands in line {lines[example.id]}",
                    hint="ids must be unique; leave them out and the rows are numbered",
                )
        except EvalSetError as error:
            _refuse(error, refused)
            continue
        lines[example.id] = row.line
        found.append(example)
    return found


def _refuse(error: EvalSetError, refused: Refused | None) -> None:
    if refused is None:
        raise error
    refused.append(str(error).partition("\n")[0])


def _labels(
    settings: EvalSetFile, parts: Mapping[str, splitting.Examples], notes: list[str], refused: Refused | None
) -> tuple[str, ...]:
    """Return the labels; one that only test has is a note for `from_train`, and an error for a list."""
    if settings.labels != "from_train":
        allowed = set(settings.labels)
        for split, examples in parts.items() if allowed else ():
            for example in examples:
                if example.target not in allowed:
                    guess = f"; {did_you_mean(example.target, allowed)}" if len(refused or ()) < GUESSED else ""
                    error = EvalSetError(
                        f"{split}.jsonl: example {example.id!r}: field 'target' is {example.target!r}, which is not "
                        f"among the labels of evalset.yaml{guess}",
                        hint="add it to labels in evalset.yaml, or correct the row",
                    )
                    _refuse(error, refused)
        return tuple(settings.labels)
    known = {example.target for example in (*parts["train"], *parts["dev"])}
    missing = sorted({example.target for example in parts["test"]} - known)
    if missing:
        listed = ", ".join(map(repr, missing[:5])) + (", …" if len(missing) > 5 else "")
        notes.append(f"{len(missing)} of the labels in test never occur in train, so they cannot be learned: {listed}")
    return tuple(sorted(known))


def _documents(folder: Path, settings: EvalSetFile, notes: list[str], refused: Refused | None) -> tuple[Document, ...]:
    """Read what `docs` names, else ``docs.jsonl`` and the folder ``docs``, where they are."""
    names = [settings.docs] if settings.docs else [name for name in DOCUMENTS if exists(folder / name)]
    found: dict[str, Document] = {}
    for name in names:
        path = _member(folder, name, inside=True)
        for document in read_place(path, name, inside=folder, refused=refused):
            if document.id in found:
                raise EvalSetError(f"the document id {document.id!r} stands in {names[0]} and in {name}")
            found[document.id] = document
        if path.is_dir() and (skipped := left_out(path)):
            notes.append(f"{skipped} of the files in {name} are of no kind that is read as documents ({KINDS})")
    return tuple(found.values())


def _code(folder: Path, settings: EvalSetFile) -> tuple[str, BroughtCode | None]:
    """Return the metric, by its whole path where it is a file of the folder, and the code that the set brings.

    Raises:
        EvalSetError: the metric or the tools name code that is no file of the folder.
    """
    metric, own = settings.metric, False
    target = Spec.parse(metric).target
    file = target.rpartition(":")[0]
    if file.endswith(".py"):
        place = _member(folder.absolute(), file, inside=True)
        metric, own = f"{place}:{metric.strip().removeprefix(f'{file}:')}", True
    elif leads_to_code(target) and not is_registered("metrics", target):
        error = named_by_data("metrics", target)
        raise EvalSetError(f"evalset.yaml: {error.args[0]}", hint=error.hint)
    if settings.tools:
        refuse_unreadable(_member(folder, settings.tools, inside=True))
    if not own and not settings.tools:
        return metric, None
    shipped = Path(os.path.realpath(folder)).parent == Path(os.path.realpath(DATA))
    said = settings.metric.strip() if own else ""
    return metric, BroughtCode.read(folder, settings.tools, said, may_run=shipped)


def _schema(folder: Path, settings: EvalSetFile) -> dict[str, Any] | None:
    schema: Any = settings.json_schema
    where = "evalset.yaml: schema"
    if isinstance(schema, str):
        path = _member(folder, schema, inside=True)
        where = path.name
        schema = parse_json("".join(line for _, line in open_text(path, 1_000_000)), Record(path.name, 1, {}))
    if schema is None:
        return None
    if wrong := validate_schema(schema):
        raise EvalSetError(f"{where} cannot be used: {wrong}")
    return dict(schema)
