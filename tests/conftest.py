"""What several test files share: a home of their own for every test, and the embedded model, opened once."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from advisor.models.local.model import LocalModel

ROOT = Path(__file__).parent.parent
DATASETS = Path(os.environ.get("ADVISOR_DATA_MIRROR", ROOT.parent / "shared" / "datasets"))

settings.register_profile(
    "the same everywhere", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("the same everywhere")
"""The same examples on every machine, however slow: a failure is in the code, not in the day."""


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the results of every test in a folder of its own; the weights stay in the shared cache."""
    folder = tmp_path / "advisor-home"
    monkeypatch.setenv("ADVISOR_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def local_model() -> LocalModel:
    """The embedded model in fp32 (what is compared to 1e-3 must not depend on the processor); fetched once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from advisor.models.local.model import open_local

        return open_local("smollm2", precision="fp32")
