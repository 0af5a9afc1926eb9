"""Unusual surroundings: a user without a home, ``~`` where no shell expands it, and a Python without docstrings."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest
from typer.testing import CliRunner

from advisor.cli import app
from advisor.core.paths import cache, expanded, home
from advisor.core.shipped import shipped
from tests.faults.sheet import Sheet
from tests.faults.warm import ROOT
from tests.small_comparison import write_evalset, write_rows, write_strategy

COMPARISON = """
evalset: ~/small
model: scripted:~/answers.py:answer
strategies: ["~/mine.py:FirstWord", majority]
suite: ~/suite.jsonl
checks: none
draws: 200
output: [~/report.json]
"""
LINES = (
    "check ~/small --embed 0 --fix ~/fixed -o ~/check.json",
    "export evalset ~/small -o ~/rows.jsonl",
    "export evalset ~/rows.jsonl --check",
    "init evalset ~/new",
    "init evalset ~/split --from ~/table.jsonl --split content",
    "init strategy ~/own.py",
    "init comparison ~/scaffold.yaml",
    "compare --config ~/c.yaml --trust-code",
    "compare ~/small --model scripted:~/answers.py:answer --strategy majority --checks none -o ~/second.csv",
    "report -o ~/again.md",
    "export run -o ~/run.zip",
    "import ~/run.zip",
    "ask --config ~/ask.yaml --yes",
)
WRITTEN = (
    "fixed/train.jsonl", "check.json", "rows.jsonl", "new/evalset.yaml", "split/evalset.yaml", "own.py",
    "scaffold.yaml", "report.json", "second.csv", "again.md", "run.zip", "kept/store.sqlite",
)  # fmt: skip


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be a user of a container: without HOME and without an entry in the list of users, in an empty folder."""

    def unknown(uid: int) -> NoReturn:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "ADVISOR_HOME", "ADVISOR_CACHE", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("list runs", 1, "export ADVISOR_HOME=$PWD/tuneworthy"),
        ("report", 1, "export ADVISOR_HOME=$PWD/tuneworthy"),
        ("clean --dry-run", 1, "export ADVISOR_HOME=$PWD/tuneworthy"),
        ("doctor", 1, "export ADVISOR_HOME=A_FOLDER"),
        ("ask --yes", 0, ""),
        ("list strategies", 0, "majority"),
        ("init evalset ~/new", 2, "export HOME="),
        ("init comparison ~/c.yaml", 2, "export HOME="),
        ("check harrow_desk --embed 0 -o ~/check.json", 2, "export HOME="),
        ("check ~/small --embed 0", 2, "export HOME="),
    ],
)
def test_a_user_without_a_home_is_told_what_to_set(nobody: Path, line: str, code: int, says: str) -> None:
    done = CliRunner().invoke(app, line.split(), catch_exceptions=False)
    assert done.exit_code == code, done.output
    assert says in done.output
    assert not list(nobody.iterdir())


def test_a_user_without_a_home_works_in_the_folders_that_are_set(nobody: Path) -> None:
    env = {"ADVISOR_HOME": "kept", "ADVISOR_CACHE": "again"}
    done = CliRunner().invoke(app, ["list", "runs"], env=env, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert [path.name for path in nobody.iterdir()] == ["kept"]


def test_a_wave_is_the_home_folder_wherever_a_path_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sheet: Sheet
) -> None:
    mine = tmp_path / "mine"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    write_evalset(mine / "small")
    write_strategy(mine)
    write_rows(mine / "suite.jsonl", [{"input": "2 + 2?", "target": "4"}])
    write_rows(mine / "table.jsonl", [{"input": f"the {at}th", "target": "ab"[at % 2]} for at in range(90)])
    (mine / "answers.py").write_text("def answer(request): return 'billing'\n")
    (mine / "c.yaml").write_text(COMPARISON)
    (mine / "ask.yaml").write_text("kind: format\n")
    for name, value in {"HOME": str(mine), "ADVISOR_HOME": "~/kept"}.items():
        monkeypatch.setenv(name, value)
    for line in LINES:
        done = CliRunner().invoke(app, line.split(), catch_exceptions=False)
        assert done.exit_code in (0, 100), f"{line}: {done.output}"
    monkeypatch.setenv("ADVISOR_OUTPUT", "~/by-variable.json")
    assert CliRunner().invoke(app, ["report"], catch_exceptions=False).exit_code == 0
    missing = [name for name in (*WRITTEN, "by-variable.json") if not (mine / name).exists()]
    sheet.add("F4", "~ in flags, variables and comparison files", len(LINES) + 1, len(missing))
    assert not missing
    assert not list((tmp_path / "elsewhere").iterdir())


def test_variables_that_name_folders_expand_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, folder in (("ADVISOR_HOME", home), ("ADVISOR_CACHE", cache)):
        monkeypatch.setenv(name, f"~/{name}")
        assert folder() == tmp_path / name
    monkeypatch.setenv("ADVISOR_DATA_MIRROR", "~/mirror")
    write_evalset(tmp_path / "mirror" / "rte")
    assert shipped("evalsets.public").mirrored("rte") == tmp_path / "mirror" / "rte"
    assert expanded("~nobody-of-that-name/x") == Path("~nobody-of-that-name/x")


# --- without docstrings ----------------------------------------------------------------------------------------------

ASKED = """
import json, sys
from advisor.cli import app
from advisor.core.brought_code import BroughtCode
from advisor.core.shipped import load_evalset
from advisor.core.tools import tool_from_function
from typer.main import get_command

def helps(command, name=""):
    found = {name: command.help}
    for own, one in getattr(command, "commands", {}).items():
        found |= helps(one, f"{name} {own}")
    return found

def example(city: str) -> str:
    '''Say the weather.

    Args:
        city: where.
    '''

def told(open_it):
    try:
        return str(open_it())
    except Exception as error:
        return f"{type(error).__name__}: {error}"

def opened():
    from advisor.models.opening import open_model
    open_model("smollm2")

made = {}
exec("def nowhere(x: int) -> int:\\n    'Doubles.'\\n    return 2 * x", made)
desk = load_evalset("harrow_desk")
print(json.dumps({
    "helps": helps(get_command(app)),
    "tools": [str(tool.spec) for tool in desk.tools],
    "called": told(lambda: desk.tools[0].call({"order_id": "HP-1001"})),
    "own": str(tool_from_function(example).spec),
    "nowhere": told(lambda: tool_from_function(made["nowhere"])),
    "model": told(opened) if sys.flags.optimize else "",
}))
"""


def test_a_python_without_docstrings_says_what_another_one_says(tmp_path: Path) -> None:
    (tmp_path / "asked.py").write_text(ASKED)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(tmp_path / "asked.py")]
    whole, bare = (
        json.loads(
            subprocess.run(command, env={**env, "PYTHONOPTIMIZE": level}, stdout=subprocess.PIPE, check=True).stdout
        )
        for level in ("", "2")
    )
    for name in ("helps", "tools", "called", "own"):
        assert bare[name] == whole[name], name
    assert all(whole["helps"].values())
    assert len(whole["tools"]) > 1
    assert "Doubles" in whole["nowhere"] or "Tool" in whole["nowhere"]
    for said in (bare["nowhere"], bare["model"]):
        assert "docstring" in said
        assert "unset PYTHONOPTIMIZE" in said
