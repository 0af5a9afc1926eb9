# ruff: noqa: E501
"""What may be installed: the lock, banned packages, floors; chromadb's server stays off; no hint to install our name."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = {name: (ROOT / "lock" / f"{name}.txt").read_text() for name in ("run", "gpu", "cpu", "dev", "faults")}
BANNED = {"litellm", "dspy", "dspy-ai", "diskcache", "outlines", "evaluate", "distilabel"}
FLOORS = {"transformers": "5.3", "torch": "2.6", "jinja2": "3.1.6", "pyarrow": "14.0.1", "ray": "2.54"}


def locked() -> dict[str, Requirement]:
    lines = re.findall(r"^([a-z].*?) \\$", "\n".join(LOCK.values()), re.M | re.I)
    return {canonicalize_name(one.name): one for one in map(Requirement, lines)}


def asked(*extras: str) -> list[Requirement]:
    extra = PROJECT["optional-dependencies"]
    return [
        Requirement(line) for line in (*PROJECT["dependencies"], *(line for name in extras for line in extra[name]))
    ]


def everything() -> list[Requirement]:
    return [*asked(*PROJECT["optional-dependencies"]), *locked().values()]


def test_every_locked_release_is_exact_and_has_checksums() -> None:
    for name, text in LOCK.items():
        blocks = re.split(r"\n(?=\w)", text.partition("\n")[2].strip())
        assert all(
            re.match(r"[\w.-]+==[^\s*]+( ; .+)?( \\\n    --hash=sha256:[0-9a-f]{64})+$", one) for one in blocks
        ), name
        assert "://" not in text


@pytest.mark.parametrize(
    ("files", "extras"),
    [(("run", "cpu"), ()), (("run", "cpu", "dev"), ("parquet", "gepa", "dev")), (("faults",), ("faults",))],
)
def test_the_lock_holds_what_the_project_asks_for(files: tuple[str, ...], extras: tuple[str, ...]) -> None:
    pins, text = locked(), "".join(LOCK[file] for file in files)
    for one in asked(*extras) if extras != ("faults",) else asked(*extras)[-1:]:
        pin = pins[canonicalize_name(one.name)]
        assert one.specifier.contains(str(pin.specifier).removeprefix("==")), f"{one}: {pin}; type `make lock`"
        assert re.search(rf"^{re.escape(pin.name)}==", text, re.M), f"{pin} is locked for another purpose"


def test_the_lock_is_closed() -> None:
    """What any locked distribution that is installed here asks for is locked, at a release that it takes."""
    pins = locked()
    for one in distributions():
        name = canonicalize_name(str(one.metadata["Name"]))
        if (
            name not in pins
            or one.version.partition("+")[0] != str(pins[name].specifier).removeprefix("==").partition("+")[0]
        ):
            continue
        for need in map(Requirement, one.requires or ()):
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                pin = pins[canonicalize_name(need.name)]
                assert need.specifier.contains(str(pin.specifier).removeprefix("=="), prereleases=True), (name, need)


def test_no_banned_package_is_installed_locked_or_asked_for() -> None:
    installed = {canonicalize_name(str(each.metadata["Name"])) for each in distributions()}
    assert not installed & BANNED
    assert not {canonicalize_name(requirement.name) for requirement in everything()} & BANNED


def test_floors_are_written_down_and_kept() -> None:
    for requirement in everything():
        floor = FLOORS.get(name := canonicalize_name(requirement.name))
        if floor:
            least = min(Version(one.version) for one in requirement.specifier if one.operator in (">=", "=="))
            assert least >= Version(floor), requirement
            try:
                assert Version(version(name)) >= Version(floor), name
            except PackageNotFoundError:
                continue


NO_SERVER = """
import socket, sys
bound = []
socket.socket.bind = socket.socket.listen = lambda *arguments: bound.append(arguments)
from strategies.retrieval import _client
client = _client()
client.create_collection("one", embedding_function=None).add(ids=["1"], embeddings=[[1.0, 0.0]])
def listening():
    for name in ("/proc/self/net/tcp", "/proc/self/net/tcp6"):
        for line in open(name).read().splitlines()[1:]:
            if line.split()[3] == "0A":
                yield line.split()[9]
import os
def held():
    for number in os.listdir("/proc/self/fd"):
        try:
            yield os.readlink("/proc/self/fd/" + number)
        except OSError:
            pass
mine = {f"socket:[{inode}]" for inode in listening()} & set(held()) if os.path.exists("/proc/self/net/tcp") else set()
servers = [name for name in sys.modules if name.startswith(("chromadb.server", "chromadb.app", "chromadb.cli", "uvicorn", "fastapi"))]
print(bound, sorted(mine), servers, [name for name in sys.modules if name in ("onnxruntime", "sentence_transformers")])
"""


def test_chromadb_runs_without_its_server() -> None:
    """Nothing listens, no module of the server and no embedder of chromadb's own is loaded (SECURITY.md)."""
    said = subprocess.run([sys.executable, "-c", NO_SERVER], cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.stdout.split("\n")[-2:] == ["[] [] [] []", ""], said.stdout + said.stderr[-2000:]


def test_no_line_says_to_install_a_name_that_is_not_ours_yet() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = []
    for name in tracked.split():
        if name.startswith("tests/") or not name.endswith((".py", ".md", ".yaml", ".toml", ".jinja", "Makefile")):
            continue
        text = " ".join((ROOT / name).read_text(encoding="utf-8").split())
        found += [
            f"{name}: {one[0]}"
            for one in re.finditer(r"""pip3? install [^`;)]{0,60}?["' ]tuneworthy(?![\w.-]*\.whl)""", text)
        ]
    assert not found
