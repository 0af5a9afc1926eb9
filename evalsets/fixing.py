"""``advisor check --fix``: a cleaned copy of an eval set in another folder, with a line for every change in it.

Only what needs no judgement is changed: unreadable rows left out, damaged characters mended, private texts replaced by
marks, repeats and contradictions dropped, training rows dropped that are near copies of test questions. Test questions
are never dropped for a copy elsewhere, and no answer is ever guessed.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from advisor._util.files import whole_folder
from advisor.core.data_check import DataChange, DataCheckSettings
from advisor.core.errors import ConfigurationError, EvalSetError, StoreError
from advisor.core.progress import Progress
from advisor.core.types import Chat, Document, Embed, Example, Input

from . import writing
from .configuration import read_configuration
from .data_checks import duplicates, privacy, texts
from .data_checks.data_profile import DataProfile
from .draft import SPLITS, Draft
from .loading import read

LOG = "changes.jsonl"
_REPLACED = {f"{split}.jsonl" for split in SPLITS} | {"docs.jsonl", LOG}


def fix_data(
    source: str,
    target: Path,
    *,
    columns: Mapping[str, str] | None,
    embed: Embed | None,
    settings: DataCheckSettings,
    progress: Progress,
) -> tuple[DataChange, ...]:
    """Write a cleaned copy into the new folder `target`; see `advisor.core.shipped.fix_data`."""
    draft = read(source, columns=columns, seed=settings.seed)
    if target.exists():
        raise ConfigurationError(
            f"--fix {str(target)!r} exists already; a cleaned copy is never written over anything",
            hint=f"--fix {target}-2",
        )
    if draft.tools and draft.folder is None:
        raise EvalSetError(
            f"the tools of {draft.name!r} are code, which a copy cannot hold", hint="copy its folder by hand"
        )
    _refuse_links(draft)
    changes = [DataChange("", "", "left out", problem) for problem in draft.refused]
    cleaned = _without_copies(_mended(_named(draft, changes), changes), embed, settings, changes, progress)
    for split in ("train", "test"):
        if not cleaned.splits[split]:
            raise EvalSetError(f"nothing would be left of {split}; correct the examples by hand")
    _write(cleaned, target, changes)
    return tuple(changes)


def _refuse_links(draft: Draft) -> None:
    """Refuse a set whose own files are links to elsewhere: a copy would hold what is not the set's to give.

    Raises:
        EvalSetError: one is.
    """
    for name in ("evalset.yaml", "docs.jsonl", *(f"{split}.jsonl" for split in SPLITS)):
        if draft.folder is not None and _leads_out(draft.folder / name):
            raise EvalSetError(
                f"{name!r} of {draft.name!r} is a link out of its folder, and --fix copies nothing from elsewhere",
                hint="put the file itself into the folder",
            )


def _leads_out(path: Path) -> bool:
    """Return whether a file of a folder is a link to something outside it."""
    return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(path.parent))


# --- row by row ------------------------------------------------------------------------------------------------------


def _named(draft: Draft, changes: list[DataChange]) -> Draft:
    """Leave out examples with a label that is none, and rename ids that stand there twice."""
    allowed = set(draft.labels) if any("not among the labels" in one for one in draft.refused) else set()
    seen: set[str] = set()
    parts: dict[str, tuple[Example, ...]] = {}
    for split in SPLITS:
        kept = []
        for example in draft.splits[split]:
            if allowed and example.target not in allowed:
                continue  # its reason stands among the refused rows
            if example.id in seen:
                name = f"{split}-{example.id}"
                changes.append(DataChange(split, example.id, "renamed", f"the id stood there twice; now {name!r}"))
                example = replace(example, id=name)
            seen.add(example.id)
            kept.append(example)
        parts[split] = tuple(kept)
    return replace(draft, splits=parts)


def _mended(draft: Draft, changes: list[DataChange]) -> Draft:
    """Mend damaged characters and replace private texts, in inputs, answers and documents alike."""
    steps: tuple[tuple[str, str, Callable[[str], str]], ...] = (
        ("mended", "damaged characters", texts.repaired),
        ("replaced", "private text", privacy.redacted),
    )
    parts: dict[str, tuple[Example, ...]] = {split: draft.splits[split] for split in SPLITS}
    docs = draft.docs
    for change, why, mend in steps:
        for split in SPLITS:
            parts[split] = tuple(
                _example(one, mend, DataChange(split, one.id, change, why), changes) for one in parts[split]
            )
        docs = tuple(_document(one, mend, DataChange("docs", one.id, change, why), changes) for one in docs)
    return replace(draft, splits=parts, docs=docs)


def _example(example: Example, mend: Callable[[str], str], change: DataChange, changes: list[DataChange]) -> Example:
    metadata = {name: _plain(value, mend) for name, value in example.metadata.items()}
    mended = replace(example, input=_input(example.input, mend), target=mend(example.target), metadata=metadata)
    if mended == example:
        return example
    changes.append(change)
    return mended


def _plain(value: Any, mend: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return mend(value)
    if isinstance(value, Mapping):
        return {name: _plain(inner, mend) for name, inner in value.items()}
    return [_plain(inner, mend) for inner in value] if isinstance(value, list) else value


def _input(asked: Input, mend: Callable[[str], str]) -> Input:
    if isinstance(asked, Chat):
        return replace(asked, messages=tuple(replace(one, content=mend(one.content)) for one in asked.messages))
    return mend(asked)


def _document(
    document: Document, mend: Callable[[str], str], change: DataChange, changes: list[DataChange]
) -> Document:
    mended = replace(document, title=mend(document.title), text=mend(document.text))
    if mended != document:
        changes.append(change)
    return mended


# --- what stands there more than once --------------------------------------------------------------------------------


def _without_copies(
    draft: Draft, embed: Embed | None, settings: DataCheckSettings, changes: list[DataChange], progress: Progress
) -> Draft:
    profile = DataProfile(draft, embed, settings, progress)
    repeated = duplicates.repeats(profile).rows
    leaked = duplicates.copies(profile)
    clashing = set(duplicates.contradictions(profile).rows)
    repeated_ids = set(repeated)
    parts: dict[str, tuple[Example, ...]] = {}
    for split in SPLITS:
        kept = []
        for example in draft.splits[split]:
            why = ""
            if example.id in repeated_ids:
                why = "it repeats an earlier one of its split"
            elif split != "test" and example.id in leaked:
                why = f"a near copy of test question {leaked[example.id]!r}"
            elif split != "test" and example.id in clashing:
                why = "it asks what another one asks, with another answer"
            if why:
                changes.append(DataChange(split, example.id, "left out", why))
            else:
                kept.append(example)
        parts[split] = tuple(kept)
    return replace(draft, splits=parts)


# --- writing ---------------------------------------------------------------------------------------------------------


def _write(draft: Draft, target: Path, changes: list[DataChange]) -> None:
    """Write the folder, whole or not at all."""
    try:
        with whole_folder(target) as folder:
            _write_into(folder, draft, changes)
            (folder / LOG).write_text(writing.lines(asdict(change) for change in changes), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"the copy cannot be written to {str(target)!r}: {error.strerror or error}") from error


def _write_into(folder: Path, draft: Draft, changes: list[DataChange]) -> None:
    with_tools = True
    if draft.folder is not None:
        with_tools = not read_configuration(draft.folder / "evalset.yaml").tools_field
        for path in sorted(draft.folder.iterdir()):
            if path.name in _REPLACED or not path.is_file():
                continue
            if _leads_out(path):
                changes.append(DataChange("", path.name, "left out", "it is a link that leads out of the folder"))
            elif path.name == "evalset.yaml":  # documents lie in docs.jsonl now
                plain = re.sub(r"(?m)^docs[ \t]*:.*\n?", "", path.read_text(encoding="utf-8"))
                (folder / path.name).write_text(plain, encoding="utf-8")
            else:
                shutil.copyfile(path, folder / path.name)
    else:
        name = re.sub(r"[^\w .()+-]", "-", draft.name)
        (folder / "evalset.yaml").write_text(writing.evalset_yaml(draft, name), encoding="utf-8")
    for split in SPLITS:
        if draft.splits[split]:
            text = writing.split_lines(draft.splits[split], with_tools=with_tools)
            (folder / f"{split}.jsonl").write_text(text, encoding="utf-8")
    if draft.docs:
        rows = (writing.document_row(document) for document in draft.docs)
        (folder / "docs.jsonl").write_text(writing.lines(rows), encoding="utf-8")
