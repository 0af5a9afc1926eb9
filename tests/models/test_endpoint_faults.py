"""Faults of an endpoint: what passes is tried again, what does not is a value or ends the run."""

from __future__ import annotations

import email.utils
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.errors import ModelError
from advisor.models.endpoint import EndpointModel
from advisor.models.endpoint.retry import Retry, retry_after
from tests.models.endpoint_calls import MANY, OPTIONS, QUICK, SECRET, Serve, ask, one
from tests.models.fake_server import (
    Seen,
    answer,
    completion,
    drip,
    echo,
    http,
    plain,
    status,
)

pytestmark = pytest.mark.usefixtures("no_keys")


@pytest.mark.parametrize("code", [408, 409, 429, 500, 502, 503, 529])
def test_a_passing_fault_is_tried_again(serve: Serve, code: int) -> None:
    model, server = serve(status(code), answer("ok"))
    assert one(model).text == "ok"
    assert len(server.seen) == 2
    assert "sent again 1 times" in model.notes[0]


def test_retry_after_is_honoured_and_is_not_latency(serve: Serve) -> None:
    model, _ = serve(status(429, Retry_After="0.15"), answer("ok"))
    started = time.perf_counter()
    done = one(model)
    waited = time.perf_counter() - started
    assert waited >= 0.15
    assert done.usage.latency_seconds < waited - 0.15 + 0.01


def test_a_long_retry_after_is_capped(serve: Serve) -> None:
    model, _ = serve(status(429, Retry_After="86400"), answer("ok"))
    started = time.perf_counter()
    assert one(model).text == "ok"
    assert time.perf_counter() - started >= 0.29  # and not a day


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


def test_a_reset_connection_is_tried_again(serve: Serve) -> None:
    model, server = serve(None, answer("ok"))
    assert one(model).text == "ok"
    assert len(server.seen) == 2


def test_a_body_that_breaks_off_is_tried_again(serve: Serve) -> None:
    def broken(seen: Any) -> Iterator[bytes]:
        yield answer("never seen")[:-20]
        raise OSError

    model, server = serve(broken, answer("ok"))
    assert one(model).text == "ok"
    assert len(server.seen) == 2


def test_attempts_run_out_and_the_failure_is_a_value(serve: Serve) -> None:
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
def test_a_malformed_answer_is_a_failure_of_one_call(serve: Serve, case: str) -> None:
    body, message = MALFORMED[case]
    model, _ = serve(*[body] * (3 if case == "not gzip" else 1))
    bad, good = one(model), one(model, ask("next"))
    assert message in bad.error
    assert bad.finish_reason == "error"
    assert good.text == "re: next"


@pytest.mark.parametrize("part", ["headers", "body"])
def test_a_dripping_answer_is_overdue(serve: Serve, part: str) -> None:
    whole = answer("x" * 500)
    head = whole.index(b"\r\n\r\n") + 4

    def body_only(seen: Any) -> Iterator[bytes]:
        yield whole[:head]
        yield from drip(whole[head:], 0.02)(seen)

    item = body_only if part == "body" else drip(whole, 0.02)
    model, server = serve(item, timeout_seconds=0.25, retry=replace(QUICK, attempts=1))
    assert one(model).error == "no complete answer within 0.25 seconds"
    assert len(server.seen) <= 1, "and it is not sent again"


def test_a_silent_server_is_overdue_and_tried_again(serve: Serve) -> None:
    over = threading.Event()

    def silent(seen: Seen) -> bytes:
        over.wait(600)
        return answer("late")

    model, _ = serve(silent, default=answer("ok"), timeout_seconds=0.5, retry=replace(QUICK, attempts=100))
    assert one(model).text == "ok"
    over.set()


def test_an_endless_answer_is_not_read_to_its_end(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("advisor.models.endpoint.model.LARGEST_ANSWER_BYTES", 1000)

    def endless(seen: Any) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n"
        while True:
            yield b" " * 500

    model, _ = serve(endless)
    assert "not JSON" in one(model).error


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": -3, "completion_tokens": 2}, {"prompt_tokens": "9"}, 7])
def test_missing_usage_is_said_and_not_invented(serve: Serve, usage: Any) -> None:
    model, _ = serve(answer("ok", usage=usage))
    done = one(model)
    assert done.text == "ok"
    assert (done.usage.input_tokens, done.usage.output_tokens, done.usage.calls) == (0, 0, 1)
    assert "did not say how many tokens 1 of 1 answers took" in model.notes[0]


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
    serve: Serve, monkeypatch: pytest.MonkeyPatch, fault: bytes, message: str
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
    patient = replace(OPTIONS, retry=Retry(attempts=5, first_wait_seconds=1e6, longest_wait_seconds=1e6))
    model = EndpointModel("m", url=f"http://127.0.0.1:{port}/v1", options=patient)
    with pytest.raises(ModelError, match=f"nothing answers at http://127.0.0.1:{port}/v1: no connection"):
        model.generate(MANY)  # a first wait would be days
    model.close()


def test_a_server_that_dies_ends_the_run_and_not_every_example(serve: Serve) -> None:
    model, server = serve(*[echo] * 5, default=None, retry=replace(QUICK, attempts=1))
    with pytest.raises(ModelError, match="failed 7 requests in a row"):
        model.generate(MANY)
    assert len(server.seen) <= 5 + OPTIONS.jobs + 3 + OPTIONS.jobs


def test_one_bad_example_asked_for_again_and_again_does_not_end_the_run(serve: Serve) -> None:
    model, server = serve(default=status(500), retry=replace(QUICK, attempts=1))
    for _ in range(20):
        assert one(model).error
    assert len(server.seen) == 1


def test_after_a_fatal_error_the_same_model_can_be_asked_again(serve: Serve) -> None:
    model, _ = serve(status(401))
    with pytest.raises(ModelError):
        one(model)
    assert one(model).text == "re: hello"
