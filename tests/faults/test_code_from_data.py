"""T9: code from data. What a set names or brings runs in no verb that only looks, and in `compare` after consent."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import py_compile
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import advisor
from advisor.cli import app
from advisor.core.errors import EvalSetError
from advisor.core.shipped import load_evalset
from advisor.core.tool_files import with_code
from advisor.runs import archive
from advisor.runs.store import Store
from tests.faults.sheet import Sheet, trials
from tests.small_comparison import Small, write_evalset

PLACES = (
    "subprocess:Popen", "subprocess:run", "os:system", "os:mkdir", "os.path:join", "builtins:open", "builtins:eval",
    "builtins:exec", "runpy:run_path", "pathlib:Path.touch", "io:open", "shutil:copy", "importlib:import_module",
    "ctypes:CDLL", "advisor._util.files:write_whole", "advisor.core.metrics:ExactMatch", "beside:M", "beside.py:M",
    "./beside.py:M", "../beside.py:M", "{outside}/beside.py:M", "link.py:M", "folder/beside.py:M", "own.py:M",
    "own.py:os.mkdir", "own.py:M.make", "sub/own.py:M", "./sub/../own.py:M", "beside.py", "sub.own:M", "own.py",
)  # fmt: skip
PARAMETERS = (
    "", "()", '(args=["mkdir", "{mark}"])', '(command="mkdir {mark}")', '(path="{mark}")', '(name="{mark}")',
    '(file="{mark}", mode="w")', '(path="{mark}", content="x")',
    '(self="{mark}")', '(source="import os; os.mkdir(\'{mark}\')")',
)  # fmt: skip
VERBS = (
    "check {set} --embed 0 --quiet",
    "compare {set} --strategy majority --dry-run",
    "compare {set} --strategy majority --strategy copy_input",
    "export evalset {set}",
    "init evalset {new} --from {set}",
    "check {set} --embed 0 --quiet --fix {new}",
)
RUNS = """
import os
os.mkdir({mark!r})


class M:
    name = "m"

    def score(self, output, example):
        return 1.0
