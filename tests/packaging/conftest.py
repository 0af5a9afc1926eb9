"""A wheel of the checkout and of a small plug-in, built once, each installed into a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = ("pyproject.toml", "README.md", "LICENSE", "advisor", "strategies", "evalsets", "reports")

Runner = Callable[..., subprocess.CompletedProcess[str]]


def run(*arguments: str, cwd: Path, paths: tuple[Path, ...] = ()) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(path) for path in paths)}
    return subprocess.run([sys.executable, *arguments], cwd=cwd, env=environment, text=True, capture_output=True)


def copy_of_checkout(target: Path) -> Path:
    """Copy what a build needs, so that building leaves nothing in the checkout."""
    target.mkdir()
    for name in SHIPPED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target / name)
    return target


METRIC = """
class Loud:
    name = "loud"

    def score(self, output, example):
        return float(output.isupper())

    def summarise(self, pairs):
        return {}
"""


def plant_evalset(folder: Path) -> None:
    """Write an eval set with a metric of its own, as a shipped one may have."""
    folder.mkdir()
    (folder / "evalset.yaml").write_text("instruction: Shout.\nmetric: loud.py:Loud\n")
    (folder / "loud.py").write_text(METRIC)
    for split in ("train", "test"):
        rows = [json.dumps({"input": f"{split} {n}", "target": f"{split} {n}".upper()}) for n in range(6)]
        (folder / f"{split}.jsonl").write_text("\n".join(rows))


@pytest.fixture(scope="session", name="run")
def runner() -> Runner:
    """Runs this Python: ``run(*arguments, cwd=..., paths=(...))`` with `paths` as its PYTHONPATH."""
    return run


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of the checkout's shipped part."""
    return copy_of_checkout(tmp_path / "source")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the checkout."""
    source = copy_of_checkout(tmp_path_factory.mktemp("build") / "source")
    plant_evalset(source / "evalsets" / "data" / "planted")
    built = run("-m", "build", "--wheel", "--no-isolation", "--outdir", "dist", ".", cwd=source)
    assert built.returncode == 0, built.stdout + built.stderr
    [found] = (source / "dist").glob("*.whl")
    return found


def install(what: Path, target: Path) -> Path:
    options = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check")
    done = run("-m", "pip", "install", *options, "--target", str(target), str(what), cwd=target.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH in which the wheel is installed."""
    return install(wheel, tmp_path_factory.mktemp("installed") / "site")


@pytest.fixture(scope="session")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH in which the plug-in is installed."""
    base = tmp_path_factory.mktemp("plugin")
    shutil.copytree(Path(__file__).parent / "plugin", base / "source")
    return install(base / "source", base / "site")
