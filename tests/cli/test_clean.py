"""`advisor clean`: garbage goes, what was paid for goes only where that was said, and what is in use stays."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from advisor.core.types import Outcome
from advisor.decision.comparison import Comparison
from advisor.runs.store import Store
from tests.cli.command import Advise
from tests.reports.sample import comparison

BASE = comparison("not_yet")


def other(made: Comparison, number: int, runs: int) -> Comparison:
    """Return a comparison with `runs` of its runs its own, the others shared."""
    own = tuple(replace(run, id=f"{number:08d}{run.id[:8]}") for run in made.runs[:runs])
    return replace(made, id=f"{number:016d}", runs=(*own, *made.runs[runs:]))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three comparisons that share runs, an interrupted training, and every kind of garbage."""
    folder = tmp_path / "home"
    monkeypatch.setenv("ADVISOR_HOME", str(folder))
    monkeypatch.setenv("ADVISOR_CACHE", str(tmp_path / "cache"))
    with Store() as store:
        for number, made in enumerate((BASE, other(BASE, 1, 1), other(BASE, 2, 1))):
            store.add_comparison(made)
            store.add_run(replace(made.runs[0], outcomes=(), summaries={}))
            with sqlite3.connect(store.path) as connection:
                for table in ("comparisons", "runs"):
                    stamp = f"1999-0{number + 1}-01T00:00:00.000+00:00"
                    connection.execute(f"UPDATE {table} SET created = ? WHERE created > '2000'", (stamp,))
    write(folder / "work" / ("a" * 16) / "adapter-1" / "weights.safetensors", "an interrupted training")
    (folder / "work" / ("b" * 16)).mkdir()
    write(folder / "locks" / f"{'c' * 16}.lock", "")
    write(folder / "store.sqlite.format-3.bak", "a copy")
    write(folder / "store.sqlite.format-3.part", "half a copy")
    write(folder / "my notes.txt", "mine")
    write(folder / "work" / "mine" / "notes.txt", "mine")
    write(tmp_path / "cache" / "embeddings" / f"{'d' * 64}.sqlite", "vectors")
    write(tmp_path / "cache" / "weights" / "smollm2" / "model.safetensors", "weights")
    return folder


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def files(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix != ".lock" or path.stem == "c" * 16
    }


def shown() -> dict[str, Comparison]:
    with Store() as store:
        return {row[0]: store.load_comparison(row[0]) for row in store.comparisons()}


def test_without_flags_only_garbage_goes(advise: Advise, home: Path) -> None:
    before, known = files(home.parent), shown()
    done = advise("clean")
    assert done.returncode == 0
    gone = {Path("work") / ("b" * 16), Path("locks") / f"{'c' * 16}.lock", Path("store.sqlite.format-3.part")}
    assert before - files(home.parent) == {str("home" / path) for path in gone}
    assert shown() == known
    assert "advisor clean --older-than 30d" in done.stdout
    assert "Nothing to remove." in advise("clean").stdout


def test_a_dry_run_names_what_would_go_and_removes_nothing(advise: Advise, home: Path) -> None:
    before = files(home.parent)
    done = advise("clean", "--dry-run", "--keep", "1", "--copies", "--caches")
    assert files(home.parent) == before
    assert BASE.id in done.stdout
    assert "Would free" in done.stdout
    rows = json.loads(advise("clean", "--dry-run", "--keep", "1", "--json").stdout)
    assert rows["bytes"] == sum(one["size"] for one in rows["found"]) > 0


@pytest.mark.parametrize("flags", [("--keep", "1"), ("--older-than", "1d"), ("--keep", "1", "--older-than", "1d")])
def test_comparisons_go_with_what_only_they_show(advise: Advise, home: Path, flags: tuple[str, ...]) -> None:
    known = shown()
    assert advise("clean", *flags).returncode == 0
    stay = {} if flags == ("--older-than", "1d") else {f"{2:016d}": known[f"{2:016d}"]}
    assert shown() == stay
    with Store() as store:
        assert not store.outcomes(BASE.runs[0].id)
        assert bool(store.outcomes(BASE.runs[1].id)) == bool(stay)
        looks = store.earlier_looks(BASE.evalset, BASE.model, 0)
    assert looks == (BASE.n_test,)  # a look that was taken stays taken
    assert (home / "my notes.txt").exists()


