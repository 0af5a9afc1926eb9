# ruff: noqa: E501
"""N1: without an endpoint nothing leaves: a whole comparison in a network of its own, every connection written down."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sheet import Sheet
from small_comparison import write_evalset, write_model

TOOLS = ("strace", "unshare")


@pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason="needs strace and unshare")
def test_a_comparison_connects_to_nobody(tmp_path: Path, sheet: Sheet) -> None:
    write_evalset(tmp_path / "set", train=6, dev=3, test=6)
    write_model(tmp_path)
    own = {"ADVISOR_HOME": str(tmp_path / "home"), "ASKED": str(tmp_path / "asked")}
    log = tmp_path / "connections"
    words = [
        "compare",
        "set",
        "--model",
        "scripted:answers.py:answer",
        "-s",
        "majority",
        "-s",
        "zero_shot",
        "-o",
        "r.html",
    ]
    done = subprocess.run(
        ["unshare", "-rn", "strace", "-f", "-qq", "-e", "trace=connect,sendto", "-o", str(log), sys.executable, "-m", "advisor", *words],
        cwd=tmp_path, env={**os.environ, **own}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    if "Operation not permitted" in done.stderr:
        pytest.skip("this machine lets nobody make a network of their own")
    assert done.returncode == 0, done.stderr[-1500:]
    found = [line for line in log.read_text().splitlines() if "AF_INET" in line and "127.0.0.1" not in line]
    sheet.add("N1", "connections of a comparison without a network, by strace", 1, len(found))
    assert not found, "\n".join(found[:5])
