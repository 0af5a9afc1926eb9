"""D9: SIGKILL during LoRA training and while a checkpoint is written: it goes on from the last whole checkpoint."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.sheet import Sheet, trials

pytestmark = pytest.mark.weights


def test_training_goes_on_from_the_last_whole_checkpoint(tmp_path: Path, sheet: Sheet) -> None:
    script = Path(__file__).with_name("training.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path), str(trials(5, 50)), "D9"],
        capture_output=True,
        text=True,
        check=False,
        timeout=3000,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    said = f"{found['saving']} of them while a checkpoint was written"
    sheet.add("D9", "SIGKILL during LoRA training: the same adapter, byte for byte", found["killed"],
              len(found["wrong"]), said)  # fmt: skip
    assert not found["wrong"]