"""


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """What appears where code ran."""
    return tmp_path / "ran"


@pytest.fixture
def folder(tmp_path: Path, mark: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An eval set with code in it, beside it, and behind links; the process stands beside it."""
    made = write_evalset(tmp_path / "place" / "set")
    for path in (tmp_path / "beside.py", made.parent / "beside.py", made / "own.py", made / "sub" / "own.py"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(RUNS.format(mark=str(mark)))
    (made / "link.py").symlink_to(tmp_path / "beside.py")
    (made / "folder").symlink_to(tmp_path)
    monkeypatch.chdir(made.parent)
    monkeypatch.syspath_prepend(str(made.parent))
    return made


def advise(line: str, **words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [word.format(**words) for word in line.split()], prog_name="advisor")
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    return done.exit_code, done.output


def test_hostile_names_run_nothing_in_any_verb(tmp_path: Path, folder: Path, mark: Path, sheet: Sheet) -> None:
    specs = [place + given for place, given in itertools.product(PLACES, PARAMETERS)]
    specs = specs[:: max(1, len(specs) // trials(12, len(specs)))]
    plain = "".join(line for line in (folder / "evalset.yaml").read_text().splitlines(True) if "metric:" not in line)
    ran, count = [], 0
    for at, spec in enumerate(specs):
        said = spec.format(outside=tmp_path, mark=mark)
        (folder / "evalset.yaml").write_text(f"{plain}metric: {json.dumps(said)}\n")
        for verb in VERBS if trials(0, 1) else (VERBS[at % len(VERBS)], VERBS[2]):
            count += 1
            code, output = advise(verb, set=folder, new=tmp_path / f"new-{count}")
            if mark.exists():
                ran.append(f"{verb}: {said}")
                mark.rmdir()
            if verb == VERBS[2] and code != 2:
                ran.append(f"{verb}: {said} was not refused: {output[-200:]}")
    sheet.add("T9", "code named by an eval set's metric, in every verb", count, len(ran))
    assert not ran, "\n".join(ran)


def test_names_in_a_comparison_file_run_nothing(tmp_path: Path, folder: Path, mark: Path, sheet: Sheet) -> None:
    keys = (
        "model: {}",
        "model: scripted:{}",
        "strategies: [{}]",
        "evalset: {}",
        'strategies: ["optimised_prompt(model=\\"{}\\")"]',
    )
    names = [
        place.format(outside=tmp_path) for place in ("beside.py:M", "{outside}/beside.py:M", "beside:M", "os:system")
    ]
    tried = [key.format(name) for key, name in itertools.product(keys, names)]
    tried, ran = tried[:: max(1, len(tried) // trials(5, len(tried)))], []
    for line in tried:
        config = tmp_path / "comparison.yaml"
        config.write_text(line if line.startswith("evalset") else f"evalset: {folder}\n{line}\n")
        for more in ("", " --dry-run"):
            code, output = advise("compare --config {config}" + more, config=config)
            if mark.exists() or code != 2 or "this comparison file names code: " not in output:
                ran.append(f"{line}{more}: {output[-200:]}")
    sheet.add("T9", "code named by a comparison file", 2 * len(tried), len(ran))
    assert not ran, "\n".join(ran)


def test_names_in_a_stored_and_an_imported_run_run_nothing(
    tmp_path: Path, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Small(tmp_path)
    monkeypatch.setenv("ASKED", str(small.log))
    hostile = f'subprocess:Popen(args=["mkdir", "{mark}"])'
    made = small.compare("majority", "copy_input")
    request = dataclasses.replace(made.evidence.request, strategies=(hostile,), model=hostile, evalset="os:abort")
    runs = tuple(
        dataclasses.replace(run, strategy=f"{hostile}{at}", metric=hostile) for at, run in enumerate(made.runs)
    )
    spoilt = dataclasses.replace(
        made, id="0" * 16, evidence=dataclasses.replace(made.evidence, request=request), runs=runs
    )
    archive.write(spoilt, tmp_path / "run.zip")
    assert advise("import {file}", file=tmp_path / "run.zip")[0] == 0
    with Store() as store:
        store.add_comparison(spoilt)
    for line in ("report", "report --json", "report -o {file}", "list runs", "list", "doctor", "export run -o {zip}"):
        code, output = advise(line, file=tmp_path / "report.html", zip=tmp_path / "again.zip")
        assert code == 0, output
        assert not mark.exists(), line


# --- consent ---------------------------------------------------------------------------------------------------------

TOOLS = '''
import os

import helper

os.mkdir(helper.MARK)


def look_up(word: str) -> str:
    """Look a word up."""
    return helper.WORD
'''
METRIC = """
class Mine:
    name = "mine"

    def score(self, output, example):
        return float(output == example.target)

    def summarise(self, pairs):
        return {}
"""


@pytest.fixture
def brings(tmp_path: Path, mark: Path) -> Path:
    """An eval set that brings tools, a file that they import, and a metric."""
    made = write_evalset(tmp_path / "brings", metric="mine.py:Mine", tools="tools.py")
    (made / "tools.py").write_text(TOOLS)
    (made / "helper.py").write_text(f"MARK, WORD = {str(mark)!r}, 'first'\n")
    (made / "mine.py").write_text(METRIC)
    return made


QUICK = "compare {set} --strategy majority --strategy copy_input --checks none --quiet"


def test_code_is_asked_about_once_a_content(brings: Path, mark: Path, own_home: Path) -> None:
    code, output = advise(QUICK, set=brings)
    assert code == 2
    assert "this eval set brings code: tools.py (sha256 " in output
    assert "helper.py (sha256 " in output
    assert "mine.py (sha256 " in output
    assert "read it, then run with --trust-code (remembered for this content)" in output
    assert not mark.exists()
    code, output = advise("compare {set} --strategy function_calling --dry-run", set=brings)
    assert code == 0
    assert "--trust-code" in " ".join(output.split())
    assert advise(f"{QUICK} --trust-code", set=brings)[0] == 0
    assert mark.exists()
    mark.rmdir()
    [kept] = (own_home / "trusted-code").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert advise(QUICK, set=brings)[0] == 0
    code, output = advise("compare {set} --strategy function_calling --dry-run", set=brings)
    assert "you agreed to run it" in " ".join(output.split())
    for file, text in (
        ("helper.py", "MARK, WORD = '.', 'second'\n"),
        ("tools.py", TOOLS + "\n"),
        ("mine.py", METRIC + "\n"),
    ):
        before = (brings / file).read_text()
        (brings / file).write_text(text)
        assert advise(QUICK, set=brings)[0] == 2, file
        (brings / file).write_text(before)
    assert advise(QUICK, set=brings)[0] == 0
    yaml = (brings / "evalset.yaml").read_text()
    (brings / "evalset.yaml").write_text(yaml.replace("mine.py:Mine", "mine.py:Mine()"))
    assert advise(QUICK, set=brings)[0] == 2, "what is said to the code is part of it"


def test_looking_runs_nothing_even_after_consent(brings: Path, mark: Path, tmp_path: Path) -> None:
    with_code(load_evalset(str(brings)), trust_code=True)
    mark.rmdir()
    for at, verb in enumerate(VERBS):
        if verb != VERBS[2]:
            advise(verb, set=brings, new=tmp_path / f"new-{at}")
            assert not mark.exists(), verb
    with pytest.raises(EvalSetError, match="this eval set brings code"):
        load_evalset(str(brings)).tools[0].call({"word": "a"})


def test_data_cannot_agree_for_the_user(brings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVISOR_TRUST_CODE", "1")
    assert advise(QUICK, set=brings)[0] == 2
    for key in ("trust_code", "trust-code"):
        (tmp_path / "c.yaml").write_text(f"evalset: {brings}\n{key}: true\n")
        assert "unknown key" in advise("compare --config {file}", file=tmp_path / "c.yaml")[1]
    yaml = (brings / "evalset.yaml").read_text()
    (brings / "evalset.yaml").write_text(f"{yaml}trust_code: true\n")
    assert "unknown key" in advise(QUICK, set=brings)[1]


def test_python_says_so_by_an_argument(brings: Path, mark: Path) -> None:
    given: Any = {"strategies": ["majority"], "checks": "none", "draws": 100}
    with pytest.raises(EvalSetError, match="this eval set brings code"):
        advisor.compare(brings, **given)
    assert not mark.exists()
    advisor.compare(brings, trust_code=True, **given)
    assert mark.exists()


def test_what_was_hashed_is_what_runs(brings: Path, mark: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not what was put there since, and no bytecode: neither of a file, nor of one that it imports."""
    monkeypatch.syspath_prepend(str(brings))
    found = load_evalset(str(brings))
    for file in ("tools.py", "helper.py"):
        path = brings / file
        good, when = path.read_bytes(), path.stat()
        path.write_text("raise SystemExit('another file')\n")
        py_compile.compile(str(path), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
        path.write_bytes(good if file == "tools.py" else path.read_bytes())
        os.utime(path, ns=(when.st_atime_ns, when.st_mtime_ns))
    assert with_code(found, trust_code=True).tools[0].call({"word": "a"}) == "first"
    assert mark.exists()


def test_a_module_that_was_not_shown_is_not_imported(brings: Path, mark: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(brings))
    (brings / "hidden").mkdir()
    (brings / "hidden" / "__init__.py").write_text(f"import os\nos.mkdir({str(mark)!r})\n")
    (brings / "helper.py").write_text("import hidden\n")
    code, output = advise(f"{QUICK} --trust-code", set=brings)
    assert code == 2
    assert "'hidden' stands beside this file" in output
    assert not mark.exists()


def test_shipped_sets_need_no_consent(own_home: Path) -> None:
    assert load_evalset("harrow_desk").tools[1].call({"expression": "1 + 1"}) == "2"
    line = "compare harrow_voice --strategy majority --strategy copy_input --limit 5 --checks none --quiet"
    assert advise(line)[0] == 0
    assert not (own_home / "trusted-code").exists()
