"""Embeddings from an endpoint as strategies get them: paid for, within the budget, and at what they cost alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from advisor.core.types import Usage
from advisor.runs.metering import Budget

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from advisor.models.endpoint.embedding import EndpointEmbedder

OpenEmbedder = Callable[[str, float | None], "tuple[EndpointEmbedder, float]"]
"""Opens what embeds by its specification, with what 1 M tokens of it cost, USD."""


@dataclass(slots=True)
class EmbeddingMeter:
    """What a strategy's embeddings would have taken if none had been kept: USD, and seconds that were not waited."""

    usd: float = 0.0
    unwaited_seconds: float = 0.0

    def since(self, before: EmbeddingMeter, answers: int) -> Usage:
        """Return one answer's share of what was added since."""
        waited = self.unwaited_seconds - before.unwaited_seconds
        return Usage(latency_seconds=waited / answers, other_usd=(self.usd - before.usd) / answers)


@dataclass(frozen=True, slots=True)
class PaidEmbedding:
    """Texts to vectors; what is really sent is taken from the budget, and what a fresh request takes is counted."""

    embedder: EndpointEmbedder
    usd_per_1m_tokens: float
    meter: EmbeddingMeter
    budget: Budget

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts; see `EndpointEmbedder`.

        Raises:
            BudgetReached: nothing is left.
        """
        self.budget.check()
        found = self.embedder.embed(texts)
        self.budget.spent_usd += found.paid_tokens * self.usd_per_1m_tokens / 1e6
        self.meter.usd += found.tokens * self.usd_per_1m_tokens / 1e6
        self.meter.unwaited_seconds += found.kept_seconds
        return found.vectors
