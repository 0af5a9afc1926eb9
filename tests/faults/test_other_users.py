"""Another user of this machine reads nothing of what is stored: the folder is 0700, the files of the store 0600."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from advisor._util.files import tighten
from advisor.core.paths import cache, home
from advisor.runs.store import Store
from tests.faults.sheet import Sheet
from tests.faults.warm import ROOT

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
OPEN = """
import os, sys
from advisor.runs.store import Store
os.umask(0)
with Store() as store:
    store._database.transaction(lambda connection: connection.execute("INSERT INTO runs VALUES ('a', '', '')"))
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_made_is_closed_to_others(own_home: Path, sheet: Sheet) -> None:
    subprocess.run([sys.executable, "-c", OPEN], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
    with Store() as store:
        store._database.read("BEGIN IMMEDIATE")
        store._database.read("INSERT INTO runs VALUES ('b', '', '')")
        beside = [path for path in own_home.iterdir() if path.name.startswith("store.sqlite")]
        wrong = [path.name for path in beside if mode(path) != 0o600]
        store._database.read("COMMIT")
    assert len(beside) == 2, "the file, and its journal or write-ahead log"
    sheet.add("T11", "what another user may do with folder, store and journal", len(beside) + 1, len(wrong))
    assert not wrong
    assert mode(own_home) == 0o700


def test_what_was_open_is_closed(own_home: Path) -> None:
    with Store() as store:
        path = store.path
    journal = path.with_name("store.sqlite-wal")
    journal.touch()
    for open_one, rights in ((path, 0o666), (own_home, 0o755), (journal, 0o644)):
        open_one.chmod(rights)
    with Store() as store:
        assert mode(path) == 0o600
        assert mode(own_home) == 0o700
        assert mode(journal) == 0o600 if journal.exists() else True


def test_a_copy_of_an_earlier_format_is_closed(own_home: Path) -> None:
    with Store() as store:
        store._database.read("PRAGMA user_version = 3")
    with Store() as store:
        copy = store.path.with_name("store.sqlite.format-3.bak")
    assert mode(copy) == 0o600


def test_folders_of_other_things_stay_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVISOR_HOME", str(tmp_path / "project"))
    (tmp_path / "project").mkdir(0o755)
    assert mode(home()) == 0o755
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    tighten(tmp_path / "shared")
    assert mode(tmp_path / "shared") == 0o1777
    monkeypatch.setenv("ADVISOR_CACHE", str(tmp_path / "cache"))
    assert cache().is_dir()


def test_others_files_are_left_without_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "theirs").touch(0o644)

    def refuse(self: Path, mode: int) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "chmod", refuse)
    tighten(tmp_path / "theirs")
    tighten(tmp_path / "nothing")
    with Store(tmp_path / "theirs"):
        pass
