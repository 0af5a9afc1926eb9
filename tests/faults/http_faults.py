"""Everything a server can do wrong, by name: what it sends, and how a run may end that meets it.

`ends` holds how single requests may end: ``ok``, or a cause of failure. ``stops`` among them allows the whole run to
stop with one sentence. What is not in `ends` is a broken promise.
"""

from __future__ import annotations

import email.utils
import gzip
import json
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.models.fake_server import Item, Seen, Sent, after, answer, completion, drip, http, plain, status

QUICK_SECONDS, SLOW_SECONDS = 10.0, 0.3
"""Time-outs of one attempt: where the server answers at once, and where it is meant to be overdue."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to misbehave; see above."""

    item: Item
    ends: frozenset[str]
    timeout_seconds: float = QUICK_SECONDS


def json_answer(body: Mapping[str, Any]) -> bytes:
    return plain(body)


def streamed(*parts: bytes, breaks: bool = False) -> Callable[[Seen], Iterator[bytes]]:
    """Send some bytes, then close the connection (or leave it open for the next request)."""

    def send(seen: Seen) -> Iterator[bytes]:
        yield from parts
        if breaks:
            raise OSError("closed")

    return send


def endless(head: bytes, part: bytes) -> Callable[[Seen], Iterator[bytes]]:
    """Send without an end; the client must hang up."""

    def send(seen: Seen) -> Iterator[bytes]:
        yield head
        while True:
            yield part

    return send


def limited(retry_after: str, code: int = 429) -> bytes:
    return status(code, "too many requests", Retry_After=retry_after)


def from_now(seconds: float) -> str:
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


