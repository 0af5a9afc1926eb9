"""What the fault tests share: the sheet of figures."""

from __future__ import annotations

import pytest
from sheet import Sheet


@pytest.fixture(scope="session")
def sheet() -> Sheet:
    """Where a test writes its figure down."""
    return Sheet()
