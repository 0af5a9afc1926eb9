"""What keeps a yes back whatever the figures say: rules from the studies, never mixed into the forecast."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.advice.published import study_headlines
from advisor.advice.situation import Situation
from advisor.decision.evidence import VerdictAnswer

FEW_LABELS = 50


@dataclass(frozen=True, slots=True)
class Reason:
    """One plain sentence with its figure, and who says so."""

    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Override:
    """What is answered instead of yes (a firm no stands whatever the figures lean to), in short and in full."""

    answer: VerdictAnswer
    short: str
    reason: Reason
    firm: bool = False


def override_of(situation: Situation, labels: int | None, *, measured: bool = False) -> Override | None:
    """Return the first rule that holds a yes back, or `None`; `labels` is how many tuning would have.

    A rule that rests on studies pointing both ways gives way where the user has `measured` the lead in a pilot.
    """
    known = study_headlines()
    if situation.kind == "knowledge" and situation.prompted_by != "rag":
        return _new_facts(situation)
    if situation.kind == "knowledge" and not measured:
        gains, hurt = known["gains_add"], known["rag_bolted_on"]
        return Override(
            "not_yet",
            "with RAG in place, studies of tuning on top of it point both ways",
            Reason(
                f"Tuning on top of RAG went both ways: {gains.headline}; {hurt.headline}.",
                f"{gains.source}; {hurt.source}",
            ),
        )
    if situation.prompted is None or situation.prompted_by in (None, "zero_shot"):
        fact = known["prompt_first"]
        short = (
            "the prompted score to beat is not known" if situation.prompted is None else "a strong prompt comes first"
        )
        return Override(
            "not_yet", short, Reason(f"A bare prompt makes any tuning look good: {fact.headline}.", fact.source)
        )
    if situation.kind == "tools" and situation.prompted_by != "function_calling":
        text = "For tools, function calling comes first, and your score was not reached by it."
        return Override(
            "not_yet", "function calling was not tried", Reason(text, "our rule; no figure is published for it")
        )
    if labels is not None and labels < FEW_LABELS:
        fact = known["start_with_fifty"]
        return Override(
            "not_yet", f"{labels} examples are too few", Reason(f"You have {labels}: {fact.headline}.", fact.source)
        )
    return None


def _new_facts(situation: Situation) -> Override:
    fact = study_headlines()["new_facts"]
    reason = Reason(f"For new facts RAG comes first: {fact.headline}.", fact.source)
    if situation.sources is not None and "documents" not in situation.sources:
        return Override(
            "not_yet", "for new facts RAG comes first, and it needs documents that you do not have yet", reason
        )
    return Override("do_not_fine_tune", "for new facts RAG comes first", reason, firm=True)
