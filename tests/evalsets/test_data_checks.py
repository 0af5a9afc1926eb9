"""``advisor check``: every planted defect is found by its check and by no other, and clean sets are clean."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from advisor.cli import app
from advisor.core.brought_code import BroughtCode
from advisor.core.data_check import DataCheckSettings, DataReport
from advisor.core.errors import ConfigurationError, ModelError
from advisor.core.shipped import check_data, fix_data, load_evalset, shipped
from tests.evalsets.planted_defects import CLEAN, DEFECTS, KEY, WORDS, Defect, routing

shipped("evalsets")
data_checks = import_module("advisor.evalsets.data_checks")
loading = import_module("advisor.evalsets.loading")
texts = import_module("advisor.evalsets.data_checks.texts")
privacy = import_module("advisor.evalsets.data_checks.privacy")
LETTERS = re.compile("[a-z]+")


def embed(found: Any) -> Any:
    """Bags of words: unit length, and alike for texts that share words."""
    places = {word: at for at, word in enumerate(WORDS)}
    vectors = np.full((len(found), len(WORDS) + 1), 1e-3, dtype=np.float32)
    for row, text in enumerate(found):
        for word in LETTERS.findall(str(text).lower()):
            vectors[row, places.get(word, -1)] += 1.0
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def look(folder: Path, **settings: Any) -> DataReport:
    return check_data(str(folder), embed=embed, settings=DataCheckSettings(**settings))


def wrong(found: DataReport) -> dict[str, str]:
    return {one.check: one.gate for one in found.findings if one.gate != "ok"}


@pytest.mark.parametrize("name", CLEAN)
def test_a_clean_set_is_clean(name: str, tmp_path: Path) -> None:
    found = look(CLEAN[name]().write(tmp_path / name))
    assert wrong(found) == {}
    assert found.gate == "ok"
    assert {one.check for one in found.findings} | set(found.not_asked) == {one.name for one in data_checks.DATA_CHECKS}


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_a_planted_defect_is_found_by_its_check_and_by_no_other(defect: Defect, tmp_path: Path) -> None:
    files = CLEAN[defect.base]()
    defect.plant(files)
    draft = loading.read(str(files.write(tmp_path / "spoilt")))
    if isinstance(draft.origin, BroughtCode):  # a shipped set's metric is run; one that comes along is not, see below
        draft = replace(draft, origin=draft.origin.after_consent(trust_code=True))
    found = data_checks.check_draft(draft, embed, DataCheckSettings())
    said = wrong(found)
    assert said.pop(defect.check, "ok") == defect.gate
    assert set(said) <= set(defect.also)
    [one] = [one for one in found.findings if one.check == defect.check]
    assert one.todo
    assert defect.shows in " ".join((*one.shown, one.figure))


def test_a_metric_that_comes_along_is_not_run(tmp_path: Path) -> None:
    files = CLEAN["answering"]()
    files.tools += (
        "\n\nclass Mine:\n    name = 'mine'\n\n    def score(self, output, example):\n        raise SystemExit\n"
    )
    files.yaml[2] = "metric: tools.py:Mine"
    found = look(files.write(tmp_path / "set"))
    for check in ("metric: right answers", "metric: wrong answers"):
        assert "tools.py:Mine is code of the eval set, which only advisor compare runs" in found.not_asked[check]


def test_every_check_is_planted_at_least_once() -> None:
    planted = {defect.check for defect in DEFECTS}
    rules = {one.name for one in data_checks.DATA_CHECKS}
    assert rules - planted == {"training size", "development size", "label shift", "more than one answer"}
    assert len(planted) >= 20


# --- single checks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("write to ann@firm.co.uk", "[mail]"),
        ("IBAN GB29 NWBK 6016 1331 9268 19", "[iban]"),
        ("card 5500-0000-0000-0004 please", "[card]"),
        ("call (415) 678-1234 now", "[phone]"),
        ("token ghp_" + "a1" * 18, "[key]"),
    ],
)
def test_private_text_is_replaced_by_its_mark(text: str, kind: str) -> None:
    redacted = privacy.redacted(text)
    assert kind in redacted
    assert redacted.partition(kind)[0] == text[: len(redacted.partition(kind)[0])]
    assert privacy.redacted(redacted) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "help@shop.example and bob@example.com are made up",
        "IBAN DE89 3704 0044 0532 0130 01 has a wrong check digit",
        "card 4111 1111 1111 1112 fails Luhn",
        "order 12345678901 from 2024-05-01 10:30 to 2024-05-02",
        "[03/07/2026 19:00] and 06.11.2026 14:02",
        "call 555-0123 or 01632 960123 or 020 7946 0018",
        "see sk-learn and task-force-of-more-than-twenty",
    ],
)
def test_what_only_looks_private_is_left(text: str) -> None:
    assert privacy.redacted(text) == text


@pytest.mark.parametrize("text", ["café für Ångström", "“fine” – naïve…", "Привет, как дела", "日本語", "50 % & more"])
def test_sound_characters_are_not_damaged(text: str) -> None:
    assert texts.damage(text) == ""
    assert texts.repaired(text) == text
    broken = text.encode().decode("cp1252", "replace")
    if "\ufffd" not in broken and broken != text:
        assert texts.damage(broken)
        assert texts.repaired(broken) == text


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is the status of my order and when can it be here?", "English"),
        ("Ich habe die Rechnung nicht und sie ist falsch, bitte helfen", "German"),
        ("Je ne trouve pas la facture et les frais sont dans mon compte pour vous", "French"),
        ("Где мой заказ", "Cyrillic script"),
        ("two kayaks at 21 per half-day plus a €50 deposit per kayak", ""),
        ("PIN?", ""),
    ],
)
def test_language(text: str, language: str) -> None:
    assert texts.language_of(text) == language


def test_without_embeddings_the_rest_is_still_looked_at(tmp_path: Path) -> None:
    def none(found: Any) -> Any:
        raise ModelError("no weights")

    folder = routing().write(tmp_path / "set")
    found = check_data(str(folder), embed=none)
    unknown = {one.check: one.figure for one in found.with_gate("unknown")}
    assert "likely wrong labels" in unknown
    assert all("no weights" in figure for figure in unknown.values())
    assert found.gate == "unknown"
    left_out = check_data(str(folder), settings=DataCheckSettings(embedded=0))
    assert left_out.not_asked["likely wrong labels"] == "embeddings were left out"
    assert left_out.gate == "ok"


def test_a_margin_that_was_asked_for_is_held_against_the_test_set(tmp_path: Path) -> None:
    folder = routing().write(tmp_path / "set")
    sizes = [one for one in look(folder, margin=0.05).findings if one.check == "test size"]
    assert (sizes[0].gate, "626" in sizes[0].todo) == ("warn", True)


def test_a_sample_is_chosen_by_content_and_said(tmp_path: Path) -> None:
    files = routing()
    folder = files.write(tmp_path / "set")
    for rows in files.splits.values():
        rows.reverse()
    turned = files.write(tmp_path / "turned")
    one, two = look(folder, embedded=200), look(turned, embedded=200)
    assert [f.gate for f in one.findings] == [f.gate for f in two.findings]
    assert any("embeddings were looked at for 100 training and development and 100 test" in note for note in one.notes)


# --- the cleaned copy ------------------------------------------------------------------------------------------------


def spoilt(tmp_path: Path) -> Path:
    """Return a set with every defect that can be mended without judgement."""
    files = routing()
    mendable = {
        "test questions in capitals in train", "one near copy", "words in another order", "a row twice",
        "two answers to one question", "an unknown label", "an id in two splits", "UTF-8 read as Windows-1252",
        "a mail address", "a phone number", "an IBAN", "a card number", "a key",
    }  # fmt: skip
    for defect in DEFECTS:
        if defect.name in mendable:
            defect.plant(files)
    return files.write(tmp_path / "spoilt")


def test_fix_writes_a_clean_copy_and_logs_every_change(tmp_path: Path) -> None:
    folder = spoilt(tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert look(folder).gate == "fail"
    changes = fix_data(str(folder), tmp_path / "copy", embed=embed)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert wrong(look(tmp_path / "copy")) == {}
    logged = [json.loads(line) for line in (tmp_path / "copy" / "changes.jsonl").read_text().splitlines()]
    assert len(logged) == len(changes)
    assert {one["change"] for one in logged} == {"left out", "renamed", "mended", "replaced"}
    for private in ("gmail", "DE89", "4111", KEY):
        assert private not in (tmp_path / "copy" / "changes.jsonl").read_text()
        assert private not in (tmp_path / "copy" / "train.jsonl").read_text()
    gone = {row["id"] for row in rows_of(folder)} - {row["id"] for row in rows_of(tmp_path / "copy")}
    assert gone == {one["id"] for one in logged if one["change"] == "left out" and one["id"]} | {"train-7"}
    assert len(rows_of(tmp_path / "copy", "test")) == 160


def rows_of(folder: Path, split: str = "train") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("name", CLEAN)
def test_the_copy_of_a_clean_set_is_the_same_set(name: str, tmp_path: Path) -> None:
    folder = CLEAN[name]().write(tmp_path / name)
    assert fix_data(str(folder), tmp_path / "copy", embed=embed) == ()
    assert load_evalset(str(tmp_path / "copy")).fingerprint == load_evalset(str(folder)).fingerprint


def test_fix_never_writes_over_anything(tmp_path: Path) -> None:
    folder = routing().write(tmp_path / "set")
    with pytest.raises(ConfigurationError, match="exists already"):
        fix_data(str(folder), folder)


# --- the verb --------------------------------------------------------------------------------------------------------


def advise(*words: str) -> Any:
    return CliRunner().invoke(app, ["check", *words], env={"COLUMNS": "100"}, catch_exceptions=False)


def test_the_verb_prints_and_writes_and_fails_the_gate(tmp_path: Path) -> None:
    folder = spoilt(tmp_path)
    done = advise(str(folder), "--embed", "0", "-o", str(tmp_path / "r.html"), "-o", str(tmp_path / "r.json"))
    assert done.exit_code == 100
    assert "NOT FIT TO BE TRUSTED YET" in done.stdout
    assert "privacy: IBAN" in done.stdout
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "near copies across splits" in page
    assert "<script" not in page
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert (report["schema_version"], report["gate"]) == (1, "fail")
    assert json.loads(advise(str(folder), "--embed", "0", "--json").stdout)["findings"] == report["findings"]


def test_the_verb_fixes(tmp_path: Path) -> None:
    done = advise(str(spoilt(tmp_path)), "--embed", "0", "-q", "--fix", str(tmp_path / "copy"))
    assert done.exit_code == 100
    assert "every one stands in" in done.stderr
    assert advise(str(tmp_path / "copy"), "--embed", "0", "-q").exit_code == 0
    assert advise(str(tmp_path / "copy"), "--embed", "0", "--fix", str(tmp_path / "copy")).exit_code == 2


def test_what_cannot_be_checked_is_one_sentence(tmp_path: Path) -> None:
    assert advise(str(tmp_path / "nothing")).exit_code == 2
    assert advise("harrow_desk", "-o", "report.pdf").exit_code == 2
    assert advise("harrow_desk", "--margin", "3").exit_code == 2
    folder = routing().write(tmp_path / "set")
    (folder / "train.jsonl").write_text('{"id": "1"}\n')
    done = advise(str(folder), "--embed", "0")
    assert done.exit_code == 100
    assert "field 'input' is missing" in done.stdout
    (folder / "train.jsonl").write_text("{\n")
    assert advise(str(folder)).exit_code == 2


def test_a_page_with_hostile_rows_is_escaped(tmp_path: Path) -> None:
    files = routing()
    files.splits["train"][0]["input"] = "<script>alert(1)</script> \x1b[31mred ann@firm.com &amp;"
    done = advise(str(files.write(tmp_path / "set")), "--embed", "0", "-o", str(tmp_path / "r.html"))
    assert "\x1b" not in done.stdout
    assert "<script>alert" not in (tmp_path / "r.html").read_text(encoding="utf-8")
