"""Every outcome is stored once, and each comparison still shows what it showed; a store of format 3 is brought up."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from advisor.core.types import Outcome
from advisor.decision.comparison import Comparison
from advisor.runs.store import Store
from tests.reports.sample import comparison

ONE, OTHER = comparison("not_yet"), replace(comparison("not_yet"), id="0123456789abcdef")
FORMAT_3 = (
    "DROP TABLE members",
    "DROP TABLE orders",
    "ALTER TABLE completions DROP COLUMN run",
    "CREATE TABLE members (comparison TEXT NOT NULL, run TEXT NOT NULL, PRIMARY KEY (comparison, run)) WITHOUT ROWID",
    "PRAGMA user_version = 3",
)


def texts(path: Path) -> str:
    with sqlite3.connect(path) as connection:
        return "\n".join(connection.iterdump())


def marked(made: Comparison, answer: str) -> Comparison:
    first, *others = made.runs
    outcomes = (replace(first.outcomes[0], output=answer), *first.outcomes[1:])
    return replace(made, runs=(replace(first, outcomes=outcomes), *others))


def test_an_outcome_that_two_comparisons_show_stands_there_once(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        for made in (ONE, OTHER):
            store.add_comparison(marked(made, "an answer like no other"))
            assert store.load_comparison(made.id).runs == marked(made, "an answer like no other").runs
    assert texts(tmp_path / "s.sqlite").count("an answer like no other") == 1


def test_a_comparison_shows_the_failure_that_it_knew_after_it_was_tried_again(tmp_path: Path) -> None:
    run = ONE.runs[0]
    failed = Outcome(run.outcomes[0].example_id, None, None, error="timed out", cause="overdue")
    before = replace(ONE, runs=(replace(run, outcomes=(failed, *run.outcomes[1:])), *ONE.runs[1:]))
    with Store(tmp_path / "s.sqlite") as store:
        store.add_comparison(before)
        store.add_outcomes(run.id, [run.outcomes[0]])
        assert store.load_comparison(ONE.id).runs == before.runs
        assert store.outcomes(run.id)[failed.example_id] == run.outcomes[0]
        store.add_comparison(ONE)  # made again
        assert store.load_comparison(ONE.id).runs == ONE.runs


def test_what_comes_from_elsewhere_is_shown_as_it_came_and_changes_nothing_here(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        store.add_comparison(ONE)
        store.take_in(marked(OTHER, "from elsewhere"))
        assert store.load_comparison(OTHER.id).runs == marked(OTHER, "from elsewhere").runs
        assert store.load_comparison(ONE.id).runs == ONE.runs


def test_a_run_that_stopped_half_way_is_shown_without_what_was_answered_later(tmp_path: Path) -> None:
    run = ONE.runs[0]
    half = replace(ONE, runs=(replace(run, outcomes=run.outcomes[::2], error="broke"), *ONE.runs[1:]))
    with Store(tmp_path / "s.sqlite") as store:
        store.add_comparison(half)
        store.add_outcomes(run.id, run.outcomes)
        assert store.load_comparison(ONE.id).runs == half.runs


def as_format_3(path: Path, made: Comparison, rows: list[tuple[str, str, str]]) -> None:
    """Write a store as tuneworthy's third format had it: the comparison holds all outcomes once more."""
    Store(path).close()
    with sqlite3.connect(path) as connection:
        for statement in FORMAT_3:
            connection.execute(statement)
        value = json.dumps(TypeAdapter(Comparison).dump_python(made, mode="json"))
        row = (made.id, "2026-11-30", made.evalset, made.model, made.verdict.answer, value)
        connection.execute("INSERT INTO comparisons VALUES (?, ?, ?, ?, ?, ?)", row)
        connection.executemany("INSERT INTO members VALUES (?, ?)", [(made.id, run.id) for run in made.runs])
        connection.executemany("INSERT INTO outcomes VALUES (?, ?, ?)", rows)


@pytest.mark.parametrize("stored", ["all", "others", "none"])
def test_a_store_of_format_3_shows_the_same_and_holds_each_outcome_once(tmp_path: Path, stored: str) -> None:
    """`others`: one that failed was answered since; `none`: only the comparison has the outcomes."""
    path, run = tmp_path / "s.sqlite", ONE.runs[0]
    failed = Outcome(run.outcomes[0].example_id, None, None, error="timed out", cause="overdue")
    shown = replace(ONE, runs=(replace(run, outcomes=(failed, *run.outcomes[1:])), *ONE.runs[1:]))
    kept = {"all": shown.runs, "others": ONE.runs, "none": ()}[stored]
    write = TypeAdapter(Outcome).dump_python
    rows = [(r.id, o.example_id, json.dumps(write(o, mode="json"))) for r in kept for o in r.outcomes]
    as_format_3(path, shown, rows)
    before = path.read_bytes()
    with Store(path) as store:
        assert store.load_comparison() == shown
        assert store.members(ONE.id) == sorted(run.id for run in ONE.runs)
        found = sum(len(store.outcomes(run.id)) for run in ONE.runs)
        assert found == sum(len(run.outcomes) for run in ONE.runs)
    assert texts(path).count(f'"{run.outcomes[1].example_id}", "output"') == len(ONE.runs)
    copy = tmp_path / "s.sqlite.format-3.bak"
    assert texts(copy).count('"timed out"') == 1 + (stored == "all")
    path.write_bytes(before)
    copy.unlink()
    Store(path).close()  # the same once more


def test_a_comparison_that_cannot_be_read_does_not_stand_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    as_format_3(path, ONE, [])
    with sqlite3.connect(path) as connection:
        for at, value in enumerate(("{", "[]", '{"runs": [1]}', '{"runs": [{"id": "a"}]}')):
            connection.execute("INSERT INTO comparisons VALUES (?, '', '', '', '', ?)", (f"bad{at}", value))
    with Store(path) as store:
        assert store.load_comparison(ONE.id) == ONE
