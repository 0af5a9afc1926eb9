"""A comparison that the version before stored is still shown; what cannot be shown is refused in one sentence."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from typer.testing import CliRunner

from advisor.cli import app
from advisor.core.errors import StoreError
from advisor.core.statement import say
from advisor.decision.comparison import Comparison
from advisor.decision.words import sentence
from advisor.runs.store import Store
from advisor.runs.stored import comparison_of
from tests.reports.sample import comparison

EARLIER = Path(__file__).with_name("earlier_comparison.json")


@pytest.fixture
def earlier() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(EARLIER.read_text("utf-8"))
    return found


def keep(store: Store, row: dict[str, Any]) -> None:
    with sqlite3.connect(store.path) as connection:
        value = row["id"], "2026-11-30", row["evalset"], "smollm2", "not_yet", json.dumps(row)
        connection.execute("INSERT INTO comparisons VALUES (?, ?, ?, ?, ?, ?)", value)


def plain(made: Comparison) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(TypeAdapter(Comparison).dump_python(made, mode="json")))
    return found


def test_what_is_written_now_comes_back_as_it_was() -> None:
    made = comparison("not_yet")
    assert comparison_of(plain(made)) == made


def test_an_earlier_comparison_says_what_it_said(earlier: dict[str, Any]) -> None:
    found, said = comparison_of(earlier), earlier["verdict"]
    verdict = found.verdict
    assert (verdict.headline, verdict.next_step) == (said["headline"], said["next_step"])
    assert [*verdict.reasons, *verdict.would_flip] == [*said["reasons"], *said["would_flip"]]
    told = [[one.name, one.state, one.finding, one.how, one.remedy, [*one.details]] for one in verdict.guards]
    assert told == [list(guard.values()) for guard in said["guards"]]
    steps = [[one.action, one.command, one.assumption, one.usd] for one in found.information.steps]
    before = earlier["information"]["steps"]
    assert steps == [[one["action"], one["command"], one["assumption"], one["usd"]] for one in before]
    money = earlier["money"]
    assert {name: sentence(one) for name, one in found.money.basis.items()} == money["assumptions"]
    rows = [(sentence(one.variant), sentence(one.basis)) for one in found.money.scenarios]
    assert rows == [(one["name"], one["assumption"]) for one in money["scenarios"]]
    assert [one.refusal for one in found.curves] == [one["refusal"] for one in earlier["curves"]]
    assert {one.label: one.strategy for one in found.strategies}["few_shot(k=4)"] == "few_shot"
    assert found.model == "smollm2"
    assert found.findings.skipped[0].reason == "it asks several times"


def test_an_earlier_comparison_is_shown(
    earlier: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADVISOR_HOME", str(tmp_path))
    with Store() as store:
        keep(store, earlier)
    shown = CliRunner().invoke(app, ["report", earlier["id"]])
    assert shown.exit_code == 0, shown.output
    for kind in ("html", "md", "json"):
        assert CliRunner().invoke(app, ["report", "-o", str(tmp_path / f"page.{kind}")]).exit_code == 0


def unknown_words(row: dict[str, Any]) -> None:
    row["verdict"]["conclusion"] = {"key": "headline.of_the_future", "values": {}}


def other_values(row: dict[str, Any]) -> None:
    row["verdict"]["conclusion"]["values"]["lead"] = "much"


def a_huge_number(row: dict[str, Any]) -> None:
    row["verdict"]["grounds"][0]["values"]["n"] = 10**400


def unknown_words_of_money(row: dict[str, Any]) -> None:
    row["evidence"]["money"]["basis"]["usd_per_hour"]["values"]["unit"] = "pounds"


def no_evidence(row: dict[str, Any]) -> None:
    del row["evidence"]


@pytest.mark.parametrize("change", [unknown_words, other_values, a_huge_number, unknown_words_of_money, no_evidence])
def test_what_another_version_wrote_is_refused_in_one_sentence(
    change: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADVISOR_HOME", str(tmp_path))
    row = plain(comparison())
    change(row)
    with Store() as store:
        keep(store, row)
        with pytest.raises(StoreError, match=r"stored by another version of tuneworthy.*\n.*advisor compare"):
            store.load_comparison()
    shown = CliRunner().invoke(app, ["report"])
    assert shown.exit_code == 1


def test_an_earlier_comparison_without_a_part_is_refused(earlier: dict[str, Any]) -> None:
    del earlier["verdict"]["guards"][0]["finding"]
    with pytest.raises(ValueError, match="a part of it is missing"):
        comparison_of(earlier)


def test_a_sentence_is_the_same_after_it_was_stored() -> None:
    assert comparison_of(plain(comparison())).verdict.guards[1].found == say(
        "missing.too_many", shares=(("function_calling", 0.055),), allowed=0.01
    )
