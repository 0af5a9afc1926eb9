"""What makes a run another run, and how an interrupted one goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from advisor.core.types import Outcome, Run
from advisor.models.scripted import ScriptedModel
from advisor.runs import runner
from advisor.runs.runner import CHUNK, Attempt, run_strategy
from advisor.runs.store import Store
from advisor.testing import toy_task
from tests.runs.one_run import ASKS, Log, context, written


def test_an_edited_strategy_runs_again(tmp_path: Path) -> None:
    prepared = context(tmp_path)
    first = run_strategy(written(tmp_path, ASKS), 0, prepared)
    second = run_strategy(written(tmp_path, ASKS.replace("[c.text for", "['not ' + c.text for")), 0, prepared)
    assert first.id != second.id
    assert {outcome.score for outcome in second.outcomes} == {0.0}


@pytest.mark.parametrize("change", ["seed", "evalset", "model"])
def test_the_run_id_is_the_content_of_all_that_counts(tmp_path: Path, change: str) -> None:
    spec = written(tmp_path, ASKS)
    prepared = context(tmp_path)
    one = run_strategy(spec, 0, prepared)
    if change == "model":
        prepared = replace(prepared, model=ScriptedModel(lambda request: "billing"))
    if change == "evalset":
        prepared = replace(prepared, evalset=replace(prepared.evalset, instruction="Another one."))
    other = run_strategy(spec, 1 if change == "seed" else 0, prepared)
    assert one.id != other.id


def interrupted(tmp_path: Path, after: int) -> tuple[Run, Run, int, int]:
    """Run a strategy undisturbed, and once interrupted after some answers and resumed."""
    base = toy_task.toy_evalset()
    many = tuple(
        replace(base.test[at % 18], id=f"t{at}", input=f"{base.test[at % 18].input} ({at})") for at in range(150)
    )
    evalset = replace(base, test=many)
    spec = written(tmp_path, ASKS)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole = run_strategy(spec, 0, context(tmp_path / "a", evalset=evalset))

    with pytest.raises(KeyboardInterrupt):
        run_strategy(spec, 0, context(tmp_path / "b", Log(interrupted_after=after), evalset))
    stored = len(Store(tmp_path / "b" / "s.sqlite").outcomes(whole.id))
    log = Log()
    resumed = run_strategy(spec, 0, context(tmp_path / "b", log, evalset))
    return whole, resumed, stored, len(log.asked)


@pytest.mark.parametrize("after", [1, CHUNK, CHUNK + 1, 2 * CHUNK])
def test_an_interrupted_run_resumes_and_is_the_same(
    tmp_path: Path, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "WAIT_SECONDS", 0.0)  # what is asked for together is committed together
    whole, resumed, stored, asked = interrupted(tmp_path, after)
    assert stored == (after // CHUNK) * CHUNK
    assert asked == 150 - stored
    assert [(o.example_id, o.output, o.score) for o in resumed.outcomes] == [
        (o.example_id, o.output, o.score) for o in whole.outcomes
    ]


@pytest.mark.parametrize(("wait", "kept"), [(0.0, [64, 64, 64, 8]), (60.0, [200])])
def test_outcomes_that_take_no_time_are_committed_together(
    tmp_path: Path, wait: float, kept: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many are committed at once depends on the time; how many are asked for at once must not."""
    monkeypatch.setattr(runner, "WAIT_SECONDS", wait)
    base = toy_task.toy_evalset()
    inputs = [f"{base.test[at % 18].input} ({at})" for at in range(200)]
    test = tuple(replace(base.test[0], id=f"t{at}", input=each) for at, each in enumerate(inputs))
    prepared, sizes, asked = context(tmp_path, evalset=replace(base, test=test)), list[int](), list[int]()
    keep, generate = prepared.store.add_outcomes, prepared.model.generate
    monkeypatch.setattr(prepared.store, "add_outcomes", lambda run, rows: (sizes.append(len(rows)), keep(run, rows)))
    monkeypatch.setattr(prepared.model, "generate", lambda rows: (asked.append(len(rows)), generate(rows))[1])
    assert len(run_strategy("zero_shot", 0, prepared).outcomes) == 200
    assert [size for size in sizes if size] == kept
    assert asked == [64, 64, 64, 8]


def test_what_stands_beside_outcomes_is_kept_in_the_same_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill between two steps would keep the answers of a probe and lose how many requests it had changed."""
    prepared = context(tmp_path)
    attempt = Attempt.of("zero_shot", 0, prepared)
    attempt.fit()
    steps: list[list[str]] = []
    keep = prepared.store.add_outcomes
    monkeypatch.setattr(
        prepared.store,
        "add_outcomes",
        lambda run, rows: (steps.append([row.example_id for row in rows]), keep(run, rows)),
    )
    examples = prepared.evalset.test[:3]
    attempt.answer(examples, "k", beside=lambda: [Outcome("", "3", None)])
    assert steps == [[*(example.id for example in examples), ""]]
    assert prepared.store.outcomes("k")[""].output == "3"
