"""The door to the three folders: found in a bare checkout, missed in one sentence, typed as what stands behind it."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from advisor.core import shipped
from advisor.core.errors import RegistryError
from advisor.core.types import Example

ROOT = Path(__file__).parents[2]
BARE = "import sys; sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in repr(f).lower()]\n"
BEHIND = {
    "load_evalset": "evalsets.loading:load",
    "split_file": "evalsets.loading:load_split",
    "check_data": "evalsets.data_checks:check_data",
    "fix_data": "evalsets.fixing:fix_data",
    "look_at_data": "evalsets.quality:look_at_data",
    "tuning_file": "evalsets.exporting:export",
    "validate_tuning_file": "evalsets.exporting:validate",
    "load_suite": "evalsets.suites:load",
    "score_suite_answer": "evalsets.suites:score",
    "fill_folder": "evalsets.writing:fill_folder",
    "save_evalset": "evalsets.writing:write_folder",
    "show_comparison": "reports.console:show",
    "comparison_json": "reports.machine:render_json",
    "save_comparison": "reports.writing:save",
    "plan_text": "reports.plan:as_text",
    "show_advice": "reports.advice:show",
    "advice_json": "reports.machine:render_advice",
    "show_calibration": "reports.advice:show_calibration",
    "show_data_report": "reports.data_report:show",
    "data_report_json": "reports.data_report:as_json",
    "save_data_report": "reports.data_report:save",
}


def run(code: str, folder: Path) -> str:
    done = subprocess.run([sys.executable, "-c", BARE + code], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_folders_beside_a_bare_checkout_are_found() -> None:
    code = "from advisor.core.shipped import shipped; print(*(shipped(f).__file__ for f in ('strategies', 'reports')))"
    assert run(code, ROOT).split() == [str(ROOT / name / "__init__.py") for name in ("strategies", "reports")]


def test_a_folder_that_is_missing_is_said_in_one_sentence(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "advisor", tmp_path / "advisor", ignore=shutil.ignore_patterns("__pycache__"))
    code = (
        "import advisor\ntry: advisor.load_evalset('harrow_desk')\nexcept advisor.AdvisorError as error: print(error)"
    )
    said = run(code, tmp_path)
    assert said.startswith("the installation is incomplete: the folder 'evalsets'")
    assert "pip install" in said


def test_a_module_that_cannot_be_imported_is_named() -> None:
    with pytest.raises(RegistryError, match=r"the module it cannot be imported: ModuleNotFoundError"):
        shipped.imported("advisor.evalsets.nothing", "the module it")


@pytest.mark.parametrize(("name", "place"), BEHIND.items())
def test_what_stands_behind_a_door_gives_what_the_door_says(name: str, place: str) -> None:
    module, _, attribute = place.partition(":")
    shipped.shipped(module.partition(".")[0])
    door = inspect.signature(getattr(shipped, name))
    behind = inspect.signature(getattr(import_module(f"advisor.{module}"), attribute))
    assert door.return_annotation == behind.return_annotation
    assert len(door.parameters) <= len(behind.parameters)


def test_every_door_is_compared() -> None:
    here = {
        name for name, one in vars(shipped).items() if inspect.isfunction(one) and one.__module__ == shipped.__name__
    }
    assert {name for name in here if name[0] != "_"} - {"imported", "shipped"} == set(BEHIND)


def test_items_of_the_shipped_suite_are_scored() -> None:
    items = shipped.load_suite("")
    assert items == shipped.load_suite("general")
    assert [shipped.score_suite_answer(item, item.target) for item in items[:20]] == [1.0] * 20
    assert shipped.score_suite_answer(Example("1", "?", "yes"), "no") == 0.0


def test_no_other_file_of_the_core_imports_a_neighbour_or_hides_an_import() -> None:
    for path in (ROOT / "advisor").rglob("*.py"):
        if (path.name == "__init__.py" and path.parent.name == "advisor") or path == Path(shipped.__file__):
            continue
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"advisor\.(strategies|evalsets|reports)\.|import_module\(", source), path
