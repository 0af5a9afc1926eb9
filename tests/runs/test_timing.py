"""What one fresh request costs and how long it takes, whatever ran before."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from advisor.core.model import Completion, Request
from advisor.models.scripted import ScriptedModel
from advisor.runs.runner import run_strategy
from advisor.runs.timing import BEFORE, REQUESTS
from advisor.stats.summaries import group_runs, summarise, tabulate
from advisor.testing import toy_task
from tests.runs.one_run import ASKS, Log, context, written

PAUSE = 0.02

EMBEDS = """
    class Embeds:
        name = "embeds"
        stochastic = False
        def fit(self, train, ctx):
            self.embed = ctx.embed
            self.known = ctx.embed([str(e.input) for e in train])
            self.targets = [e.target for e in train]
        def predict(self, inputs):
            near = self.embed([str(i) for i in inputs]) @ self.known.T
            return [self.targets[at] for at in near.argmax(axis=1)]
"""


class Computes(ScriptedModel):
    """Takes its time for every request of a batch, and half of it where it has seen the request before."""

    billed = False

    def __init__(self, interrupted_after: int | None = None) -> None:
        super().__init__(Log(interrupted_after=interrupted_after))
        self.seen: set[str] = set()
        self.batches: list[int] = []

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        self.batches.append(len(requests))
        for request in requests:
            time.sleep(PAUSE / 2 if str(request) in self.seen else PAUSE)
        self.seen |= {str(request) for request in requests}
        return super().generate(requests)

    def forget(self) -> None:
        self.seen.clear()


def computing(tmp_path: Path) -> Any:
    return replace(context(tmp_path), model=Computes())


def test_a_few_requests_are_timed_one_by_one_before_all_are_asked(tmp_path: Path) -> None:
    shared = computing(tmp_path)
    run = run_strategy(written(tmp_path, ASKS), 0, shared)
    assert len(run.waits) == REQUESTS
    assert min(run.waits) >= PAUSE / 2
    assert shared.model.batches[: 1 + REQUESTS] == [BEFORE, *[1] * REQUESTS]
    assert len(run.outcomes) == len(shared.evalset.test)


def test_waits_are_those_of_single_requests(tmp_path: Path) -> None:
    shared = computing(tmp_path)
    run = run_strategy(written(tmp_path, ASKS), 0, shared)
    [group] = group_runs([run])
    row = summarise(group, tabulate(group, shared.evalset.test), None, shared.evalset.test)
    assert row.latency_p50 == pytest.approx(float(np.median(run.waits)))


def test_nothing_of_it_is_kept_counted_or_recalled(tmp_path: Path) -> None:
    for name in ("plain", "timed"):
        (tmp_path / name).mkdir()
    plain, timed = context(tmp_path / "plain"), computing(tmp_path / "timed")
    file = written(tmp_path, ASKS)
    one, other = run_strategy(file, 0, plain), run_strategy(file, 0, timed)
    assert [o.output for o in one.outcomes] == [o.output for o in other.outcomes]
    assert other.usage.calls == one.usage.calls == len(one.outcomes)
    assert one.waits == ()


def test_timings_are_kept_and_not_made_again(tmp_path: Path) -> None:
    file = written(tmp_path, ASKS)
    first = run_strategy(file, 0, computing(tmp_path))
    shared = computing(tmp_path)
    assert run_strategy(file, 0, shared).waits == first.waits
    assert shared.model.batches == []


def test_an_interrupted_run_keeps_its_timings(tmp_path: Path) -> None:
    file = written(tmp_path, ASKS)
    stopped = replace(computing(tmp_path), model=Computes(interrupted_after=BEFORE + REQUESTS + 5))
    with pytest.raises(KeyboardInterrupt):
        run_strategy(file, 0, stopped)
    assert len(stopped.model.batches) > 1 + REQUESTS
    shared = computing(tmp_path)
    assert len(run_strategy(file, 0, shared).waits) == REQUESTS
    assert 1 not in shared.model.batches


def test_what_another_strategy_asked_makes_none_quicker(tmp_path: Path) -> None:
    shared, file = computing(tmp_path), written(tmp_path, ASKS)
    shared.model.seen.add("what another one left")
    run_strategy(file, 0, shared)
    assert "what another one left" not in shared.model.seen


def test_embedding_is_paid_for_by_each_strategy_that_asks_for_it(tmp_path: Path) -> None:
    computed: list[Sequence[str]] = []

    class Keeps:
        def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
            return toy_task.embed(texts)

        def unkept(self, texts: Sequence[str]) -> NDArray[np.float32]:
            computed.append(texts)
            return toy_task.embed(texts)

    shared = replace(context(tmp_path), embed=Keeps())
    run = run_strategy(written(tmp_path, EMBEDS), 0, shared)
    assert computed[0] == [""], "weights that were not needed so far are loaded before anything counts"
    assert sum(map(len, computed[1:])) == len(run.outcomes) == len(shared.evalset.test)
    assert not run.error


def test_what_was_embedded_before_makes_no_fit_quicker(tmp_path: Path) -> None:
    class Kept:
        def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
            return toy_task.embed(texts)

        def kept_seconds(self, texts: Sequence[str]) -> float:
            return 10.0 * len(texts)

    twice = EMBEDS.replace("self.targets = [", "ctx.embed([str(e.input) for e in train]); self.targets = [")
    shared = replace(context(tmp_path), embed=Kept())
    run = run_strategy(written(tmp_path, twice), 0, shared)
    n = len({str(example.input) for example in shared.evalset.train})
    assert 10.0 * n <= run.fit_cost.seconds < 10.0 * n + 5, "each text counts once, as it would be computed once"


def test_a_strategy_that_breaks_is_told_as_ever(tmp_path: Path) -> None:
    run = run_strategy(written(tmp_path, ASKS.replace("[c.text for c in done]", "[][0]")), 0, computing(tmp_path))
    assert "IndexError" in run.error
    assert run.waits == ()
