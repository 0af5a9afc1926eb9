"""Reading one file: from its rows, by column or by the format they betray, to a `Draft` in three splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from advisor.core import registry
from advisor.core.errors import EvalSetError, did_you_mean
from advisor.core.normalisation import last_number

from . import splitting
from .draft import Draft
from .folder import Refused, read_all
from .formats import INPUT_NAMES, TARGET_NAMES, RecordLayout
from .readers import Record, plain_value, refuse_unreadable

Splitter = Callable[[splitting.Examples], tuple[dict[str, splitting.Examples], str]]
COLUMNS = ("id", "input", "target", "group", "slice", "answers", "metadata")


@dataclass(frozen=True, slots=True)
class FileDefaults:
    """What a file does not say and a folder does."""

    metric: str
    instruction: str
    labels: tuple[str, ...] = ()
    output: str = "text"


def read_file(
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    seed: int = 0,
    refused: Refused | None = None,
    rule: str = "",
) -> Draft:
    """Read one file, split 60/15/25 by content and group; metric and instruction are chosen by the look of the targets.

    What was chosen stands in the notes. `rule` splits otherwise: ``stratified`` by label too, ``time=FIELD`` by time.

    Raises:
        EvalSetError: it is missing or malformed; names file, line and field.
    """
    refuse_unreadable(path)
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
    return read_rows(list(registry.load("readers", kind)(path)), path.name, columns, seed, refused, rule)


def read_frame(frame: Any, *, columns: Mapping[str, str] | None = None, seed: int = 0) -> Draft:
    """Read a pandas frame as a file with these rows is read; `Record.line` counts its rows from 1."""
    plain = frame.astype(object).where(frame.notna(), None).to_dict(orient="records")
    rows = []
    for at, record in enumerate(plain, 1):
        row = Record("frame", at, {})
        fields = {str(name): plain_value(getattr(v, "item", lambda v=v: v)(), row, name) for name, v in record.items()}
        rows.append(Record("frame", at, {name: value for name, value in fields.items() if value is not None}))
    return read_rows(rows, "frame", columns, seed, None, "")


def read_rows(
    rows: list[Record], name: str, columns: Mapping[str, str] | None, seed: int, refused: Refused | None, rule: str
) -> Draft:
    """Read rows that stand in one file; see `read_file`."""
    notes: list[str] = []
    columns = columns or guess_columns(rows, notes)
    stem = Path(name).stem
    examples = tuple(read_all(iter(rows), RecordLayout(stem, "any", columns=columns), refused))
    return _assembled(name, examples, notes, _splitter(rule, seed), refused)


def _splitter(rule: str, seed: int) -> Splitter:
    kind, _, field = rule.partition("=")
    if kind == "time" and field:
        return partial(splitting.split_by_time, field=field)
    if rule not in ("", "content", "stratified"):
        raise EvalSetError(f"split {rule!r} is unknown; allowed: content, stratified, time=FIELD")
    return partial(splitting.split_stratified if rule == "stratified" else splitting.split_file, seed=seed)


def _assembled(
    name: str, examples: splitting.Examples, notes: list[str], split: Splitter, refused: Refused | None
) -> Draft:
    if len(examples) < 3:
        raise EvalSetError(
            f"{name} holds {len(examples)} examples; at least 3 are needed to split it into train, dev and test"
        )
    parts, note = split(examples)
    if not parts["train"] or not parts["test"]:
        raise EvalSetError(
            f"{name}: all examples belong to one group or have the same input, so no test split can be set apart"
        )
    notes.append(note)
    task = task_of((*parts["train"], *parts["dev"]))
    notes.append(
        f"metric {task.metric} and the instruction were chosen by the look of the targets; a folder says its own"
    )
    return Draft(
        name=Path(name).stem,
        instruction=task.instruction,
        metric=task.metric,
        splits=parts,
        labels=task.labels,
        output="json" if task.output == "json" else "text",
        source=name,
        notes=tuple(notes),
        refused=tuple(refused or ()),
    )


def guess_columns(rows: list[Record], notes: list[str]) -> Mapping[str, str] | None:
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


def task_of(examples: splitting.Examples) -> FileDefaults:
    """Choose metric, instruction, labels and form of answer by the look of the targets."""
    targets = [example.target for example in examples]
    distinct = sorted(set(targets))
    if any(getattr(example.input, "tools", ()) for example in examples):
        return FileDefaults(
            "tool_call_match", "Call the function that does what is asked, with the right arguments.", (), "json"
        )
    if all(target.lstrip().startswith("{") for target in targets):
        return FileDefaults("json_field_f1", "Answer with JSON.", (), "json")
    numbers = all(last_number(target) is not None and len(target.split()) == 1 for target in targets)
    if numbers and len(distinct) > 10:
        return FileDefaults("numeric_match", "Answer with a number.")
    if len(distinct) <= min(200, len(targets) // 4):
        listed = ", ".join(distinct[:50]) + (", …" if len(distinct) > 50 else "")
        return FileDefaults(
            "label_accuracy", f"Answer with one of these labels and nothing else: {listed}.", tuple(distinct)
        )
    return FileDefaults("token_f1", "Answer in as few words as possible.")
