"""What strategies looked up, against what the questions needed, in words and rounded figures."""

from __future__ import annotations

from advisor.decision.comparison import Comparison
from advisor.decision.retrieval import told
from advisor.decision.words import sentence

from . import numbers
from .view import Fact

TITLE = "What was looked up"
HOW = (
    "How this was computed: on the test questions that name the documents their answers stand in, from what each "
    "strategy says it showed; it never sees these names. recall@k is the mean share of the named documents of which at "
    "least a part is among the k that were shown at most, with the exact interval of a share."
)


def facts(comparison: Comparison) -> tuple[Fact, ...]:
    """Return one fact for every strategy that looks things up in documents."""
    return tuple(
        Fact(
            one.label,
            f"recall@{one.shown} {numbers.percent(one.recall.estimate if one.recall else None)}",
            sentence(told(one)),
        )
        for one in comparison.retrieval
    )
