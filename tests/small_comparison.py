"""A small eval set in a folder, and a model and a strategy in files, written as a user would write them."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import advisor
from advisor.decision.comparison import Comparison

WORDS = {"invoice": "billing", "parcel": "delivery", "password": "account"}
INSTRUCTION = "Which team should answer? One of: account, billing, delivery."
SHOTS = 'few_shot(k=2, pick="fixed")'

MODEL = '''
import os
import time

from advisor.models.scripted import ScriptedModel

WORDS = {"invoice": "billing", "parcel": "delivery", "password": "account"}


def answer(request):
    """Right behind worked examples; without them, right about invoices only. Writes down what it was asked."""
    time.sleep(float(os.environ.get("PAUSE", "0")))
    asked = "|".join(message.content for message in request.messages)
    with open(os.environ["ASKED"], "a", encoding="utf-8") as log:
        log.write(asked.replace("\\n", " ") + "\\n")
    question = request.messages[-1].content
    right = next((label for word, label in WORDS.items() if word in question), "billing")
    return right if len(request.messages) > 2 else "billing"


class Paid(ScriptedModel):
    billed = True


PAID = Paid(answer)
'''

STREAMING = (
    MODEL
    + """

class Streaming(Paid):
    def stream(self, requests):
        for at, request in enumerate(requests):
            yield at, self._complete(request)


MODEL = Streaming(answer)
"""
)

STRATEGY = """
class FirstWord:
    name = "first_word"
    stochastic = False

    def fit(self, train, ctx):
        self.known = {str(example.input).split()[1]: example.target for example in train}

    def predict(self, inputs):
        return [self.known.get(str(asked).split()[1], "") for asked in inputs]
"""


def rows(split: str, count: int) -> list[dict[str, str]]:
    """Return `count` messages, the three words in turn; no two are alike."""
    words = [list(WORDS)[at % 3] for at in range(count)]
    return [
        {"id": f"{split}-{at}", "input": f"The {word} no. {at} ({split}) is wrong.", "target": WORDS[word]}
        for at, word in enumerate(words)
    ]


def write_evalset(folder: Path, *, train: int = 12, dev: int = 6, test: int = 21, **keys: Any) -> Path:
    """Write an eval set of three labels; `keys` are added to its ``evalset.yaml``."""
    settings = {"instruction": INSTRUCTION, "metric": "label_accuracy", "labels": sorted(WORDS.values()), **keys}
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{key}: {json.dumps(value)}\n" for key, value in settings.items()]
    (folder / "evalset.yaml").write_text("".join(lines), encoding="utf-8")
    for split, count in (("train", train), ("dev", dev), ("test", test)):
        write_rows(folder / f"{split}.jsonl", rows(split, count))
    return folder


def write_rows(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON lines."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def write_model(folder: Path, *, streaming: bool = False, paid: bool = False) -> str:
    """Write the model and return what stands after ``--model``; it needs the variable ASKED, a file to write into.

    A streaming one gives every answer at once, not when the whole batch is there; its calls, and those of a paid one,
    count as billed.
    """
    path = folder / "answers.py"
    path.write_text(STREAMING if streaming else MODEL, encoding="utf-8")
    return f"scripted:{path}:{'MODEL' if streaming else 'PAID' if paid else 'answer'}"


def write_strategy(folder: Path, source: str = STRATEGY, file: str = "mine.py") -> str:
    """Write a strategy and return what stands after ``--strategy``."""
    path = folder / file
    path.write_text(source, encoding="utf-8")
    return f"{path}:{source.partition('class ')[2].partition(':')[0]}"


def asked(path: Path) -> list[str]:
    """Return what the model was asked so far, one text a call."""
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def hear_ctrl_c() -> None:
    """Give SIGINT its meaning back in a child (`preexec_fn`): a background job's children start with it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Small:
    """The eval set, the model, and the log of what the model was asked."""

    def __init__(self, folder: Path) -> None:
        self.evalset, self.model = str(write_evalset(folder / "small")), write_model(folder)
        self.log = folder / "asked.txt"

    def compare(self, *strategies: str, **options: Any) -> Comparison:
        usual = {"model": self.model, "draws": 500, "checks": "none"}
        return advisor.compare(self.evalset, strategies=strategies, **{**usual, **options})
