"""The public list is the truth: every name resolves, nothing public is missing, and importing is quick."""

from __future__ import annotations

import ast
import re
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


DOCUMENTED = [
    (f"{page.name}:{text.count(chr(10), 0, block.start()) + 1}", block["code"])
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    for text in [page.read_text(encoding="utf-8")]
    for block in re.finditer(r"^```python\n(?P<code>.*?)^```$", text, re.M | re.S)
]


@pytest.mark.parametrize(("place", "code"), DOCUMENTED, ids=[place for place, _ in DOCUMENTED])
def test_documentation_uses_public_names_only(place: str, code: str) -> None:
    assert used_of_advisor(code) <= set(advisor.__all__), place


@pytest.mark.parametrize("path", sorted((ROOT / "strategies").glob("*.py")), ids=lambda path: path.name)
def test_built_in_strategies_use_public_names_only(path: Path) -> None:
    assert used_of_advisor(path.read_text(encoding="utf-8")) <= set(advisor.__all__)


def test_the_page_on_strategies_lists_what_the_built_ins_import() -> None:
    page = (ROOT / "docs" / "custom-strategies.md").read_text(encoding="utf-8")
    rows = page.partition("| from `advisor` | for |\n")[2].partition("\n\n")[0].splitlines()[1:]
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    files = (ROOT / "strategies").glob("*.py")
    assert listed == set().union(*(used_of_advisor(path.read_text(encoding="utf-8")) for path in files))


def test_names_that_are_not_public_would_be_found() -> None:
    assert used_of_advisor("import advisor\nadvisor.compare\nadvisor.core.types") == {"compare", "core"}
    assert used_of_advisor("import advisor as a\nfrom advisor import Run\na.b()") == {"b", "Run"}
    assert used_of_advisor("from advisor.core.types import Run\nimport advisor.core") == {"core.types", "core"}


def used_of_advisor(code: str) -> set[str]:
    """Return the names that `code` takes from `advisor`; those from its modules with the module before them."""
    nodes = list(ast.walk(ast.parse(code)))
    plain = [alias for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    called = {alias.asname or alias.name for alias in plain if alias.name == "advisor"}
    found = {alias.name.partition(".")[2] for alias in plain if alias.name.startswith("advisor.")}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module == "advisor":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").startswith("advisor."):
            found.add((node.module or "").partition(".")[2])
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in called:
            found.add(node.attr)
    return found


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
