"""Ctrl-C and SIGTERM: what was paid for is waited for, at most two seconds; then the process ends, in three at most.

A signal ends whatever goes on at once, as Python's own Ctrl-C does, but for what stands in `finishing`: calls that are
in flight and answers that are not kept yet. The second signal ends the process at once. Only the command line installs
this; whoever uses `advisor` as a library keeps the signals they had.

A thread of its own watches, told by the C side of signal handling: Python runs handlers between two lines of the main
thread only, and the main thread may be inside a long computation.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

WAIT_SECONDS = 2.0
"""For what is in flight."""
LAST_SECONDS = 0.7
"""For cleaning up, after that."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class PipeClosed(BaseException):
    """Nobody reads any more what is printed; no strategy can take it for an error of its own."""


class _SignalState:
    number = 0
    shields = 0
    overdue = False
    ending = False


_state = _SignalState()


def requested() -> int:
    """Return the signal that asked to stop, or 0."""
    return _state.number


def exit_code() -> int:
    """Return the exit code of an interruption: 130 after Ctrl-C, 143 after SIGTERM."""
    return 128 + (_state.number or signal.SIGINT)


@contextlib.contextmanager
def finishing() -> Iterator[None]:
    """Let what is inside come to its end before a signal counts; it should look at `requested` and hurry.

    Raises:
        KeyboardInterrupt: at its end, if a signal came meanwhile; inside, if it takes too long.
    """
    _state.shields += 1
    try:
        yield
    finally:
        _state.shields -= 1
    if _state.number and not _state.shields:
        raise KeyboardInterrupt


def end() -> int:
    """Take note that the interruption arrived where it is handled, and return the exit code.

    From here on a signal interrupts no more; the watching thread still ends the process in time.
    """
    _state.ending = True
    return exit_code()


@contextlib.contextmanager
def watched(say: Callable[[], None]) -> Iterator[None]:
    """Handle Ctrl-C and SIGTERM as described above for as long as this lasts; a no-op outside the main thread.

    Args:
        say: prints what to type to go on; called where the process ends without coming back here.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _state.number, _state.shields, _state.overdue, _state.ending = 0, 0, False, False
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    heard = [number for number in _SIGNALS if before[number] is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, _handle)
    old = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader, say), daemon=True, name="advisor-signals").start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(old)
        for number in heard:
            signal.signal(number, _end_now if _state.number else before[number])
        writer.close()


def _end_now(number: int, frame: FrameType | None) -> None:
    _end(_state.number)


def _handle(number: int, frame: FrameType | None) -> None:
    _state.number = _state.number or number
    if not _state.ending and (_state.overdue or not _state.shields):
        raise KeyboardInterrupt


def _watch(reader: socket.socket, say: Callable[[], None]) -> None:
    """Wait for the first signal; end the process at the second one, or when time is up."""
    with reader:
        number = _next(reader)
        if number is None:
            return
        _state.number = _state.number or number
        if _over(reader, WAIT_SECONDS):
            return
        _state.overdue = True
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(
                threading.main_thread().ident or 0, number
            )  # so that it wakes up, whatever it waits for
            with contextlib.suppress(TimeoutError):
                _next(reader)  # that one
        if _over(reader, LAST_SECONDS):
            return
        say()
        _end(number)


def _over(reader: socket.socket, seconds: float) -> bool:
    """Wait for the end of `watched`; return whether it came. A signal meanwhile ends the process."""
    reader.settimeout(seconds)
    try:
        number = _next(reader)
    except TimeoutError:
        return False
    if number is not None:
        _end(_state.number or number)
    return True


def _next(reader: socket.socket) -> int | None:
    """Return the next signal that is ours; `None` once nobody sends any more."""
    while data := reader.recv(1):
        if data[0] in _SIGNALS:
            return data[0]
    return None


def _end(number: int) -> None:
    """End at once: what is stored is safe at any moment, and the rest is not worth waiting for."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(128 + number)
