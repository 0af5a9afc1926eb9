"""Nobody reads what is printed: closed from the start, a broken pipe, a full disk. Every verb ends as documented."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.sheet import Sheet, trials
from tests.faults.warm import ROOT
from tests.small_comparison import write_evalset

VERBS = {
    "--help": 0,
    "--version": 0,
    "compare --help": 0,
    "list strategies": 0,
    "list runs": 0,
    "report": 0,
    "report --json": 0,
    "report -o REPORT": 0,
    "check small --embed 0": 100,
    "check small --embed 0 --fix FIXED -o REPORT": 100,
    "ask --yes --kind format": 0,
    "clean --dry-run": 0,
    "doctor": 0,
    "export run -o RUN": 0,
    "export evalset small": 0,
    "export evalset small -o ROWS": 0,
    "init evalset NEW": 0,
    "init comparison NEW.yaml": 0,
    "init strategy NEW.py": 0,
    "compare small --model scripted:answers.py:answer --strategy majority --checks none -o REPORT": 0,
    "compare small --model scripted:answers.py:answer --strategy majority --dry-run": 0,
    "report nothing": 1,
    "check nothing": 2,
    "nothing": 2,
}
"""With the exit code of an undisturbed one."""
SILENT = ("report -o REPORT", "export run -o RUN", "export evalset small -o ROWS", *list(VERBS)[-3:])
"""They print on stderr only."""
WAYS = {
    "stdout shut": (">&-", None),
    "stderr shut": ("2>&-", None),
    "all shut": ("<&- >&- 2>&-", None),
    "a broken pipe": ("", 141),
    "a full disk": (">/dev/full", 1),
}
"""What a shell is told, and the exit code, where it is another one, of those that print on stdout."""
ALWAYS = [("all shut", next(verb for verb in VERBS if verb.startswith("compare small")))]


def _start(place: Path, verb: str, way: str, number: int) -> tuple[int, str, Path]:
    """Run one verb; return its exit code, what can be read of what it printed, and the file it was told to write."""
    names = {"REPORT": f"{number}.json", "RUN": f"{number}.zip", "ROWS": f"{number}.jsonl", "FIXED": f"fixed-{number}"}
    words = [names.get(word, word.replace("NEW", f"new{number}")) for word in verb.split()]
    reader, writer = os.pipe()
    os.close(reader)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "ADVISOR_HOME": str(place / "home"), "NO_COLOR": "1"}
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {WAYS[way][0]}', "sh", sys.executable, "-m", "advisor", *words],
        cwd=place,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=writer if way == "a broken pipe" else subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=600,
        check=False,
    )
    os.close(writer)
    return done.returncode, (done.stdout or "") + done.stderr, place / words[-1]


def _broken(place: Path, verb: str, way: str, number: int) -> list[str]:
    code, printed, last = _start(place, verb, way, number)
    wanted = VERBS[verb] if verb in SILENT else WAYS[way][1] or VERBS[verb]
    found = [f"exit code {code}, not {wanted}: {printed[-800:]}"] * (code != wanted)
    found += [printed[-2000:]] * any(word in printed for word in ("Traceback", "BrokenPipe", "Exception ignored"))
    if " -o " in verb and not (last.exists() and last.stat().st_size):
        found.append("what it was told to write is not there")
    with closing(sqlite3.connect(place / "home" / "store.sqlite")) as store:
        if store.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            found.append("the store is not sound")
    return found


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with an eval set, a model, and a store with one comparison."""
    write_evalset(tmp_path / "small")
    (tmp_path / "answers.py").write_text("def answer(request): return 'billing'\n")
    words = f"{ALWAYS[0][1].rpartition(' -o ')[0]} -q --seed 1"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "ADVISOR_HOME": str(tmp_path / "home")}
    subprocess.run([sys.executable, "-m", "advisor", *words.split()], cwd=tmp_path, env=env, check=True)
    return tmp_path


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_every_verb_ends_as_documented(place: Path, sheet: Sheet) -> None:
    every = [(way, verb) for way in WAYS for verb in VERBS if (way, verb) not in ALWAYS]
    chosen = ALWAYS + random.Random("streams").sample(every, trials(3, len(every)))
    problems = {f"{verb}, {way}": _broken(place, verb, way, at) for at, (way, verb) in enumerate(chosen)}
    problems = {what: those for what, those in problems.items() if those}
    sheet.add("F3", "stdout, stderr shut, broken or full, every verb", len(chosen), len(problems))
    assert not problems, problems
