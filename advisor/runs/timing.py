"""What one fresh request costs and how long somebody waits for it, whatever else was run here before.

In a batch an answer waits for all others. So where a model computes here, a few requests are sent one after the other;
at an endpoint each call is timed by itself anyway, under the stated number of calls in flight. And what an earlier
strategy had computed (a prompt's beginning, an embedding) makes no later one quicker or cheaper.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from advisor.core.errors import CallFailed
from advisor.core.fingerprints import digest
from advisor.core.model import HasCaches, Model, forget
from advisor.core.types import Embed, Example, Outcome, Usage
from advisor.runs.interception import Switch
from advisor.runs.metering import Meter
from advisor.runs.plugin_calls import BrokenStrategyError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from advisor.runs.store import Store

REQUESTS = 8
"""So many are timed for each run; a quantile of their waits is no more exact than that."""
BEFORE = 2
"""So many are asked together before, so that what all requests share is there, as on a server that has been running."""


@dataclass(slots=True)
class FreshRequests:
    """Lets a strategy answer as if nothing had run before; `model`, `embed` and `store` are those of the comparison.

    `unwaited` are the seconds so far that embeddings from elsewhere would have taken and did not, since they are kept;
    `saved_seconds` what a fit would have taken more if no embedding had been kept.
    """

    model: Model
    embed: Embed
    store: Store
    meter: Meter
    switch: Switch
    unwaited: Callable[[], float] = lambda: 0.0
    _answering: bool = False
    _embedded: set[str] = field(default_factory=set)
    saved_seconds: float = 0.0

    def embedded(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed for the strategy: while it answers anew, so that it pays for that itself.

        While it is fitted what is kept is used, and the time that this saved is counted, once for every text.
        """
        if not self._answering:
            kept_seconds = getattr(self.embed, "kept_seconds", None)
            first = {text for text in texts if text not in self._embedded}
            self.saved_seconds += kept_seconds(sorted(first)) if kept_seconds else 0.0
            self._embedded |= first
        unkept = getattr(self.embed, "unkept", None) if self._answering else None
        found: NDArray[np.float32] = (unkept or self.embed)(texts)
        return found

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Use nothing that was computed before this began."""
        self._forget()
        self._answering = True
        if self._embedded:
            self.embedded([""])  # where all was kept until now, this loads the weights, which is no request's affair
        try:
            yield
        finally:
            self._answering = False

    def time(self, run: str, ask: Callable[[Sequence[Example]], object], examples: Sequence[Example]) -> None:
        """Time at most `REQUESTS` requests one by one and keep that for a run; nothing where no model computes here."""
        if not isinstance(self.model, HasCaches) or self.waits(run):
            return
        self.meter.is_timing = True
        try:
            waits = _single_waits(ask, examples, self.unwaited)
        finally:
            self.meter.is_timing = False
        self._forget()
        timed = enumerate(Usage(calls=1, latency_seconds=wait) for wait in waits)
        self.store.add_outcomes(_key(run), [Outcome(f"{at}", None, None, usage=usage) for at, usage in timed])

    def waits(self, run: str) -> tuple[float, ...]:
        """Return what `time` kept, seconds."""
        return tuple(one.usage.latency_seconds for one in self.store.outcomes(_key(run)).values())

    def _forget(self) -> None:
        for model in (self.model, *(tuning.model for tuning in self.switch.tunings)):
            forget(model)


def _key(run: str) -> str:
    return digest(["single requests", run])


def _single_waits(
    ask: Callable[[Sequence[Example]], object], examples: Sequence[Example], unwaited: Callable[[], float]
) -> list[float]:
    step = max(1, len(examples) // (BEFORE + REQUESTS))
    chosen = examples[::step][: BEFORE + REQUESTS]
    waits: list[float] = []
    with suppress(CallFailed, BrokenStrategyError):  # it is told when all are asked
        ask(chosen[:BEFORE])
        for example in chosen[BEFORE:]:
            started = time.perf_counter() + unwaited()
            with suppress(CallFailed):
                ask([example])
                waits.append(time.perf_counter() + unwaited() - started)
    return waits
