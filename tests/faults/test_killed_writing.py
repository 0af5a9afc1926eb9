"""`init`, `export evalset` and `check --fix`, killed at each step of writing: what they write is there whole or not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from advisor.core.errors import EvalSetError
from advisor.core.shipped import fix_data, load_evalset, shipped
from tests.faults.sheet import Sheet, trials
from tests.faults.warm import ROOT
from tests.small_comparison import write_evalset

KILLED = """
import hashlib, json, os, shutil, signal, sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typer.main import get_command
from advisor.cli import app

pristine, place, words, every = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3].split(), int(sys.argv[4])
steps = {"write", "writelines", "fsync", "rename", "replace", "unlink", "mkdir", "rmdir"}
callers = {"files.py", "writing.py", "fixing.py", "common.py", "pathlib.py", "shutil.py"}
command = get_command(app)

def again():
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(pristine, place, symlinks=True)
    os.chdir(place)

def run(last):
    seen = 0
    def watch(frame, event, argument):
        nonlocal seen
        if event == "c_call" and argument.__name__ in steps and Path(frame.f_code.co_filename).name in callers:
            seen += 1
            if seen == last:
                os.kill(os.getpid(), signal.SIGKILL)
    again()
    if last:
        sys.setprofile(watch)
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        try:
            command.main(words, prog_name="advisor", standalone_mode=False)
        except SystemExit:
            pass

def found():
    files = sorted(path for path in place.rglob("*") if path.is_file())
    shown = [path.relative_to(place) for path in files]
    return {str(path): hashlib.sha256((place / path).read_bytes()).hexdigest()
            for path in shown if not any(part.startswith(".") for part in path.parts)}

def forked(last):
    child = os.fork()
    if child == 0:
        try:
            run(last)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])

again()
before = found()
run(0)  # imports everything
states = [before, found()]
for last in range(1, 5000, every):
    killed = forked(last)
    states.append(found())
    if not killed:
        break
print(json.dumps(states))
"""
COMMANDS = {
    "init evalset new": ("new/evalset.yaml", 3),
    "init evalset there --force": ("there/evalset.yaml", 3),
    "init evalset half": ("half/evalset.yaml", 3),
    "init strategy there.py --force": ("there.py", 1),
    "export evalset small -o rows.jsonl --force": ("rows.jsonl", 1),
    "check small --embed 0 --fix fixed": ("fixed/evalset.yaml", 7),
}
"""With what is there only once it is whole, and how many steps lie between two kills in CI."""


def _pristine(folder: Path) -> Path:
    write_evalset(folder / "small")
    write_evalset(folder / "there", train=4, dev=2, test=4)
    (folder / "half").mkdir()
    (folder / "half" / "notes.txt").write_text("mine")
    for name in ("there.py", "rows.jsonl"):
        (folder / name).write_text("earlier\n" * 3)
    return folder


@pytest.mark.parametrize("words", COMMANDS)
def test_killed_at_every_step_of_writing(tmp_path: Path, sheet: Sheet, words: str) -> None:
    pristine, place = _pristine(tmp_path / "pristine"), tmp_path / "place"
    last, every = COMMANDS[words]
    home = {"ADVISOR_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(pristine), str(place), words, str(trials(every, 1))],
        env={**os.environ, **home},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    before, after, *states = json.loads(done.stdout)
    broken = [state for state in states if state not in (before, after) and not _unfinished(state, before, after, last)]
    sheet.add("D1", f"writing: {words}", len(states), len(broken))
    assert before != after
    assert states[-1] == after
    assert len(states) > 2
    assert not broken, broken[:2]


def _unfinished(state: dict[str, str], before: dict[str, str], after: dict[str, str], last: str) -> bool:
    """Say whether a set in a folder that was there is one that cannot be read: its evalset.yaml says so."""
    if not last.endswith("evalset.yaml") or Path(last).parts[0] not in {Path(name).parts[0] for name in before}:
        return False
    own, theirs = state.get(last), (before.get(last), after[last])
    return own is not None and own not in theirs


def test_a_set_that_was_not_written_to_its_end_is_refused(tmp_path: Path) -> None:
    write_evalset(tmp_path / "there")
    (tmp_path / "there" / "evalset.yaml").write_bytes(shipped("evalsets.writing")._UNFINISHED)
    with pytest.raises(EvalSetError, match=r"evalset\.yaml"):
        load_evalset(str(tmp_path / "there"))


def test_a_cleaned_copy_holds_nothing_from_elsewhere(tmp_path: Path) -> None:
    folder = write_evalset(tmp_path / "small")
    (tmp_path / "secret").write_text("mine")
    (folder / "own.txt").write_text("theirs")
    (folder / "inside.txt").symlink_to("own.txt")
    for name, target in {"a.txt": "../secret", "b.txt": "../small2/secret", "c.txt": "a.txt"}.items():
        (folder / name).symlink_to(target)
    (tmp_path / "small2").mkdir()
    (tmp_path / "small2" / "secret").symlink_to(tmp_path / "secret")
    changes = fix_data(str(folder), tmp_path / "fixed")
    assert {path.name for path in (tmp_path / "fixed").glob("*.txt")} == {"own.txt", "inside.txt"}
    assert not any("mine" in path.read_text(encoding="utf-8") for path in (tmp_path / "fixed").iterdir())
    assert [change.id for change in changes if "leads out" in change.why] == ["a.txt", "b.txt", "c.txt"]


@pytest.mark.parametrize("name", ["evalset.yaml", "train.jsonl", "dev.jsonl", "test.jsonl"])
def test_a_set_whose_own_files_lie_elsewhere_is_not_copied(tmp_path: Path, name: str) -> None:
    folder = write_evalset(tmp_path / "small")
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    with pytest.raises(EvalSetError, match="copies nothing from elsewhere"):
        fix_data(str(folder), tmp_path / "fixed")
    assert not (tmp_path / "fixed").exists()
