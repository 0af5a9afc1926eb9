"""The endpoint model against our own server: the wire format, every fault, keys, and nothing lost or sent twice."""

from __future__ import annotations

import contextvars
import email.utils
import json
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core import metrics
from advisor.core.errors import ConfigurationError, ModelError
from advisor.core.model import Completion, Model, Request
from advisor.core.types import Message, Task, ToolCall, ToolSpec
from advisor.models.endpoint import EndpointModel, EndpointOptions, concurrency
from advisor.models.endpoint.client import Address, Key
from advisor.models.endpoint.concurrency import WorkerPool, within
from advisor.models.endpoint.failures import OverdueError
from advisor.models.endpoint.retry import Retry, retry_after
from advisor.models.endpoint.wire import Dialect, Reply, read_completion, wire_names, write_messages, write_request
from advisor.runs.metering import Meter, MeteredModel, Purse
from advisor.runs.runner import Bench, run_strategy
from advisor.runs.store import Store
from advisor.testing import toy_task
from tests.models.fake_server import (
    FakeServer,
    Item,
    Seen,
    after,
    answer,
    calls,
    completion,
    drip,
    echo,
    http,
    plain,
    status,
)
from tests.small_comparison import hear_ctrl_c

QUICK = Retry(attempts=3, first_wait_seconds=0.001, longest_wait_seconds=0.3)
OPTIONS = EndpointOptions(jobs=4, timeout_seconds=5.0, retry=QUICK, poll_seconds=0.01)
SECRET = "sk-canary-0123456789"
ADD = ToolSpec("math.add", "Add.", {"type": "object", "properties": {"a": {"type": "integer"}}})


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ADVISOR_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_CUSTOM_HEADERS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[EndpointModel, FakeServer]]]:
    """Start a server with a script and open a model on it."""
    opened: list[tuple[EndpointModel, FakeServer]] = []

    def start(*script: Item, default: Item = echo, **changes: Any) -> tuple[EndpointModel, FakeServer]:
        server = FakeServer(script, default).__enter__()
        model = EndpointModel("m", url=server.url, options=replace(OPTIONS, **changes))
        opened.append((model, server))
        return model, server

    yield start
    for model, server in opened:
        model.close()
        server.__exit__()


def ask(text: str = "hello", **options: Any) -> Request:
    return Request((Message("user", text),), **options)


def one(model: EndpointModel, request: Request | None = None) -> Completion:
    return model.generate([request or ask()])[0]


# --- what is sent and what is read -----------------------------------------------------------------------------------


def test_a_call_as_it_is_sent_and_read(serve: Any) -> None:
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


def test_tools_go_out_and_calls_come_back_under_their_own_names(serve: Any) -> None:
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


def test_choices_and_schemas_constrain_the_answer(serve: Any) -> None:
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
    serve: Any, refusal: bytes, field: str, note: str | None
) -> None:
    model, server = serve(refusal)
    assert one(model).text == "re: hello"
    assert one(model, ask("again")).text == "re: again"
    assert [field in seen.json for seen in server.seen] == [True, False, False]
    assert ("max_completion_tokens" in server.seen[-1].json) == (field == "max_tokens")
    assert [note in text for text in model.notes] == ([True] if note else [])


def test_a_refused_request_is_one_failure_and_not_a_retry(serve: Any) -> None:
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


# --- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [408, 409, 429, 500, 502, 503, 529])
def test_a_passing_fault_is_tried_again(serve: Any, code: int) -> None:
    model, server = serve(status(code), answer("ok"))
    assert one(model).text == "ok"
    assert len(server.seen) == 2
    assert "sent again 1 times" in model.notes[0]


def test_retry_after_is_honoured_and_is_not_latency(serve: Any) -> None:
    model, _ = serve(status(429, Retry_After="0.15"), answer("ok"))
    started = time.perf_counter()
    done = one(model)
    waited = time.perf_counter() - started
    assert waited >= 0.15
    assert done.usage.latency_seconds < waited - 0.15 + 0.01


def test_a_long_retry_after_is_capped(serve: Any) -> None:
    model, _ = serve(status(429, Retry_After="86400"), answer("ok"))
    started = time.perf_counter()
    assert one(model).text == "ok"
    assert 0.29 <= time.perf_counter() - started < 3


