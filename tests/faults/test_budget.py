"""H4: the budget is a hard stop. What is spent is at most the budget and what the calls in flight then cost."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisor.core.errors import BudgetReached
from advisor.core.model import Completion, Model, Request, TuningJob, TuningReport
from advisor.core.types import Message, Usage
from advisor.models.endpoint import EndpointModel, EndpointOptions
from advisor.models.endpoint.concurrency import WorkerPool
from advisor.runs.metering import Budget, Meter, MeteredModel
from advisor.runs.store import Store
from tests.faults.sheet import Sheet, trials
from tests.models.fake_server import FakeServer, Seen, answer

CENT = 0.01
MODELS = itertools.count()


class Costly:
    """A model that answers many questions at once; a question says what it costs, and whether it fails."""

    name = fingerprint = "costly"

    def __init__(self, jobs: int, rng: random.Random) -> None:
        self.jobs, self.lock = jobs, threading.Lock()
        self.waits = [rng.choice([0.0, 0.0, 0.0005]) for _ in range(50)]
        self.money: Budget | None = None
        self.begun_after_the_end = 0
        self.begun: list[int] = []

    def stream(self, requests: Sequence[Request]) -> WorkerPool[Completion]:
        return WorkerPool(lambda at: self._one(requests[at]), len(requests), self.jobs)

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        return [done for _, done in sorted(self.stream(requests))]

    def tune(self, job: TuningJob) -> tuple[Model, TuningReport]:
        raise NotImplementedError

    def _one(self, request: Request) -> Completion:
        number, cents, fails = (int(part) for part in request.messages[0].content.split())
        assert self.money
        with self.lock:
            self.begun.append(number)
            self.begun_after_the_end += self.money.is_reached
        time.sleep(self.waits[number % len(self.waits)])
        usage = Usage(output_tokens=cents, calls=1)
        if fails:
            return Completion(usage=usage, finish_reason="error", error="failed", cause="server")
        return Completion(f"answer {number}", usage=usage)


@pytest.mark.parametrize("jobs", [1, 2, 5, 16])
def test_spending_ends_with_what_is_in_flight(jobs: int, tmp_path: Path, sheet: Sheet) -> None:
    made, broken = 0, list[str]()
    store = Store(tmp_path / f"{jobs}.sqlite")

    @settings(max_examples=trials(20, 250), database=None, suppress_health_check=list(HealthCheck))
    @given(
        batches=st.lists(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=25), max_size=4),
        budget=st.integers(0, 150),
        seed=st.integers(0, 2**32),
    )
    def check(batches: list[list[tuple[int, bool]]], budget: int, seed: int) -> None:
        nonlocal made
        made += 1
        try:
            spend(batches, budget, jobs, seed, store)
        except AssertionError as error:
            broken.append(str(error))
            raise

    try:
        check()
    finally:
        sheet.add("H4", f"budget, {jobs} calls at once", made, len(broken))
        store.close()


def spend(batches: list[list[tuple[int, bool]]], budget: int, jobs: int, seed: int, store: Store) -> None:
    rng = random.Random(seed)
    model = Costly(jobs, rng)
    model.fingerprint = f"costly {next(MODELS)}"  # each with a memory of its own
    money = Budget(budget * CENT, lambda usage: usage.output_tokens * CENT)
    model.money, metered, number = money, MeteredModel(model, store, Meter(), money), 0
    reached, answered = False, 0
    for batch in batches:
        requests = []
        for cents, fails in batch:
            requests.append(Request((Message("user", f"{number} {cents} {int(fails)}"),)))
            number += 1
        try:
            answered += len(metered.generate(requests))
        except BudgetReached:
            reached = True
            break
    dearest = max((cents for batch in batches for cents, _ in batch), default=0)
    spent = round(money.spent_usd / CENT)
    assert model.begun_after_the_end < jobs, "a call was begun after the budget was reached"
    assert spent <= max(budget, 0) + jobs * dearest, f"{spent} of {budget} spent, {jobs} at once, {dearest} the dearest"
    flat = [pair for batch in batches for pair in batch]
    begun = sum(flat[at][0] for at in model.begun)
    assert spent == begun, "a call was made and not counted"
    assert len(model.begun) == len(set(model.begun)), "a call was made twice"
    asked = [Request((Message("user", f"{at} {cents} {int(fails)}"),)) for at, (cents, fails) in enumerate(flat)]
    kept = store.completions([metered._key(request) for request in asked])
    assert len(kept) == sum(not flat[at][1] for at in model.begun), "an answer was paid for and not kept"
    if not reached:
        assert answered == number


@pytest.mark.parametrize("jobs", [1, 4, 16])
def test_a_server_sees_no_call_after_the_budget(jobs: int, tmp_path: Path, sheet: Sheet) -> None:
    """With the real client, answers that are slow to be stored, and 12 + 3 tokens a call."""
    made, broken = trials(2, 20), 0
    for number in range(made):
        rng = random.Random(number)

        def late(seen: Seen, rng: random.Random = rng) -> bytes:
            time.sleep(rng.random() * 0.01)
            return answer("x")

        with FakeServer([], default=late) as server, Store(tmp_path / f"{number}.sqlite") as store:
            model = EndpointModel("m", url=server.url, options=EndpointOptions(jobs=jobs))
            money = Budget(rng.randint(1, 40) * 15.0, lambda usage: float(usage.input_tokens + usage.output_tokens))
            asking = [Request((Message("user", f"question {at}"),)) for at in range(80)]
            with pytest.raises(BudgetReached):
                MeteredModel(model, store, Meter(), money).generate(asking)
            calls = len(server.seen)
            time.sleep(0.03)
            within = money.spent_usd <= (money.limit_usd or 0) + jobs * 15 and calls == len(server.seen)
            again = MeteredModel(model, store, Meter(), Budget())
            again.generate(asking)
            broken += not (within and money.spent_usd == 15 * calls and len(server.seen) == 80)
            model.close()
    sheet.add("H4", f"budget with a real client and server, {jobs} calls at once, then resumed", made, broken)
    assert not broken
