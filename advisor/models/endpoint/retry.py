"""Trying a call again: how often, how long to wait in between, and what a server wishes.

The loop is our own. A library would take over only the ``for``: how long to wait is the server's to say, a batch that
is given up must end every wait at once, and jitter may not come from the global generator, which a strategy may have
seeded.
"""

from __future__ import annotations

import email.utils
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from advisor.core.errors import ConfigurationError
from advisor.models.endpoint.failures import GivenUpError, is_transient

T = TypeVar("T")

_jitter = random.Random()
"""Timing only: no answer depends on it."""


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
    attempt = 0
    while True:
        if stop.is_set():
            raise GivenUpError
        attempt += 1
        try:
            return call()
        except Exception as error:
            if not worth(error) or attempt >= retry.attempts:
                raise
            asked = retry_after(getattr(getattr(error, "response", None), "headers", {}))
        on_retry()
        stop.wait(retry.wait_seconds(attempt, asked, _jitter.random))
