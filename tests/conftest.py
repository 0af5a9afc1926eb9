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

if "PYTEST_XDIST_WORKER" in os.environ:  # before torch is imported: two processes of as many threads take turns waiting
    os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).parent.parent
DATASETS = Path(os.environ.get("ADVISOR_DATA_MIRROR", ROOT.parent / "shared" / "datasets"))

settings.register_profile(
    "the same everywhere", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("the same everywhere")
"""The same examples on every machine, however slow: a failure is in the code, not in the day."""

SLOWER = (
    "advice/test_stored.py",
    "cli/test_ask.py",
    "cli/test_bad_input.py",
    "cli/test_cli.py",
    "core/test_metrics.py",
    "decision/test_degenerate.py",
    "decision/test_learning_curve.py",
    "decision/test_probe_guards.py",
    "evalsets/test_data_checks.py",
    "evalsets/test_evalset_file.py",
    "evalsets/test_house_voice.py",
    "evalsets/test_loading.py",
    "evalsets/test_public.py",
    "evalsets/test_quality.py",
    "evalsets/test_readers.py::test_damaged",
    "faults",
    "models/test_endpoint_concurrency.py",
    "models/test_endpoint_tuning.py",
    "models/test_local_generation.py",
    "models/test_local_layers.py",
    "reports/test_browser.py",
    "reports/test_charts.py",
    "reports/test_curves.py",
    "reports/test_data.py",
    "reports/test_guard_list.py",
    "reports/test_html.py",
    "reports/test_machine.py",
    "reports/test_prompt_search.py",
    "reports/test_steps.py",
    "runs/test_archive.py",
    "runs/test_command_lines.py",
    "runs/test_compare.py",
    "runs/test_curve_runs.py",
    "runs/test_plan.py",
    "runs/test_probes.py",
    "runs/test_resume.py",
    "runs/test_store.py",
    "stats/test_hypothesis_tests.py::test_holm",
    "stats/test_intervals.py::test_intervals_cover",
    "strategies/test_contract.py",
    "strategies/test_optimised_prompt.py",
    "strategies/test_rag.py",
    "test_docs.py::test_the_words_explained",
    "testing",
)
"""What `make quick` leaves out because of its time; `make test` runs it."""

ALONE = (
    "faults/test_no_network.py",
    "faults/test_soak.py",
    "faults/test_training.py",
    "faults/test_untrusted.py::test_a_bomb",
    "packaging",
)
"""What measures memory or seconds, trains, or installs: one after the other, in one process."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `make quick` leaves out, and what two processes of pytest must not do at once."""
    for item in items:
        where = item.nodeid.partition("tests/")[2]
        if where.startswith(SLOWER):
            item.add_marker(pytest.mark.slower)
        if item.get_closest_marker("weights") or where.startswith(ALONE):
            item.add_marker(pytest.mark.alone)  # two trainings want the same cores


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
