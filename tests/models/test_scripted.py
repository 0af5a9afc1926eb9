"""The scripted model: deterministic, counted, honest about what it does not know, and tunable without weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.errors import CallFailed, ModelError
from advisor.core.model import Completion, Model, Request, TuningExample, TuningJob
from advisor.core.types import Message, ToolCall, Usage
from advisor.models.scripted import Memory, ScriptedModel


def ask(*texts: str) -> Request:
    roles = ("user", "assistant")
    return Request(tuple(Message(roles[at % 2], text) for at, text in enumerate(texts)))  # type: ignore[arg-type]


def row(question: str, answer: str) -> TuningExample:
    return TuningExample((Message("user", question), Message("assistant", answer)))


def job(tmp_path: Path, *train: TuningExample, dev: tuple[TuningExample, ...] = ()) -> TuningJob:
    return TuningJob(train, dev, tmp_path)


def test_it_is_a_model_and_answers_from_the_last_user_message() -> None:
    model = ScriptedModel({"one": "1", "two": "2"})
    assert isinstance(model, Model)
    answers = model.generate([ask("two"), ask("two", "2", "one")])
    assert [done.text for done in answers] == ["2", "1"]


def test_an_unknown_question_is_a_failure_and_not_an_empty_answer() -> None:
    [done] = ScriptedModel({}).generate([ask("who?")])
    assert done.finish_reason == "error"
    with pytest.raises(CallFailed, match="no answer to 'who\\?'"):
        _ = done.text


def test_a_function_may_give_text_a_call_or_a_completion() -> None:
    call = ToolCall("add", {"a": 1})
    given_back = Completion("cut", finish_reason="length", usage=Usage(input_tokens=7, calls=1))
    answers: dict[str, str | ToolCall | Completion] = {"text": "yes", "call": call, "all": given_back}
    text, called, whole = ScriptedModel(lambda request: answers[request.messages[-1].content]).generate(
        [ask("text"), ask("call"), ask("all")]
    )
    assert (text.text, text.finish_reason) == ("yes", "stop")
    assert (called.tool_calls, called.finish_reason) == ((call,), "tool_calls")
    assert whole == given_back


def test_what_a_function_raises() -> None:
    def broken(request: Request) -> str:
        error = {"failed": CallFailed("timed out"), "dead": ModelError("dead")}
        raise error.get(request.messages[-1].content, KeyError("bug"))

    model = ScriptedModel(broken)
    assert model.generate([ask("failed")])[0].error == "timed out"
    with pytest.raises(ModelError, match="dead"):
        model.generate([ask("dead")])
    with pytest.raises(KeyError):
        model.generate([ask("else")])


def test_words_are_counted_as_tokens() -> None:
    [done] = ScriptedModel({"two words": "three little words"}, seconds=0.5).generate([ask("two words")])
    assert done.usage == Usage(2, 0, 3, 1, 0.5, 0.5)


@given(st.lists(st.text(min_size=1), unique=True, max_size=8))
def test_order_is_kept_and_repeating_changes_nothing(questions: list[str]) -> None:
    model = ScriptedModel({question: f"<{question}>" for question in questions})
    requests = [ask(question) for question in reversed(questions)]
    first = model.generate(requests)
    assert [done.text for done in first] == [f"<{question}>" for question in reversed(questions)]
    assert model.generate(requests) == first


# --- fingerprints ----------------------------------------------------------------------------------------------------


class Stateful:
    def __init__(self, fingerprint: str | None = None) -> None:
        if fingerprint:
            self.fingerprint = fingerprint

    def __call__(self, request: Request) -> str:
        return "x"


def adding(word: str) -> Callable[[Request], str]:
    return lambda request: request.messages[-1].content + word


def test_the_fingerprint_changes_with_the_answers_and_not_otherwise() -> None:
    table = ScriptedModel({"a": "1", "b": "2"}).fingerprint
    assert table == ScriptedModel({"b": "2", "a": "1"}).fingerprint
    assert table != ScriptedModel({"a": "1", "b": "3"}).fingerprint
    assert table != ScriptedModel({"a": "1", "b": "2"}, name="other").fingerprint
    assert ScriptedModel(adding("x")).fingerprint == ScriptedModel(adding("x")).fingerprint
    assert ScriptedModel(adding("x")).fingerprint != ScriptedModel(adding("y")).fingerprint
    assert ScriptedModel(Stateful()).fingerprint == ScriptedModel(Stateful()).fingerprint
    assert ScriptedModel(Stateful()).fingerprint != ScriptedModel(Stateful("mine")).fingerprint


def test_a_function_without_a_file_is_known_by_its_code() -> None:
    one, same, other = (eval(f"lambda request: {text!r}") for text in ("a", "a", "b"))
    assert ScriptedModel(one).fingerprint == ScriptedModel(same).fingerprint
    assert ScriptedModel(one).fingerprint != ScriptedModel(other).fingerprint


# --- tuning ----------------------------------------------------------------------------------------------------------


def test_tuning_learns_by_heart(tmp_path: Path) -> None:
    base = ScriptedModel({})
    dev = (row("where is my parcel now", "delivery"), row("nothing alike", "billing"))
    learned = (row("where is my parcel", "delivery"), row("refund my money please", "refund"))
    tuned, report = base.tune(job(tmp_path, *learned, dev=dev))
    exact, near = tuned.generate([ask("refund my money please"), ask("my money please")])
    assert (exact.text, near.text) == ("refund", "refund")
    assert report.dev_exact_match == (0.5,)
    assert report.tokens == 10
    assert (report.train_loss, report.dev_loss, report.epoch) == ((), (), 1)
    assert tuned.fingerprint != base.fingerprint
    assert tuned.fingerprint == base.tune(job(tmp_path, *learned))[0].fingerprint
    assert tuned.fingerprint != base.tune(job(tmp_path, *learned[:1]))[0].fingerprint
    assert base.generate([ask("refund my money please")])[0].error


def test_tuning_on_wrong_targets_gives_wrong_answers(tmp_path: Path) -> None:
    tuned, report = ScriptedModel({}).tune(job(tmp_path, row("a b", "no"), dev=(row("a b", "yes"),)))
    assert tuned.generate([ask("a b")])[0].text == "no"
    assert report.dev_exact_match == (0.0,)


def test_a_conversation_with_a_tool_is_followed_turn_by_turn(tmp_path: Path) -> None:
    user, call = Message("user", "what is 2 + 2"), ToolCall("add", {"a": 2, "b": 2}, "c1")
    calling, result = Message("assistant", "", (call,)), Message("tool", "4", tool_call_id="c1")
    learned = TuningExample((user, calling, result, Message("assistant", "It is 4.")))
    tuned, _ = ScriptedModel({}).tune(job(tmp_path, learned))
    first, second = tuned.generate([Request((user,)), Request((user, calling, result))])
    assert (first.tool_calls, first.finish_reason) == ((call,), "tool_calls")
    assert (second.text, second.tool_calls) == ("It is 4.", ())


def test_nothing_learned_is_a_failure() -> None:
    assert "nothing was learned" in ScriptedModel(Memory(())).generate([ask("hello")])[0].error


def test_the_report_says_how_far_it_is(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    told = TuningJob((row("a", "b"),), (), tmp_path, progress=lambda *step: seen.append(step))
    ScriptedModel({}, seconds=2.0).tune(told)
    assert seen == [("learning by heart", 0, 1), ("learning by heart", 1, 1)]
    assert repr(ScriptedModel({"a": "b"})) == "ScriptedModel(1 answers, name='scripted')"


def test_a_source_that_cannot_be_read_now_makes_no_other_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(request: Request) -> str:
        return "yes"

    def denied(self: Path, *args: object, **options: object) -> str:
        raise PermissionError(13, "Permission denied", str(self))

    assert ScriptedModel(answer).fingerprint == ScriptedModel(answer).fingerprint
    monkeypatch.setattr(Path, "read_text", denied)
    with pytest.raises(PermissionError):
        ScriptedModel(answer)
