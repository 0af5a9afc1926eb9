"""Sending many requests at once, each with a deadline and retries. Every failure has a sentence of its own."""

from __future__ import annotations

import contextvars
import email.utils
import os
import queue
import random
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from advisor.core.errors import Cause, ConfigurationError

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


def speaks_of_key(error: Any) -> bool:
    """Return whether a 400 is about the key, as some gateways say it: ``API key not valid``."""
    return _code(error) == "invalid_api_key" or bool(
        re.search(r"(?i)\bapi[ _-]?key\b.{0,40}\b(in|not )valid\b", _said(error))
    )


def speaks_of_model(error: Any, model: str) -> bool:
    """Return whether a 400 says that there is no such model."""
    said = _said(error)
    missing = re.search(
        r"(?i)\b(does not exist|not found|unknown model|no such model|invalid model|not a valid model)\b", said
    )
    return _code(error) == "model_not_found" or bool(missing and (model in said or "model" in missing[0].lower()))


def _code(error: Any) -> str:
    return str(getattr(error, "code", None) or "")


def _said(error: Any) -> str:
    return str(getattr(error, "body", None) or "")[:2000]


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
    is left behind in its (daemon) thread and its result is dropped; threads of calls that came back are used again.

    Raises:
        OverdueError: it took longer.
    """
    try:
        caller = _idle.pop()
    except IndexError:
        caller = _Caller()
    answer: _Answer = queue.SimpleQueue()
    caller.asked.put((call, answer))
    try:
        value, error = answer.get(timeout=seconds)
    except queue.Empty:
        raise OverdueError from None
    if error is not None:
        raise error
    return value  # type: ignore[no-any-return]


IDLE_SECONDS = 60.0
"""So long a thread waits for its next call."""
_Answer = queue.SimpleQueue[tuple[Any, BaseException | None]]


class _Caller:
    """A thread that makes one call after the other; to start a new one for each takes a quarter of a call's time."""

    def __init__(self) -> None:
        self.asked: queue.SimpleQueue[tuple[Callable[[], Any], _Answer]] = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True, name="advisor-call").start()

    def _work(self) -> None:
        while True:
            try:
                call, answer = self.asked.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                try:
                    _idle.remove(self)
                    return
                except ValueError:  # somebody has just taken it
                    continue
            try:
                found: tuple[Any, BaseException | None] = (contextvars.Context().run(call), None)
            except BaseException as error:
                found = (None, error)
            _idle.append(self)
            answer.put(found)
            del call, answer, found  # whoever asked may drop them


_idle: deque[_Caller] = deque()
"""Threads that wait for a call."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # threads stay behind


class Pace:
    """How many attempts are in flight at once: `most`, and fewer while the server says that it is too many.

    Additive increase, multiplicative decrease (Chiu and Jain 1989): an answer adds 1 / limit, a push-back halves it, at
    least 1 staying. Calls that had begun before the last halving do not halve it again, as one wave of refusals is one
    message.
    """

    def __init__(self, most: int) -> None:
        self._most, self._limit, self._busy, self._begun, self._halved = most, float(most), 0, 0, -1
        self._changed = threading.Condition()

    @property
    def limit(self) -> int:
        """Attempts that may be in flight now."""
        return int(self._limit)

    def enter(self, stop: threading.Event) -> int:
        """Wait for a free place and return the number of this attempt, for `leave`.

        Raises:
            GivenUpError: `stop` was set meanwhile.
        """
        with self._changed:
            while self._busy >= self.limit and not stop.is_set():
                self._changed.wait(0.05)
            if stop.is_set():
                raise GivenUpError
            self._busy += 1
            self._begun += 1
            return self._begun

    def leave(self, number: int, *, pushed_back: bool) -> None:
        """Give the place back, and say whether the server wanted fewer calls."""
        with self._changed:
            self._busy -= 1
            if not pushed_back:
                self._limit = min(self._most, self._limit + 1.0 / self._limit)
            elif number > self._halved:
                self._limit, self._halved = max(1.0, self._limit / 2.0), self._begun
            self._changed.notify_all()


def cause_of(error: BaseException) -> Cause:
    """Return what kind of failure an attempt's error is."""
    import openai

    status = getattr(error, "status_code", 0)
    if isinstance(error, OverdueError | openai.APITimeoutError):
        return "overdue"
    if isinstance(error, LostError | openai.APIConnectionError):
        return "connection"
    if status == 429:
        return "rate_limit"
    if status in TRANSIENT or status >= 500:
        return "server"
    return "refused" if 400 <= status < 500 else "other"


