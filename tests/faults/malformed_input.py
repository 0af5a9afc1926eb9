# ruff: noqa: E501
"""Good contents of every format, the special bad ones, and a seeded way to spoil any of them."""

from __future__ import annotations

import functools
import gzip
import io
import json
import random
from collections.abc import Iterable
from typing import Any

EVALSET = b"""name: small
instruction: "Which team should answer? One of: billing, delivery."
metric: label_accuracy
labels: [billing, delivery]
licence: CC0
output: text
gold_document_field: doc_id
tools: tools.py
"""
TOOLS = b'''"""Tools."""
from typing import Literal


def look_up(word: str, how: Literal["near", "exact"] = "near", most: int = 3) -> str:
    """Find the team that answers questions about a word.

    Args:
        word: what the message is about.
        how: near or exact.
        most: how many at most.
    """
    return "billing"
'''
COMPARISON = b"""evalset: my-evalset
model: smollm2
strategies: [few_shot, "rag(k=3)"]
columns: {input: question, target: answer}
limit: 100
seeds: 2
budget_usd: 1.5
economics:
  requests_per_month: [5000, 20000]
  usd_per_correct_answer: 0.40
  margin: 0.02
  prices: {usd_per_1m_input_tokens: 0.1, usd_per_1m_output_tokens: 0.4}
  base_model_shutdown: 2027-01-06
"""
ASK = b"""kind: format
prompted: 0.62
prompted_by: few_shot
examples: 400
economics:
  requests_per_month: [5000, 20000]
  usd_per_correct_answer: 0.40
"""
SCHEMA: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "math.add",
        "description": "Add.",
        "parameters": {
            "type": "dict",
            "properties": {"a": {"type": "float"}, "b": {"anyOf": [{"type": "integer"}, {"$ref": "#/$defs/c"}]}},
            "required": ["a"],
            "$defs": {"c": {"enum": ["x", 1, None]}},
        },
    },
}
CALL = {"id": "1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}


def lines(rows: Iterable[Any]) -> bytes:
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()


def rows(split: str, count: int = 8) -> list[dict[str, Any]]:
    labels = ("billing", "delivery")
    return [
        {"id": f"{split}-{at}", "input": f"Message {at} of {split}: où?", "target": labels[at % 2],
         "metadata": {"group": at // 2, "slice": "a", "answers": ["x"], "doc_id": "d1"}}
        for at in range(count)
    ]  # fmt: skip


def chat(at: int) -> dict[str, Any]:
    return {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": f"Add {at} and 2"}]},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
        ],
        "tools": [SCHEMA],
    }


STARTS: dict[str, tuple[bytes, ...]] = {
    "jsonl": (
        lines(rows("all", 12)),
        lines(chat(at) for at in range(6)),
        lines({"prompt": f"p {at}", "completion": [{"role": "assistant", "content": "x"}]} for at in range(6)),
        lines({"inputs": {"q": f"q {at}"}, "expectations": {"expected_response": "x"}} for at in range(6)),
    ),
    "csv": (
        b"id,input,target\n" + b"".join(b'%d,"a, ""%d""\nb",c%d\n' % (at, at, at % 2) for at in range(8)),
        b"question;answer;group\n" + b"".join(b"was %d;das;%d\n" % (at, at) for at in range(8)),
        b"question,__expected\n" + b"".join(b"q%d,equals: x\n" % at for at in range(6)),
        b"input\ttarget\n" + b"".join(b"q%d\tx\n" % at for at in range(6)),
    ),
    "evalset.yaml": (EVALSET,),
    "tools.py": (TOOLS,),
    "train.jsonl": (lines(rows("train")),),
    "test.jsonl": (lines(rows("test")),),
    "docs.jsonl": (lines({"id": f"d{at}", "title": "t", "text": "Once upon a time"} for at in range(4)),),
    "comparison": (COMPARISON,),
    "ask": (ASK,),
    "suite": (
        lines(
            [
                {"input": "2+2?", "target": "4", "choices": ["4", "5"], "slice": "sums"},
                {"input": "Who?", "suite": "refusals"},
                {"input": "Why?", "target": "so", "answerable": True, "metadata": {"answers": ["so"]}},
            ]
        ),
    ),
    "schema": (json.dumps(SCHEMA).encode(), b'{"name": "f", "parameters": {"type": "tuple"}}'),
    "spec": (b'few_shot(k=8, pick="nearest")', b"path/to/file.py:Mine(a=[1, 2], b={})", b"rag(k=3)", b"a.b:C"),
    "answer": (
        json.dumps(
            {
                "choices": [{"message": {"content": '{"answer": "a"}', "tool_calls": [CALL]}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}},
            }
        ).encode(),
    ),
    "call": (b'Sure: ```json\n{"name": "add", "arguments": {"a": 1}}\n``` and {"function": {"name": "b"}}',),
}

LONG = "x" * 200_000
_ROW = {"id": "1", "input": "a", "target": "b"}
_GOOD = lines(rows("all", 12))
_BOMB = b"a: &a [x, x]\n" + b"".join(
    b"%c: &%c [*%c, *%c, *%c, *%c]\n" % (n, n, n - 1, n - 1, n - 1, n - 1) for n in range(98, 122)
)
_ANY = (
    b"", b" \n\t\n", b"\0", b"\0" * 1000, b"\xef\xbb\xbf", b"\xff\xfe", b"\r\r\r", b"\x1a", b"\x1b[2J\x1b]0;x\x07",
    gzip.compress(b"x" * 1000), b"PK\x03\x04" + b"\0" * 100, b"PAR1", b"\x80\x04\x95cos\nsystem\n(S'ls'\ntR.",
    bytes(range(256)) * 4, b"\xe2\x80\xae" * 100,
)  # fmt: skip

SPECIAL: dict[str, tuple[bytes, ...]] = {
    "jsonl": (
        *_ANY,
        b"\xef\xbb\xbf" + _GOOD,
        _GOOD.decode().encode("utf-16"),
        _GOOD.decode().encode("utf-32"),
        _GOOD.replace(b"\n", b"\r\n"),
        _GOOD.replace(b"Message", b"Mess\0age"),
        _GOOD.replace("ù".encode(), b"\xf9"),
        lines([{**_ROW, "input": LONG}]),
        lines([{**_ROW, "metadata": {"a": {"b": [LONG]}}}] * 3),
        lines([_ROW, _ROW]),
        lines([{**_ROW, "input": [{"role": "user", "content": LONG}]}]),
        b'{"id": "1", "id": "2", "input": "a", "target": "b"}\n',
        b'{"input": NaN, "target": Infinity}\n',
        b'{"input": 1e999, "target": -1e999}\n',
        b'{"input": "a", "target": ' + b"9" * 5000 + b"}\n",
        b'{"input": "\\ud800", "target": "\\udfff\\ud800"}\n',
        b'{"a": ' * 100_000 + b"\n",
        b"[" * 100_000 + b"]" * 100_000 + b"\n",
        b'{"input": ' + b"[" * 60 + b"1" + b"]" * 60 + b', "target": "b"}\n',
        b'{"input": "' + b"y" * 5_000_000 + b'", "target": "b"}\n',
        b"[1, 2]\n", b"null\n", b'"text"\n', b"7\n", b"{}\n", b"{}\n" * 5, b"{'input': 'a'}\n",
        lines([{str(number): "x" for number in range(20_000)}]),
        lines([{**_ROW, "input": [{"role": "user", "content": "a"}] * 20_000}]),
        b'{"messages": [], "tools": []}\n', b'{"messages": [1, 2]}\n', b'{"inputs": {}, "expectations": {}}\n',
        b'{"prompt": [], "completion": []}\n', b'{"prompt": {"a": 1}, "completion": [1]}\n',
        lines({**_ROW, "id": at, "input": f"q{at}"} for at in range(20_000)),
    ),
    "csv": (
        *_ANY,
        b"\xef\xbb\xbfinput,target\na,b\nc,d\ne,f\n",
        "input,target\na,b\n".encode("utf-16"),
        b"input,target\na\n", b"input,target\na,b,c\n", b"input,input\na,b\n", b"input,\na,b\n", b",,\n", b"input,target\n",
        b'input,target\n"a,b\n', b'input,target\n"a"x,b\n', b'input,target\n"' + b"a\n" * 200_000,
        b"input,target\n" + LONG.encode() + b",b\n",
        b",".join(b"c%d" % at for at in range(20_000)) + b"\n" + b",".join(b"1" for _ in range(20_000)) + b"\n",
        b"input,target\n" + b"=1+1,@x\n" * 5, b"input,target\nnan,inf\n" * 5, b"input;target\r\na;b\r\n" * 3,
        b"input,target\n" + b"".join(b"q%d,x\n" % at for at in range(20_000)),
        b"\n\n\ninput,target\na,b\n", b'input,target,metadata\na,b,"{"\n', b'input,target,answers\na,b,"[1"\n',
    ),
    "yaml": (
        *_ANY,
        _BOMB,
        b"\xef\xbb\xbf" + EVALSET, EVALSET.decode().encode("utf-16"), EVALSET.replace(b"small", b"sm\0all"),
        b"[" * 5000, b"{a: " * 5000, b"- " * 5000, b"? " * 5000, b"a:\n" + b" " * 9 + b"b:\n" * 9, b"!!binary x",
        b"a: !!python/object/apply:os.system [ls]\n", b"!!python/name:os.system\n", b"!!set {a, b}\n", b"!!omap [a: 1]\n",
        b"a: 1\na: 2\n", b"<<: {a: 1}\n", b"a: &x 1\n", b"a: *x\n", b"? [a]\n: 1\n", b"? {a: 1}\n: 1\n", b"1: 2\n", b"null: 1\n",
        b"limit: .nan\nseed: .inf\n", b"limit: 1e999\n", b"limit: " + b"9" * 5000 + b"\n", b"limit: 0x" + b"f" * 5000,
        b"limit: 1_000\n", b"limit: 190:20:30\n", b"a: 9999-99-99\n", b"a: 2001-12-14t21:59:43.10-05:00\n",
        b"seed: 2024-13-45\n", b"a: 0b2\n", b"a: 0o9\n", b"%YAML 9.9\n---\na: 1\n", b"--- a\n--- b\n", b"a: |\n" + b" x\n" * 60_000,
        b"name: '" + LONG.encode() + b"'\n", b"a: \"\\ud800\"\n", b"a: \"\\x\"\n", b"\ta: 1\n", b"a: b: c\n", b"'", b"|", b">", b"%", b"@", b"`",
        b"evalset: {}\nmodel: []\nstrategies: 1\n", b"strategies: [[[]]]\n", b"economics: []\n", b"economics: {prices: 1}\n",
        b"economics: {margin: yes, requests_per_month: [2, 1]}\n", b"columns: {1: 2}\n", b"base_url: http://x/v1\n",
        b"labels: [a, a]\ninstruction: x\nmetric: y\n", b"instruction: x\nmetric: exact_match\nschema: {$ref: http://x}\n",
        b"instruction: x\nmetric: exact_match\ntools: ../../../etc/passwd\n", b"instruction: x\nmetric: exact_match\nschema: /etc/passwd\n",
        b"".join(b"k%d: 1\n" % at for at in range(10_000)), b"a: [" + b"1," * 30_000 + b"]\n", b"#" * 127_000,
    ),
    "spec": (
        *_ANY, b"(" * 5000, b"f(" + b"[" * 5000 + b")", b"few_shot(k=" + b"9" * 6000 + b")", b"few_shot(k=NaN)", b"few_shot(k=1e999)",
        b"few_shot(k=1, k=2)", b"../../../etc/passwd:X", b"os:system", b"few_shot(" + LONG.encode() + b")", b'few_shot(pick="\\ud800")',
    ),
}  # fmt: skip

TOKENS = (
    b"\0", b"[", b"]", b"{", b"}", b'"', b"'", b"\\", b"\\u", b"\xff", b"\xef\xbb\xbf", b"\n", b"\r", b",", b";", b":", b"\t", b"NaN",
    b"null", b"true", b"-", b"&a ", b"*a", b"!!", b"1e999", b"99999999999999999999", b"\xe2\x80\xae", b"\x1b[31m", b"<<: ", b"---\n",
    b"{}", b"[]", b'""', b"0", b"\\ud83d", b"%", b"#", b"|", b">", b"?", b"  ", b"(", b")", b"=",
)  # fmt: skip


def spoilt(rng: random.Random, starts: tuple[bytes, ...]) -> bytes:
    """Return a start with a few random injuries: bytes changed, cut, doubled, moved, or tokens put in."""
    found = bytearray(rng.choice(starts))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8, 30))):
        at, end = sorted((rng.randrange(len(found) + 1), rng.randrange(len(found) + 1)))
        short = min(end, at + rng.choice((1, 2, 8, 64)))
        way = rng.randrange(9)
        if way == 0:
            del found[at:short]
        elif way == 1:
            del found[at:end]
        elif way == 2:
            found[at:at] = rng.choice(TOKENS)
        elif way == 3:
            found[at:short] = rng.choice(TOKENS)
        elif way == 4:
            found[at:at] = found[at:short] * rng.choice((1, 2, 50))
        elif way == 5:
            found[at:short] = rng.randbytes(short - at)
        elif way == 6:
            found[at:at] = rng.choice(TOKENS) * rng.choice((2, 40, 400))
        elif way == 7 and at < len(found):
            found[at] ^= 1 << rng.randrange(8)
        else:
            found = found[:end]
    return bytes(found[:400_000])


