"""Three clean eval sets, and 30 ways to spoil one: a defect each, with the check that must find it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

Record = dict[str, Any]
Rows = list[Record]

GLUE = "the and is to my it i have not with that this can was what please when from your about".split()
TOPICS = {
    "billing": "invoice refund charged payment card receipt amount twice discount total".split(),
    "delivery": "parcel courier tracking arrived late address depot van doorstep shipment".split(),
    "account": "password login email username locked reset profile verify security session".split(),
    "returns": "exchange faulty broken label sendback size torn replacement zip sole".split(),
}
SIZES = {"train": 200, "dev": 60, "test": 160}
WORDS = sorted({*GLUE, *(word for words in TOPICS.values() for word in words)})


@dataclass
class Files:
    """An eval set before it is written."""

    yaml: list[str]
    splits: dict[str, Rows]
    docs: Rows = field(default_factory=list)
    tools: str = ""

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True)
        (folder / "evalset.yaml").write_text("\n".join(self.yaml) + "\n", encoding="utf-8")
        for name, rows in {**self.splits, **({"docs": self.docs} if self.docs else {})}.items():
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
        if self.tools:
            (folder / "tools.py").write_text(self.tools, encoding="utf-8")
        return folder


def sentence(rng: np.random.Generator, label: str) -> str:
    words = [*rng.choice(GLUE, 8, replace=False), *rng.choice(TOPICS[label], 5, replace=False)]
    return " ".join(rng.permutation(words))


def routing() -> Files:
    """Messages with four labels and groups that stay on one side."""
    rng = np.random.default_rng(7)
    names = list(TOPICS)
    splits = {
        split: [
            {
                "id": f"{split}-{n}",
                "input": sentence(rng, names[n % 4]),
                "target": names[n % 4],
                "metadata": {"group": f"{split}-customer-{n // 2}"},
            }
            for n in range(size)
        ]
        for split, size in SIZES.items()
    }
    yaml = ["name: routing", 'instruction: "Which team should answer?"', "metric: label_accuracy",
            f"labels: [{', '.join(names)}]"]  # fmt: skip
    return Files(yaml, splits)


TOOLS = '''
def lookup(order: str) -> str:
    """Look an order up."""
    return "shipped"


def add(a: float, b: float) -> float:
    """Add two numbers."""
    return a + b
'''


def answering() -> Files:
    """Questions with answers in sentences, documents and two tools."""
    rng = np.random.default_rng(8)
    names = list(TOPICS)
    docs = [{"id": f"d{n}", "title": f"Page {n}", "text": f"{sentence(rng, names[n % 4])}."} for n in range(80)]
    splits = {
        split: [
            {
                "id": f"{split}-{n}",
                "input": f"{sentence(rng, names[n % 4])}?",
                "target": f"{sentence(rng, names[(n + 1) % 4]).capitalize()}.",
                "metadata": {
                    "doc_id": f"d{n % 80}",
                    "calls": [{"name": ("lookup", "add")[n % 2], "arguments": {}}],
                },
            }
            for n in range(size)
        ]
        for split, size in SIZES.items()
    }
    yaml = ["name: answering", 'instruction: "Answer in one sentence."', "metric: exact_match", "tools: tools.py",
            "gold_document_field: doc_id"]  # fmt: skip
    return Files(yaml, splits, docs, TOOLS)


def records() -> Files:
    """Messages to be turned into JSON that follows a schema."""
    rng = np.random.default_rng(9)
    names = list(TOPICS)
    splits = {
        split: [
            {
                "id": f"{split}-{n}",
                "input": sentence(rng, names[n % 4]),
                "target": json.dumps({"topic": names[n % 4], "number": int(rng.integers(1, 90))}),
            }
            for n in range(size)
        ]
        for split, size in SIZES.items()
    }
    yaml = ["name: records", 'instruction: "Answer with JSON."', "metric: json_field_f1", "output: json",
            "schema: {type: object, required: [topic, number]}"]  # fmt: skip
    return Files(yaml, splits)


CLEAN = {"routing": routing, "answering": answering, "records": records}


@dataclass(frozen=True)
class Defect:
    """One way to spoil a clean set, and the check that must find it; `also`: those that rightly find it too."""

    name: str
    base: str
    plant: Callable[[Files], None]
    check: str
    gate: str = "warn"
    also: tuple[str, ...] = ()
    shows: str = ""


def put(split: str, at: int, **fields: Any) -> Callable[[Files], None]:
    def plant(files: Files) -> None:
        files.splits[split][at].update(fields)

    return plant


def append(split: str, at: int, words: str, name: str = "input") -> Callable[[Files], None]:
    def plant(files: Files) -> None:
        row = files.splits[split][at]
        row[name] = f"{row[name]} {words}"

    return plant


def copy(
    source: tuple[str, int], target: tuple[str, int], change: Callable[[str], str] = str
) -> Callable[[Files], None]:
    def plant(files: Files) -> None:
        files.splits[target[0]][target[1]]["input"] = change(files.splits[source[0]][source[1]]["input"])

    return plant


def a_log(entries: int) -> str:
    return " ".join(f"w{n} is the line" for n in range(entries))


def shortened(files: Files) -> None:
    del files.splits["test"][30:]


def half_of_test_copied(files: Files) -> None:
    for at in range(0, 40, 4):
        copy(("train", at), ("test", at), str.upper)(files)


def flipped(files: Files) -> None:
    for at in range(0, 80, 4):  # every fourth is billing
        files.splits["train"][at]["target"] = "account"


def unlearned(files: Files) -> None:
    files.yaml[-1] = files.yaml[-1].replace("returns", "returns, fraud")
    files.splits["test"][0]["target"] = "fraud"


def never_tested(files: Files) -> None:
    files.splits["test"] = [row for row in files.splits["test"] if row["target"] != "returns"]
    files.splits["test"] += [{**row, "id": f"t-{at}"} for at, row in enumerate(routing().splits["dev"])
                             if row["target"] != "returns"]  # fmt: skip
    files.splits["dev"] = [
        {"id": f"new-{n}", "input": sentence(np.random.default_rng(n + 100), list(TOPICS)[n % 4]),
         "target": list(TOPICS)[n % 4]} for n in range(60)
    ]  # fmt: skip


def rare_label(files: Files) -> None:
    for at in range(12, 200, 4):
        files.splits["train"][at]["target"] = "delivery"
        files.splits["train"][at]["input"] = sentence(np.random.default_rng(at + 1000), "delivery")


def cut_short(files: Files) -> None:
    for at in (3, 4):
        target = files.splits["train"][at]["target"]
        files.splits["train"][at]["target"] = target[: target.rindex(" ")]


def stray_language(files: Files) -> None:
    put("train", 8, input="Guten Tag, ich habe eine Frage: die Rechnung ist nicht richtig, bitte prüfen Sie das.")(
        files
    )


def idle_tool(files: Files) -> None:
    for rows in files.splits.values():
        for row in rows:
            row["metadata"]["calls"] = [{"name": "lookup", "arguments": {}}]


def unknown_tool(files: Files) -> None:
    files.splits["train"][5]["metadata"]["calls"] = [{"name": "refund_now", "arguments": {}}]


def lost_document(files: Files) -> None:
    files.splits["test"][5]["metadata"]["doc_id"] = "d999"


def question_in_document(files: Files) -> None:
    files.docs[3]["text"] += f" {files.splits['test'][6]['input']}"


def answer_in_input(files: Files) -> None:
    row = files.splits["train"][9]
    row["input"] = f"{row['input']} {row['target']}"


def shared_group(files: Files) -> None:
    files.splits["train"][0]["metadata"]["group"] = "test-customer-0"


BLIND_METRIC = '''
class Polite:
    """1 if the answer ends with a full stop, whatever it says."""

    name = "polite"

    def score(self, output, example):
        return float(output.endswith("."))

    def summarise(self, pairs):
        return {}
'''


def blind_metric(files: Files) -> None:
    files.tools += BLIND_METRIC
    files.yaml[2] = "metric: tools.py:Polite"


def wrong_metric(files: Files) -> None:
    files.tools += BLIND_METRIC.replace('endswith(".")', 'startswith("The")')
    files.yaml[2] = "metric: tools.py:Polite"


def twice_in_splits(files: Files) -> None:
    files.splits["test"][0]["id"] = "train-0"


def nearly_repeated(files: Files) -> None:
    train = files.splits["train"]
    for at in range(5):
        copy(("train", at), ("train", at + 100), lambda text: f"{text} thanks")(files)
        train[at + 100].update(target=train[at]["target"])


def nearly_relabelled(files: Files) -> None:
    for at in range(0, 20, 4):
        copy(("train", at), ("train", at + 1), lambda text: f"{text} thanks")(files)


KEY = "sk-" + "proj-" + "a1B2c3D4" * 4
DEFECTS = (
    Defect("a small test set", "routing", shortened, "test size", "fail"),
    Defect("test questions in capitals in train", "routing", half_of_test_copied, "near copies across splits", "fail"),
    Defect("one near copy", "routing", copy(("train", 4), ("test", 8), lambda text: f"{text} thanks"),
           "near copies across splits"),
    Defect("words in another order", "routing", copy(("train", 4), ("test", 8), lambda t: " ".join(t.split()[::-1])),
           "near copies across splits", shows="embedding"),
    Defect("a row twice", "routing", copy(("train", 4), ("train", 8)), "repeats within a split"),
    Defect("nearly the same twice", "records", nearly_repeated, "near repeats within a split"),
    Defect("a group on both sides", "routing", shared_group, "groups on both sides", shows="test-customer-0"),
    Defect("two answers to one question", "routing", copy(("train", 4), ("train", 9)), "conflicting answers"),
    Defect("two labels for nearly one question", "routing", nearly_relabelled, "same wording, other label",
           also=("likely wrong labels",)),
    Defect("labels that were mixed up", "routing", flipped, "likely wrong labels", also=("label shift",)),
    Defect("a label with two examples", "routing", rare_label, "class balance", also=("label shift",)),
    Defect("a label that is only in test", "routing", unlearned, "labels in test", "fail", also=("class balance",)),
    Defect("a label that is never tested", "routing", never_tested, "labels in test",
           also=("label shift", "near copies across splits", "conflicting answers")),
    Defect("an unknown label", "routing", put("train", 7, target="biling"), "readable rows", "fail", shows="biling"),
    Defect("an empty target", "answering", put("train", 3, target="  "), "readable rows", "fail", shows="line 4"),
    Defect("an id in two splits", "routing", twice_in_splits, "ids", "fail"),
    Defect("answers cut off", "answering", cut_short, "answers cut off", shows="no end of a sentence"),
    Defect("a target that is no JSON", "records", put("train", 3, target='{"topic": "bil'), "JSON answers", "fail",
           also=("metric: right answers",)),
    Defect("a target beside the schema", "records", put("train", 3, target='{"topic": "billing"}'), "JSON answers",
           "fail"),
    Defect("a whole log as a question", "answering", put("train", 3, input=a_log(300)), "length"),
    Defect("more than fits", "answering", put("train", 3, input=a_log(3000)), "context", "fail", also=("length",)),
    Defect("UTF-8 read as Windows-1252", "routing", append("train", 3, "cafÃ© fÃ¼r"), "characters",
           shows="Windows-1252"),
    Defect("HTML entities", "answering", append("train", 3, "&amp; &nbsp;"), "characters", shows="&amp;"),
    Defect("another language", "routing", stray_language, "language", shows="German"),
    Defect("unfinished writing", "answering", append("train", 3, "TODO ask Ann"), "unfinished writing"),
    Defect("a mail address", "routing", append("train", 3, "ann.miller@gmail.com"), "privacy: mail address"),
    Defect("a phone number", "routing", append("train", 3, "+49 30 901820 11"), "privacy: phone number"),
    Defect("an IBAN", "routing", append("train", 3, "DE89 3704 0044 0532 0130 00"), "privacy: IBAN", "fail"),
    Defect("a card number", "routing", append("train", 3, "4111 1111 1111 1111"), "privacy: card number", "fail"),
    Defect("a key", "routing", append("train", 3, KEY), "privacy: key", "fail"),
    Defect("an answer in its question", "answering", answer_in_input, "answer in the input"),
    Defect("a label in its question", "routing", append("test", 4, "[category: billing]"), "answer in the input"),
    Defect("a test question in a document", "answering", question_in_document, "question in a document", shows="d3"),
    Defect("a gold document that is not there", "answering", lost_document, "gold documents", "fail", shows="d999"),
    Defect("a tool nobody needs", "answering", idle_tool, "tools needed", shows="add"),
    Defect("a tool that is not there", "answering", unknown_tool, "tools there", "fail", shows="refund_now"),
    Defect("a metric that does not look", "answering", blind_metric, "metric: wrong answers", "fail"),
    Defect("a metric that is never content", "answering", wrong_metric, "metric: right answers", "fail"),
)  # fmt: skip
