"""The endpoint model against our own server: what is sent, what is read, and what it is called."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.errors import ConfigurationError
from advisor.core.model import Completion, Model, Request
from advisor.core.types import Message, ToolCall, ToolSpec
from advisor.models.endpoint import EndpointModel, EndpointOptions
from advisor.models.endpoint.dialect import Dialect
from advisor.models.endpoint.retry import Retry
from advisor.models.endpoint.wire import Reply, read_completion, wire_names, write_messages, write_request
from tests.models.endpoint_calls import ADD, Serve, ask, one
from tests.models.fake_server import (
    answer,
    calls,
    completion,
    plain,
    status,
)

pytestmark = pytest.mark.usefixtures("no_keys")


def test_a_call_as_it_is_sent_and_read(serve: Serve) -> None:
    model, server = serve(
        answer("4", usage={"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 5}})
    )
    request = Request((Message("system", "Be brief."), Message("user", "2+2?")), max_tokens=7, seed=3, stop=("\n",))
    checked: Model = model  # the protocol, for mypy
    assert isinstance(checked, Model)
    done = one(model, request)
    assert (done.text, done.finish_reason) == ("4", "stop")
    usage = done.usage
    assert (usage.input_tokens, usage.cached_input_tokens, usage.output_tokens, usage.calls) == (9, 5, 1, 1)
    assert 0 < usage.seconds == usage.latency_seconds
    assert model.notes == ()
    [seen] = server.seen
    assert seen.path == "/v1/chat/completions"
    assert seen.json == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+2?"}],
        "max_tokens": 7,
        "temperature": 0.0,
        "seed": 3,
        "stop": ["\n"],
    }


def test_tools_go_out_and_calls_come_back_under_their_own_names(serve: Serve) -> None:
    model, server = serve(calls(("math_add", '{"a": 2}')))
    earlier = (Message("assistant", "", (ToolCall("math.add", {"a": 1}),)), Message("tool", "1"))
    request = Request((Message("user", "x"), *earlier), tools=(ADD,), tool_choice="required")
    done = one(model, request)
    assert done.tool_calls == (ToolCall("math.add", {"a": 2}, "id0"),)
    assert (done.text, done.finish_reason) == ("", "tool_calls")
    body = server.seen[0].json
    assert body["tool_choice"] == "required"
    assert body["tools"][0]["function"]["name"] == "math_add"
    assert body["messages"][1]["content"] is None
    assert body["messages"][1]["tool_calls"][0]["function"] == {"name": "math_add", "arguments": '{"a": 1}'}
    assert body["messages"][2]["tool_call_id"] == body["messages"][1]["tool_calls"][0]["id"] != ""


def test_choices_and_schemas_constrain_the_answer(serve: Serve) -> None:
    closed = {"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": False}
    model, server = serve(answer('{"answer": "b c"}'), answer("  b c \n"), answer('{"a": 1}'), answer("{}"))
    chosen, ignored = one(model, ask(choices=("a", "b c"), stop=("\n",))), one(model, ask(choices=("a",)))
    assert (chosen.text, ignored.text) == ("b c", "b c")
    assert one(model, ask(schema=closed, stop=("}",))).text == '{"a": 1}'
    one(model, ask(schema={"type": "object"}))
    forms = [seen.json["response_format"]["json_schema"] for seen in server.seen]
    assert forms[0]["schema"]["properties"]["answer"]["enum"] == ["a", "b c"]
    assert [form["strict"] for form in forms] == [True, True, True, False]
    assert forms[2]["schema"] == closed
    assert "stop" not in server.seen[0].json
    assert server.seen[0].json["max_tokens"] > 64


def test_a_stop_text_the_server_ignored_is_cut_off_here() -> None:
    reply = Reply(json.dumps(completion({"content": "one\ntwo###"})).encode(), 0.1)
    assert read_completion(reply, ask(stop=("###", "\n")))[0].text == "one"


@pytest.mark.parametrize(
    ("refusal", "field", "note"),
    [
        (
            status(
                400,
                "Unsupported parameter: 'max_tokens' is not supported with this model. "
                "Use 'max_completion_tokens' instead.",
                error={"param": "max_tokens", "code": "unsupported_parameter"},
            ),
            "max_tokens",
            None,
        ),
        (
            status(
                400,
                "Unsupported value: 'temperature' does not support 0 with this model.",
                error={"param": "temperature", "code": "unsupported_value"},
            ),
            "temperature",
            "own temperature",
        ),
        (
            plain({"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs"}]}, 422),
            "seed",
            "no seed",
        ),
    ],
)
def test_what_an_endpoint_does_not_understand_is_left_out_and_remembered(
    serve: Serve, refusal: bytes, field: str, note: str | None
) -> None:
    model, server = serve(refusal)
    assert one(model).text == "re: hello"
    assert one(model, ask("again")).text == "re: again"
    assert [field in seen.json for seen in server.seen] == [True, False, False]
    assert ("max_completion_tokens" in server.seen[-1].json) == (field == "max_tokens")
    assert len(model.notes) == (note is not None)
    assert all(note and note in text for text in model.notes)


def test_a_refused_request_is_one_failure_and_not_a_retry(serve: Serve) -> None:
    model, server = serve(status(400, "maximum context length is 10 tokens; 'max_tokens' is too large"))
    first, second = one(model), one(model, ask("short"))
    assert first.error.startswith("HTTP 400: maximum context length")
    assert second.text == "re: short"
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    "arguments", ['{"a": ', "[1]", "3", '{"a": NaN}', '"text"', "[" * 100_000], ids=lambda text: text[:9]
)
def test_invalid_tool_arguments_are_the_models_answer_and_not_a_failure(arguments: str) -> None:
    body = calls(("math_add", arguments), content="Let me see.").partition(b"\r\n\r\n")[2]
    done, counted = read_completion(Reply(body, 0.1), ask(tools=(ADD,)))
    assert (done.error, done.tool_calls, done.finish_reason) == ("", (), "stop")
    assert done.text == f"Let me see.\nmath_add({arguments})"
    assert counted


@pytest.mark.parametrize("arguments", ["", None, {}, "{}"])
def test_no_arguments_are_arguments(arguments: Any) -> None:
    body = calls(("math_add", arguments)).partition(b"\r\n\r\n")[2]
    done, _ = read_completion(Reply(body, 0.1), ask(tools=(ADD,)))
    assert done.tool_calls == (ToolCall("math.add", {}, "id0"),)


def test_other_spellings_of_an_answer() -> None:
    def read(message: dict[str, Any], reason: str = "stop") -> Completion:
        return read_completion(Reply(json.dumps(completion(message, reason)).encode(), 0.1), ask())[0]

    assert read({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}).text == "ab"
    assert read({"content": None, "refusal": "I will not."}).text == "I will not."
    assert read({"content": None}).text == ""
    assert read({"content": "a \ud800 b"}).text == "a ? b"
    assert read({"content": "cut"}, "length").finish_reason == "length"
    assert read({"content": "x", "function_call": {"name": "f", "arguments": "{}"}}).tool_calls == (ToolCall("f", {}),)
    assert "content filter" in read({"content": ""}, "content_filter").error


@given(st.lists(st.text(min_size=1, max_size=80), unique=True, max_size=6))
def test_tool_names_map_one_to_one_to_what_is_admitted(names: list[str]) -> None:
    wire = wire_names([ToolSpec(name, "", {}) for name in names])
    assert set(wire) == set(names)
    assert len(set(wire.values())) == len(names)
    assert all(1 <= len(name) <= 64 and name.replace("-", "_").replace("_", "a").isalnum() for name in wire.values())


@given(st.binary(max_size=80) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["choices", "message", "content", "usage", "tool_calls"]), inner, max_size=4),
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_no_body_breaks_the_reader(body: bytes) -> None:
    done, _ = read_completion(Reply(body, 0.1), ask(tools=(ADD,), choices=("a",)))
    assert done.usage.calls == 1


def test_calls_without_ids_are_tied_to_their_results_in_order() -> None:
    two = (ToolCall("f", {}), ToolCall("g", {}, "mine"))
    written = write_messages((Message("assistant", "", two), Message("tool", "1"), Message("tool", "2")), {})
    ids = [call["id"] for call in written[0]["tool_calls"]]
    assert ids[1] == "mine"
    assert [message["tool_call_id"] for message in written[1:]] == ids


def test_a_prompt_with_half_a_character_can_be_sent() -> None:
    assert json.dumps(write_request("m", ask("a\ud800"), Dialect()), ensure_ascii=False).encode()


def test_names_and_fingerprints() -> None:
    here = EndpointModel("m", url="http://127.0.0.1:8000/v1/")
    assert here.name == "http://127.0.0.1:8000/v1#m"
    assert here.fingerprint == EndpointModel("m", url="http://127.0.0.1:8000/v1", key="k").fingerprint
    assert here.fingerprint != EndpointModel("n", url="http://127.0.0.1:8000/v1").fingerprint
    assert EndpointModel("gpt-4.1-mini", key="k").name == "openai:gpt-4.1-mini"
    assert repr(here) == "EndpointModel('m', url='http://127.0.0.1:8000/v1')"


@pytest.mark.parametrize(
    "make",
    [
        lambda: EndpointOptions(jobs=0),
        lambda: EndpointOptions(timeout_seconds=float("nan")),
        lambda: Retry(attempts=0),
        lambda: Retry(first_wait_seconds=9, longest_wait_seconds=1),
        lambda: EndpointModel(" ", url="http://127.0.0.1:1/v1"),
    ],
)
def test_impossible_options_are_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(ConfigurationError):
        make()
