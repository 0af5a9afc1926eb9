"""One word, one meaning: no two classes of the project share a name."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("advisor", "strategies", "evalsets", "reports")


def test_no_two_classes_share_a_name() -> None:
    homes: defaultdict[str, list[str]] = defaultdict(list)
    for path in (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        place = str(path.relative_to(ROOT))
        if place.startswith("evalsets/data/"):  # the tools of shipped sets are written as a user would write them
            continue
        for node in ast.parse(path.read_bytes()).body:
            if isinstance(node, ast.ClassDef):
                homes[node.name.lstrip("_")].append(place)
    assert not {name: places for name, places in homes.items() if len(places) > 1}
