"""The store: what was acknowledged is there, for every process, or the error says why not."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from advisor.core.errors import StoreError
from advisor.core.types import FitCost, Outcome, Run, Usage
from advisor.runs.database import Database
from advisor.runs.store import SCHEMA_VERSION, Store

RUN = Run(
    id="r1",
    strategy="few_shot",
    params={"k": 4},
    seed=0,
    model="scripted",
    evalset="toy",
    evalset_fingerprint="f",
    metric="exact_match",
    outcomes=(),
    fit_cost=FitCost(seconds=1.5, usage=Usage(input_tokens=7, calls=1), examples=3),
    selection={"k": 4},
)


def outcome(name: str, score: float | None = 1.0) -> Outcome:
    usage = Usage(output_tokens=2, latency_seconds=0.25)
    return Outcome(name, output="yes", score=score, usage=usage, trace={"a": [1]})


def test_what_was_added_is_read_back_by_another_connection(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        store.add_run(RUN)
        store.add_outcomes("r1", [outcome("a"), Outcome("b", None, None, error="timed out")])
        store.add_completions({"k": {"content": "é\ud83d", "calls": []}})
    with Store(tmp_path / "s.sqlite") as again:
        assert again.run("r1") == RUN
        assert again.outcomes("r1") == {"a": outcome("a"), "b": Outcome("b", None, None, error="timed out")}
        assert again.completions(["k", "other"]) == {"k": {"content": "é\ud83d", "calls": []}}


def test_the_same_outcome_twice_is_one_row(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        store.add_outcomes("r1", [outcome("a", 0.0)])
        store.add_outcomes("r1", [outcome("a", 1.0)])
        assert store.outcomes("r1") == {"a": outcome("a", 1.0)}


def test_the_first_fit_cost_stays(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        store.add_run(RUN)
        store.add_run(Run(**{**{n: getattr(RUN, n) for n in RUN.__slots__}, "fit_cost": FitCost()}))
        kept = store.run("r1")
    assert kept is not None
    assert kept.fit_cost.seconds == 1.5


def test_more_keys_than_sqlite_takes_variables(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        store.add_completions({f"k{i}": {"content": str(i)} for i in range(1200)})
        assert len(store.completions([f"k{i}" for i in range(1200)])) == 1200


def test_a_newer_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(StoreError, match=rf"newer tuneworthy .*format {SCHEMA_VERSION + 1}"):
        Store(path)


def test_a_file_that_is_no_store_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    path.write_text("not a database, but long enough to be read as one" * 20)
    with pytest.raises(StoreError, match="cannot be used"):
        Store(path)


def test_no_comparison_yet(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        with pytest.raises(StoreError, match=r"no comparison yet.*\n.*advisor compare"):
            store.load_comparison()


def _write(path: Path, worker: int) -> None:
    with Store(path) as store:
        for number in range(50):
            store.add_outcomes("r1", [outcome(f"{worker}-{number}")])


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_write, args=(path, number)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(600)
    with Store(path) as store:
        assert len(store.outcomes("r1")) == 200


# --- formats ---------------------------------------------------------------------------------------------------------


def second_format(path: Path) -> None:
    """Write a store as tuneworthy's second format had it, with one outcome."""
    with Store(path) as store:
        store.add_outcomes("r1", [outcome("a")])
    connection = sqlite3.connect(path)
    for table in ("attempts", "endings", "members"):
        connection.execute(f"DROP TABLE {table}")
    connection.execute("PRAGMA user_version = 2")
    connection.commit()
    connection.close()


