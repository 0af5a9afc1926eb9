"""What the fault tests share: the sheet of figures, and a warm interpreter that starts a command in no time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.sheet import Sheet
from tests.faults.warm import Warm


@pytest.fixture(scope="session")
def sheet() -> Sheet:
    """Where a test writes its figure down."""
    return Sheet()


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """Starts `advisor` commands by forking an interpreter that has imported everything."""
    with Warm(Path(tmp_path_factory.mktemp("warm"))) as opened:
        yield opened
