# ruff: noqa: E501
"""What may be installed: the lock, banned packages, floors; no hint to install our name."""

from __future__ import annotations

import re
import subprocess
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
FLOORS: dict[str, str] = {"transformers": "5.3", "torch": "2.6", "jinja2": "3.1.6", "pyarrow": "14.0.1", "ray": "2.54"}


PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def holds(one: Requirement, python: str) -> bool:
    return one.marker is None or one.marker.evaluate(
        {"extra": "", "python_version": python, "python_full_version": f"{python}.7"}
    )


def locked(python: str, *files: str) -> dict[str, Version]:
    """Return what the lock installs on this platform with one version of Python; of torch the CPU build."""
    lines = re.findall(r"^([a-z].*?) \\$", "\n".join(LOCK[file] for file in files or LOCK), re.M | re.I)
    pins = [one for one in map(Requirement, lines) if holds(one, python)]
    return {str(canonicalize_name(one.name)): Version(str(one.specifier).removeprefix("==")) for one in pins}


def asked(*extras: str) -> list[Requirement]:
    extra = PROJECT["optional-dependencies"]
    return [
        Requirement(line) for line in (*PROJECT["dependencies"], *(line for name in extras for line in extra[name]))
    ]


def test_every_locked_release_is_exact_and_has_checksums() -> None:
    tools = (ROOT / "lock" / "tools.txt").read_text()
    for name, text in {**LOCK, "tools": tools}.items():
        blocks = re.split(r"\n(?=\w)", text.partition("\n")[2].strip())
        assert all(
            re.match(r"[\w.-]+==[^\s*]+( ; .+)?( \\\n    --hash=sha256:[0-9a-f]{64})+$", one) for one in blocks
        ), name
        assert "://" not in text


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_holds_what_the_project_asks_for(python: str) -> None:
    for files, extras in (
        (("run", "cpu"), ()),
        (("run", "cpu", "dev"), ("parquet", "gepa", "pdf", "dev")),
        ((), ("faults",)),
    ):
        pins = locked(python, *files)
        for one in asked(*extras):
            assert not holds(one, python) or pins[canonicalize_name(one.name)] in one.specifier, f"{one}: `make lock`"


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_is_closed(python: str) -> None:
    """What a locked distribution that is installed here asks for is locked too, for every Python, at a release it takes."""
    pins = locked(python)
    for one in distributions():
        if pins.get(canonicalize_name(str(one.metadata["Name"]))) != Version(one.version):
            continue
        for need in map(Requirement, one.requires or ()):
            if holds(need, python):
                assert need.specifier.contains(pins[canonicalize_name(need.name)], prereleases=True), (one.name, need)


def test_no_banned_package_is_installed_locked_or_asked_for() -> None:
    installed = {canonicalize_name(str(each.metadata["Name"])) for each in distributions()}
    assert not installed & BANNED
    assert not {canonicalize_name(one.name) for one in asked(*PROJECT["optional-dependencies"])} & BANNED
    assert not {name for text in LOCK.values() for name in re.findall(r"^([\w.-]+)==", text, re.M)} & BANNED


def test_chromadb_is_neither_locked_nor_asked_for() -> None:
    """Nothing of ours needs it, and its server runs a stranger's code (SECURITY.md)."""
    assert "chromadb" not in {one.name for one in asked(*PROJECT["optional-dependencies"])} | set(locked("3.11"))


def test_floors_are_written_down_and_kept() -> None:
    pins = locked("3.11")
    for one in asked(*PROJECT["optional-dependencies"]):
        if floor := FLOORS.get(canonicalize_name(one.name)):
            least = min(Version(each.version) for each in one.specifier if each.operator in (">=", "=="))
            assert least >= Version(floor), one
    for name, floor in FLOORS.items():
        assert name not in pins or pins[name] >= Version(floor), name
        try:
            assert Version(version(name)) >= Version(floor), name
        except PackageNotFoundError:
            continue


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
