"""Guard 1: fine-tuning is held against strong baselines, never against zero-shot alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor._util import formats
from advisor.decision.evidence import Evidence, Guard

if TYPE_CHECKING:
    from advisor.stats.summaries import StrategySummary

BASELINE = "strong baseline"
CONSTRAINED = "few_shot(constrained=true)"
STAND_INS = {"rag": "rag", "function_calling": "tools"}
"""Strategies in whose place any other one of a kind counts."""
HOW = (
    "Owed are few-shot and an optimised prompt with at least the budget of fine-tuning's own choice, retrieval where "
    "there are documents, function calling where there are tools, and constrained decoding where there is a schema; "
    "what is owed must have a score here."
)


def owed(evidence: Evidence) -> tuple[str, ...]:
    """Return the strategies that fine-tuning must be held against on this eval set."""
    found = ["few_shot", "optimised_prompt"]
    if evidence.has_docs:
        found.append("rag")
    if evidence.has_tools:
        found.append("function_calling")
    if evidence.has_schema:
        found.append(CONSTRAINED)
    return tuple(found)


def owed_baselines(evidence: Evidence) -> tuple[str, ...]:
    """Return the strategies that fine-tuning must be held against and that have no score here."""
    return tuple(name for name in owed(evidence) if not any(_counts_as(name, one, evidence) for one in evidence.others))


def _counts_as(name: str, one: StrategySummary, evidence: Evidence) -> bool:
    """Whether a strategy is what is owed, or stands in for it.

    An optimised prompt is any prompting strategy that declares its `budget` in `selection` (calls), unless that is less
    than the `fine_tuning_calls` that it declares beside it.
    """
    if name == CONSTRAINED:
        return one.kind == "prompting" and _constrained(one, evidence)
    if name == "optimised_prompt":
        return one.kind == "prompting" and _budget(one) is not None and not _too_small(one)
    return name == one.strategy or one.kind == STAND_INS.get(name)


def _constrained(one: StrategySummary, evidence: Evidence) -> bool:
    """Whether answers were held to the schema: as a parameter, among what was tried on dev, or in a probe."""
    typed = "".join(evidence.specs.get(one.label, one.label).lower().split())
    tried = one.selection.get("constrained") is True or one.selection.get("constrained_tried") is True
    probes = evidence.findings.probes_of("constrained", one.label)
    return "constrained=true" in typed or tried or any(o.score is not None for probe in probes for o in probe.outcomes)


def _budget(one: StrategySummary) -> int | None:
    budget = one.selection.get("budget")
    return budget if isinstance(budget, int) and not isinstance(budget, bool) else None


def _too_small(one: StrategySummary) -> bool:
    budget, least = _budget(one), one.selection.get("fine_tuning_calls")
    return budget is not None and isinstance(least, int) and budget < least


def baseline_line(evidence: Evidence) -> str:
    """Return the line to type: what is missing, the baselines that are here, the alternative, and the tuned strategy.

    What is here is named too, since a comparison knows only what it names; answers that are kept are not asked anew.
    """
    kept = [evidence.use_now] if evidence.others else []
    named = [*owed_baselines(evidence), *_baselines_here(evidence), *kept, evidence.tuned or "fine_tuning"]
    return evidence.line(list(dict.fromkeys(named)))


def _baselines_here(evidence: Evidence) -> list[str]:
    names = owed(evidence)
    return [one.label for one in evidence.others if any(_counts_as(name, one, evidence) for name in names)]


def strong_baseline(evidence: Evidence) -> Guard:
    """Few-shot and an optimised prompt always; RAG, function calling and constrained decoding where they apply."""
    absent = owed_baselines(evidence)
    small = [one for one in evidence.others if _too_small(one)]
    budgets = "".join(f"; {one.label} had {_budgets(one)}" for one in evidence.others if _budget(one) is not None)
    if absent:
        many = len(owed(evidence))
        held = f"{many - len(absent)} of {many} baselines that are owed have a score"
        less = f"; {small[0].label} had only {_budgets(small[0])}" if small and "optimised_prompt" in absent else ""
        names = " and ".join(absent)
        return Guard(
            BASELINE, "fail", f"{held}; missing: {names}{less}", HOW, f"Run {names}: {baseline_line(evidence)}"
        )
    against = ", ".join(one.label for one in evidence.others if one.kind in ("prompting", "rag", "tools"))
    return Guard(BASELINE, "pass", f"held against {against or evidence.alternative}{budgets}", HOW)


def _budgets(one: StrategySummary) -> str:
    """Say the budget of a search beside that of fine-tuning's own choice, where both are declared."""
    own, theirs = _budget(one), one.selection.get("fine_tuning_calls")
    beside = f" ({formats.count(theirs)} in fine-tuning's own choice)" if isinstance(theirs, int) else ""
    return f"a budget of {formats.count(own or 0)} calls{beside}"