def is_push_back(error: BaseException | None) -> bool:
    """Return whether a server wants fewer calls at once: 429 or 503."""
    return getattr(error, "status_code", None) in (429, 503)


class Spread(Iterator[tuple[int, T]]):
    """Gives ``(at, work(at))`` for ``at`` below `count` as each is done, at most `jobs` at a time.

    The first error ends it at once. Nothing new is started after an error, an interruption, or once nobody listens any
    more; and none before the one who listens has come back for the next answer, so that what was not looked at yet and
    what is in flight are together never more than `jobs`. Threads are daemons: Ctrl-C need not wait for a server.
    """

    def __init__(self, work: Callable[[int], T], count: int, jobs: int, stop: threading.Event | None = None) -> None:
        self._work, self._expected, self._stop = work, count, stop or threading.Event()
        self._todo: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[int, T | None, BaseException | None]] = queue.SimpleQueue()
        self._workers, self._free, self._owed = min(jobs, count), threading.Semaphore(min(jobs, count)), 0
        self._count, self._begun = count, min(jobs, count)
        self._next: tuple[int, T | None, BaseException | None] | None = None
        for at in range(count):
            self._todo.put(at)
        for _ in range(self._workers):
            # Not self: whoever drops this object stops it, which a reference from a running thread would prevent.
            parts = (self._work, self._todo, self._done, self._free)
            threading.Thread(target=_work_off, args=parts, daemon=True, name="advisor-endpoint").start()

    def __next__(self) -> tuple[int, T]:
        if self._owed and self._next is None:  # what waits there is an error: nothing more is started
            self._begun += self._owed
            self._free.release(self._owed)
            self._owed = 0
        while self._expected > 0:
            try:
                at, value, error = self._next or self._done.get()
            except BaseException:
                self.close()
                raise
            self._next = None
            self._expected -= 1
            if isinstance(error, GivenUpError) and self._stop.is_set():
                continue  # waited for another attempt when the rest was given up
            if error is not None:
                self.close()
                raise error
            self._owed += 1
            return at, value  # type: ignore[return-value]
        self.close()
        raise StopIteration

    def ready(self) -> list[tuple[int, T]]:
        """Return those that are done by now, without waiting; they count as one answer with the last one given."""
        found: list[tuple[int, T]] = []
        while self._next is None and not self._done.empty():
            self._next = self._done.get()
            at, value, error = self._next
            if error is None:
                found.append((at, value))  # type: ignore[arg-type]
                self._next = None
        self._expected -= len(found)
        self._owed += len(found)
        return found

    def coming(self) -> range:
        """Return which are begun when the next answer is asked for, and surely not before."""
        owed = self._owed if self._next is None else 0
        return range(self._begun, min(self._count, self._begun + owed))

    def finish(self) -> None:
        """Start nothing new and try nothing again; what is in flight still comes."""
        self._expected -= _drain(self._todo)
        self._stop.set()
        self._free.release(self._workers or 1)

    def close(self) -> None:
        """Give up the rest."""
        self.finish()
        self._expected = 0

    def __del__(self) -> None:
        self.close()


def _work_off(
    work: Callable[[int], T],
    todo: queue.SimpleQueue[int],
    done: queue.SimpleQueue[tuple[int, T | None, BaseException | None]],
    free: threading.Semaphore,
) -> None:
    while free.acquire() and (at := _next(todo)) is not None:
        try:
            done.put((at, work(at), None))
        except BaseException as error:
            done.put((at, None, error))
            if not isinstance(error, GivenUpError):
                return


def _next(todo: queue.SimpleQueue[int]) -> int | None:
    try:
        return todo.get_nowait()
    except queue.Empty:
        return None


def _drain(todo: queue.SimpleQueue[int]) -> int:
    """Empty it and return how many were left."""
    left = 0
    while _next(todo) is not None:
        left += 1
    return left
