# ruff: noqa: E501
"""T8: twenty bombs, in a process of its own: small to send, gigabytes or for ever to read. Prints one line of JSON."""

from __future__ import annotations

import gzip
import io
import json
import os
import resource
import struct
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from advisor.advice.file import read_answers
from advisor.core.errors import AdvisorError, CallFailed
from advisor.core.model import Request
from advisor.core.shipped import load_evalset
from advisor.core.tool_files import spec_from_json
from advisor.core.tools import parse_calls
from advisor.core.types import Message
from advisor.models.endpoint import EndpointModel, EndpointOptions
from advisor.models.endpoint.retry import Retry
from advisor.runs.comparison_file import read_comparison
from tests.faults.http_faults import FAULTS, endless
from tests.faults.malformed_input import EVALSET, LONG, SPECIAL, STARTS, parquet_special
from tests.models.fake_server import FakeServer, Item, http, status

Bomb = Callable[[Path], object]
MILLION = 10**6
ALIASES = SPECIAL["yaml"][15]


def file(name: str, content: Callable[[], bytes], read: Callable[[str], object]) -> Bomb:
    """A bomb as a file; it is made when it is set off, in a process that has not made the others."""

    def explode(place: Path) -> None:
        (place / name).write_bytes(content())
        read(str(place / name))

    return explode


def beside(content: bytes, name: str = "evalset.yaml") -> Bomb:
    """A bomb as one file of an eval set's folder."""

    def explode(place: Path) -> None:
        for good in ("evalset.yaml", "train.jsonl", "test.jsonl", "docs.jsonl", "tools.py"):
            (place / good).write_bytes(STARTS[good][0])
        (place / name).write_bytes(content)
        load_evalset(str(place))

    return explode


def sparse(name: str) -> Bomb:
    """A file of 100 GB that takes no room on the disk."""

    def explode(place: Path) -> None:
        with (place / name).open("wb") as out:
            out.truncate(100 * 2**30)
        load_evalset(str(place / name))

    return explode


def sent(item: Callable[[], Item]) -> Bomb:
    """A bomb that an endpoint sends; the call fails in the time that one attempt has."""

    def explode(place: Path) -> None:
        with FakeServer([], default=item()) as server:
            options = EndpointOptions(jobs=1, timeout_seconds=4.0, retry=Retry(attempts=1))
            model = EndpointModel("m", url=server.url, options=options)
            print(model.generate([Request((Message("user", "x"),))])[0].text[:9], file=sys.stderr)

    return explode


def packed(kind: int) -> bytes:
    """Return half a gigabyte of blanks, packed."""
    packer = zlib.compressobj(1, zlib.DEFLATED, kind)
    blanks = b" " * 2**20
    return b"".join(packer.compress(blanks) for _ in range(512)) + packer.flush()


def zipped() -> bytes:
    out = io.BytesIO()
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.jsonl", "w", force_zip64=True) as part,
    ):
        for _ in range(256):
            part.write(b"\0" * 2**20)
    return out.getvalue()