def test_every_form_of_retry_after() -> None:
    now = 1_800_000_000.0
    date = email.utils.formatdate(now + 30, usegmt=True)
    cases: list[tuple[dict[str, str], float | None]] = [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after": date}, 30.0),
        ({"retry-after": email.utils.formatdate(now - 30, usegmt=True)}, 0.0),
        *(({"retry-after": text}, None) for text in ("", "-3", "nan", "inf", "soon", "Mon, 99 Zzz 2020 99:99:99 GMT")),
        ({}, None),
    ]
    for headers, seconds in cases:
        assert retry_after(headers, now) == seconds, headers


@given(st.integers(1, 5000), st.floats(0, 1, exclude_max=True), st.none() | st.floats(0, 1e9))
def test_no_wait_is_longer_than_allowed_nor_shorter_than_asked(attempt: int, draw: float, asked: float | None) -> None:
    wait = Retry(5, 0.5, 60.0).wait_seconds(attempt, asked, lambda: draw)
    assert 0 <= wait <= 60
    assert asked is None or wait >= min(asked, 60)


def test_a_reset_connection_is_tried_again(serve: Any) -> None:
    model, server = serve(None, answer("ok"))
    assert one(model).text == "ok"
    assert len(server.seen) == 2


def test_a_body_that_breaks_off_is_tried_again(serve: Any) -> None:
    def broken(seen: Any) -> Iterator[bytes]:
        yield answer("never seen")[:-20]
        raise OSError

    model, server = serve(broken, answer("ok"))
    assert one(model).text == "ok"
    assert len(server.seen) == 2


def test_attempts_run_out_and_the_failure_is_a_value(serve: Any) -> None:
    model, server = serve(*[status(503, "overloaded")] * 3)
    done = one(model)
    assert done.error == "HTTP 503: overloaded"
    assert (done.finish_reason, done.usage.calls) == ("error", 1)
    assert len(server.seen) == 3
    assert one(model).error == done.error
    assert len(server.seen) == 3, "what failed for good is not sent again"
    assert one(model, ask("other")).text == "re: other"


