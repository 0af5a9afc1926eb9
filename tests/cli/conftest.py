"""The command line, in this process and in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from advisor.cli import app
from tests.cli.command import FIRST_WORDS, ROOT, Advise, Result


@pytest.fixture
def advise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Advise:
    """``advisor ...`` in an empty folder, with a home of its own; in this process, which is quicker."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, environment: Mapping[str, str] | None = None) -> Result:
        own = {"ADVISOR_HOME": str(tmp_path / "home"), "COLUMNS": "100", "NO_COLOR": "1"}
        done = CliRunner().invoke(app, arguments, env={**own, **(environment or {})}, catch_exceptions=False)
        return Result(arguments, done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture
def process(tmp_path: Path) -> Advise:
    """The same in a process of its own."""

    def run(*arguments: str, environment: Mapping[str, str] | None = None) -> Result:
        own = {"PYTHONPATH": str(ROOT), "ADVISOR_HOME": str(tmp_path / "home"), **(environment or {})}
        command = [sys.executable, "-m", "advisor", *arguments]
        return subprocess.run(command, cwd=tmp_path, env={**os.environ, **own}, capture_output=True, text=True)

    return run


@pytest.fixture
def mine(advise: Advise, tmp_path: Path) -> list[str]:
    """An eval set, a strategy and a model of one's own: what ``advisor compare`` is told to use them."""
    advise("init", "evalset", "mine")
    (tmp_path / "answers.py").write_text("def answer(request):\n    return 'billing'\n")
    (tmp_path / "mine.py").write_text(FIRST_WORDS)
    return ["compare", "mine", "--model", "scripted:answers.py:answer"]
