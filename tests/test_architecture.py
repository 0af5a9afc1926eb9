"""docs/architecture.md says what there is: every path is there, every room is in the table, floor by floor."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.test_layers import LAYERS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PATHS = sorted(set(re.findall(r"`((?:advisor|strategies|evalsets|reports|tests)/[\w./-]*)`", PAGE)))


@pytest.mark.parametrize("path", PATHS)
def test_what_the_page_names_is_there(path: str) -> None:
    if "NAME" in path:  # to be written by whoever adds something: the folder has others of the kind
        folder = (ROOT / path).parent
        assert len(list(folder.glob("*.py"))) > 1
    else:
        assert (ROOT / path).exists()
        assert (ROOT / path).is_dir() == path.endswith("/")


def test_every_room_stands_on_its_floor() -> None:
    rooms = re.findall(r"^\| `advisor/(\w+)/` \|", PAGE, re.M)
    there = [room for room in LAYERS if (ROOT / "advisor" / room / "__init__.py").exists()]
    assert rooms == there


def test_every_kind_that_is_registered_says_where_to_add_one() -> None:
    from advisor.core.registry import KINDS

    words = {"strategies": "a strategy", "models": "a kind of model", "metrics": "a metric", "readers": "a reader"}
    words |= {"evalsets": "EvalSet", "reports": "a report format"}
    assert set(words) == set(KINDS)
    assert all(word in PAGE for word in words.values())


def test_it_is_one_page() -> None:
    assert len(PAGE.splitlines()) <= 90
