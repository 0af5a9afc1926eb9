"""The wheel: what is in it, and that it runs where the checkout is not."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

Lines = Callable[..., list[str]]
ASK = """
import sys, advisor
from advisor.core import registry
strategy = registry.make("strategies", "majority")
print(advisor.__file__)
print(type(strategy).__module__)
print(len(registry.names("evalsets")))
print(len(advisor.core.shipped.load_suite("")))
print(sorted({name.partition(".")[0] for name in sys.modules} & {"strategies", "evalsets", "reports"}))
"""


@pytest.fixture
def lines(run: Any) -> Lines:
    def asked(cwd: Path, *paths: Path) -> list[str]:
        done = run("-c", ASK, cwd=cwd, paths=paths)
        assert done.returncode == 0, done.stderr
        found: list[str] = done.stdout.splitlines()
        return found

    return asked


def test_wheel_holds_one_import_name_and_all_it_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as contents:
        names = contents.namelist()
    tops = {name.partition("/")[0] for name in names}
    assert len(tops) == 2
    assert {top for top in tops if not top.endswith(".dist-info")} == {"advisor"}
    for needed in ("advisor/py.typed", "advisor/cli/__init__.py", "advisor/strategies/floors.py"):
        assert needed in names
    assert any(name.startswith("advisor/evalsets/data/") and name.endswith("evalset.yaml") for name in names)
    suites = [name for name in names if name.startswith("advisor/evalsets/suites/general/") and name.endswith(".jsonl")]
    assert len(suites) == 11
    assert "advisor/evalsets/suites/README.md" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if Path(name).name.startswith(("test_", "conftest")) or "/tests/" in name]


def test_wheel_holds_every_module_and_data_file_of_the_checkout(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as contents:
        names = set(contents.namelist())
    for folder, inside in (
        ("advisor", "advisor"),
        *((f, f"advisor/{f}") for f in ("strategies", "evalsets", "reports")),
    ):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".yaml", ".jinja", ".jsonl"} and "__pycache__" not in path.parts:
                assert f"{inside}/{path.relative_to(ROOT / folder).as_posix()}" in names


def test_wheel_runs_outside_the_checkout(lines: Lines, installed: Path, tmp_path: Path) -> None:
    where, module, evalsets, items, foreign = lines(tmp_path, installed)
    assert Path(where).is_relative_to(installed)
    assert module == "advisor.strategies.floors"
    assert int(evalsets) >= 1
    assert int(items) == 493
    assert foreign == "[]"


PLANTED = """
from advisor import load_evalset
from advisor.core import metrics
evalset = load_evalset("planted")
print(metrics.for_task(evalset.metric, evalset, evalset.origin).score("YES", evalset.test[0]), evalset.fingerprint)
"""


def test_a_shipped_set_is_found_by_its_folder_and_may_have_a_metric_of_its_own(
    run: Any, installed: Path, tmp_path: Path
) -> None:
    done = run("-c", PLANTED, cwd=tmp_path, paths=(installed,))
    assert done.returncode == 0, done.stderr
    score, here = done.stdout.split()
    assert score == "1.0"
    moved = tmp_path / "moved"
    shutil.copytree(installed, moved)
    assert run("-c", PLANTED, cwd=tmp_path, paths=(moved,)).stdout.split()[1] == here


def test_bare_checkout_runs(lines: Lines, tmp_path: Path) -> None:
    where, module, _, items, foreign = lines(tmp_path, ROOT)
    assert Path(where).is_relative_to(ROOT)
    assert (module, items, foreign) == ("advisor.strategies.floors", "493", "[]")


def test_editable_install_runs(run: Any, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    done = run(
        *("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"),
        *("--disable-pip-version-check", "--target", str(target), "--editable", str(source)),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    activate = f"import site; site.addsitedir({str(target)!r})"  # what Python does itself in an environment
    done = run("-c", f"{activate}\n{ASK}", cwd=tmp_path, paths=(target,))
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.splitlines()[0]).is_relative_to(source)
    assert done.stdout.splitlines()[1] == "advisor.strategies.floors"


@pytest.mark.parametrize("form", ["file", "package"])
@pytest.mark.parametrize("how", ["checkout", "wheel"])
def test_a_users_own_strategies_are_not_in_the_way(
    run: Any, lines: Lines, form: str, how: str, installed: Path, tmp_path: Path
) -> None:
    trap = "raise SystemExit('the wrong strategies was imported')\n"
    for name in ("strategies", "evalsets", "reports"):
        if form == "file":
            (tmp_path / f"{name}.py").write_text(trap)
        else:
            (tmp_path / name).mkdir()
            (tmp_path / name / "__init__.py").write_text(trap)
    place = installed if how == "wheel" else ROOT
    assert lines(tmp_path, place)[1] == "advisor.strategies.floors"
    done = run("-m", "advisor", "list", "strategies", cwd=tmp_path, paths=(place,))
    assert done.returncode == 0, done.stderr
    assert "few_shot" in done.stdout


def test_doctor_checks_the_installed_packages(run: Any, installed: Path, tmp_path: Path) -> None:
    done = run("-m", "advisor", "doctor", "--json", cwd=tmp_path, paths=(installed,))
    findings = {finding["what"]: finding for finding in json.loads(done.stdout)}
    assert findings["tuneworthy"]["finding"] == "0.1.0"
    assert findings["packages"]["state"] == "ok"
    assert "torch 2" in findings["packages"]["finding"]
