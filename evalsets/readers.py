"""One reader a file format: `(path) -> Iterator[Record]`. Sizes are bounded; every error names file, line and field."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from advisor._util import files
from advisor.core.errors import EvalSetError, did_you_mean

from . import parquet_sizes

MAX_FILE_BYTES = 200_000_000
MAX_LINE_BYTES = 4_000_000
MAX_ROWS = 500_000
MAX_FIELD_CHARACTERS = 131_072
"""The longest text in one field: about 30,000 tokens, more than a prompt should hold."""
MAX_FIELDS = 1_000
"""Fields of one row."""
MAX_DEPTH = 50
"""Levels of lists and objects in one JSON row."""

_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\x1f\x8b": "gzip", b"PK": "zip", b"PAR1": "Parquet"}

Fields = dict[str, Any]
"""The fields of one row."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it stands in a file; `line` counts from 1 (in Parquet: the row)."""

    file: str
    line: int
    fields: Mapping[str, Any]

    def error(self, text: str, hint: str = "") -> EvalSetError:
        """Return the error that says where `text` holds."""
        return EvalSetError(f"{self.file} line {self.line}: {text}", hint=hint)


def open_text(path: Path, limit_bytes: int = MAX_FILE_BYTES) -> Iterator[tuple[int, str]]:
    """Yield the numbered lines of a UTF-8 file, a byte-order mark taken off.

    Raises:
        EvalSetError: not a regular file, too large, not UTF-8, or holding NUL bytes.
    """
    with _opened(path, limit_bytes) as file:
        number, left = 0, files.size_of(file)
        while raw := file.readline(MAX_LINE_BYTES + 1):
            number, left = number + 1, left - len(raw)
            if left < 0:
                raise EvalSetError(
                    f"{path.name} line {number}: the file grew while it was read; wait until it is whole"
                )
            yield number, _decoded(raw, path, number)


def refuse_unreadable(path: Path, limit_bytes: int = MAX_FILE_BYTES) -> None:
    """Refuse what is not a readable regular file of a sensible size, before anything is read from it.

    Raises:
        EvalSetError: it is missing (the nearest name is given), a folder, a device, empty, too large or not permitted.
    """
    with _opened(path, limit_bytes):
        pass


@contextmanager
def _opened(path: Path, limit_bytes: int) -> Iterator[BinaryIO]:
    with ExitStack() as stack:
        try:
            file = stack.enter_context(files.opened(path, limit_bytes))
        except FileNotFoundError:
            near = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
            raise EvalSetError(f"there is no file {str(path)!r}; {did_you_mean(path.name, near[:50])}") from None
        except files.UnusableFileError as error:
            raise EvalSetError(f"{path.name}: {error}") from None
        yield file


