"""Public data sets by name: from a local copy, and fetched over the network (a server on this machine) with checks."""

from __future__ import annotations

import hashlib
import json
import os
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from advisor.core.errors import EvalSetError
from advisor.core.shipped import load_evalset, shipped
from tests.evalsets.conftest import Server

shipped("evalsets")
public = import_module("advisor.evalsets.public")
fetching = import_module("advisor.evalsets.fetching")
read = import_module("advisor.evalsets.loading").read

DATASETS = Path(os.environ.get("ADVISOR_DATA_MIRROR", Path(__file__).parents[3] / "shared" / "datasets"))
MIRRORED = sorted(folder.name for folder in DATASETS.iterdir() if folder.is_dir()) if DATASETS.is_dir() else []


def lines(rows: list[Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def csv_of(header: str, count: int) -> bytes:
    return (header + "\n" + "".join(f'"words, number {n}",value {n % 3}\n' for n in range(count))).encode()


PAPER = " ".join(f"Word {n} of the text." for n in range(200))
SNIPS = [{"data": [{"text": "add "}, {"text": f"song {n}", "entity": "item"}]} for n in range(8)]
CALLS = [{"id": f"q{n}", "question": [[{"role": "user", "content": f"What is {n}?"}]],
          "function": [{"name": "say", "description": "Say it.",
                        "parameters": {"type": "dict", "properties": {"n": {"type": "integer"}}}}]}
         for n in range(20)]  # fmt: skip
INTENTS = (
    "AddToPlaylist", "BookRestaurant", "GetWeather", "PlayMusic", "RateBook", "SearchCreativeWork",
    "SearchScreeningEvent",
)  # fmt: skip
PLAYS = ("hamlet", "macbeth", "othello", "lear", "tempest", "merchant", "twelfthnight", "romeojuliet")


def snips(intent: str, kind: str) -> bytes:
    items = [{"data": [{"text": f"{kind} {intent} "}, *item["data"]]} for item in SNIPS]
    return json.dumps({intent: items}).encode()


def booking(name: str, n: int) -> dict[str, Any]:
    text = f"{name} table for {n:02}"
    span = {"startIndex": len(text) - 2, "endIndex": len(text)}
    return {"userInput": {"text": text}, "context": {"requestedSlots": ["people"]},
            "labels": [{"slot": "people", "valueSpan": span}]}  # fmt: skip


def squad() -> bytes:
    def question(p: int, n: int) -> dict[str, Any]:
        answer = {"text": f"Word {n * 30}", "answer_start": PAPER.index(f"Word {n * 30} ")}
        return {"id": p * 10 + n, "question": f"What of {p} and {n}?", "answers": [answer]}

    papers = [{"context": f"{PAPER} Paper {p}.", "qas": [question(p, n) for n in range(6)]} for p in range(5)]
    return json.dumps({"data": [{"paragraphs": [paper]} for paper in papers]}).encode()


def bfcl(name: str) -> dict[str, bytes]:
    truths = [{"id": f"{name}{call['id']}", "ground_truth": [{"say": {"n": [at], "why": ["", "x"]}}]}
              for at, call in enumerate(CALLS)]  # fmt: skip
    asked = [{**call, "id": f"{name}{call['id']}"} for call in CALLS]
    return {f"BFCL_v4_{name}.json": lines(asked), f"possible_answer/BFCL_v4_{name}.json": lines(truths)}


def numbered(text: str, count: int = 20) -> bytes:
    return "".join(f"{text} {n}\n" for n in range(count)).encode()


CLINC = {part: [[f"{part} {n}", "ab"[n % 2]] for n in range(30)] for part in ("train", "val", "test")}
PENS = [{"ID": f"chal-{n}", "Body": f"There are {n} pens.", "Question": "How many?", "Answer": float(n)}
        for n in range(20)]  # fmt: skip
RAW: dict[str, dict[str, bytes]] = {
    "banking77": {
        "train.csv": csv_of("text,category", 40),
        "test.csv": csv_of("text,category", 9).replace(b"number", b"no"),
    },
    "sms_spam": {
        "SMSSpamCollection": "".join(
            f"{'spam' if n % 3 else 'ham'}\tmessage {n}\twith tab\n" for n in range(40)
        ).encode()
    },
    "clinc150": {"data_full.json": json.dumps(CLINC).encode()},
    "snips_slots": {
        f"{intent}/{kind}_{intent}{end}.json": snips(intent, kind)
        for intent in INTENTS
        for kind, end in (("train", "_full"), ("validate", ""))
    },
    "restaurant8k": {
        f"{name}.json": json.dumps([booking(name, n) for n in range(20)]).encode() for name in ("train_0", "test")
    },
    "e2e_nlg": {
        f"{name}.csv": ("mr,ref\n" + "".join(f'"name[{name} {n}]","{name} {n} is a pub"\n' for n in range(9))).encode()
        for name in ("trainset", "devset", "testset_w_refs")
    },
    "covidqa": {"200423_covidQA.json": squad()},
    "nq_open": {"NQ-open.dev.jsonl": lines([{"question": f"who is {n}", "answer": [f"x{n}", "y"]} for n in range(20)])},
    "shakespeare": {
        f"{play}_{kind}.snt": numbered(f"{kind} {play}", 5) for play in PLAYS for kind in ("modern", "original")
    },
    "asset": {
        f"asset.{split}.{kind}": numbered(f"{split} {kind}")
        for split in ("valid", "test")
        for kind in ("orig", "simp.0")
    },
    "svamp": {"SVAMP.json": json.dumps(PENS).encode()},
    "gsm8k": {
        f"{split}.jsonl": lines([{"question": f"{split} {n}?", "answer": f"It is so.\n#### {n}"} for n in range(20)])
        for split in ("train", "test")
    },
    "bfcl_single": {**bfcl("simple_python"), **bfcl("multiple")},
}
FIRST = {
    "sms_spam": ("message", ("ham", "spam")),
    "snips_slots": ("train AddToPlaylist add song", ('{"intent": "AddToPlaylist", "slots": {"item": "song',)),
    "restaurant8k": ("[asked: people] train_0 table for", ('{"people": "',)),
    "gsm8k": ("train", tuple("0123456789")),
    "svamp": ("There are", tuple("0123456789")),
    "bfcl_single": ("What is", ('{"name": "say", "arguments": {"n": ',)),
    "shakespeare": ("modern hamlet", ("original hamlet",)),
}


def serve(server: Server, name: str) -> None:
    revision = public.table()[name].revision
    server.files.update({f"/{revision}/{path}": body for path, body in RAW[name].items()})


# --- the table -------------------------------------------------------------------------------------------------------


def test_the_table_has_sets_of_all_five_families_with_all_that_is_needed() -> None:
    table = public.table()
    assert len(table) >= 13
    assert len({entry.family for entry in table.values()}) == 5
    for name, entry in table.items():
        assert all((entry.licence, entry.source, entry.citation, entry.caveat)), name
        assert entry.format == "mirror" or (entry.base.startswith("https://") and "{revision}" in entry.base), name
        assert entry.format == "mirror" or "all" in entry.splits or {"train", "test"} <= set(entry.splits), name
    assert set(RAW) == {name for name, entry in table.items() if entry.format != "mirror"}


# --- the mirror ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MIRRORED)
def test_what_lies_in_the_mirror_loads_by_its_public_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVISOR_DATA_MIRROR", str(DATASETS))
    found = load_evalset(f"public:{name}")
    assert found.fingerprint == load_evalset(str(DATASETS / name)).fingerprint


def test_a_set_that_only_the_mirror_has_says_so(server: Server) -> None:
    with pytest.raises(EvalSetError, match="ADVISOR_DATA_MIRROR"):
        load_evalset("public:bible_plain")


# --- fetching --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RAW)
def test_a_set_is_fetched_read_and_kept(name: str, server: Server) -> None:
    serve(server, name)
    found = load_evalset(f"public:{name}")
    assert found.train
    assert found.test
    assert found.licence == public.table()[name].licence
    assert any("checksum not pinned yet, recorded at first fetch" in note for note in found.notes)
    asked, told = FIRST.get(name, ("", ("",)))
    assert str(found.train[0].input).startswith(asked)
    assert found.train[0].target.startswith(told)
    count = len(server.asked)
    assert load_evalset(f"public:{name}").fingerprint == found.fingerprint
    assert len(server.asked) == count


def test_passages_hold_the_answers_that_name_them(server: Server) -> None:
    serve(server, "covidqa")
    found = load_evalset("public:covidqa")
    texts = {document.id: document.text for document in found.docs}
    assert len(texts) > 5
    for example in (*found.train, *found.dev, *found.test):
        assert f"{example.target} " in texts[example.metadata["doc_id"]]
        assert example.group == str(example.metadata["doc_id"]).partition("-")[0]


def test_whole_plays_are_held_out(server: Server) -> None:
    serve(server, "shakespeare")
    found = load_evalset("public:shakespeare")
    assert {str(one.input).split()[1] for one in found.dev} == {"twelfthnight"}
    assert {str(one.input).split()[1] for one in found.test} == {"romeojuliet"}


def test_offline_nothing_is_asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(server, "gsm8k")
    load_evalset("public:gsm8k")
    monkeypatch.setenv("ADVISOR_OFFLINE", "1")
    count = len(server.asked)
    assert load_evalset("public:gsm8k").train
    for source in ("public:svamp", "hf:a/b@main"):
        with pytest.raises(EvalSetError, match="switched off"):
            load_evalset(source)
    assert len(server.asked) == count


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(EvalSetError, match="banking77"):
        load_evalset("public:banking7")


# --- the Hub ---------------------------------------------------------------------------------------------------------

COMMIT = "a" * 40


def hub(server: Server, files: dict[str, bytes], sums: dict[str, str] | None = None) -> None:
    siblings = [{"rfilename": path, **({"lfs": {"sha256": (sums or {})[path]}} if path in (sums or {}) else {})}
                for path in files]  # fmt: skip
    server.files["/api/datasets/org/mine/revision/main"] = json.dumps({"sha": COMMIT, "siblings": siblings}).encode()
    server.files.update({f"/datasets/org/mine/resolve/{COMMIT}/{path}": body for path, body in files.items()})


def rows(split: str, count: int) -> bytes:
    return lines([{"text": f"{split} message {n}", "label": f"class {n % 3}"} for n in range(count)])


def test_a_set_of_the_hub_is_read_with_its_own_splits(server: Server) -> None:
    body = rows("train", 40)
    files = {"README.md": b"", "mine.py": b"exit()", "data/train.jsonl": body, "data/test.jsonl": rows("test", 12)}
    hub(server, files, {"data/train.jsonl": hashlib.sha256(body).hexdigest()})
    found = load_evalset("hf:org/mine@main")
    assert (len(found.train) + len(found.dev), len(found.test)) == (40, 12)
    assert found.metric == "label_accuracy"
    assert any(COMMIT in note for note in found.notes)
    assert not any("mine.py" in path for path in server.asked)


def test_a_set_of_the_hub_without_splits_is_split(server: Server) -> None:
    hub(server, {"all.csv": b"text,label\n" + b"".join(b"message %d,%d\n" % (n, n % 3) for n in range(40))})
    found = load_evalset("hf:org/mine@main")
    assert len(found.train) + len(found.dev) + len(found.test) == 40


def test_a_wrong_checksum_of_the_hub_is_refused(server: Server) -> None:
    hub(server, {"train.jsonl": rows("a", 9), "test.jsonl": rows("b", 9)}, {"train.jsonl": "0" * 64})
    with pytest.raises(EvalSetError, match="is wanted"):
        load_evalset("hf:org/mine@main")


def test_code_and_pickles_of_the_hub_are_never_read(server: Server) -> None:
    hub(server, {"mine.py": b"raise SystemExit", "data.pkl": b"cos\nsystem\n"})
    with pytest.raises(EvalSetError, match="never run"):
        load_evalset("hf:org/mine@main")
    with pytest.raises(EvalSetError, match="answers 404"):
        load_evalset("hf:org/other@main")
    with pytest.raises(EvalSetError, match="not written"):
        load_evalset("hf:../../etc@main")


def test_columns_name_the_fields_of_a_set_of_the_hub(server: Server) -> None:
    hub(server, {"all.jsonl": lines([{"a": f"q {n}", "b": f"r {n}"} for n in range(20)])})
    with pytest.raises(EvalSetError, match="cannot be told"):
        load_evalset("hf:org/mine@main")
    assert load_evalset("hf:org/mine@main", columns={"input": "a", "target": "b"}).train


@pytest.mark.parametrize("body", [b"", b"[[[", b'{"a": 1}', b'[{"a": 1}]', b"a,b\n1,2\n", b"\xff\xfe\x00"])
def test_files_that_are_not_what_they_should_be_are_one_sentence(body: bytes, server: Server) -> None:
    one_a_format = {entry.format: name for name, entry in public.table().items() if name in RAW}
    for name in one_a_format.values():
        revision = public.table()[name].revision
        server.files.update({f"/{revision}/{path}": body for path in RAW[name]})
        with pytest.raises(EvalSetError):
            load_evalset(f"public:{name}")