def chunked(*chunks: bytes, kind: str = "application/json", **headers: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {text}\r\n" for name, text in headers.items())
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{lines}Transfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


GOOD = json.dumps(completion({"content": "billing"})).encode()
WHOLE = http(200, GOOD)
HEAD = WHOLE[: WHOLE.index(b"\r\n\r\n") + 4]
TOOL = {"id": "x", "type": "function", "function": {"name": "look_up", "arguments": '{"word": "inv'}}
DEEP = b'{"choices": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


def usage(counted: Any) -> bytes:
    return answer("billing", usage=counted)


def replaced(**changes: Any) -> bytes:
    return plain(completion({"content": "billing"}) | changes)


def message(content: Any) -> bytes:
    return plain(completion({"content": content}))


def gzip_bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = packer.compress(b'{"choices": "')
    blank = b" " * 2**20
    body += b"".join(packer.compress(blank) for _ in range(256)) + packer.flush()
    return http(200, body, {"Content-Encoding": "gzip"})


PASSING: dict[str, tuple[Item, str]] = {
    "429 without a wait": (status(429, "slow down"), "rate_limit"),
    "429 Retry-After 0": (limited("0"), "rate_limit"),
    "429 Retry-After in seconds": (limited("1"), "rate_limit"),
    "429 Retry-After a fraction": (limited("0.02"), "rate_limit"),
    "429 Retry-After an HTTP date": (limited(from_now(1)), "rate_limit"),
    "429 Retry-After a date long past": (limited("Sun, 06 Nov 1994 08:49:37 GMT"), "rate_limit"),
    "429 Retry-After an RFC 850 date": (limited("Sunday, 06-Nov-94 08:49:37 GMT"), "rate_limit"),
    "429 Retry-After in a year": (limited("31536000"), "rate_limit"),
    "429 Retry-After negative": (limited("-3"), "rate_limit"),
    "429 Retry-After infinite": (limited("1e999"), "rate_limit"),
    "429 Retry-After nonsense": (limited("soon, promise"), "rate_limit"),
    "429 retry-after-ms": (status(429, "slow down", Retry_After_Ms="20"), "rate_limit"),
    "429 retry-after-ms nonsense": (status(429, "slow down", Retry_After_Ms="NaN", Retry_After="0"), "rate_limit"),
    "500": (status(500, "internal"), "server"),
    "502 with HTML": (http(502, b"<html><h1>Bad gateway</h1></html>", kind="text/html"), "server"),
    "503 Retry-After": (limited("0", 503), "server"),
    "504 without a body": (http(504, b""), "server"),
    "529 overloaded": (status(529, "overloaded"), "server"),
    "500 with an endless body": (
        endless(b"HTTP/1.1 500 No\r\nContent-Type: text/plain\r\n\r\n", b"sorry " * 5000),
        "server",
    ),
    "500 cut off in its body": (
        streamed(b"HTTP/1.1 500 No\r\nContent-Length: 900\r\n\r\n{", breaks=True),
        "connection",
    ),
    "408": (status(408, "took too long"), "server"),
    "409": (status(409, "conflict"), "server"),
    "reset before the answer": (None, "connection"),
    "closed after the headers": (streamed(HEAD, breaks=True), "connection"),
    "closed before the headers end": (streamed(HEAD[:40], breaks=True), "connection"),
    "closed in the middle of the body": (streamed(WHOLE[:-20], breaks=True), "connection"),
    "chunks that are none": (
        streamed(chunked(GOOD)[:-30].replace(b"\r\n\r\n", b"\r\n\r\nzz\r\n", 1), breaks=True),
        "connection",
    ),
    "a status line that is none": (streamed(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", breaks=True), "connection"),
    "a header of 300 kB": (
        streamed(b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 300_000 + b"\r\n\r\n", breaks=True),
        "connection",
    ),
    "plain text declared as gzip": (http(200, GOOD, {"Content-Encoding": "gzip"}), "connection"),
}
OVERDUE = {
    "silence": after(3 * SLOW_SECONDS, answer("billing")),
    "slow drip of the headers": drip(WHOLE, 0.05),
    "slow drip of the body": lambda seen: (
        part for parts in ([HEAD], drip(b" " * 40 + GOOD, 0.05)(seen)) for part in parts
    ),
}
UNREADABLE = {
    "200 with HTML": http(200, b"<html>Please log in</html>", kind="text/html"),
    "JSON cut off": http(200, GOOD[:-9]),
    "an empty body": http(200, b""),
    "no choices": replaced(choices=[]),
    "choices that are null": replaced(choices=None),
    "a choice that is null": replaced(choices=[None]),
    "a message that is a text": replaced(choices=[{"message": "billing"}]),
    "content that is a number": message(7),
    "an error with 200": plain({"error": {"message": "overloaded", "type": "server_error"}}),
    "bytes that are no UTF-8": http(200, GOOD.replace(b"billing", b"\xff\xfe\xc3(")),
    "lists 100,000 deep": http(200, DEEP),
    "two documents": http(200, GOOD + GOOD),
    "a body of 17 MB": http(200, b" " * (17 * 2**20) + GOOD),
    "a gzip bomb": gzip_bomb(),
    "declared as zstd": http(200, GOOD, {"Content-Encoding": "zstd"}),
    "declared as br": http(200, GOOD, {"Content-Encoding": "br"}),
    "a number of 10,000 digits": http(200, GOOD.replace(b'"prompt_tokens": 12', b'"prompt_tokens": ' + b"9" * 10_000)),
}
FINE = {
    "wrong content type": http(200, GOOD, kind="text/plain"),
    "no usage": usage(None),
    "usage that is a list": usage([1]),
    "negative usage": usage({"prompt_tokens": -5, "completion_tokens": 1}),
    "usage in texts": usage({"prompt_tokens": "12", "completion_tokens": "3"}),
    "more cached than read": usage(
        {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 99}}
    ),
    "broken tool arguments": plain(completion({"content": None, "tool_calls": [TOOL]}, "tool_calls")),
    "an answer in chunks": chunked(GOOD[:7], GOOD[7:]),
    "packed with gzip": http(200, gzip.compress(GOOD), {"Content-Encoding": "gzip"}),
    "half a surrogate pair": http(200, GOOD.replace(b"billing", b"\\ud800 billing")),
    "a NUL in the text": http(200, GOOD.replace(b"billing", b"\\u0000billing")),
    "empty text": message(""),
    "null content": message(None),
    "content in parts": message([{"type": "text", "text": "bil"}, {"type": "text", "text": "ling"}]),
    "cut off by length": plain(completion({"content": "bill"}, "length")),
}
REFUSED = {
    "400 too long": (status(400, "maximum context length is 2048 tokens"), "refused"),
    "413": (status(413, "payload too large"), "refused"),
    "422": (plain({"detail": [{"msg": "value is not valid"}]}, 422), "refused"),
    "501": (status(501, "not implemented"), "server"),
    "a content filter": (plain(completion({"content": None}, "content_filter")), "filtered"),
}
FATAL = {
    "401": status(401, "bad key"),
    "403": status(403, "not yours"),
    "404": status(404, "no such model"),
    "402": status(402, "pay first"),
    "429 without credit": status(429, "quota", error={"code": "insufficient_quota"}),
    "400 about the key": status(400, "API key not valid. Please pass a valid API key."),
    "400 about the model": status(400, "The model `m` does not exist"),
    "a redirect with 301": http(301, b"", {"Location": "http://127.0.0.1:9/v1/chat/completions"}),
    "a redirect with 308": http(308, b"", {"Location": "https://elsewhere.example/v1"}),
}


def _faults() -> dict[str, Fault]:
    found = {name: Fault(item, frozenset({"ok", cause, "stops"})) for name, (item, cause) in PASSING.items()}
    found |= {name: Fault(item, frozenset({"ok", "overdue", "stops"}), SLOW_SECONDS) for name, item in OVERDUE.items()}
    found |= {name: Fault(item, frozenset({"ok", "malformed", "stops"})) for name, item in UNREADABLE.items()}
    found |= {name: Fault(item, frozenset({"ok"})) for name, item in FINE.items()}
    found |= {name: Fault(item, frozenset({"ok", cause, "stops"})) for name, (item, cause) in REFUSED.items()}
    return found | {name: Fault(item, frozenset({"ok", "stops"})) for name, item in FATAL.items()}


FAULTS: Mapping[str, Fault] = _faults()


def sent(item: Item, seen: Seen) -> Sent:
    """Return what a fault sends to one request."""
    return item(seen) if callable(item) else item