def _decoded(raw: bytes, path: Path, number: int) -> str:
    where = f"{path.name} line {number}"
    if len(raw) > MAX_LINE_BYTES:
        raise EvalSetError(f"{where}: the line is longer than {MAX_LINE_BYTES:,} bytes; one record a line is needed")
    if number == 1:
        found = next((name for mark, name in _MARKS.items() if raw.startswith(mark)), "")
        if found:
            raise EvalSetError(f"{where}: the file is {found}, not UTF-8 text", hint=_conversion(found, path))
        raw = raw.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in raw:
        raise EvalSetError(
            f"{where}: there is a NUL byte in it; UTF-8 text is needed", hint=_conversion("UTF-16", path)
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise EvalSetError(
            f"{where}: byte {error.start + 1} of the line, {raw[error.start : error.start + 1]!r}, is not UTF-8",
            hint=f"iconv -f WINDOWS-1252 -t UTF-8 {path.name} > utf8-{path.name}",
        ) from None


def _conversion(found: str, path: Path) -> str:
    if found == "UTF-16":
        return f"iconv -f UTF-16 -t UTF-8 {path.name} > utf8-{path.name}"
    return f"mv {path.name} {path.stem}.parquet" if found == "Parquet" else "unpack it first"


# --- JSON lines ------------------------------------------------------------------------------------------------------


def read_jsonl(path: Path, *, whole_texts: bool = False) -> Iterator[Record]:
    """Read JSON lines, one object a line; blank lines are skipped. `whole_texts` are of any length that a line has.

    Raises:
        EvalSetError: a line is not a JSON object, or holds a duplicate key, NaN, too deep nesting or a field too long.
    """
    count = 0
    for number, line in open_text(path):
        if not line.strip():
            continue
        count += 1
        _bound(count, path)
        row = Record(path.name, number, {})
        value = parse_json(line, row)
        if not isinstance(value, dict):
            raise row.error(
                f"a JSON object is needed, not {_kind(value)}",
                hint='one object a line: {"id": "1", "input": "…", "target": "…"}',
            )
        yield _checked(Record(path.name, number, value), MAX_LINE_BYTES if whole_texts else MAX_FIELD_CHARACTERS)


def parse_json(text: str, row: Record) -> Any:
    """Parse strict JSON of bounded depth.

    Raises:
        EvalSetError: it is not JSON, repeats a key, holds NaN or half a surrogate pair, or is nested too deeply.
    """
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise row.error(
            f"it is not JSON: {error.msg} at character {error.pos + 1}: {_around(text, error.pos)}"
        ) from None
    except RecursionError:
        raise row.error(f"it is nested too deeply; at most {MAX_DEPTH} levels are read") from None
    except ValueError as error:
        raise row.error(str(error)) from None
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise row.error(f"it is nested too deeply; at most {MAX_DEPTH} levels are read")
    if "\\ud" in text.lower() and any("\ud800" <= mark <= "\udfff" for mark in json.dumps(value, ensure_ascii=False)):
        raise row.error("a text holds half a surrogate pair (\\ud800 to \\udfff), which is no character")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"the key {twice[:80]!r} stands there twice")
    return found


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON; write null where there is no value")


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return 0
    return 1 + max((_depth(item) for item in value), default=0)


def _around(text: str, at: int) -> str:
    return repr(text[max(0, at - 15) : at + 15])