MALFORMED: dict[str, tuple[bytes, str]] = {
    "html": (http(200, b"<html><body>Welcome</body></html>", kind="text/html"), "not JSON: <html>"),
    "truncated": (http(200, json.dumps(completion({"content": "abc"})).encode()[:-9]), "not JSON: {"),
    "empty": (http(200, b""), "(nothing)"),
    "no choices": (plain(completion({}) | {"choices": []}), "no completion"),
    "error with 200": (plain({"error": {"message": "overloaded"}}), "no completion: {"),
    "a list": (plain([1, 2]), "no completion"),
    "deep": (http(200, b"[" * 200_000), "not JSON"),
    "escape codes": (http(200, b"\x1b[2Jgone", kind="text/plain"), "not JSON: [2Jgone"),
    "not gzip": (http(200, b"plain", {"Content-Encoding": "gzip"}), "connection was lost"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_answer_is_a_failure_of_one_call(serve: Any, case: str) -> None:
    body, message = MALFORMED[case]
    model, _ = serve(*[body] * (3 if case == "not gzip" else 1))
    bad, good = one(model), one(model, ask("next"))
    assert message in bad.error
    assert bad.finish_reason == "error"
    assert good.text == "re: next"


@pytest.mark.parametrize("part", ["headers", "body"])
def test_a_dripping_answer_is_overdue(serve: Any, part: str) -> None:
    whole = answer("x" * 500)
    head = whole.index(b"\r\n\r\n") + 4

    def body_only(seen: Any) -> Iterator[bytes]:
        yield whole[:head]
        yield from drip(whole[head:], 0.02)(seen)

    item = body_only if part == "body" else drip(whole, 0.02)
    model, server = serve(item, timeout_seconds=0.25, retry=replace(QUICK, attempts=1))
    started = time.perf_counter()
    done = one(model)
    assert time.perf_counter() - started < 2
    assert done.error == "no complete answer within 0.25 seconds"
    assert len(server.seen) == 1


def test_a_silent_server_is_overdue_and_tried_again(serve: Any) -> None:
    model, _ = serve(after(0.6, answer("late")), answer("ok"), timeout_seconds=0.25)
    assert one(model).text == "ok"


def test_an_endless_answer_is_not_read_to_its_end(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("advisor.models.endpoint.model.LARGEST_ANSWER_BYTES", 1000)

    def endless(seen: Any) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n"
        while True:
            yield b" " * 500

    model, _ = serve(endless)
    assert "not JSON" in one(model).error


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": -3, "completion_tokens": 2}, {"prompt_tokens": "9"}, 7])
def test_missing_usage_is_said_and_not_invented(serve: Any, usage: Any) -> None:
    model, _ = serve(answer("ok", usage=usage))
    done = one(model)
    assert done.text == "ok"
    assert (done.usage.input_tokens, done.usage.output_tokens, done.usage.calls) == (0, 0, 1)
    assert "did not say how many tokens 1 of 1 answers took" in model.notes[0]


# --- faults that end everything --------------------------------------------------------------------------------------

MANY = [ask(f"question {number}") for number in range(60)]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (status(401, f"Incorrect API key provided: {SECRET}"), r"refused the key in ADVISOR_API_KEY \(HTTP 401\)"),
        (status(403), r"refused the key in ADVISOR_API_KEY \(HTTP 403\)"),
        (status(404, "model not found"), "has no model 'm'"),
        (status(402), "no credit left"),
        (status(429, error={"code": "insufficient_quota"}), "no credit left"),
        (http(307, b"", {"Location": "http://elsewhere.example/v1"}), "redirects elsewhere"),
    ],
    ids=["401", "403", "404", "402", "quota", "redirect"],
)
def test_a_fault_of_all_calls_stops_early(
    serve: Any, monkeypatch: pytest.MonkeyPatch, fault: bytes, message: str
) -> None:
    monkeypatch.setenv("ADVISOR_API_KEY", SECRET)
    model, server = serve(default=fault)
    with pytest.raises(ModelError, match=message) as caught:
        model.generate(MANY)
    assert len(server.seen) <= OPTIONS.jobs
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def test_nobody_there_is_said_at_once() -> None:
    port = free_port()
    patient = replace(OPTIONS, retry=Retry(attempts=5, first_wait_seconds=30, longest_wait_seconds=60))
    model = EndpointModel("m", url=f"http://127.0.0.1:{port}/v1", options=patient)
    started = time.perf_counter()
    with pytest.raises(ModelError, match=f"nothing answers at http://127.0.0.1:{port}/v1: no connection"):
        model.generate(MANY)
    assert time.perf_counter() - started < 5
    model.close()


def test_a_server_that_dies_ends_the_run_and_not_every_example(serve: Any) -> None:
    model, server = serve(*[echo] * 5, default=None, retry=replace(QUICK, attempts=1))
    with pytest.raises(ModelError, match="failed 7 requests in a row"):
        model.generate(MANY)
    assert len(server.seen) <= 5 + OPTIONS.jobs + 3 + OPTIONS.jobs


def test_one_bad_example_asked_for_again_and_again_does_not_end_the_run(serve: Any) -> None:
    model, server = serve(default=status(500), retry=replace(QUICK, attempts=1))
    for _ in range(20):
        assert one(model).error
    assert len(server.seen) == 1


def test_after_a_fatal_error_the_same_model_can_be_asked_again(serve: Any) -> None:
    model, _ = serve(status(401))
    with pytest.raises(ModelError):
        one(model)
    assert one(model).text == "re: hello"


# --- many at once ----------------------------------------------------------------------------------------------------


def test_order_is_kept_and_calls_really_run_side_by_side(serve: Any) -> None:
    all_eight = threading.Barrier(8)

    def uneven(seen: Any) -> bytes:
        number = int(seen.question.split()[-1])
        if number < 8:
            all_eight.wait(5)  # nobody gets past it alone
        time.sleep(0.01 if number % 2 else 0.0)
        return echo(seen)

    model, server = serve(default=uneven, jobs=8)
    done = model.generate(MANY)
    assert [completion.text for completion in done] == [f"re: question {number}" for number in range(60)]
    assert server.most_at_once == 8
    assert len(server.seen) == 60


def test_faults_in_between_lose_and_repeat_nothing(serve: Any) -> None:
    failing = threading.Lock(), set[str]()

    def every_third_fails_once(seen: Any) -> bytes | None:
        lock, before = failing
        number = int(seen.question.split()[-1])
        with lock:
            fresh = seen.question not in before
            before.add(seen.question)
        if fresh and number % 3 == 0:
            return None if number % 2 else status(503)
        return echo(seen)

    model, server = serve(default=every_third_fails_once)
    done = model.generate(MANY)
    assert [completion.text for completion in done] == [f"re: question {number}" for number in range(60)]
    assert len(server.seen) == 80


def test_ctrl_c_need_not_wait_for_a_silent_server(serve: Any) -> None:
    over = threading.Event()

    def silent(seen: Any) -> bytes:
        over.wait(30)
        return b""

    _, server = serve(default=silent)
    code = f"""
from advisor.core.model import Request
from advisor.models.endpoint import EndpointModel
from advisor.core.types import Message
EndpointModel("m", url={server.url!r}).generate([Request((Message("user", str(n)),)) for n in range(20)])
"""
    child = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, preexec_fn=hear_ctrl_c)
    while not server.seen:
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    started = time.perf_counter()
    _, said = child.communicate(timeout=20)
    over.set()
    assert time.perf_counter() - started < 3
    assert "KeyboardInterrupt" in said
    assert len(server.seen) <= 8


