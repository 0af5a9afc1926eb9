"""How the files of public data sets are written, one function a format: from files to rows under our names.

A format is a function ``(files, part, options) -> Iterator[Record]``. `files` are the local paths of one entry of
`splits` (``a|b`` gives two that belong together), `part` is what stands behind ``#``, `options` the entry of the table.
No code of a data set is ever run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from advisor.core.errors import EvalSetError
from advisor.core.types import Document

from .readers import Fields, Record, open_text, parse_json, read_csv, read_jsonl, read_parquet

PASSAGE_WORDS = 150
MAX_JSON_BYTES = 100_000_000


def read_table(files: Sequence[Path], part: str, options: Mapping[str, Any]) -> Iterator[Record]:
    """Read CSV, JSON lines, Parquet or a JSON list of objects; `columns` and `template` say what is what."""
    path = files[0]
    readers: dict[str, Callable[[Path], Iterator[Record]]] = {
        ".csv": read_csv, ".tsv": read_csv, ".jsonl": read_jsonl, ".parquet": read_parquet, ".json": _json_list,
    }  # fmt: skip
    columns, template, after = options.get("columns") or {}, options.get("template", ""), options.get("after", "")
    for row in readers[path.suffix](path):
        fields = {ours: _taken(row, theirs) for ours, theirs in columns.items()}
        if template:
            fields["input"] = template.format_map(_BlankWhereMissing(row))
        yield Record(row.file, row.line, _shaped(fields, row, after, options.get("group", "")))


class _BlankWhereMissing(dict[str, str]):
    """The fields of a row as texts, for a template; a missing one is an error with file and line."""

    def __init__(self, row: Record) -> None:
        super().__init__({name: str(value).strip() for name, value in row.fields.items()})
        self._row = row

    def __missing__(self, name: str) -> str:
        raise self._row.error(f"field {name!r} is missing")


def _taken(row: Record, name: str) -> Any:
    if name not in row.fields:
        raise row.error(f"field {name!r} is missing; the file is not what the table of public sets expects")
    return row.fields[name]


def _shaped(fields: Fields, row: Record, after: str, group: str) -> Fields:
    answers = fields.pop("answers", None)
    if isinstance(answers, list) and answers:
        fields["target"] = str(answers[0])
        fields["metadata"] = {"answers": [str(one) for one in answers]}
    if after:
        worked, _, final = str(fields["target"]).rpartition(after)
        fields["target"], fields["metadata"] = final.strip(), {"solution": worked.strip()}
    if isinstance(fields.get("target"), float) and float(fields["target"]).is_integer():
        fields["target"] = str(int(fields["target"]))
    if group:
        fields.setdefault("metadata", {})["group"] = str(_taken(row, group))
    return fields


def _json_list(path: Path) -> Iterator[Record]:
    found = _json(path)
    if not isinstance(found, list):
        raise EvalSetError(f"{path.name}: a list of objects is needed")
    for at, one in enumerate(found, 1):
        if not isinstance(one, dict):
            raise Record(path.name, at, {}).error("an object is needed")
        yield Record(path.name, at, one)


def _json(path: Path, encoding: str = "utf-8") -> Any:
    if encoding != "utf-8":
        return json.loads(path.read_bytes().decode(encoding))
    return parse_json("".join(line for _, line in _long_lines(path)), Record(path.name, 1, {}))


def _long_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the whole text of a JSON document, whose lines may be as long as they like."""
    if path.stat().st_size > MAX_JSON_BYTES:
        raise EvalSetError(f"{path.name} has more than {MAX_JSON_BYTES:,} bytes")
    try:
        yield 1, path.read_bytes().removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        raise EvalSetError(f"{path.name}: byte {error.start + 1} is not UTF-8") from None


def read_tabbed(files: Sequence[Path], part: str, options: Mapping[str, Any]) -> Iterator[Record]:
    """Read lines of tab-separated cells without a header; `columns` gives the places, the last takes the rest."""
    columns = {ours: int(place) for ours, place in options["columns"].items()}
    last = max(columns.values())
    for number, line in open_text(files[0]):
        cells = line.rstrip("\r\n").split("\t", last)
        row = Record(files[0].name, number, {})
        if len(cells) <= last:
            raise row.error(f"{len(cells)} cells, where {last + 1} are needed")
        yield Record(row.file, number, {ours: cells[place] for ours, place in columns.items()})


def read_pairs(files: Sequence[Path], part: str, options: Mapping[str, Any]) -> Iterator[Record]:
    """Read lists of ``[text, label]`` under the key `part` of a JSON object."""
    found = _json(files[0])
    for at, pair in enumerate(found.get(part, ()) if isinstance(found, dict) else (), 1):
        yield Record(files[0].name, at, {"input": pair[0], "target": pair[1]})


def read_parallel(files: Sequence[Path], part: str, options: Mapping[str, Any]) -> Iterator[Record]:
    """Read two files line by line: the first is the input, the second the target; equal lines are left out."""
    asked, told = ([line.strip() for _, line in open_text(path)] for path in files)
    if len(asked) != len(told):
        raise EvalSetError(f"{files[0].name} has {len(asked):,} lines and {files[1].name} {len(told):,}")
    for at, (first, second) in enumerate(zip(asked, told, strict=True), 1):
        if first and second and first != second:
            yield Record(files[0].name, at, {"id": f"{files[0].stem}-{at}", "input": first, "target": second})


