"""`load`: from a shipped name, a folder or one file to an `EvalSet`; its notes say what was changed on the way."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisor import registry
from advisor.errors import EvalSetError, did_you_mean
from advisor.normalisation import last_number
from advisor.schemas import check_schema
from advisor.specs import Spec
from advisor.tools import load_tools
from advisor.types import Document, EvalSet, Example, Tool

from . import splitting
from .configuration import EvalSetFile, read_configuration
from .formats import INPUT_NAMES, TARGET_NAMES, Layout, to_example
from .readers import Row, check_file, open_text, parse_json, read_jsonl

COLUMNS = ("id", "input", "target", "group", "slice", "answers", "metadata")


def load(source: str, *, columns: Mapping[str, str] | None = None, seed: int = 0) -> EvalSet:
    """Load an eval set.

    Args:
        source: a shipped or installed name (``harrow_desk``), a folder with an ``evalset.yaml``, one ``.jsonl``,
            ``.csv``, ``.tsv`` or ``.parquet`` file, or ``path/to/file.py:function``. A name wins over a folder of the
            same name; write ``./name`` for the folder.
        columns: for one file, what it calls our fields: ``{"input": "question", "target": "answer", "group": "user"}``.
        seed: decides which rows go where, wherever a split has to be made.

    Raises:
        EvalSetError: it does not exist or is malformed; names file, line and field.
    """
    source = str(source)
    path = Path(source).expanduser()
    entries = {entry.name for entry in registry.names("evalsets")}
    if source in entries or (":" in source and not _exists(path)):
        return _registered(source, columns, seed)
    if source.endswith(")") and not _exists(path) and Spec.parse(source).target in entries:
        return _registered(source, columns, seed)
    if not _exists(path):
        raise _unknown(source, path, entries)
    if path.is_dir():
        if columns:
            raise EvalSetError(
                f"columns {dict(columns)!r} were given for the folder {source!r}; they are for single files",
                hint="in a folder the fields are called id, input, target and metadata",
            )
        return load_folder(path, seed=seed)
    return load_file(path, columns=columns, seed=seed)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, or with a NUL in it
        return False


def _registered(source: str, columns: Mapping[str, str] | None, seed: int) -> EvalSet:
    if source.startswith("hf:"):
        raise EvalSetError(
            f"{source!r}: data sets are not fetched from the Hugging Face Hub",
            hint="download its .parquet or .jsonl file and give that",
        )
    if columns:
        raise EvalSetError(f"columns were given for {source!r}; they are for single files")
    target = registry.load("evalsets", Spec.parse(source).target)
    takes = inspect.signature(target).parameters if callable(target) else {}
    built = registry.make("evalsets", source, **({"seed": seed} if "seed" in takes else {}))
    if not isinstance(built, EvalSet):
        raise EvalSetError(f"{source!r} gave a {type(built).__name__}; an advisor.EvalSet is needed")
    return built


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


# --- a folder --------------------------------------------------------------------------------------------------------


def load_folder(folder: Path, *, seed: int = 0) -> EvalSet:
    """Load a folder in the format of docs/evalset-format.md; see `load`."""
    settings = read_configuration(_member(folder, "evalset.yaml"))
    parts = {split: _examples(folder, split, settings) for split in ("train", "dev", "test")}
    notes = [f"caveat: {settings.caveat}"] if settings.caveat else []
    labels = _labels(settings, parts, notes)
    clean = _cleaned(parts, notes)
    if not (folder / "dev.jsonl").exists():
        clean["train"], clean["dev"], note = splitting.carve_dev(clean["train"], seed)
        notes.append(note)
    docs = _documents(folder)
    _check_gold_documents(settings, clean, docs, notes)
    return EvalSet(
        name=settings.name or folder.resolve().name,
        instruction=settings.instruction,
        metric=_metric(folder, settings.metric),
        train=clean["train"],
        dev=clean["dev"],
        test=clean["test"],
        docs=docs,
        tools=_tools(folder, settings),
        labels=labels,
        schema=_schema(folder, settings),
        output=settings.output,
        family=settings.family,
        gold_document_field=settings.gold_document_field,
        licence=settings.licence,
        source=settings.source,
        notes=tuple(notes),
    )


def _member(folder: Path, name: str, *, inside: bool = False) -> Path:
    """Return the path of a file of the folder, or say what is there instead; `inside` refuses ways out of it."""
    path = folder / name
    if inside and not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        raise EvalSetError(f"evalset.yaml names {name!r}, which leads out of the folder {str(folder)!r}")
    if not _exists(path):
        there = sorted(other.name for other in folder.iterdir())[:30]
        raise EvalSetError(
            f"the folder {str(folder)!r} has no {name!r}; {did_you_mean(name, there).replace('Allowed', 'it holds')}",
            hint="a folder needs evalset.yaml, train.jsonl and test.jsonl; advisor init evalset writes an example",
        )
    return path


def _examples(folder: Path, split: str, settings: EvalSetFile) -> splitting.Examples:
    if split == "dev" and not _exists(folder / "dev.jsonl"):
        return ()
    path = _member(folder, f"{split}.jsonl")
    layout = Layout(split, settings.output, settings.tools_field)
    found = _read_all(read_jsonl(path), layout)
    if not found:
        raise EvalSetError(
            f"{path.name} holds no example; at least one is needed",
            hint='one object a line: {"id": "1", "input": "…", "target": "…"}',
        )
    return tuple(found)


def _read_all(rows: Iterator[Row], layout: Layout) -> list[Example]:
    lines: dict[str, int] = {}
    found = []
    for row in rows:
        example = to_example(row, layout)
        if example.id in lines:
            raise row.error(
                f"field 'id' is {example.id!r}, which already stands in line {lines[example.id]}",
                hint="ids must be unique; leave them out and the rows are numbered",
            )
        lines[example.id] = row.line
        found.append(example)
    return found


def _labels(settings: EvalSetFile, parts: Mapping[str, splitting.Examples], notes: list[str]) -> tuple[str, ...]:
    """Return the labels; one that only test has is a note for `from_train`, and an error for a list."""
    if settings.labels != "from_train":
        allowed = set(settings.labels)
        for split, examples in parts.items() if allowed else ():
            for example in examples:
                if example.target not in allowed:
                    raise EvalSetError(
                        f"{split}.jsonl: example {example.id!r}: field 'target' is {example.target!r}, which is not "
                        f"among the labels of evalset.yaml; {did_you_mean(example.target, allowed)}",
                        hint="add it to labels in evalset.yaml, or correct the row",
                    )
        return tuple(settings.labels)
    known = {example.target for example in (*parts["train"], *parts["dev"])}
    missing = sorted({example.target for example in parts["test"]} - known)
    if missing:
        listed = ", ".join(map(repr, missing[:5])) + (", …" if len(missing) > 5 else "")
        notes.append(f"{len(missing)} of the labels in test never occur in train, so they cannot be learned: {listed}")
    return tuple(sorted(known))


def _cleaned(parts: Mapping[str, splitting.Examples], notes: list[str]) -> dict[str, splitting.Examples]:
    train, leaks = splitting.without_leaks(parts["train"], parts["test"])
    dev, dev_leaks = splitting.without_leaks(parts["dev"], parts["test"], "dev")
    train, repeats = splitting.without_repeats(train)
    notes.extend(note for note in (leaks, dev_leaks, repeats) if note)
    if not train:
        raise EvalSetError(
            "train.jsonl: no example is left; the input of every one also stands in test",
            hint="take training examples that are not in test.jsonl",
        )
    test = parts["test"]
    if len(test) > 1 and len({(each.target, str(each.metadata.get("ground_truth"))) for each in test}) == 1:
        notes.append(
            f"all {len(test)} test examples have the same target, {test[0].target[:40]!r}: a strategy that always says "
            "it is never wrong here"
        )
    return {"train": train, "dev": dev, "test": test}


def _documents(folder: Path) -> tuple[Document, ...]:
    path = folder / "docs.jsonl"
    if not _exists(path):
        return ()
    found: dict[str, Document] = {}
    for row in read_jsonl(path):
        identity = str(row.fields.get("id") or f"doc-{row.line}")
        text, title = row.fields.get("text"), row.fields.get("title") or ""
        if not isinstance(text, str) or not text.strip():
            raise row.error("field 'text' is missing or empty", hint='{"id": "1", "title": "…", "text": "…"}')
        if identity in found:
            raise row.error(f"field 'id' is {identity!r}, which an earlier document has as well")
        found[identity] = Document(identity, str(title), text)
    if not found:
        raise EvalSetError(
            "docs.jsonl holds no document",
            hint='write one a line: {"id": "1", "title": "…", "text": "…"}, or delete it',
        )
    return tuple(found.values())


def _check_gold_documents(
    settings: EvalSetFile, parts: Mapping[str, splitting.Examples], docs: tuple[Document, ...], notes: list[str]
) -> None:
    field = settings.gold_document_field
    if not field:
        return
    if not docs:
        raise EvalSetError(
            f"evalset.yaml: gold_document_field is {field!r}, and there are no documents",
            hint="write docs.jsonl, or delete that line",
        )
    known = {document.id for document in docs}
    named = [str(e.metadata[field]) for part in parts.values() for e in part if e.metadata.get(field) is not None]
    astray = sum(name not in known for name in named)
    if astray:
        notes.append(f"{astray} of the {len(named)} documents named in metadata.{field} are not in docs.jsonl")


def _metric(folder: Path, spec: str) -> str:
    """Return the metric as it can be loaded from here: a file of the folder is found wherever one stands."""
    file, colon, rest = spec.partition(".py:")
    if not colon or not _exists(folder / f"{file}.py"):
        return spec
    return f"{_member(folder, f'{file}.py', inside=True)}:{rest}"


def _tools(folder: Path, settings: EvalSetFile) -> tuple[Tool, ...]:
    if not settings.tools:
        return ()
    path = _member(folder, settings.tools, inside=True)
    check_file(path)
    return load_tools(path)


def _schema(folder: Path, settings: EvalSetFile) -> dict[str, Any] | None:
    schema: Any = settings.json_schema
    where = "evalset.yaml: schema"
    if isinstance(schema, str):
        path = _member(folder, schema, inside=True)
        where = path.name
        schema = parse_json("".join(line for _, line in open_text(path, 1_000_000)), Row(path.name, 1, {}))
    if schema is None:
        return None
    if wrong := check_schema(schema):
        raise EvalSetError(f"{where} cannot be used: {wrong}")
    return dict(schema)


# --- one file --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Task:
    """What a file does not say and a folder does."""

    metric: str
    instruction: str
    labels: tuple[str, ...] = ()
    output: str = "text"


def load_file(path: Path, *, columns: Mapping[str, str] | None = None, seed: int = 0) -> EvalSet:
    """Load one file, split 60/15/25 by content and group; metric and instruction are chosen by the look of the targets.

    See `load`; what was chosen stands in the notes.
    """
    check_file(path)
    kinds = {entry.name for entry in registry.names("readers")}
    kind = path.suffix.removeprefix(".").lower()
    if kind not in kinds:
        raise EvalSetError(
            f"{path.name}: there is no reader for {path.suffix or 'a file without extension'!r}; "
            f"allowed are {', '.join('.' + name for name in sorted(kinds))}",
            hint="or give a folder with an evalset.yaml",
        )
    for name in columns or ():
        if name not in COLUMNS:
            raise EvalSetError(f"columns: there is no field {name!r}; {did_you_mean(name, COLUMNS)}")
    rows = list(registry.load("readers", kind)(path))
    notes: list[str] = []
    columns = columns or _guessed(rows, notes)
    examples = tuple(_read_all(iter(rows), Layout(path.stem, "json", columns=columns)))
    return _assembled(path, examples, notes, seed)


def _assembled(path: Path, examples: splitting.Examples, notes: list[str], seed: int) -> EvalSet:
    if len(examples) < 3:
        raise EvalSetError(
            f"{path.name} holds {len(examples)} examples; at least 3 are needed to split it into train, dev and test"
        )
    parts, note = splitting.split_file(examples, seed)
    if not parts["train"] or not parts["test"]:
        raise EvalSetError(
            f"{path.name}: all examples belong to one group or have the same input, so no test split can be set apart"
        )
    notes.append(note)
    clean = _cleaned(parts, notes)
    task = _task((*clean["train"], *clean["dev"]))
    notes.append(
        f"metric {task.metric} and the instruction were chosen by the look of the targets; a folder says its own"
    )
    return EvalSet(
        name=path.stem,
        instruction=task.instruction,
        metric=task.metric,
        train=clean["train"],
        dev=clean["dev"],
        test=clean["test"],
        labels=task.labels,
        output="json" if task.output == "json" else "text",
        source=path.name,
        notes=tuple(notes),
    )


def _guessed(rows: list[Row], notes: list[str]) -> Mapping[str, str] | None:
    """Find the usual names of input and target among the columns, where neither is called so and no format is known."""
    if not rows:
        return None
    names = set(rows[0].fields)
    if (
        {"input", "target"} <= names
        or names & {"messages", "inputs", "__expected"}
        or {"prompt", "completion"} <= names
    ):
        return None
    asked = [name for name in INPUT_NAMES if name in names]
    target = [name for name in TARGET_NAMES if name in names and name not in asked]
    if len(asked) != 1 or len(target) != 1:
        there = sorted(names)
        raise rows[0].error(
            f"which fields are the input and the target cannot be told; there are {', '.join(map(repr, there))}",
            hint=f"say it: --column input={there[0]} --column target={there[-1]}",
        )
    found = {"input": asked[0], "target": target[0]}
    notes.append(f"columns read as input and target: {asked[0]!r} and {target[0]!r}")
    return found


def _task(examples: splitting.Examples) -> _Task:
    targets = [example.target for example in examples]
    distinct = sorted(set(targets))
    if any(getattr(example.input, "tools", ()) for example in examples):
        return _Task(
            "tool_call_match", "Call the function that does what is asked, with the right arguments.", (), "json"
        )
    if all(target.lstrip().startswith("{") for target in targets):
        return _Task("json_field_f1", "Answer with JSON.", (), "json")
    numbers = all(last_number(target) is not None and len(target.split()) == 1 for target in targets)
    if numbers and len(distinct) > 10:
        return _Task("numeric_match", "Answer with a number.")
    if len(distinct) <= min(200, len(targets) // 4):
        listed = ", ".join(distinct[:50]) + (", …" if len(distinct) > 50 else "")
        return _Task("label_accuracy", f"Answer with one of these labels and nothing else: {listed}.", tuple(distinct))
    return _Task("token_f1", "Answer in as few words as possible.")