# --- Parquet ---------------------------------------------------------------------------------------------------------


@functools.cache
def parquet_files() -> tuple[bytes, ...]:
    """Return a good file first, then odd and hostile ones that are whole."""
    good = {"id": [str(at) for at in range(40)], "input": [f"a{at}" for at in range(40)], "target": ["c", "d"] * 20}
    chat_rows = [[{"role": "user", "content": f"q{at}"}, {"role": "assistant", "content": "x"}] for at in range(8)]
    return (
        _parquet(good),
        _parquet({"messages": chat_rows}),
        _parquet({"input": ["a", None, "b"], "target": [1.5, float("nan"), float("inf")]}),
    )


@functools.cache
def parquet_special() -> tuple[bytes, ...]:
    """Return whole files that are bombs or oddities."""
    import decimal

    import pyarrow as arrow

    deep: Any = arrow.int8()
    for _ in range(60):
        deep = arrow.list_(deep)
    bomb = arrow.DictionaryArray.from_arrays(arrow.array([0] * 400_000, arrow.int8()), [LONG])
    nulls = arrow.nulls(5_000_000, arrow.string())
    wide = arrow.table({f"c{at}": [1] for at in range(5_000)})
    return (
        _table(arrow.table({"input": bomb, "target": bomb})),
        _table(arrow.table({"input": nulls, "target": nulls})),
        _table(arrow.table({"input": arrow.array([None], deep), "target": ["x"]})),
        _table(wide),
        _table(arrow.table([["a"], ["b"]], names=["input", "input"])),
        _parquet({"input": [b"\xff\xfe"], "target": ["b"]}),
        _parquet({"input": [decimal.Decimal("1.5")], "target": [decimal.Decimal("2.5")]}),
        _table(arrow.table({"input": arrow.array([2**62], arrow.timestamp("us")), "target": ["x"]})),
        _table(arrow.table({"input": arrow.array([2**62], arrow.timestamp("ns", "Mars/Base")), "target": ["x"]})),
        _table(arrow.table({"input": arrow.array([2**40], arrow.duration("us")), "target": ["x"]})),
        _table(arrow.table({"input": arrow.array([[("a", 1)]], arrow.map_(arrow.string(), arrow.int64())), "target": ["x"]})),
        _parquet({"input": [], "target": []}),
        _parquet({"input": [LONG], "target": ["b"]}),
    )  # fmt: skip


def _parquet(columns: dict[str, Any]) -> bytes:
    import pyarrow as arrow

    return _table(arrow.table(columns))


def _table(table: Any) -> bytes:
    from pyarrow import parquet

    out = io.BytesIO()
    parquet.write_table(table, out, compression="zstd")
    return out.getvalue()
