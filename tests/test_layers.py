"""Every import points down: a package names only those behind it in LAYERS, and no two files name each other."""

from __future__ import annotations

import ast
import tomllib
from graphlib import TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = (
    *("__main__", "cli", "advice", "monitoring", "runs", "testing", "models", "decision", "economics"),
    *("stats", "core", "_util"),
)


def test_every_import_points_down_and_none_in_a_circle() -> None:
    files = _files("advisor")
    imports: dict[str, set[str]] = {}
    for name, path in files.items():
        imports[name] = _imported(name, path, files) - {name}
        up = [other for other in imports[name] if _floor(other) < _floor(name)]
        assert not up, f"{name} imports {up}, which stands above it"
    TopologicalSorter(imports).prepare()


@pytest.mark.parametrize("neighbour", ["strategies", "evalsets", "reports"])
def test_no_two_files_of_a_neighbour_name_each_other(neighbour: str) -> None:
    files = _files(neighbour)
    TopologicalSorter({name: _imported(name, path, files) - {name} for name, path in files.items()}).prepare()


def _files(folder: str) -> dict[str, Path]:
    """Return the files of a folder by their dotted names; of `advisor` those in its rooms, and `__main__`."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in (ROOT / folder).rglob("*.py")
        if path.parent != ROOT / "advisor" or path.stem == "__main__"
    }


def _floor(module: str) -> int:
    return LAYERS.index(module.split(".")[1])


def _imported(name: str, path: Path, files: dict[str, Path]) -> set[str]:
    """Return what a file imports of the package, under `TYPE_CHECKING` and inside functions too."""
    package = name if path.stem == "__init__" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            found |= {f"{base}.{alias.name}" if f"{base}.{alias.name}" in files else base for alias in node.names}
    return found & files.keys()


def test_the_top_of_the_core_is_a_list_of_rooms() -> None:
    top = [path.name for path in (ROOT / "advisor").iterdir() if path.name != "__pycache__"]
    assert len(top) <= 14, sorted(top)
    assert {name for name in top if (ROOT / "advisor" / name).is_dir()} <= set(LAYERS)


def test_every_package_is_installed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    folders = ("advisor", "strategies", "evalsets", "reports")
    inits = (path for folder in folders for path in (ROOT / folder).rglob("__init__.py"))
    names = (".".join(path.parent.relative_to(ROOT).parts) for path in inits)
    assert sorted(listed) == sorted(name if name.startswith("advisor") else f"advisor.{name}" for name in names)
