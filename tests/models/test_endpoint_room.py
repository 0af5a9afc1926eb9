"""What providers send where an answer has no room, or thinks first, and what a strategy gets of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from advisor.core.model import Completion
from advisor.models.endpoint import EndpointModel
from advisor.models.endpoint.dialect import Dialect, room_left
from advisor.runs.metering import Budget, Meter, MeteredModel
from advisor.runs.store import Store
from tests.models.endpoint_calls import ADD, Serve, ask, one
from tests.models.fake_server import answer, calls, completion, plain, status

ATE = completion(
    {"content": ""},
    "length",
    {"prompt_tokens": 50, "completion_tokens": 12, "completion_tokens_details": {"reasoning_tokens": 12}},
)
UNFINISHED = (
    "Could not finish the message because max_tokens or model output limit was reached. "
    "Please try again with higher max_tokens."
)
BELOW = "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 12 instead."


def metered(model: EndpointModel, tmp_path: Path) -> tuple[MeteredModel, Meter]:
    meter = Meter()
    return MeteredModel(model, Store(tmp_path / "s.sqlite"), meter, Budget()), meter


def asked_through(model: EndpointModel, tmp_path: Path) -> tuple[Completion, Meter]:
    asking, meter = metered(model, tmp_path)
    [done] = asking.generate([ask(max_tokens=12)])
    return done, meter


@pytest.mark.parametrize(
    "first",
    [
        plain(ATE),
        plain(completion({"content": None, "reasoning_content": "A parcel…"}, "length", None)),
        plain(completion({"content": "<think>\nA parcel"}, "length")),
        plain(completion({"content": "", "reasoning": "A parcel"}, "max_tokens")),
        status(400, UNFINISHED, error={"type": "invalid_request_error", "param": None, "code": None}),
    ],
    ids=["nothing", "reasoning_content", "open block", "reasoning", "could not finish"],
)
@pytest.mark.parametrize("second", ["billing", ""])
def test_where_thinking_ate_the_room_more_is_given_and_nothing_is_never_an_answer(
    serve: Serve, tmp_path: Path, first: bytes, second: str
) -> None:
    model, server = serve(first, answer(second) if second else first)
    done, meter = asked_through(model, tmp_path)
    assert [seen.json["max_tokens"] for seen in server.seen] == [12, 48 + 4096]
    assert meter.usage.calls == 2
    if second:
        assert (done.text, meter.cut) == ("billing", [(False,)])
    else:
        assert (done.cause, done.content, meter.cut) == ("cut", "", [(True,)])


def test_a_block_of_thinking_is_not_the_answer_and_is_paid_for(serve: Serve, tmp_path: Path) -> None:
    model, server = serve(answer("<think>\nA parcel…\n</think>\n\nbilling"))
    done, meter = asked_through(model, tmp_path)
    assert (done.text, len(server.seen), meter.usage.output_tokens) == ("billing", 1, 3)


@pytest.mark.parametrize(
    ("counted", "written"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 40, "total_tokens": 45}, 40),
        ({"prompt_tokens": 5, "completion_tokens": 40}, 40),
        ({"prompt_tokens": 5, "completion_tokens": 2}, 32),
        ({"prompt_tokens": 5, "completion_tokens": 40, "total_tokens": 75}, 70),
    ],
)
def test_thinking_is_paid_for_however_a_server_counts_it(serve: Serve, counted: dict[str, Any], written: int) -> None:
    usage = {**counted, "completion_tokens_details": {"reasoning_tokens": 30}}
    model, _ = serve(answer("billing", usage=usage))
    done = one(model)
    assert (done.usage.output_tokens, done.thinking_tokens) == (written, 30)


def test_thinking_before_a_choice_or_a_stop_text_disturbs_neither(serve: Serve) -> None:
    model, _ = serve(answer('<think>{"answer": "b"}</think>{"answer": "a"}'), answer("<think>x.</think>one. two"))
    assert one(model, ask(choices=("a", "b"))).text == "a"
    assert one(model, ask(stop=(".",))).text == "one"


def test_a_call_whose_arguments_were_cut_is_cut(serve: Serve) -> None:
    body = completion({"content": None, "tool_calls": [{"function": {"name": "math_add", "arguments": '{"a": 1'}}]},
                      "length")  # fmt: skip
    model, _ = serve(plain(body), calls(("math_add", '{"a": 1')))
    assert one(model, ask("a", tools=(ADD,))).finish_reason == "length"
    assert one(model, ask("b", tools=(ADD,))).finish_reason == "stop"


def test_the_least_room_is_learned_once(serve: Serve) -> None:
    refusal = status(400, BELOW, error={"code": "integer_below_min_value"})
    model, server = serve(refusal, answer("a"), answer("b"))
    assert [one(model, ask(text, max_tokens=12)).text for text in "ab"] == ["a", "b"]
    assert [seen.json["max_tokens"] for seen in server.seen] == [12, 16, 16]


def test_the_most_room_is_learned_once(serve: Serve) -> None:
    refusal = status(400, "max_tokens is too large: 9000. This model supports at most 4096 completion tokens.")
    model, server = serve(refusal, answer("a"), answer("b"))
    assert [one(model, ask(text, max_tokens=9000)).text for text in "ab"] == ["a", "b"]
    assert [seen.json["max_tokens"] for seen in server.seen] == [9000, 4096, 4096]


LONG = (
    "'max_tokens' is too large: 400. This model's maximum context length is 128 tokens and your request has 20 input "
    "tokens"
)


def test_an_answer_gets_what_the_context_leaves(serve: Serve) -> None:
    model, server = serve(status(400, LONG), answer("a"), status(400, LONG), status(400, LONG))
    assert one(model, ask("a", max_tokens=400)).text == "a"
    assert [seen.json["max_tokens"] for seen in server.seen] == [400, 108]
    assert one(model, ask("b", max_tokens=400)).error.startswith("HTTP 400")


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (LONG, 108),
        ("This model's maximum context length is 4097 tokens. However, you requested 5000 tokens (1000 in the "
         "messages, 4000 in the completion).", 3097),
        ("This model's maximum context length is 4097 tokens.", None),
        ("This model's maximum context length is 90 tokens, your request has 200 input tokens", None),
        ("no", None),
    ],
)  # fmt: skip
def test_what_a_refusal_says_of_the_context(said: str, left: int | None) -> None:
    assert room_left(said, 4000) == left


@pytest.mark.parametrize(
    ("said", "sent", "least", "most"),
    [
        (BELOW, {"max_tokens": 12}, 16, None),
        (BELOW, {"max_tokens": 16}, 1, None),
        ("max_tokens must be at least 20", {"max_tokens": 12}, 20, None),
        ("max_tokens must be at least 20000", {"max_tokens": 12}, 1, None),
        ("max_tokens must be less than or equal to 8192", {"max_tokens": 9000}, 1, 8192),
        ("top_k must be at least 20", {"max_tokens": 12}, 1, None),
        (BELOW, {}, 1, None),
    ],
)
def test_what_is_learned_of_a_refusal(said: str, sent: Mapping[str, Any], least: int, most: int | None) -> None:
    dialect = Dialect()
    dialect.adapt(sent, None, said)
    assert (dialect.least_tokens, dialect.most_tokens) == (least, most)
