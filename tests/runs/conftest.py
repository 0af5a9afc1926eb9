"""A small comparison: its eval set, its model and what the model was asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.small_comparison import Small


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Small:
    made = Small(tmp_path)
    monkeypatch.setenv("ASKED", str(made.log))
    return made