def test_an_interrupted_training_stays_but_where_all_is_to_go(advise: Advise, home: Path) -> None:
    training = home / "work" / ("a" * 16)
    advise("clean", "--keep", "1")
    advise("clean", "--older-than", "1d")
    assert training.exists()
    with Store() as store:
        store.add_completions({"k": {"content": "x"}}, opening=("r", ("k",)))
    advise("clean", "--keep", "0")
    assert not training.exists()
    assert (home / "work" / "mine" / "notes.txt").exists()
    with Store() as store:
        assert not store.completions(["k"])
        assert store.comparisons() == []


def test_copies_and_caches_go_by_name_and_weights_stay(advise: Advise, home: Path) -> None:
    before = files(home.parent)
    advise("clean")
    advise("clean", "--copies", "--caches")
    gone = before - files(home.parent)
    assert {"home/store.sqlite.format-3.bak", f"cache/embeddings/{'d' * 64}.sqlite"} <= gone
    assert (home.parent / "cache" / "weights" / "smollm2" / "model.safetensors").exists()


def test_while_another_advisor_is_at_work_its_things_stay(advise: Advise, home: Path) -> None:
    known, before = shown(), files(home)
    with Store() as store, store.at_work():
        done = advise("clean", "--keep", "0")
    assert "another advisor is at work" in done.stdout
    assert shown() == known
    assert files(home) == before
    advise("clean", "--keep", "0")
    assert shown() == {}


def test_no_link_is_followed(advise: Advise, home: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    write(mine / ("e" * 16) / "kept.txt", "mine")
    write(mine / f"{'e' * 16}.lock", "")
    os.symlink(mine / ("e" * 16), home / "work" / ("e" * 16))
    os.symlink(mine / f"{'e' * 16}.lock", home / "locks" / f"{'e' * 16}.lock")
    shutil.rmtree(tmp_path / "cache" / "embeddings")
    os.symlink(mine, tmp_path / "cache" / "embeddings")
    advise("clean", "--keep", "0", "--caches", "--copies")
    assert (mine / ("e" * 16) / "kept.txt").exists()
    assert (mine / f"{'e' * 16}.lock").exists()
    assert (home / "work" / ("e" * 16)).is_symlink()
    assert not (home / "work" / ("b" * 16)).exists()  # and they stand in nobody's way
    assert (home / "locks" / f"{'e' * 16}.lock").is_symlink()


def test_an_age_that_is_none_is_refused(advise: Advise, home: Path) -> None:
    before = files(home)
    for age in ("30", "d", "-3d", "soon", "1y"):
        done = advise("clean", f"--older-than={age}")
        assert done.returncode == 2
        assert "--older-than 30d" in done.stderr
    assert files(home) == before


def test_an_empty_home_stays_empty(advise: Advise, tmp_path: Path) -> None:
    assert "Nothing to remove." in advise("clean", "--keep", "0").stdout
    assert list((tmp_path / "home").iterdir()) == []


def test_the_file_gets_smaller(advise: Advise, home: Path) -> None:
    with Store() as store:
        run = other(BASE, 3, 1)
        store.add_comparison(run)
        store.add_outcomes(run.runs[0].id, [Outcome(f"more-{at}", "x" * 10_000, 1.0) for at in range(200)])
        store._database.transaction(
            lambda c: c.execute("UPDATE comparisons SET created = '1998' WHERE id = ?", (run.id,))
        )
    before = (home / "store.sqlite").stat().st_size
    advise("clean", "--keep", "3")
    assert before - (home / "store.sqlite").stat().st_size > 1_500_000


def test_doctor_shows_sizes_and_the_line_to_type(advise: Advise, home: Path) -> None:
    shown = advise("doctor").stdout
    assert "store.sqlite" in shown
    assert "embeddings" in shown
    assert "advisor clean --dry-run" in shown