def claimed(place: Path) -> None:
    """A model whose weights say that they are 2**60 bytes."""
    from advisor.models.local.model import open_local
    from tests.faults.tiny_model import tiny_model

    for name, content in tiny_model().items():
        (place / name).write_bytes(content)
    head = json.dumps({"a": {"dtype": "F32", "shape": [2**30, 2**28], "data_offsets": [0, 2**60]}}).encode()
    (place / "model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head)
    open_local(str(place))


def nested(place: Path) -> None:
    schema: dict[str, object] = {"type": "object"}
    for _ in range(5_000):
        schema = {"type": "object", "properties": {"a": schema}}
    try:
        spec_from_json({"name": "f", "parameters": schema})
    except ValueError as error:  # what the reader words
        raise CallFailed(str(error)) from None


def calls(place: Path) -> None:
    parse_calls('{"a":' * 200_000)
    parse_calls('{"name": "f", "arguments": {}} {' * 20_000)


def bombs() -> dict[str, Bomb]:
    """Return twenty and more by name."""
    return {
        "YAML aliases in an eval set": beside(ALIASES),
        "YAML aliases in a comparison": file("c.yaml", lambda: ALIASES, read_comparison),
        "YAML aliases in an ask file": file("a.yaml", lambda: ALIASES, read_answers),
        "YAML 100,000 deep": file("c.yaml", lambda: b"[" * 100_000, read_comparison),
        "YAML of 100,000 values": beside(EVALSET + b"source: [" + b"1," * 55_000 + b"1]\n"),
        "JSON 200,000 deep": file("d.jsonl", lambda: b"[" * 200_000 + b"]" * 200_000, load_evalset),
        "JSON number of 3 million digits": file("d.jsonl", lambda: b'{"input": ' + b"9" * 3 * MILLION + b"}", load_evalset),
        "JSON line of 100 MB": file("d.jsonl", lambda: b'{"input": "' + b"x" * 100 * MILLION + b'"}', load_evalset),
        "JSON of 300,000 keys": file("d.jsonl", lambda: json.dumps({str(n): 1 for n in range(300_000)}).encode(), load_evalset),
        "CSV quote that never ends": file("d.csv", lambda: b'input,target\n"' + b"x\n" * 10 * MILLION, load_evalset),
        "CSV of 300,000 columns": file("d.csv", lambda: b",".join(b"%d" % n for n in range(300_000)), load_evalset),
        "JSONL packed with gzip": file("d.jsonl", lambda: packed(31), load_evalset),
        "JSONL in a zip": file("d.jsonl", lambda: zipped(), load_evalset),
        "JSONL of 100 GB of nothing": sparse("d.jsonl"),
        "Parquet of 400,000 times 200 kB": file("d.parquet", lambda: parquet_special()[0], load_evalset),
        "Parquet of 5 million empty rows": file("d.parquet", lambda: parquet_special()[1], load_evalset),
        "weights that claim 2**60 bytes": claimed,
        "answer packed with gzip": sent(lambda: http(200, packed(31), {"Content-Encoding": "gzip"})),
        "answer packed with deflate": sent(lambda: http(200, packed(15), {"Content-Encoding": "deflate"})),
        "answer packed twice": sent(lambda: http(200, gzip.compress(packed(31)), {"Content-Encoding": "gzip, gzip"})),
        "answer without an end": sent(lambda: endless(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b" " * 65_536)),
        "error packed with gzip": sent(lambda: http(500, packed(31), {"Content-Encoding": "gzip"})),
        "error without an end": sent(lambda: FAULTS["500 with an endless body"].item),
        "redirects in a circle": sent(lambda: http(302, b"", {"Location": "/v1/chat/completions"})),
        "answer 100,000 deep": sent(lambda: FAULTS["lists 100,000 deep"].item),
        "tool schema 5,000 deep": nested,
        "header without an end": sent(lambda: endless(b"HTTP/1.1 200 OK\r\nX-A: ", b"a" * 65_536)),
        "hundreds of interim answers": sent(lambda: endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
        "a field of 200 kB": file("d.jsonl", lambda: json.dumps({"input": LONG, "target": "x"}).encode(), load_evalset),
        "a refusal of 10 MB": sent(lambda: status(400, "no" * 5 * MILLION)),
    }  # fmt: skip


def peak_mb() -> float:
    """Return the most memory this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(name: str) -> None:
    """Set one bomb off."""
    bomb = bombs()[name]
    import openai  # noqa: F401  (what takes memory of its own is there before)
    import pyarrow.parquet  # noqa: F401

    with tempfile.TemporaryDirectory() as place:
        before, started, said = peak_mb(), time.process_time(), ""
        try:
            bomb(Path(place))
        except AdvisorError as error:
            said = str(error)
        took = time.process_time() - started
    print(json.dumps({"seconds": took, "mb": peak_mb() - before, "said": said}), flush=True)
    os._exit(0)  # a thread may still be reading what has no end


if __name__ == "__main__":
    main(sys.argv[1])
