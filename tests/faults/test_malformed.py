"""F1: no input, however spoilt, gets more than one sentence out of a parser, nor more than 2 seconds and 512 MB."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.malformed import MOST_MB, MOST_SECONDS, parsers
from tests.faults.sheet import FULL, Sheet, trials

HERE = Path(__file__).parent
SLOW = {"model folder": (20, 1_000), "adapter folder": (20, 1_000)}
"""Parsers that take a tenth of a second an input: how many are made in the sample and in the full sweep."""
NAMED = 0.95


def child(*words: str, seconds: float) -> dict[str, Any]:
    """Run a script beside this one and return the line of JSON it prints."""
    path = os.pathsep.join((str(HERE.parents[1]), *sys.path))
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=seconds, cwd=HERE.parents[1],
        env={**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", parsers())
def test_spoilt_input(name: str, sheet: Sheet) -> None:
    count = trials(*SLOW.get(name, (100, 10_000)))
    got = child(str(HERE / "malformed.py"), name, str(count), "1", seconds=3600)
    share = got["named"] / got["refused"] if got["refused"] else 1.0
    measured = f"{got['refused']:,} refused, {share:.0%} with a place; {got['slowest']:.2f} s, {got['grown_mb']:.0f} MB"
    sheet.add("F1", name, got["made"], got["violations"], measured)
    assert not got["broken"], "\n".join(got["broken"])
    assert got["slowest"] <= MOST_SECONDS
    assert got["grown_mb"] <= MOST_MB
    assert share >= NAMED


@pytest.mark.skipif(not FULL, reason="coverage-guided fuzzing belongs to the full sweep")
@pytest.mark.parametrize("name", ["reader jsonl", "reader csv", "folder evalset.yaml", "comparison file", "ask file"])
def test_coverage_guided(name: str, sheet: Sheet, tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed: pip install atheris")
    got = child(str(HERE / "guided.py"), name, "10000", str(tmp_path), seconds=3600)
    sheet.add("F1", f"{name}, coverage-guided (atheris)", got["made"], len(got["broken"]))
    assert not got["broken"], "\n".join(got["broken"])
