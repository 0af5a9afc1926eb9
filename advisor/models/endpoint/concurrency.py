"""Sending many requests at once: a deadline for each, a limit for all, and the answers as they come."""

from __future__ import annotations

import contextvars
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from advisor.models.endpoint.failures import GivenUpError, OverdueError

T = TypeVar("T")


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
    answer: _CallResult = queue.SimpleQueue()
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
_CallResult = queue.SimpleQueue[tuple[Any, BaseException | None]]


class _Caller:
    """A thread that makes one call after the other; to start a new one for each takes a quarter of a call's time."""

    def __init__(self) -> None:
        self.asked: queue.SimpleQueue[tuple[Callable[[], Any], _CallResult]] = queue.SimpleQueue()
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


class ConcurrencyLimit:
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


class WorkerPool(Iterator[tuple[int, T]]):
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