def _kind(value: Any) -> str:
    words = {list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return words.get(type(value), "null" if value is None else "an object")


# --- CSV -------------------------------------------------------------------------------------------------------------


def read_csv(path: Path) -> Iterator[Record]:
    """Read CSV with a header; ``.tsv`` is split at tabs, and a header without commas but with semicolons at those.

    Blank cells are left out of the row. `Record.line` is the line on which the record ends.

    Raises:
        EvalSetError: no header, a column twice, a row with more or fewer cells than the header, or a cell too long.
    """
    lines = (line for _, line in open_text(path))
    first = next(lines, "")
    reader = csv.reader(chain([first], lines), delimiter=_delimiter(path, first), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        _check_header(header, Record(path.name, 1, {}))
        for count, cells in enumerate(filter(None, reader), start=1):
            _bound(count, path)
            row = Record(path.name, reader.line_num, {})
            if len(cells) != len(header):
                raise row.error(
                    f"{len(cells)} cells, where the header has {len(header)}",
                    hint='put a cell that holds a comma or a line break in quotes: "a, b"',
                )
            filled = {name: cell for name, cell in zip(header, cells, strict=True) if cell.strip()}
            yield _checked(Record(path.name, reader.line_num, filled))
    except csv.Error as error:
        raise EvalSetError(
            f"{path.name} line {reader.line_num}: {error}; at most {MAX_FIELD_CHARACTERS:,} characters a cell"
        ) from None


def _check_header(header: list[str], row: Record) -> None:
    if not any(header):
        raise row.error("there is no header with the names of the columns", hint="first line: input,target")
    for name, count in Counter(header).items():
        if count > 1 or not name:
            what = f"the column {name!r} stands there twice" if name else "a column has no name"
            raise row.error(what, hint="every column needs a name of its own")


# --- Parquet ---------------------------------------------------------------------------------------------------------


def read_parquet(path: Path) -> Iterator[Record]:
    """Read Parquet in small batches; NaN and null cells are left out of the row.

    Its size is that of its decoded values, and is looked at before they are made.

    Raises:
        EvalSetError: pyarrow is not installed, or the file is not Parquet, is broken or too large.
    """
    refuse_unreadable(path)
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ModuleNotFoundError:
        raise EvalSetError(
            f"{path.name}: reading Parquet needs pyarrow, which is not installed",
            hint="in the checkout: python -m pip install '.[parquet]'",
        ) from None
    count = 0
    try:
        metadata = parquet.read_metadata(path)
        _bound(metadata.num_rows, path)
        size = 0
        _bound_decoded(parquet_sizes.promised_bytes(metadata), 2 * MAX_FILE_BYTES, path.name)
        for batch in parquet_sizes.batches(path, metadata):
            own = parquet_sizes.decoded_bytes(batch)
            size += own
            _bound_decoded(size, 2 * MAX_FILE_BYTES, path.name)
            for plain in _decoded_rows(batch, own, path.name, count):
                count += 1
                row = Record(path.name, count, {})
                fields = {str(name): plain_value(value, row, name) for name, value in plain.items()}
                yield _checked(Record(path.name, count, {k: v for k, v in fields.items() if v is not None}))
    except (arrow.ArrowException, OSError, MemoryError, ValueError, ArithmeticError, RecursionError) as error:
        raise EvalSetError(
            f"{path.name} row {count + 1}: it is not readable as Parquet: {_first_line(error)}"
        ) from None


def _decoded_rows(batch: Any, size: int, name: str, before: int) -> Iterator[Fields]:
    """Yield the rows of a batch; one that is large is halved, and no row may be larger than a line."""
    if size <= MAX_LINE_BYTES:
        yield from parquet_sizes.written_out(batch).to_pylist()
        return
    if batch.num_rows == 1:
        _bound_decoded(size, MAX_LINE_BYTES, f"{name} row {before + 1}")
    half = batch.num_rows // 2
    for start, part in ((0, batch.slice(0, half)), (half, batch.slice(half))):
        yield from _decoded_rows(part, parquet_sizes.decoded_bytes(part), name, before + start)


def plain_value(value: Any, row: Record, name: object) -> Any:
    """Turn a Parquet cell into JSON types: dates and decimals become texts, NaN becomes null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, bytes):
        raise row.error(f"field {name!r} holds bytes; text is needed")
    if isinstance(value, dict):
        return {str(key): plain_value(inner, row, name) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(inner, row, name) for inner in value]
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


# --- bounds ----------------------------------------------------------------------------------------------------------


def _bound(count: int, path: Path) -> None:
    if count > MAX_ROWS:
        raise EvalSetError(f"{path.name} has more than {MAX_ROWS:,} rows; that many are read at most")


def _bound_decoded(size: int, most: int, what: str) -> None:
    if size > most:
        raise EvalSetError(f"{what} unpacks to {size:,} bytes; at most {most:,} are read")


def _delimiter(path: Path, first: str) -> str:
    """Return what separates the cells of a table, by its name and its first line."""
    if path.suffix == ".tsv":
        return "\t"
    return ";" if ";" in first and "," not in first else ","


def _checked(row: Record, most: int = MAX_FIELD_CHARACTERS) -> Record:
    """Refuse rows without a field or with far too many, and over-long texts at their top and in conversations."""
    if not 0 < len(row.fields) <= MAX_FIELDS:
        few = f"it has {len(row.fields):,} fields; at most {MAX_FIELDS:,} are read"
        raise row.error(few if row.fields else "it holds no value", hint='{"id": "1", "input": "…", "target": "…"}')
    for name, value in row.fields.items():
        if isinstance(value, str):
            value = [value]
        for text in value if isinstance(value, list) else ():
            text = text.get("content") if isinstance(text, dict) else text
            if isinstance(text, str) and len(text) > most:
                raise row.error(
                    f"field {name!r} has {len(text):,} characters; at most {most:,} are read",
                    hint="long texts belong into docs.jsonl, or as files into the folder docs",
                )
    return row
