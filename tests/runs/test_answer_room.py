"""Answers that were cut off: asked again once with more room, marked, counted, paid for; and thinking apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import advisor
from advisor.core.model import Completion, Request
from advisor.core.types import EvalSet, Example, Usage
from advisor.models.scripted import ScriptedModel
from advisor.runs.answer_room import THINKING_TOKENS, cut_predictions
from advisor.runs.metering import Budget, Meter, MeteredModel
from advisor.runs.runner import run_strategy
from advisor.runs.store import Store
from tests.runs.one_run import ASKS, context, written
from tests.runs.recording_models import ask
from tests.small_comparison import write_evalset


class Bounded(ScriptedModel):
    """Writes what `answers` says, a token a UTF-8 byte, and no more than there is room for."""

    billed = True
    shows = True
    context_tokens: int | None = None

    def __init__(self, answers: Any, name: str = "bounded", thinking: str = "") -> None:
        super().__init__(answers, name)
        self.fingerprint = name
        self.rooms: list[int] = []
        self.thinking = thinking

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        return [self._one(request) for request in requests]

    def _one(self, request: Request) -> Completion:
        self.rooms.append(request.max_tokens)
        whole = (self.thinking + self._answer(request).content).encode()
        room = request.max_tokens if self.context_tokens is None else min(request.max_tokens, self.context_tokens - 10)
        text, used = whole[:room].decode("utf-8", "ignore"), Usage(10, 0, min(room, len(whole)), 1, 0.5, 0.5)
        hidden = not self.shows and len(whole) > room
        return Completion("" if hidden else text, (), used, "length" if len(whole) > room else "stop")


class Counting(Bounded):
    """The same, and says how it counts."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.encode()) for text in texts]


def metered(model: Bounded, tmp_path: Path, **options: Any) -> tuple[MeteredModel, Meter, Budget]:
    meter, budget = Meter(), Budget(10.0, lambda usage: 0.01 * usage.calls)
    return MeteredModel(model, Store(tmp_path / "s.sqlite"), meter, budget, **options), meter, budget


def room(**options: Any) -> Any:
    from advisor.runs.answer_room import AnswerRoom

    kept = AnswerRoom(**options)
    return lambda model: kept


def test_a_cut_answer_is_asked_again_once_with_four_times_the_room_and_both_are_paid(tmp_path: Path) -> None:
    inner = Bounded({"a": "x" * 100, "b": "y" * 500, "c": "short"})
    model, meter, budget = metered(inner, tmp_path)
    whole, cut, short = model.generate(ask("a", "b", "c", max_tokens=30))
    assert (whole.content, whole.finish_reason, whole.usage.calls) == ("x" * 100, "stop", 2)
    assert (cut.content, cut.finish_reason, cut.usage.output_tokens) == ("y" * 120, "length", 150)
    assert (short.content, short.usage.calls) == ("short", 1)
    assert inner.rooms == [30, 30, 30, 120, 120]
    assert (meter.usage.calls, round(budget.spent_usd, 9)) == (5, 0.05)
    assert meter.cut == [(False, True, False)]
    again, later, paid = metered(Bounded({}), tmp_path)
    assert again.generate(ask("a", "b", "c", max_tokens=30)) == [whole, cut, short]
    assert (later.usage, paid.spent_usd) == (meter.usage, 0.0)


def test_what_may_be_cut_is_taken_as_it_is(tmp_path: Path) -> None:
    inner = Bounded({"a": "x" * 100})
    model, meter, _ = metered(inner, tmp_path)
    [done] = model.generate(ask("a", max_tokens=3, may_be_cut=True))
    assert (done.content, inner.rooms, meter.cut) == ("xxx", [3], [(False,)])


def test_where_the_first_line_counts_an_answer_cut_behind_it_is_whole(tmp_path: Path) -> None:
    inner = Bounded({"a": "\n yes\nbecause " + "x" * 400, "b": "\n" + "x" * 400})
    model, meter, _ = metered(inner, tmp_path)
    whole, cut = model.generate(ask("a", "b", max_tokens=20, enough_at=("\n",)))
    assert (whole.finish_reason, whole.usage.calls, cut.finish_reason) == ("stop", 1, "length")
    assert (inner.rooms, meter.cut) == ([20, 20, 80], [(False, True)])
    [again] = model.generate(ask("a", max_tokens=20))
    assert (again.finish_reason, again.usage.calls) == ("length", 2), "the same call, looked at otherwise"


