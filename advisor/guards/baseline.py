"""Guard 1: fine-tuning is held against strong baselines, never against zero-shot alone."""

from __future__ import annotations

from advisor.evidence import Evidence, Guard

BASELINE = "strong baseline"


def owed(evidence: Evidence) -> tuple[str, ...]:
    """Return the strategies that fine-tuning must be held against on this eval set."""
    return ("few_shot", *["rag"] * evidence.has_docs, *["function_calling"] * evidence.has_tools)


def owed_baselines(evidence: Evidence) -> tuple[str, ...]:
    """Return the strategies that fine-tuning must be held against and that have no score here."""
    names = {one.label.partition("(")[0] for one in evidence.others}
    kinds = {one.kind for one in evidence.others}
    stand_ins = {"rag": "rag", "function_calling": "tools"}
    return tuple(name for name in owed(evidence) if name not in names and stand_ins.get(name) not in kinds)


def strong_baseline(evidence: Evidence) -> Guard:
    """Few-shot chosen on dev, RAG where there are documents, function calling where there are tools."""
    absent = owed_baselines(evidence)
    if absent:
        many = len(owed(evidence))
        held = f"{many - len(absent)} of {many} baselines that are owed have a score"
        return Guard(BASELINE, "fail", f"{held}; missing: {' and '.join(absent)}")
    against = ", ".join(one.label for one in evidence.others if one.kind in ("prompting", "rag", "tools"))
    schema = "; constrained decoding against the schema is not checked in this version" if evidence.has_schema else ""
    return Guard(BASELINE, "pass", f"held against {against or evidence.alternative}{schema}")
