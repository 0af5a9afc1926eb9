from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from advisor.evalsets.readers import open_text

from advisor.core import registry
from advisor.core.errors import EvalSetError


def read(path: Path) -> list[dict[str, Any]]:
    reader: Any = registry.load("readers", path.suffix[1:])
    rows: Iterator[Any] = reader(path)
    return [dict(row.fields) for row in rows]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"not json", "line 1: it is not JSON: Expecting value at character 1"),
        (b'{"a": 1}\n{"a": }', "line 2: it is not JSON"),
        (b'{"a": NaN}', "line 1: NaN is not JSON"),
        (b'{"a": -Infinity}', "line 1: -Infinity is not JSON"),
        (b'{"a": 1, "a": 2}', "line 1: the key 'a' stands there twice"),
        (b"[1]", "line 1: a JSON object is needed, not a list"),
        (b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}", "line 1: it is nested too deeply"),
        (b'{"a": ' + b"[" * 100_000, "line 1: it is nested too deeply"),
        (b'{"a": "\\ud800"}', "half a surrogate pair"),
        (b'{"a": "\xff"}', "line 1: byte 8 of the line, b'\\xff', is not UTF-8"),
        (b'{"a": "\0"}', "line 1: there is a NUL byte"),
        ('{"a": 1}'.encode("utf-16"), "the file is UTF-16"),
        (b"\x1f\x8b\x08\x00", "the file is gzip"),
        (b"PAR1....", "the file is Parquet"),
        (b'{"input": "' + b"x" * 200_000 + b'"}', "line 1: field 'input' has 200,000 characters"),
        (b'{"a": ' + b"9" * 5000 + b"}", "line 1: "),
        (b"x" * 5_000_000, "line 1: the line is longer than 4,000,000 bytes"),
    ],
    ids=range(17),
)
def test_jsonl_errors_name_the_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(content)
    with pytest.raises(EvalSetError) as caught:
        read(path)
    assert "train.jsonl" in str(caught.value)
    assert said in str(caught.value)


def test_jsonl_byte_order_mark_blank_lines_and_windows_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": "[[{{"}\r\n\r\n{"a": "\xc3\xa9 \\ud83d\\ude00"}')
    assert read(path) == [{"a": "[[{{"}, {"a": "é 😀"}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b\n1,2,3\n", "line 2: 3 cells, where the header has 2"),
        ("a,b\n1,2\n1\n", "line 3: 1 cells, where the header has 2"),
        ("a,a\n1,2\n", "line 1: the column 'a' stands there twice"),
        ("a,\n1,2\n", "line 1: a column has no name"),
        ("", "line 1: there is no header"),
        ('a,b\n"1,2\n', "unexpected end of data"),
        ('a,b\n"1"x,2\n', "line 2: "),
        ("a,b\n" + "x" * 200_000 + ",2\n", "at most 131,072 characters"),
    ],
)
def test_csv_errors(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "data.csv"
    path.write_text(content)
    with pytest.raises(EvalSetError) as caught:
        read(path)
    assert "data.csv line" in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [("d.csv", 'a,b\n"x, ""y""\nz",2\n'), ("d.tsv", 'a\tb\n"x, ""y""\nz"\t2\n'), ("d.csv", 'a;b\n"x, ""y""\nz";2\n')],
)
def test_csv_quotes_and_delimiters(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert read(tmp_path / name) == [{"a": 'x, "y"\nz', "b": "2"}]


def test_blank_csv_cells_are_missing_fields(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("a,b\n1,\n")
    assert read(tmp_path / "d.csv") == [{"a": "1"}]


def test_parquet(tmp_path: Path) -> None:
    import pyarrow as arrow
    from pyarrow import parquet

    path = tmp_path / "d.parquet"
    table = {"a": ["x", None], "n": [1.5, float("nan")], "l": [["p", "q"], []], "s": [{"k": 1}, {"k": 2}]}
    parquet.write_table(arrow.table(table), path)
    assert read(path) == [{"a": "x", "n": 1.5, "l": ["p", "q"], "s": {"k": 1}}, {"l": [], "s": {"k": 2}}]
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(EvalSetError, match=r"d.parquet row 1: it is not readable as Parquet"):
        read(path)
    parquet.write_table(arrow.table({"a": [b"x"]}), path)
    with pytest.raises(EvalSetError, match=r"d.parquet line 1: field 'a' holds bytes"):
        read(path)


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    for kind in ("jsonl", "csv", "parquet"):
        pipe = tmp_path / f"pipe.{kind}"
        os.mkfifo(pipe)
        zero = tmp_path / f"zero.{kind}"
        zero.symlink_to("/dev/zero")
        folder = tmp_path / f"folder.{kind}"
        folder.mkdir()
        for path, said in ((pipe, "pipe"), (zero, "device"), (folder, "is a folder")):
            with pytest.raises(EvalSetError, match=said):
                read(path)
        with pytest.raises(EvalSetError, match="there is no file"):
            read(tmp_path / f"missing.{kind}")


def test_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "questions.csv").write_text("a\n1\n")
    with pytest.raises(EvalSetError, match=r"did you mean 'questions\.csv'"):
        read(tmp_path / "question.csv")


def test_damaged_files_end_in_one_sentence(tmp_path: Path) -> None:
    """F1: 600 random damages; no other exception, under 2 s each, and 95 % of messages name file and line or field."""
    rng = random.Random(5)
    good = {
        "jsonl": b'{"id": "1", "input": "What?", "target": "x", "metadata": {"group": [1, {"a": null}]}}\n' * 3,
        "csv": 'input,target\n"a, ""b""",c\nd,é\n'.encode(),
        "parquet": _parquet(tmp_path),
    }
    named = failed = 0
    for kind, content in good.items():
        path = tmp_path / f"data.{kind}"
        for _ in range(200):
            spoiled = bytearray(content)
            for _ in range(rng.randint(1, 6)):
                at = rng.randrange(len(spoiled))
                spoiled[at : at + rng.choice([0, 1, 3])] = rng.choice(
                    [b"", b"\0", b"[", b'"', b"\xff", b"{", b"\n", b","]
                )
            path.write_bytes(spoiled)
            began = time.process_time()
            try:
                read(path)
            except EvalSetError as error:
                failed += 1
                named += f"data.{kind}" in str(error) and any(word in str(error) for word in ("line", "row", "field"))
            assert time.process_time() - began < 60
    assert failed > 200
    assert named >= 0.95 * failed


def _parquet(folder: Path) -> bytes:
    import pyarrow as arrow
    from pyarrow import parquet

    parquet.write_table(arrow.table({"input": ["a", "b"] * 20, "target": ["c", "d"] * 20}), folder / "good.parquet")
    return (folder / "good.parquet").read_bytes()


def test_a_file_that_grows_while_it_is_read_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("one\n", encoding="utf-8")
    lines = open_text(path)
    assert next(lines) == (1, "one\n")
    with path.open("a", encoding="utf-8") as file:
        file.write("two\n")
    with pytest.raises(EvalSetError, match=r"rows.jsonl line 2: the file grew while it was read; wait until"):
        next(lines)
