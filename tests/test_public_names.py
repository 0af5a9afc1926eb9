"""The public list is the truth: every name resolves, nothing public is missing, and importing is quick."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import advisor

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", advisor.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(advisor, name) is not None


def test_list_is_sorted_and_is_what_dir_shows() -> None:
    assert sorted(advisor.__all__) == advisor.__all__ == dir(advisor)
    assert len(set(advisor.__all__)) == len(advisor.__all__)


def test_type_checkers_see_the_same_names_from_the_same_places() -> None:
    tree = ast.parse((ROOT / "advisor" / "__init__.py").read_text(encoding="utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    typed = {
        alias.asname or alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(typed) | {"__version__"} == set(advisor.__all__)
    assert typed == advisor._HOME_OF


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = advisor.nothing


def test_version_is_the_distributions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert advisor.__version__ == project["version"]


def test_import_loads_nothing_heavy() -> None:
    code = "import sys, advisor; print(len([name for name in sys.modules if name.split('.')[0] in ('numpy', 'torch')]))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"