def test_the_users_own_limit_and_the_context_are_never_passed(tmp_path: Path) -> None:
    inner = Bounded({"a": "x" * 100})
    model, meter, _ = metered(inner, tmp_path, room_of=room(most=50))
    assert [len(done.content) for done in model.generate([*ask("a", max_tokens=30), *ask("a", max_tokens=50)])] == [
        50,
        50,
    ]
    assert (inner.rooms, meter.cut) == ([30, 50, 50], [(True, True)])
    small = Bounded({"a": "x" * 100}, "small")
    small.context_tokens = 60
    model, meter, _ = metered(small, tmp_path)
    assert [len(done.content) for done in model.generate(ask("a", max_tokens=30))] == [50]
    assert [len(done.content) for done in model.generate(ask("a", max_tokens=80))] == [50]
    assert (small.rooms, meter.cut) == ([30, 50, 80], [(True,), (True,)])


@pytest.mark.parametrize("kind", [Bounded, Counting])
def test_thinking_has_a_room_of_its_own_from_when_it_is_seen(tmp_path: Path, kind: type[Bounded]) -> None:
    inner = kind({"a": "yes", "b": "no"}, thinking=f"<think>{'h' * 1000}</think>\n\n")
    model, meter, _ = metered(inner, tmp_path)
    assert [done.text for done in model.generate(ask("a", max_tokens=32))] == ["yes"]
    assert [done.text for done in model.generate(ask("b", max_tokens=32))] == ["no"]
    assert inner.rooms == [32, 128 + THINKING_TOKENS, 32 + THINKING_TOKENS]
    assert meter.usage.output_tokens > 2000
    assert meter.cut == [(False,), (False,)]
    again, _, _ = metered(kind({}), tmp_path)
    assert [done.text for done in again.generate(ask("b", "a", max_tokens=32))] == ["no", "yes"]


def test_the_room_for_thinking_is_learned(tmp_path: Path) -> None:
    inner = Counting({str(at): "yes" for at in range(9)}, thinking=f"<think>{'h' * 5000}</think>")
    model, meter, _ = metered(inner, tmp_path)
    [cut] = model.generate(ask("0", max_tokens=32))
    assert (cut.cause, cut.usage.calls, meter.cut) == ("cut", 2, [(True,)])
    assert [done.text for done in model.generate(ask("1", "2", max_tokens=32))] == ["yes", "yes"]
    assert inner.rooms[-1] == 32 + 2 * (128 + THINKING_TOKENS)


def test_an_empty_answer_that_ended_by_length_is_a_failed_call(tmp_path: Path) -> None:
    inner = Bounded({"a": "x" * 100_000}, thinking="<think>")
    model, meter, _ = metered(inner, tmp_path)
    [done] = model.generate(ask("a", max_tokens=12))
    assert (done.cause, done.finish_reason, len(inner.rooms)) == ("cut", "error", 2)
    assert done.error.startswith("cut off before an answer began")
    assert meter.cut == [(True,)]


def test_what_a_server_hides_is_taken_for_thinking(tmp_path: Path) -> None:
    inner = Bounded({"a": "yes"}, thinking="h" * 400)
    inner.shows = False
    model, _, _ = metered(inner, tmp_path)
    [done] = model.generate(ask("a", max_tokens=12))
    assert inner.rooms == [12, 48 + THINKING_TOKENS]
    assert done.text.endswith("yes")


def test_targets_that_think_keep_it(tmp_path: Path) -> None:
    said = "<think>why</think>\nyes"
    model, meter, _ = metered(Bounded({"a": said}), tmp_path, room_of=room(keeps_thinking=True))
    assert [done.text for done in model.generate(ask("a", max_tokens=64))] == [said]
    assert meter.cut == [(False,)]
    kept = EvalSet("t", "", "exact_match", (Example("1", "q", said),), (), (Example("2", "a", said),))
    assert context(tmp_path, evalset=kept).room_of(Bounded({})).keeps_thinking


TWICE = """
    from advisor.core.model import Request
    from advisor.core.types import Message

    class Twice:
        name = "twice"
        stochastic = False
        def fit(self, train, ctx):
            self.model = ctx.model
        def predict(self, inputs):
            def ask(texts):
                requests = [Request((Message("user", text),), max_tokens=8) for text in texts]
                return [done.text for done in self.model.generate(requests)]
            first = ask([str(i) for i in inputs])
            short = [at for at, text in enumerate(first) if len(text) < 9]
            again = dict(zip(short, ask([f"again {inputs[at]}" for at in short])))
            return [again.get(at, text) for at, text in enumerate(first)]
"""