def test_nothing_to_ask_is_nothing_sent(serve: Any) -> None:
    model, server = serve()
    assert model.generate([]) == []
    assert server.seen == []


def test_an_error_starts_nothing_new() -> None:
    begun: list[int] = []

    def work(at: int) -> int:
        begun.append(at)
        raise KeyError(at)

    with pytest.raises(KeyError):
        list(WorkerPool(work, 1000, 3))
    assert len(begun) <= 6
    with pytest.raises(ZeroDivisionError):
        within(1.0, lambda: 1 // 0)


def test_a_late_call_keeps_its_thread_and_the_next_one_gets_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency, "_idle", deque())
    gate, late = threading.Event(), list[int]()

    def dawdle() -> None:
        late.append(threading.get_ident())
        gate.wait(10)

    with pytest.raises(OverdueError):
        within(0.05, dawdle)
    others = {within(5.0, threading.get_ident) for _ in range(20)}
    gate.set()
    assert len(others) == 1
    assert not others & {*late, threading.get_ident()}


def test_calls_in_one_thread_share_no_context_and_an_idle_thread_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    idle: deque[Any] = deque()
    monkeypatch.setattr(concurrency, "_idle", idle)
    monkeypatch.setattr(concurrency, "IDLE_SECONDS", 0.2)
    word = contextvars.ContextVar("word", default="nothing")
    first = within(5.0, lambda: (word.set("a secret"), threading.get_ident())[1])
    assert within(5.0, lambda: (word.get(), threading.get_ident())) == ("nothing", first)
    until = time.monotonic() + 10
    while idle or any(thread.ident == first for thread in threading.enumerate()):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert within(5.0, lambda: "another thread") == "another thread"


def test_answers_that_are_done_can_be_taken_at_once() -> None:
    gate = threading.Event()
    spread = WorkerPool(lambda at: at if at < 4 else gate.wait(10), 5, 5)
    found = [next(spread)]
    while len(found) < 4:
        found += spread.ready()
    assert sorted(found) == [(at, at) for at in range(4)]
    assert spread.ready() == []
    gate.set()
    assert list(spread) == [(4, True)]


def test_an_error_among_those_that_are_done_comes_when_it_is_its_turn() -> None:
    def work(at: int) -> int:
        if at == 1:
            raise ValueError("no")
        return at

    spread, found = WorkerPool(work, 2, 1), list[tuple[int, int]]()
    found.append(next(spread))
    found += spread.ready()
    with pytest.raises(ValueError, match="no"):
        next(spread)
    assert found == [(0, 0)]


