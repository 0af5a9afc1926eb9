"""The attempt log: every call that may be billed stands in it once, and says how it ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from advisor.core.errors import BudgetReached, ModelError
from advisor.core.model import Completion, Request
from advisor.models.endpoint.concurrency import WorkerPool
from advisor.runs.metering import Budget, Meter, MeteredModel
from advisor.runs.store import Store
from tests.runs.recording_models import Billed, Recorder, ask


@pytest.mark.parametrize(("kind", "written"), [(Recorder, 0), (Billed, 3)])
def test_only_calls_that_may_be_billed_stand_in_the_attempt_log(
    tmp_path: Path, kind: type[Recorder], written: int
) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        opened: list[str] = []
        keep = store.open_attempts
        store.open_attempts = lambda run, keys, failed=(): (opened.extend(keys), keep(run, keys, failed))[1]  # type: ignore[method-assign]
        MeteredModel(kind(), store, Meter(), Budget(), run="r").generate(ask("a", "b", "fail c"))
        assert len(opened) == written
        assert store.unanswered(["r"]) == (1 if written else 0)


class InThreads(Recorder):
    """Two calls at a time, as an endpoint makes them, the first two at once.

    ``dead ...`` breaks, once it may, before anything is sent; ``known ...`` is answered without a call.
    """

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.may_break, self.both = threading.Event(), threading.Barrier(2)
        self.store, self.rows = store, list[int]()

    def stream(self, requests: Sequence[Request], sending: Callable[[int], None]) -> WorkerPool[Completion]:
        def answer(at: int) -> Completion:
            if at < 2:
                self.both.wait(600)
            text = requests[at].messages[-1].content
            if text.startswith("dead"):
                self.may_break.wait(600)
                raise ModelError("the key was refused")
            if not text.startswith("known"):
                sending(at)
                self.rows.append(len(_endings(self.store)))
            return self._one(text)

        return WorkerPool(answer, len(requests), 2)


def _endings(store: Store) -> list[str | None]:
    rows = store._database.read("SELECT how FROM attempts LEFT JOIN endings ON attempt = id ORDER BY id")
    return [how for (how,) in rows]


def test_an_attempt_is_opened_in_the_step_that_keeps_the_answer_before(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        alone: list[str] = []
        keep = store.open_attempts
        store.open_attempts = lambda run, keys, failed=(): (alone.extend(keys), keep(run, keys, failed))[1]  # type: ignore[method-assign]
        model = InThreads(store)
        MeteredModel(model, store, Meter(), Budget(), run="r").generate(ask(*"abcdefgh"))
        assert len(alone) == 2
        assert all(rows > before for before, rows in enumerate(sorted(model.rows)))  # a row before each call
        assert _endings(store) == ["answered"] * 8
        assert store.unanswered(["r"]) == 0


def test_what_was_opened_and_never_sent_is_no_call_that_may_be_billed(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        model, keep = InThreads(store), store.add_completions

        def kept(*given: Any) -> list[int]:
            numbers = keep(*given)
            model.may_break.set()
            return numbers

        store.add_completions = kept  # type: ignore[method-assign, assignment]
        with pytest.raises(ModelError, match="the key was refused"):
            MeteredModel(model, store, Meter(), Budget(), run="r").generate(ask("a", "dead b", "dead c"))
        assert _endings(store) == ["answered", "unsent"]
        assert store.unanswered(["r"]) == 0


def test_what_a_model_answers_without_a_call_is_no_call(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        asked = ask("a", "b", "known c", "known d", "e")
        MeteredModel(InThreads(store), store, Meter(), Budget(), run="r").generate(asked)
        assert sorted(map(str, _endings(store))) == ["answered"] * 3 + ["unsent"] * 2
        assert store.unanswered(["r"]) == 0


def test_a_model_that_does_not_say_what_it_sends_has_each_call_in_the_attempt_log_once(tmp_path: Path) -> None:
    class Silent(InThreads):
        billed = True

        def stream(self, requests: Sequence[Request]) -> WorkerPool[Completion]:  # type: ignore[override]
            return super().stream(requests, lambda at: None)

    with Store(tmp_path / "s.sqlite") as store:
        MeteredModel(Silent(store), store, Meter(), Budget(), run="r").generate(ask(*"abcdef"))
        assert _endings(store) == ["answered"] * 6


def test_nothing_is_opened_ahead_once_the_budget_is_reached(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        budget = Budget(limit_usd=1.0, price=lambda usage: 1.0)
        with pytest.raises(BudgetReached):
            MeteredModel(InThreads(store), store, Meter(), budget, run="r").generate(ask(*"abcdefgh"))
        assert _endings(store) == ["answered"] * 2
