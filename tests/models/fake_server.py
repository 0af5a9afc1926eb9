"""A fake OpenAI-compatible server on a raw socket, for every fault a real one can have. Loopback only, any free port.

    with FakeServer([status(500), answer("hello")]) as server:
        model = EndpointModel("m", url=server.url)

Each request takes the next item of the script, and `default` once the script is used up. An item is bytes, an iterator
of bytes (written one by one), `None` (the connection is reset), or a function of the request giving one of these.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

MODEL_PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it came in; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def question(self) -> str:
        return str(self.json["messages"][-1]["content"])


Sent = bytes | Iterable[bytes] | None
Item = Sent | Callable[[Seen], Sent]


# --- answers ---------------------------------------------------------------------------------------------------------


def http(status: int, body: bytes, headers: Mapping[str, str] | None = None, kind: str = "application/json") -> bytes:
    """Return a whole HTTP answer."""
    lines = {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Status\r\n{head}\r\n".encode() + body


def plain(value: Any, status: int = 200, **headers: str) -> bytes:
    """Return an answer in JSON."""
    return http(status, json.dumps(value).encode(), {name.replace("_", "-"): text for name, text in headers.items()})


def status(code: int, message: str = "no", *, error: Mapping[str, Any] | None = None, **headers: str) -> bytes:
    """Return an error as OpenAI writes it."""
    return plain({"error": {"message": message, **(error or {})}}, code, **headers)


def completion(message: Mapping[str, Any], finish_reason: str = "stop", usage: Any = "default") -> dict[str, Any]:
    """Return the body of a chat completion."""
    counted = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15} if usage == "default" else usage
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish_reason}
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return body if counted is None else {**body, "usage": counted}


def answer(text: str, **options: Any) -> bytes:
    """Return a good answer."""
    return plain(completion({"content": text}, **options))


def calls(*written: tuple[str, Any], content: str | None = None) -> bytes:
    """Return an answer that calls functions, their arguments as written."""
    made = [
        {"id": f"id{at}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for at, (name, arguments) in enumerate(written)
    ]
    return plain(completion({"content": content, "tool_calls": made}, "tool_calls"))


def echo(seen: Seen) -> bytes:
    """Answer with the last message."""
    return answer(f"re: {seen.question}")


def drip(whole: bytes, seconds: float) -> Callable[[Seen], Iterator[bytes]]:
    """Send one byte at a time, with a pause before each."""

    def slowly(seen: Seen) -> Iterator[bytes]:
        for byte in whole:
            time.sleep(seconds)
            yield bytes([byte])

    return slowly


def after(seconds: float, item: Item) -> Callable[[Seen], Sent]:
    """Answer late."""

    def late(seen: Seen) -> Sent:
        time.sleep(seconds)
        return item(seen) if callable(item) else item

    return late


# --- the server ------------------------------------------------------------------------------------------------------


class FakeServer:
    """Serves a script to as many connections as come; `seen` holds every request, `most_at_once` the parallelism."""

    def __init__(self, script: Sequence[Item] = (), default: Item = echo) -> None:
        self._script, self._default = list(script), default
        self.seen: list[Seen] = []
        self.most_at_once = self._busy = 0
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):  # closed by the client meanwhile
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    @property
    def url(self) -> str:
        host, port = self._socket.getsockname()
        return f"http://{host}:{port}/v1"

    def sent_to(self, path: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.path.split("?")[0] == path]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as stream:
                while (seen := _read(stream)) is not None and self._respond(connection, seen):
                    pass
        except OSError:
            pass  # the client has gone
        finally:
            with self._lock:
                self._open.discard(connection)

    def _respond(self, connection: socket.socket, seen: Seen) -> bool:
        with self._lock:
            self.seen.append(seen)
            item = self._script.pop(0) if self._script else self._default
            self._busy += 1
            self.most_at_once = max(self.most_at_once, self._busy)
        try:
            sent = item(seen) if callable(item) else item
            if sent is None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
            for part in [sent] if isinstance(sent, bytes) else sent:
                connection.sendall(part)
            return True
        finally:
            with self._lock:
                self._busy -= 1


def _read(stream: Any) -> Seen | None:
    first = stream.readline().decode("latin-1").split()
    if len(first) < 2:
        return None
    headers: dict[str, str] = {}
    while (line := stream.readline().decode("latin-1").strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    if "chunked" in headers.get("transfer-encoding", ""):
        body = b"".join(_chunks(stream))
    else:
        body = stream.read(int(headers.get("content-length", 0)))
    return Seen(first[0], first[1], headers, body)


def _chunks(stream: Any) -> Iterator[bytes]:
    while (size := int(stream.readline().strip() or b"0", 16)) > 0:
        yield stream.read(size)
        stream.readline()
    stream.readline()