def test_a_failing_example_is_missing_and_is_paid_for_once(serve: Any, tmp_path: Path) -> None:
    def one_fails(seen: Any) -> bytes:
        return status(500, "broken") if "invoice looks strange" in seen.question else echo(seen)

    model, server = serve(default=one_fails)
    evalset = toy_task.toy_evalset()
    metric = metrics.for_task(evalset.metric, Task.of(evalset))
    bench = Bench(evalset, model, metric, Store(tmp_path / "s.sqlite"), toy_task.embed, tmp_path / "work")
    run = run_strategy("zero_shot", 0, bench)
    assert [outcome.error for outcome in run.outcomes if outcome.error] == ["HTTP 500: broken"]
    assert len(server.seen) == len(evalset.test) - 1 + QUICK.attempts


# --- keys and addresses ----------------------------------------------------------------------------------------------


def test_no_key_but_the_hosts_own_is_sent(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("OPENAI_ADMIN_KEY", SECRET)
    monkeypatch.setenv("OPENAI_ORG_ID", SECRET)
    monkeypatch.setenv("OPENAI_PROJECT_ID", SECRET)
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"Authorization: Bearer {SECRET}\nX-Mine: {SECRET}")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    model, server = serve()
    assert one(model).text == "re: hello"
    [seen] = server.seen
    assert seen.headers["authorization"] == "Bearer none"
    assert seen.headers["user-agent"] == "tuneworthy"
    assert SECRET not in str(seen)
    assert {name for name in seen.headers if name.startswith("x-")} <= {"x-stainless-raw-response"}


def test_the_hosts_key_is_sent_and_shown_nowhere(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVISOR_API_KEY", SECRET)
    model, server = serve(status(400, f"bad key {SECRET} and sk-other-one-123456"), http(200, SECRET.encode()))
    refused, malformed = one(model), one(model, ask("b"))
    assert server.seen[0].headers["authorization"] == f"Bearer {SECRET}"
    shown = [repr(model), str(vars(model)), model.fingerprint, model.name, str(refused), str(malformed)]
    assert not any(SECRET in text or "sk-other" in text for text in shown)
    with pytest.raises(TypeError, match="a key is not stored"):
        pickle.dumps(Key.of(model.address))


def test_which_key_belongs_to_which_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "theirs")
    monkeypatch.setenv("ADVISOR_API_KEY", "mine")
    for url, key in [
        ("https://api.openai.com/v1", "theirs"),
        ("https://api.openai.com:443/v1", "theirs"),
        ("https://API.openai.com/v1", "theirs"),
        ("http://api.openai.com/v1", "mine"),
        ("https://api.openai.com.evil.example/v1", "mine"),
        ("https://api.openai.com:8443/v1", "mine"),
        ("https://eu.api.openai.com/v1", "mine"),
        ("http://127.0.0.1:8000/v1", "mine"),
    ]:
        assert Key.of(Address(url)).reveal() == key, url


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/v1",
        "host/v1",
        "http://",
        "http://host:99999/v1",
        "http://ho st/v1",
        "http://[::1/v1",
        f"http://user:{SECRET}@host/v1",
        f"https://host/v1?key={SECRET}",
        f"https://api.openai.com@{'evil.example'}/v1",
    ],
)
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Address(url)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("key", ["sk-a b", "sk-ä", "sk-a\nX: y"])
def test_a_key_no_host_would_give_is_refused_unshown(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(ModelError, match="the key in OPENAI_API_KEY holds spaces") as caught:
        EndpointModel("gpt-4.1-mini")
    assert key not in str(caught.value)


def test_openai_without_a_key_says_which_variable() -> None:
    with pytest.raises(ModelError, match="OPENAI_API_KEY is not set"):
        EndpointModel("gpt-4.1-mini")


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


def test_what_was_answered_before_the_end_is_kept(tmp_path: Path) -> None:
    def script(seen: Seen) -> bytes:
        return status(401) if seen.question == "last" else answer(seen.question.upper())

    texts = [*"abcdefghijkl", "last"]
    asking = [Request((Message("user", text),)) for text in texts]
    with FakeServer([], default=script) as server, Store(tmp_path / "s.sqlite") as store:
        model = EndpointModel("m", url=server.url, options=EndpointOptions(jobs=2))
        with pytest.raises(ModelError, match="refused the key"):
            MeteredModel(model, store, Meter(), Purse()).generate(asking)
        kept = MeteredModel(model, store, Meter(), Purse(0.0)).generate(asking[:-2])
    assert [done.content for done in kept] == [text.upper() for text in texts[:-2]]