def read_snips(files: Sequence[Path], part: str, options: Mapping[str, Any]) -> Iterator[Record]:
    """Read the Snips benchmark: an intent with its messages, each cut into texts and slot values."""
    for intent, items in _json(files[0], "latin-1" if "_full" in files[0].name else "utf-8").items():
        for at, item in enumerate(items, 1):
            slots: dict[str, Any] = {}
            for piece in item["data"]:
                if name := piece.get("entity"):
                    value = piece["text"].strip()
                    slots[name] = [*_listed(slots[name]), value] if name in slots else value
            text = "".join(piece["text"] for piece in item["data"]).strip()
            target = json.dumps({"intent": intent, "slots": slots}, ensure_ascii=False)
            yield Record(files[0].name, at, {"id": f"{files[0].stem}-{at}", "input": text, "target": target})


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def read_spans(files: Sequence[Path], part: str, options: Mapping[str, Any]) -> Iterator[Record]:
    """Read Restaurant8k: a message, the slots that were asked for, and where their values stand in it."""
    for row in _json_list(files[0]):
        text = row.fields["userInput"]["text"]
        asked = (row.fields.get("context") or {}).get("requestedSlots", [])
        slots = {}
        for label in row.fields.get("labels", ()):
            span = label.get("valueSpan") or {}
            slots[label["slot"]] = text[int(span.get("startIndex", 0)) : int(span.get("endIndex", len(text)))]
        shown = f"[asked: {', '.join(asked)}] {text}" if asked else text
        yield Record(row.file, row.line, {"input": shown, "target": json.dumps(slots, ensure_ascii=False)})


def read_bfcl(files: Sequence[Path], part: str, options: Mapping[str, Any]) -> Iterator[Record]:
    """Read the Berkeley Function Calling Leaderboard: questions with their tools, and the accepted arguments beside."""
    truths = {row.fields["id"]: row.fields["ground_truth"] for row in read_jsonl(files[1])}
    for row in read_jsonl(files[0]):
        truth = truths.get(row.fields["id"])
        if not truth:
            raise row.error(f"{row.fields['id']!r} has no accepted answer in {files[1].name}")
        name, accepted = next(iter(truth[0].items()))
        arguments = {key: _first_of(values) for key, values in accepted.items() if _first_of(values) != ""}
        yield Record(row.file, row.line, {
            "id": row.fields["id"],
            "input": row.fields["question"][0][-1]["content"],
            "target": json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False),
            "metadata": {"tools": row.fields["function"], "ground_truth": truth},
        })  # fmt: skip


def _first_of(values: Any) -> Any:
    """Return one accepted value: the first of a list, and of each list inside an object."""
    value = values[0] if isinstance(values, list) and values else values
    if isinstance(value, Mapping):
        return {key: _first_of(inner) for key, inner in value.items() if _first_of(inner) != ""}
    return value


def read_squad(files: Sequence[Path], part: str, options: Mapping[str, Any]) -> Iterator[Record]:
    """Read SQuAD's form: texts with questions; rows name the passage (`passages`) in which their answer begins."""
    for paper, context, questions in _papers(files[0]):
        starts = [start for start, _ in _cut(context)]
        for question in questions:
            answers = [one for one in question.get("answers", ()) if one.get("text", "").strip()]
            if not answers:
                continue
            begins = int(answers[0].get("answer_start", 0))
            passage = max((at for at, start in enumerate(starts) if start <= begins), default=0)
            metadata = {
                "doc_id": f"{paper}-{passage}",
                "group": paper,
                "answers": [one["text"].strip() for one in answers],
            }
            fields = {"id": str(question["id"]), "input": question["question"], "target": answers[0]["text"].strip()}
            yield Record(files[0].name, 1, {**fields, "metadata": metadata})


def passages(path: Path) -> tuple[Document, ...]:
    """Return the texts of a file in SQuAD's form, cut into passages."""
    return tuple(
        Document(f"{paper}-{at}", f"{paper}, part {at + 1}", text)
        for paper, context, _ in _papers(path)
        for at, (_, text) in enumerate(_cut(context))
    )


def _papers(path: Path) -> Iterator[tuple[str, str, Sequence[Mapping[str, Any]]]]:
    number = 0
    for entry in _json(path)["data"]:
        for paragraph in entry["paragraphs"]:
            yield f"c{number}", paragraph["context"], paragraph["qas"]
            number += 1


def _cut(context: str) -> list[tuple[int, str]]:
    """Cut a text into passages of about 150 words; each with the place where it begins."""
    found: list[tuple[int, str]] = []
    start, words = 0, 0
    for at, mark in enumerate(context):
        if mark.isspace():
            words += 1
            if words >= PASSAGE_WORDS and (at == 0 or context[at - 1] in ".!?\n" or words >= 2 * PASSAGE_WORDS):
                found.append((start, context[start:at].strip()))
                start, words = at, 0
    found.append((start, context[start:].strip()))
    return [(begins, text) for begins, text in found if text] or [(0, context)]


FORMATS: Mapping[str, Callable[[Sequence[Path], str, Mapping[str, Any]], Iterator[Record]]] = {
    "table": read_table,
    "tabbed": read_tabbed,
    "pairs": read_pairs,
    "parallel": read_parallel,
    "snips": read_snips,
    "spans": read_spans,
    "bfcl": read_bfcl,
    "squad": read_squad,
}
