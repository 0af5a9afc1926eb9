"""Guard 1: fine-tuning is held against strong baselines, never against zero-shot alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.core.statement import Action, Statement, say
from advisor.decision.evidence import Evidence, Guard

if TYPE_CHECKING:
    from advisor.stats.summaries import StrategySummary

BASELINE = "strong baseline"
CONSTRAINED = "few_shot(constrained=true)"
STAND_INS = {"rag": "rag", "function_calling": "tools"}
"""Strategies in whose place any other one of a kind counts."""


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
    budget, least = _budget(one), _tuning_calls(one)
    return budget is not None and least is not None and budget < least


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
    absent, names, how = owed_baselines(evidence), owed(evidence), say("baseline.how")
    if absent:
        small = next((one for one in evidence.others if _too_small(one)), None)
        missing = say(
            "baseline.missing",
            scored=len(names) - len(absent),
            owed=len(names),
            missing=absent,
            budgets=(_small_budget(small),) if small and "optimised_prompt" in absent else (),
        )
        run = Action(say("next.run", names=absent), baseline_line(evidence))
        return Guard(BASELINE, "fail", missing, how, run)
    against = tuple(one.label for one in evidence.others if one.kind in ("prompting", "rag", "tools"))
    budgets = tuple(_budget_said(one) for one in evidence.others if _budget(one) is not None)
    held = say("baseline.held", against=against or (evidence.alternative,), budgets=budgets)
    return Guard(BASELINE, "pass", held, how)


def _budget_said(one: StrategySummary) -> Statement:
    return say("baseline.budget", label=one.label, calls=_budget(one) or 0, tuning_calls=_tuning_calls(one))


def _small_budget(one: StrategySummary) -> Statement:
    return say("baseline.small_budget", label=one.label, calls=_budget(one) or 0, tuning_calls=_tuning_calls(one))


def _tuning_calls(one: StrategySummary) -> int | None:
    """Return the calls of fine-tuning's own choice, where a search declares them."""
    declared = one.selection.get("fine_tuning_calls")
    return declared if isinstance(declared, int) else None
