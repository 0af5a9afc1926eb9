"""An eval set as it was written, before anything is left out of it: what `load` finishes and `advisor check` reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from advisor.core.brought_code import Origin
from advisor.core.errors import EvalSetError
from advisor.core.types import Document, EvalSet, JSONObject, Task, Tool

from . import splitting

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True, slots=True)
class Draft:
    """What the files say: nothing left out, nothing moved, and not held to what an `EvalSet` must be.

    Attributes:
        splits: examples by split, as they stand in the files; `dev` is empty where there is none.
        carve: whether a missing dev split is to be taken out of train.
        folder: where it was read from, if that is a folder.
        origin: who names the metric; see `EvalSet`.
        refused: rows that cannot be read, each with file, line and field; filled only where they are collected.
    """

    name: str
    instruction: str
    metric: str
    splits: Mapping[str, splitting.Examples]
    docs: tuple[Document, ...] = ()
    tools: tuple[Tool, ...] = ()
    labels: tuple[str, ...] = ()
    schema: JSONObject | None = None
    output: Literal["text", "json"] = "text"
    family: str = ""
    gold_document_field: str = ""
    licence: str = ""
    source: str = ""
    notes: tuple[str, ...] = ()
    carve: bool = False
    folder: Path | None = None
    refused: tuple[str, ...] = ()
    origin: Origin = "data"

    @classmethod
    def of(cls, evalset: EvalSet) -> Draft:
        """Return the draft of an eval set that is finished already, as a function or plug-in returns it."""
        same = {name: getattr(evalset, name) for name in EvalSet.__slots__ if name in cls.__slots__}
        return cls(splits={split: getattr(evalset, split) for split in SPLITS}, **same)

    @property
    def metric_name(self) -> str:
        """The metric as a person calls it: without the folder of the file that it may be in."""
        return Path(self.metric.partition(":")[0]).name + "".join(self.metric.partition(":")[1:])

    def as_task(self) -> Task:
        """Return what a strategy would know of it, for building its metric."""
        given = {name: getattr(self, name) for name in Task.__slots__ if name in self.__slots__}
        return Task(**given)

    def finished(self, seed: int = 0) -> EvalSet:
        """Return the eval set: repeats and leaks left out, dev set apart where it is missing; the notes say so.

        Raises:
            EvalSetError: no training example is left, or the splits are no eval set (`EvalSet`).
        """
        notes = list(self.notes)
        clean = _cleaned(self.splits, notes)
        if self.carve and not self.splits["dev"]:
            clean["train"], clean["dev"], note = splitting.carve_dev(clean["train"], seed)
            notes.append(note)
        _note_gold_documents(self, clean, notes)
        same = {name: getattr(self, name) for name in EvalSet.__slots__ if name in self.__slots__}
        return EvalSet(**{**same, **clean, "notes": tuple(notes)})


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


def _note_gold_documents(draft: Draft, parts: Mapping[str, splitting.Examples], notes: list[str]) -> None:
    if not draft.gold_document_field or not draft.docs:
        return
    field = draft.gold_document_field
    known = {document.id for document in draft.docs}
    named = [str(e.metadata[field]) for part in parts.values() for e in part if e.metadata.get(field) is not None]
    astray = sum(name not in known for name in named)
    if astray:
        notes.append(f"{astray} of the {len(named)} documents named in metadata.{field} are not in docs.jsonl")