def test_an_older_store_is_brought_up_to_date_and_a_copy_kept(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    second_format(path)
    before = path.read_bytes()
    with Store(path) as store:
        assert store.outcomes("r1") == {"a": outcome("a")}
        [number] = store.open_attempts("r1", ["k"])
        assert store.unanswered(["r1"]) == 1
        store.add_completions({"k": {"content": "x"}}, {number: "answered"})
        assert store.unanswered(["r1"]) == 0
    copy = sqlite3.connect(tmp_path / "s.sqlite.format-2.bak")
    assert copy.execute("PRAGMA user_version").fetchone() == (2,)
    assert copy.execute("SELECT run, example FROM outcomes").fetchall() == [("r1", "a")]
    assert (tmp_path / "s.sqlite.format-2.bak").stat().st_size == len(before)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["s.sqlite", "s.sqlite.format-2.bak"]
    with Store(path) as store:
        assert store.outcomes("r1") == {"a": outcome("a")}


def test_two_processes_bring_it_up_to_date_at_once(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    second_format(path)
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_write, args=(path, number)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(600)
    with Store(path) as store:
        assert len(store.outcomes("r1")) == 151


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="database of another program"):
        Store(path)
    assert path.read_bytes() == before


# --- busy ------------------------------------------------------------------------------------------------------------


def test_who_waits_too_long_is_told_so_and_not_that_it_is_locked(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    Store(path).close()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match=r"kept the store .* to itself") as raised:
        Database(path, (), SCHEMA_VERSION, patience_seconds=0.2)
    assert "locked" not in str(raised.value)
    holder.execute("COMMIT")
    Database(path, (), SCHEMA_VERSION, patience_seconds=0.2).close()


def test_a_claim_is_waited_for_and_told(tmp_path: Path) -> None:
    said: list[str] = []
    with Store(tmp_path / "s.sqlite") as store, Store(tmp_path / "s.sqlite") as other:
        taken, order = threading.Event(), list[str]()

        def second() -> None:
            taken.wait(600)
            with other.claimed("a" * 16, lambda what, done, total: said.append(what), "few_shot"):
                order.append("second")

        thread = threading.Thread(target=second)
        thread.start()
        with store.claimed("a" * 16):
            taken.set()
            while not said:
                time.sleep(0.01)
            order.append("first")
        thread.join(600)
    assert order == ["first", "second"]
    assert said[0] == "few_shot: another advisor is at it, waiting"


def add(connection: sqlite3.Connection, number: int) -> int:
    connection.execute("INSERT INTO numbers VALUES (?)", (number,))
    if number % 7 == 0:
        raise ValueError(number)
    return number


def test_steps_of_many_threads_are_made_durable_together_and_the_fault_of_one_is_its_own(tmp_path: Path) -> None:
    database = Database(tmp_path / "numbers.sqlite", ("CREATE TABLE IF NOT EXISTS numbers (n INTEGER)",), 1)
    commits: list[str] = []
    database._connection.set_trace_callback(lambda said: commits.append(said) if "COMMIT" in said else None)
    inside, held, seen = threading.Event(), threading.Event(), list[object]()

    def first(connection: sqlite3.Connection) -> None:
        inside.set()
        held.wait(600)

    def one(number: int) -> None:
        try:
            seen.append(database.transaction(lambda connection: add(connection, number)))
        except ValueError as error:
            seen.append(str(error))

    def together(numbers: range) -> list[threading.Thread]:
        threads = [threading.Thread(target=one, args=(number,)) for number in numbers]
        for thread in threads:
            thread.start()
        return threads

    holding = threading.Thread(target=database.transaction, args=(first,))
    holding.start()
    inside.wait(600)
    threads = together(range(1, 7))
    while len(database._waiting) < len(threads):
        time.sleep(0.001)
    held.set()
    for thread in (holding, *threads):
        thread.join()
    assert sorted(map(int, map(str, seen))) == list(range(1, 7))
    assert len(commits) == 2  # the one that was held up, and all others together

    for thread in together(range(7, 15)):
        thread.join()
    assert {"7", "14"} <= set(map(str, seen))
    stored = [number for (number,) in database.read("SELECT n FROM numbers ORDER BY n")]
    assert stored == [*range(1, 7), *range(8, 14)]
    database.close()


def test_a_store_that_another_process_makes_meanwhile_is_no_other_programs(tmp_path: Path) -> None:
    """Between looking for tables and reading the format's number, another process makes both."""
    path = tmp_path / "s.sqlite"

    class Interrupting:
        def __init__(self) -> None:
            self.connection, self.statements = sqlite3.connect(path), 0

        def execute(self, statement: str) -> sqlite3.Cursor:
            self.statements += 1
            if self.statements == 2:
                Store(path).close()
            return self.connection.execute(statement)

    with Store(tmp_path / "another.sqlite") as store:
        interrupting = Interrupting()
        assert store._database._version_now(interrupting) in (0, SCHEMA_VERSION)  # type: ignore[arg-type]
        assert interrupting.statements == 2
