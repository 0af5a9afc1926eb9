"""One word, one meaning: no two classes or types of the project share a name."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("advisor", "strategies", "evalsets", "reports")


def test_no_two_classes_or_types_share_a_name() -> None:
    homes: defaultdict[str, list[str]] = defaultdict(list)
    for path in (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        place = str(path.relative_to(ROOT))
        if place.startswith("evalsets/data/"):  # the tools of shipped sets are written as a user would write them
            continue
        for node in ast.parse(path.read_bytes()).body:
            if name := type_name(node):
                homes[name.lstrip("_")].append(place)
    assert not {name: places for name, places in homes.items() if len(places) > 1}


def type_name(node: ast.stmt) -> str:
    """Return the name of a class, or of a type that is written ``Name = ...``; empty for everything else."""
    if isinstance(node, ast.ClassDef):
        return node.name
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        name = node.targets[0].id
        return name if name.lstrip("_")[:1].isupper() and not name.isupper() else ""
    return ""
