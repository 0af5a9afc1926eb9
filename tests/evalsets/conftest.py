"""A small eval set in a folder, which a test can then spoil."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from advisor.core.shipped import shipped

shipped("evalsets")

Write = Callable[..., Path]


def rows(split: str, count: int) -> list[dict[str, Any]]:
    return [{"id": f"{split}-{n}", "input": f"{split} question {n}", "target": "ab"[n % 2]} for n in range(count)]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a folder with an eval set; keywords replace files by name, with `__` for the dot."""

    def writer(**files: str | bytes | list[dict[str, Any]] | None) -> Path:
        folder = tmp_path / "mine"
        folder.mkdir(exist_ok=True)
        default: dict[str, Any] = {
            "evalset__yaml": "name: mine\ninstruction: Answer.\nmetric: exact_match\n",
            "train__jsonl": rows("train", 30),
            "test__jsonl": rows("test", 10),
        }
        for name, content in {**default, **files}.items():
            path = folder / name.replace("__", ".")
            if isinstance(content, list):
                content = "".join(json.dumps(row) + "\n" for row in content)
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder

    return writer


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(2026)
