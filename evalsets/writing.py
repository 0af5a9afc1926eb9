"""Writing an eval set as a folder in the format of docs/evalset-format.md, so that reading it gives the same again."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from advisor._util.files import whole_folder, write_whole
from advisor.core.brought_code import BroughtCode
from advisor.core.errors import ConfigurationError, EvalSetError, StoreError
from advisor.core.registry import is_registered
from advisor.core.types import Chat, Document, EvalSet, Example, Message, ToolSpec

from .draft import SPLITS, Draft

_UNFINISHED = b"# This eval set was not written to its end: type the line that wrote it again, with --force.\n"
_KEYS = ("family", "gold_document_field", "licence", "source")


def to_row(example: Example, *, with_tools: bool = True) -> dict[str, Any]:
    """Return the JSON row of an example.

    Args:
        example: what to write.
        with_tools: write the tools of its input; `False` where they stand in its metadata (`tools_field`).
    """
    row: dict[str, Any] = {"id": example.id, "input": _input(example, with_tools), "target": example.target}
    if example.metadata:
        row["metadata"] = dict(example.metadata)
    return row


def _input(example: Example, with_tools: bool) -> Any:
    asked = example.input
    if not isinstance(asked, Chat):
        return asked
    turns = [message_row(message) for message in asked.messages]
    if asked.tools and with_tools:
        return {"messages": turns, "tools": [tool_row(tool) for tool in asked.tools]}
    plain = len(asked.messages) == 1 and asked.messages[0] == Message("user", asked.messages[0].content)
    return asked.messages[0].content if plain and asked.tools else turns


def message_row(message: Message) -> dict[str, Any]:
    """Return a chat turn as the OpenAI API writes it."""
    row: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        row["tool_calls"] = [
            {
                "id": call.id or f"call_{at}",
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(dict(call.arguments), ensure_ascii=False)},
            }
            for at, call in enumerate(message.tool_calls, 1)
        ]
        row["content"] = message.content or None
    if message.tool_call_id:
        row["tool_call_id"] = message.tool_call_id
    return row


def tool_row(tool: ToolSpec) -> dict[str, Any]:
    """Return a tool's schema as the OpenAI API writes it."""
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)},
    }


def document_row(document: Document) -> dict[str, Any]:
    """Return the JSON row of a document."""
    return {"id": document.id, "title": document.title, "text": document.text}


def lines(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows as JSON lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def evalset_yaml(loaded: EvalSet | Draft, name: str) -> str:
    """Return an ``evalset.yaml`` for an eval set; a tool file is not named, since code cannot be written from it.

    Raises:
        EvalSetError: its metric is code of its own.
    """
    import yaml

    if isinstance(loaded.origin, BroughtCode) and not is_registered("metrics", loaded.metric):
        raise EvalSetError(
            f"the metric of {loaded.name!r} is code, which a copy cannot hold", hint="copy its folder by hand"
        )
    keys: dict[str, Any] = {
        "name": name,
        "instruction": loaded.instruction or "Answer the question.",
        "metric": loaded.metric,
        "output": loaded.output,
        **{key: value for key in _KEYS if (value := getattr(loaded, key))},
    }
    keys.setdefault("licence", "unknown; say here who may use it")
    keys.setdefault("source", "say here where the examples come from")
    if loaded.labels:
        keys["labels"] = list(loaded.labels)
    if loaded.schema:
        keys["schema"] = json.loads(json.dumps(loaded.schema))
    if keys["output"] == "text":
        del keys["output"]
    return str(yaml.safe_dump(keys, sort_keys=False, allow_unicode=True, width=110))


def split_lines(examples: Sequence[Example], *, with_tools: bool = True) -> str:
    """Return one split as JSON lines."""
    return lines(to_row(example, with_tools=with_tools) for example in examples)


def write_folder(evalset: EvalSet, folder: Path) -> Path:
    """Write an eval set as a new folder, whole or not at all.

    Raises:
        ConfigurationError: there is something already.
        StoreError: it cannot be written.
    """
    if folder.exists():
        raise ConfigurationError(f"{str(folder)!r} exists already and is kept", hint="take another name")
    texts = _texts(evalset)
    with _translated(folder), whole_folder(folder) as draft:
        for name, text in texts.items():
            (draft / name).write_text(text, encoding="utf-8")
    return folder


def fill_folder(evalset: EvalSet, folder: Path, *, overwrite: bool) -> Path:
    """Write an eval set into a folder that may be there and hold other files.

    A new folder comes whole or not at all. In one that is there, ``evalset.yaml`` is whole before the first file is
    changed or after the last one; in between, and for good where the process was killed, it says so and cannot be read.

    Raises:
        ConfigurationError: a file of it is there, and may not be overwritten.
        StoreError: it cannot be written.
    """
    if not folder.exists():
        return write_folder(evalset, folder)
    texts = _texts(evalset)
    for name in texts:
        if (folder / name).exists() and not overwrite:
            raise ConfigurationError(
                f"{str(folder / name)!r} exists already and is kept", hint="add --force to overwrite it"
            )
    with _translated(folder):
        write_whole(folder / "evalset.yaml", _UNFINISHED)
        for name in {f"{split}.jsonl" for split in SPLITS} - texts.keys():  # it would be taken for a part of this one
            (folder / name).unlink(missing_ok=True)
        for name in (*list(texts)[1:], "evalset.yaml"):
            write_whole(folder / name, texts[name].encode())
    return folder


def _texts(evalset: EvalSet) -> dict[str, str]:
    """Return the content of each file, evalset.yaml first."""
    texts = {"evalset.yaml": evalset_yaml(evalset, re.sub(r"[^\w .()+-]", "-", evalset.name)[:100])}
    for split in SPLITS:
        if examples := getattr(evalset, split):
            texts[f"{split}.jsonl"] = split_lines(examples)
    if evalset.docs:
        texts["docs.jsonl"] = lines(document_row(document) for document in evalset.docs)
    return texts


@contextlib.contextmanager
def _translated(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{str(folder)!r} cannot be written: {error.strerror or error}") from error
