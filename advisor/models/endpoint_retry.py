"""Sending many requests at once, each with a deadline and retries. Every failure has a sentence of its own."""

from __future__ import annotations

import email.utils
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from advisor.errors import ConfigurationError

T = TypeVar("T")

TRANSIENT = frozenset({408, 409, 429, *(status for status in range(500, 600) if status != 501)})
"""HTTP statuses worth another try. 501 (not implemented) is not one: it will not be implemented a second later."""


class OverdueError(Exception):
    """An answer was not complete in time, however lively it was dripping in."""


class LostError(Exception):
    """The connection broke in the middle of an answer."""


class GivenUpError(Exception):
    """The batch this call belongs to has been given up."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a call is tried, and how long to wait in between: exponential with full jitter.

    A server's ``Retry-After`` is honoured up to `longest_wait_seconds`.

    Raises:
        ConfigurationError: fewer than one attempt, or a negative wait.
    """

    attempts: int = 5
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or not 0 <= self.first_wait_seconds <= self.longest_wait_seconds:
            raise ConfigurationError(
                f"{self} cannot be: at least 1 attempt, and 0 <= first_wait_seconds <= longest_wait_seconds"
            )

    def wait_seconds(self, attempt: int, asked: float | None, draw: Callable[[], float]) -> float:
        """Return the wait after the failed `attempt` (from 1); `asked` is the server's wish, `draw` in [0, 1).

        Full jitter as in "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015). A wish is never undercut;
        up to `first_wait_seconds` of jitter keeps workers that were all told the same from coming back together.
        """
        if asked is not None:
            return min(asked + draw() * self.first_wait_seconds, self.longest_wait_seconds)
        return draw() * float(min(self.longest_wait_seconds, self.first_wait_seconds * 2.0 ** min(attempt, 60)))


def retry_after(headers: Any, now: float | None = None) -> float | None:
    """Read ``retry-after-ms`` or ``Retry-After`` (seconds or an HTTP date, RFC 9110 section 10.2.3), in seconds.

    `None` where there is none or it cannot be read; 0 for a date in the past.
    """
    milliseconds, value = headers.get("retry-after-ms"), headers.get("retry-after")
    for text, unit in ((milliseconds, 1000.0), (value, 1.0)):
        try:
            seconds = float(text) / unit
        except (TypeError, ValueError):
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        until = email.utils.parsedate_to_datetime(value or "").timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    return max(0.0, until - (time.time() if now is None else now))


def is_transient(error: BaseException) -> bool:
    """Return whether the same call may well succeed a little later."""
    import openai

    if isinstance(error, OverdueError | LostError | openai.APIConnectionError):
        return True
    if isinstance(error, openai.APIStatusError):
        return error.status_code in TRANSIENT and not is_out_of_credit(error)
    return False


def is_out_of_credit(error: Any) -> bool:
    """Return whether the account must be filled first: 402, or OpenAI's ``insufficient_quota``."""
    code = (getattr(error, "code", None), getattr(error, "type", None))
    return getattr(error, "status_code", None) == 402 or "insufficient_quota" in code


def never_connected(error: BaseException) -> bool:
    """Return whether not even a connection was made (refused, no such host, a wrong certificate, no route)."""
    return type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout", "ProxyError", "UnsupportedProtocol")


def persistently(
    call: Callable[[], T],
    retry: Retry,
    *,
    stop: threading.Event,
    worth: Callable[[BaseException], bool] = is_transient,
    on_retry: Callable[[], None] = lambda: None,
) -> T:
    """Call until it succeeds, fails in a way that is not `worth` another try, or the attempts are used up.

    Raises:
        GivenUpError: `stop` was set meanwhile.
        Exception: what the last attempt raised.
    """
    import tenacity

    draw = random.Random().random  # timing only; no answer depends on it

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        headers = getattr(getattr(error, "response", None), "headers", {})
        return retry.wait_seconds(state.attempt_number, retry_after(headers), draw)

    def once() -> T:
        if stop.is_set():
            raise GivenUpError
        return call()

    return tenacity.Retrying(
        stop=tenacity.stop_after_attempt(retry.attempts),
        wait=wait,
        retry=tenacity.retry_if_exception(worth),
        sleep=tenacity.sleep_using_event(stop),
        before_sleep=lambda state: on_retry(),
        reraise=True,
    )(once)


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return what `call` returns, if it does so in time.

    The time-outs of HTTP clients restart with every byte, so a server that drips would never be given up. A late call
    is left behind in its (daemon) thread and its result is dropped.

    Raises:
        OverdueError: it took longer.
    """
    box: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            box.put((call(), None))
        except BaseException as error:
            box.put((None, error))

    threading.Thread(target=run, daemon=True, name="advisor-call").start()
    try:
        value, error = box.get(timeout=seconds)
    except queue.Empty:
        raise OverdueError from None
    if error is not None:
        raise error
    return value  # type: ignore[return-value]


def spread(work: Callable[[int], T], count: int, jobs: int) -> Iterator[tuple[int, T]]:
    """Yield ``(at, work(at))`` for ``at`` below `count` as each is done, at most `jobs` at a time.

    The first error ends it at once. Nothing new is started after an error, an interruption, or once nobody listens any
    more. Threads are daemons: Ctrl-C need not wait for a server.
    """
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, T | None, BaseException | None]] = queue.SimpleQueue()
    for at in range(count):
        todo.put(at)

    def worker() -> None:
        while (at := _next(todo)) is not None:
            try:
                done.put((at, work(at), None))
            except BaseException as error:
                _drain(todo)
                done.put((at, None, error))

    for _ in range(min(jobs, count)):
        threading.Thread(target=worker, daemon=True, name="advisor-endpoint").start()
    try:
        for _ in range(count):
            at, value, error = done.get()
            if error is not None:
                raise error
            yield at, value  # type: ignore[misc]
    finally:
        _drain(todo)


def _next(todo: queue.SimpleQueue[int]) -> int | None:
    try:
        return todo.get_nowait()
    except queue.Empty:
        return None


def _drain(todo: queue.SimpleQueue[int]) -> None:
    while _next(todo) is not None:
        pass