@pytest.mark.parametrize("source", [ASKS.replace("str(i)),)", "str(i)),), max_tokens=8"), TWICE])
def test_a_strategy_that_returns_texts_only_is_marked_where_it_was_cut(tmp_path: Path, source: str) -> None:
    test = tuple(Example(str(at), f"q{at}", "x" * (100 if at in (3, 7) else 5)) for at in range(10))
    small = EvalSet("t", "", "exact_match", (Example("t", "q", "x"),), (), test)
    table = {f"{way}{one.input}": one.target for one in test for way in ("", "again ")}
    shared = context(tmp_path, evalset=small)
    object.__setattr__(shared, "model", Bounded(table))
    run = run_strategy(written(tmp_path, source), 0, shared)
    assert run.error == ""
    assert [one.example_id for one in run.outcomes if one.cut] == ["3", "7"]
    assert [one.score for one in run.outcomes] == [0.0 if at in (3, 7) else 1.0 for at in range(10)]


@pytest.mark.parametrize(
    ("batches", "found"),
    [
        ([(False,) * 3], [False] * 3),
        ([(True, False, False)], [True, False, False]),
        ([(True, False, False), (False, False, True)], [True, False, True]),
        ([(False,), (True,), (False,)], [False, True, False]),
        ([(False,), (True,)] * 3, [True] * 3),
        ([(False, True), (False,)], [False, True, False]),
        ([(False, False, False), (True,)], None),
        ([(False, False, False), ()], [False] * 3),
    ],
)
def test_which_answers_rest_on_a_cut_one(batches: Any, found: Any) -> None:
    assert cut_predictions(batches, 3) == found


SCRIPTS = (
    st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), max_size=60),
    st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), max_size=60),
    st.text(st.characters(min_codepoint=0x0621, max_codepoint=0x064A), max_size=60),
    st.text(st.characters(min_codepoint=0x1F300, max_codepoint=0x1F6FF), max_size=20),
    st.uuids().map(str),
    st.datetimes().map(lambda at: f"{at.isoformat()}Z"),
    st.dictionaries(st.text(max_size=9), st.integers() | st.text(max_size=20), max_size=6).map(str),
    st.text(st.sampled_from("{}[]();=<>!&|.,\"'\n\t x0"), max_size=200),
)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(SCRIPTS).flatmap(lambda script: st.lists(script, min_size=2, max_size=12)), st.booleans())
def test_no_target_of_any_script_is_cut_when_the_model_says_it_back(
    tmp_path_factory: Any, targets: list[str], hides: bool
) -> None:
    """Where the tokenizer is hidden this one is the worst there is: every byte a token."""
    examples = tuple(Example(str(at), f"q{at}", target) for at, target in enumerate(targets))
    small = EvalSet("t", "", "exact_match", tuple(Example(f"t{e.id}", f"t {e.input}", e.target) for e in examples), (),
                    examples)  # fmt: skip
    shared = context(tmp_path_factory.mktemp("cut"), evalset=small)
    inner = (Bounded if hides else Counting)({str(e.input): e.target for e in examples})
    object.__setattr__(shared, "model", inner)
    run = run_strategy("zero_shot", 0, shared)
    assert not any(one.cut or one.error for one in run.outcomes)
    assert hides or len(inner.rooms) == len(targets)


CUTTING = """
from advisor import Completion, ScriptedModel, Usage

class Long(ScriptedModel):
    def _complete(self, request):
        text = "billing, " * 30
        room = request.max_tokens
        return Completion(text[:room], usage=Usage(10, 0, min(room, len(text)), 1), finish_reason="length")

MODEL = Long({})
"""


def test_a_comparison_counts_what_was_cut_and_keeps_what_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "long.py"
    path.write_text(CUTTING, encoding="utf-8")
    folder = str(write_evalset(tmp_path / "small"))
    asking: dict[str, Any] = {"model": f"scripted:{path}:MODEL", "draws": 500, "checks": "none"}
    found = advisor.compare(folder, strategies=["zero_shot"], max_answer_tokens=40, **asking)
    [row] = found.strategies
    assert (row.cut, row.failed, row.usage.output_tokens, row.usage.calls) == (21, 0, 40.0, 1.0)
    assert found.environment["room for an answer"] == "40 tokens, as asked for"
    assert "--max-answer-tokens 40" in found.environment["command"]
    guard = next(one for one in found.verdict.guards if one.name == "answers complete")
    assert (guard.state, "--max-answer-tokens 2048" in guard.remedy) == ("fail", True)
    with Store() as store:
        assert store.load_comparison() == found
    wide = advisor.compare(folder, strategies=["zero_shot"], **asking)
    assert (wide.strategies[0].cut, wide.strategies[0].usage.calls) == (21, 2.0)
    assert wide.environment["room for an answer"].startswith("32 tokens: those of 99.5% of the known answers")
    assert wide.runs[0].id != found.runs[0].id
