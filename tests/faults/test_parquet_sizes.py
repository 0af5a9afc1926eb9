"""Parquet is measured by what it decodes to: a few kilobytes that would take gigabytes are refused before they do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from advisor.core.errors import EvalSetError
from advisor.core.shipped import shipped
from tests.faults.sheet import Sheet, trials
from tests.faults.warm import ROOT

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
parquet_sizes = shipped("evalsets.parquet_sizes")
LONG = "a" * 100_000
MOST_BYTES = 300_000_000
"""How much memory refusing one may take."""


def repeated(text: str, count: int) -> Any:
    return arrow.DictionaryArray.from_arrays(arrow.array([0] * count, arrow.int32()), [text])


def one_list(values: Any) -> Any:
    """Return one row that is a list of all these values."""
    return arrow.ListArray.from_arrays(arrow.array([0, len(values)], arrow.int32()), values)


def chats(count: int) -> Any:
    turn = arrow.StructArray.from_arrays([repeated("user", count), repeated(LONG, count)], names=["role", "content"])
    return one_list(turn)


BOMBS = {
    "one text, 12,000 times": lambda: {"input": repeated(LONG, 12_000), "target": repeated("b", 12_000)},
    "900 columns of one text": lambda: {f"c{at}": repeated(LONG, 64) for at in range(900)},
    "a list of 12,000 times one text": lambda: {"input": one_list(repeated(LONG, 12_000)), "target": ["b"]},
    "a chat of 12,000 times one turn": lambda: {"messages": chats(12_000)},
    "a list of 2 million empty texts": lambda: {"input": one_list(arrow.repeat("", 2_000_000)), "target": ["b"]},
    "a map of 300 times one text": lambda: {"input": arrow.MapArray.from_arrays(
        arrow.array([0, 300], arrow.int32()), [str(at) for at in range(300)], arrow.repeat("a" * 50_000, 300)),
        "target": ["b"]},
    "a list of 30 million numbers": lambda: {
        "input": one_list(arrow.repeat(arrow.scalar(7, arrow.int8()), 30_000_000)), "target": ["b"]},
}  # fmt: skip
READ = """
import json, resource, sys
from pathlib import Path
import pyarrow.parquet, pyarrow.compute
from advisor.core.errors import EvalSetError
from advisor.core.shipped import shipped
read = shipped("evalsets.readers").read_parquet
found = {}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sorted(Path(sys.argv[1]).glob("*.parquet")):
    try:
        found[path.stem] = [sum(1 for row in read(path)), ""]
    except EvalSetError as error:
        found[path.stem] = [0, str(error)]
    found[path.stem].append((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
print(json.dumps(found))
"""


def test_bombs_are_refused_before_they_take_memory(tmp_path: Path, sheet: Sheet) -> None:
    made = list(BOMBS)[: trials(6, len(BOMBS))]
    for at, name in enumerate(made):
        parquet.write_table(arrow.table(BOMBS[name]()), tmp_path / f"{at}.parquet", compression="zstd")
    done = subprocess.run(
        [sys.executable, "-c", READ, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    found = json.loads(done.stdout)
    names = dict(zip(map(str, range(len(made))), made, strict=True))
    broken = {names[at]: (rows, said, used) for at, (rows, said, used) in found.items()
              if "unpacks to" not in said or "at most" not in said or used > MOST_BYTES}  # fmt: skip
    sheet.add("T8", "Parquet that decodes to more than it says", len(made), len(broken))
    assert not broken
    assert max(path.stat().st_size for path in tmp_path.glob("*.parquet")) < 8_000_000


def test_what_fits_is_read_as_before(tmp_path: Path) -> None:
    turn = {"role": "user", "content": "a" * 1000}
    rows = [{"input": "ä" * (at % 7), "target": None if at % 5 else "b", "n": at, "messages": [turn] * (at % 3),
             "tags": ["x", "y"], "score": at / 3} for at in range(500)]  # fmt: skip
    parquet.write_table(arrow.Table.from_pylist(rows), tmp_path / "a.parquet", row_group_size=70)
    found = [dict(row.fields) for row in shipped("evalsets.readers").read_parquet(tmp_path / "a.parquet")]
    assert found == [{name: value for name, value in row.items() if value is not None} for row in rows]


def test_texts_too_many_for_a_dictionary_are_read_as_before(tmp_path: Path) -> None:
    rows = [{"messages": [{"role": "user", "content": f"{at} {'x' * 3000}"}] * 2} for at in range(1000)]
    parquet.write_table(arrow.Table.from_pylist(rows), tmp_path / "a.parquet", data_page_size=10_000)
    found = [dict(row.fields) for row in shipped("evalsets.readers").read_parquet(tmp_path / "a.parquet")]
    assert found == rows


def test_a_row_may_be_as_large_as_a_line(tmp_path: Path) -> None:
    text = "a" * 100_000
    for count, fits in ((30, True), (60, False)):
        table = arrow.table({f"c{at}": [text, text] for at in range(count)})
        parquet.write_table(table, tmp_path / "a.parquet")
        read = shipped("evalsets.readers").read_parquet(tmp_path / "a.parquet")
        if fits:
            assert len(list(read)) == 2
            continue
        with pytest.raises(EvalSetError, match="row 1 unpacks to"):
            next(read)


def test_the_measure_counts_every_value() -> None:
    batch = arrow.record_batch({"a": repeated("abcd", 10), "b": arrow.array([[1, 2], None, [3]] + [[]] * 7)})
    assert parquet_sizes.decoded_bytes(batch) >= 40 + 3 * 8
    assert parquet_sizes.decoded_bytes(batch.slice(0, 5)) < parquet_sizes.decoded_bytes(batch)
