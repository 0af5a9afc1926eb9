"""Who used what: the usage of one batch of answers, given to each of them."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.types import Prediction, Usage

_COUNTS = ("input_tokens", "cached_input_tokens", "output_tokens", "calls")


def shares(predictions: Sequence[Prediction], used: Usage, around: float) -> list[Usage]:
    """Give every prediction its usage: its own where the strategy counted all calls, else an equal share.

    `around` is the time spent outside the model (retrieval, classifiers); it is shared equally and also waited for.
    """
    count = len(predictions)
    own = [prediction.usage for prediction in predictions]
    counted = [usage for usage in own if usage is not None]
    if len(counted) < count or sum(usage.calls for usage in counted) != used.calls:
        counted = _equal_shares(used, count)
    extra = Usage(seconds=around / count, latency_seconds=around / count)
    return [usage + extra for usage in counted]


def _equal_shares(used: Usage, count: int) -> list[Usage]:
    """Split a usage over `count` answers; what does not divide evenly goes to the first ones."""
    found = []
    for at in range(count):
        share = {name: getattr(used, name) // count + (at < getattr(used, name) % count) for name in _COUNTS}
        found.append(Usage(**share, seconds=used.seconds / count, latency_seconds=used.latency_seconds / count))
    return found
