"""Runs from another machine are marked wherever they go, and scored again by the metric that is here."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from advisor.cli import app
from advisor.core.shipped import comparison_json
from advisor.core.types import Outcome, Outcomes
from advisor.decision.comparison import Comparison
from advisor.runs import archive, compare
from advisor.runs.imported import marked
from advisor.runs.store import Store
from tests.small_comparison import write_evalset

STRATEGIES = ["majority", "zero_shot"]


@pytest.fixture
def made(tmp_path: Path) -> Comparison:
    write_evalset(tmp_path / "small")
    return compared(tmp_path)


def compared(tmp_path: Path) -> Comparison:
    (tmp_path / "answers.py").write_text("def answer(request): return 'billing'\n")
    model = f"scripted:{tmp_path / 'answers.py'}:answer"
    return compare.compare(tmp_path / "small", strategies=STRATEGIES, model=model, checks="none", draws=200)


@pytest.fixture
def elsewhere(made: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a comparison; this is another machine now."""
    archive.write(made, tmp_path / "run.zip")
    monkeypatch.setenv("ADVISOR_HOME", str(tmp_path / "elsewhere"))
    return tmp_path / "run.zip"


def taken_in(*words: str) -> str:
    done = CliRunner().invoke(app, ["import", *words])
    assert done.exit_code == 0, done.output
    return done.output


def forge(made: Comparison, path: Path) -> None:
    """Every answer of zero_shot is right, says the file."""
    runs = tuple(
        replace(run, outcomes=Outcomes(replace(one, score=1.0) for one in run.outcomes)) if at else run
        for at, run in enumerate(made.runs)
    )
    archive.write(replace(made, runs=runs), path)


def test_its_reports_say_so(elsewhere: Path, tmp_path: Path) -> None:
    taken_in(str(elsewhere))
    words = [
        "report",
        *(word for kind in ("html", "md", "json", "csv") for word in ("-o", str(tmp_path / f"r.{kind}"))),
    ]
    assert "imported" in " ".join(CliRunner().invoke(app, ["report"]).output.split())
    assert CliRunner().invoke(app, words).exit_code == 0
    assert "test examples · imported" in (tmp_path / "r.html").read_text()
    assert "\n*Imported.*\n" in (tmp_path / "r.md").read_text()
    assert [run["imported"] for run in json.loads((tmp_path / "r.json").read_text())["runs"]] == [True, True]
    with (tmp_path / "r.csv").open(newline="") as file:
        assert {row["imported"] for row in csv.DictReader(file)} == {"True"}


def test_the_list_of_runs_says_so(made: Comparison, elsewhere: Path) -> None:
    taken_in(str(elsewhere))
    listed = json.loads(CliRunner().invoke(app, ["list", "runs", "--json"]).output)
    assert [(one["id"], one["imported"]) for one in listed] == [(made.id, "imported")]


def test_nothing_made_here_says_so(made: Comparison) -> None:
    assert "imported" not in json.loads("".join(comparison_json(made)))["notes"]
    assert not any(run.imported for run in made.runs)
    assert json.loads(CliRunner().invoke(app, ["list", "runs", "--json"]).output)[0]["imported"] == ""


def test_a_file_cannot_say_of_itself_that_it_was_made_here(made: Comparison, elsewhere: Path) -> None:
    assert not any(run.imported for run in archive.read(elsewhere).runs)
    taken_in(str(elsewhere))
    with Store() as store:
        assert all(run.imported for run in store.load_comparison().runs)


def test_what_goes_on_from_it_says_so_and_scores_again(made: Comparison, elsewhere: Path, tmp_path: Path) -> None:
    forge(made, elsewhere)
    taken_in(str(elsewhere))
    again = compared(tmp_path)
    assert [run.imported for run in again.runs] == [True, True]
    for run, own in zip(again.runs, made.runs, strict=True):
        assert run.outcomes == own.outcomes
        assert run.summaries == own.summaries
    assert "Answers of majority, seed 0; zero_shot, seed 0 were imported" in " ".join(again.notes)


def test_the_scores_are_computed_again_where_the_set_is_at_hand(made: Comparison, elsewhere: Path) -> None:
    said = taken_in(str(elsewhere), made.evidence.request.evalset)
    assert "its 42 scores were computed again and are right" in " ".join(said.split())
    assert "not computed again" in taken_in(str(elsewhere))


@pytest.mark.parametrize("kind", ["one score", "a summary", "the table", "a missing strategy"])
def test_figures_that_are_not_those_of_the_answers_are_refused(kind: str, made: Comparison, elsewhere: Path) -> None:
    first, evidence = made.runs[0], made.evidence
    rows = evidence.strategies
    if kind == "one score":
        changed = [
            replace(one, score=1 - (one.score or 0)) if at == 7 else one for at, one in enumerate(first.outcomes)
        ]
        forged = replace(made, runs=(replace(first, outcomes=Outcomes(changed)), *made.runs[1:]))
    elif kind == "a summary":
        forged = replace(made, runs=(replace(first, summaries={**first.summaries, "macro_f1": 0.99}), *made.runs[1:]))
    elif kind == "the table":
        assert rows[1].quality
        better = replace(rows[1], quality=replace(rows[1].quality, estimate=0.9))
        forged = replace(made, evidence=replace(evidence, strategies=(rows[0], better)))
    else:
        forged = replace(made, evidence=replace(evidence, strategies=rows[:1]))
    archive.write(forged, elsewhere)
    done = CliRunner().invoke(app, ["import", str(elsewhere), made.evidence.request.evalset])
    assert done.exit_code != 0
    assert "its scores are not those of its answers" in " ".join(done.output.split())
    with Store() as store:
        assert store.comparisons() == []


def test_another_set_is_refused(elsewhere: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["import", str(elsewhere), "harrow_desk"])
    assert done.exit_code != 0
    assert "made on another eval set than" in " ".join(done.output.split())


def test_answers_of_a_run_begun_here_stay_as_they_are(made: Comparison, elsewhere: Path) -> None:
    """An interrupted run of one's own is not filled up with what a file says."""
    run = made.runs[1]
    mine = replace(next(iter(run.outcomes)), output="mine")
    with Store() as store:
        store.add_run(replace(run, outcomes=()))
        store.add_outcomes(run.id, [mine])
    taken_in(str(elsewhere))
    with Store() as store:
        assert store.outcomes(run.id) == {mine.example_id: mine}
        shown = store.load_comparison(made.id)
        assert shown == marked(made)


def test_a_broken_run_brings_no_answers_under_its_name(made: Comparison, elsewhere: Path) -> None:
    broken = replace(made.runs[1], error="broke half-way", outcomes=made.runs[1].outcomes[:5])
    archive.write(replace(made, runs=(made.runs[0], broken)), elsewhere)
    taken_in(str(elsewhere))
    with Store() as store:
        assert store.outcomes(broken.id) == {}
        assert len(store.load_comparison(made.id).runs[1].outcomes) == 5


def test_failures_stay_failures(made: Comparison, tmp_path: Path) -> None:
    failed = Outcome("x", None, None, error="time-out", cause="overdue")
    run = replace(made.runs[0], outcomes=Outcomes([failed]))
    archive.write(replace(made, runs=(run,)), tmp_path / "f.zip")
    assert archive.read(tmp_path / "f.zip").runs[0].outcomes == [failed]
