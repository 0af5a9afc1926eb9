from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from advisor.core.errors import ConfigurationError, StoreError
from tests.reports.sample import HOSTILE, comparison, report

writing = report("writing")


@pytest.mark.parametrize(
    ("name", "start"), [("a.md", "## "), ("a.JSON", "{"), ("a.csv", "comparison,"), ("a.html", "<!DOC")]
)
def test_the_extension_chooses_the_format(tmp_path: Path, name: str, start: str) -> None:
    path = writing.save(comparison("not_yet", HOSTILE), tmp_path / "new" / "folder" / name)
    assert path.read_text("utf-8").startswith(start)
    assert [file.name for file in path.parent.iterdir()] == [name]


@pytest.mark.parametrize("name", ["report.pdf", "report", "report.html.bak"])
def test_an_unknown_extension_names_the_allowed_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"\.csv, \.html, \.json, \.md") as caught:
        writing.save(comparison(), tmp_path / name)
    assert "--output report" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_an_older_report_is_replaced_and_a_link_stays_a_link(tmp_path: Path) -> None:
    real = tmp_path / "real.json"
    real.write_text("old")
    link = tmp_path / "link.json"
    link.symlink_to(real)
    writing.save(comparison(), link)
    assert link.is_symlink()
    assert json.loads(real.read_text("utf-8"))["schema_version"] == 2


def test_a_failed_write_leaves_the_old_report_and_no_draft(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    (tmp_path / "a.json" / "keep").write_text("old")
    with pytest.raises(StoreError, match=r"a\.json"):
        writing.save(comparison(), tmp_path / "a.json")
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_a_folder_that_is_a_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        writing.save(comparison(), tmp_path / "file" / "a.json")


def test_a_new_report_can_be_read_like_any_other_new_file(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("")
    saved = writing.save(comparison(), tmp_path / "a.csv")
    assert os.stat(saved).st_mode == os.stat(tmp_path / "other").st_mode
