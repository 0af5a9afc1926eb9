"""tuneworthy: "should I fine-tune?", answered by evidence.

    import advisor
    comparison = advisor.compare("harrow_desk", strategies=["few_shot", "rag", "fine_tuning"])
    print(comparison.verdict.headline)

Everything public stands in `__all__` and is imported when it is first used, so that ``import advisor`` is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from advisor.advice import Advice, Costs, Pilot, Situation, ask
    from advisor.core.errors import AdvisorError
    from advisor.core.model import Completion, Model, Request, TuningConfig, TuningExample, TuningJob
    from advisor.core.strategy import Context, Strategy
    from advisor.core.tools import tool_from_function
    from advisor.core.types import (
        Chat,
        Document,
        EvalSet,
        Example,
        Message,
        Prediction,
        Run,
        Task,
        Tool,
        ToolCall,
        Usage,
    )
    from advisor.decision.comparison import Comparison
    from advisor.decision.evidence import Verdict
    from advisor.economics.amounts import Range
    from advisor.economics.inputs import Economics
    from advisor.economics.prices import Prices
    from advisor.models.scripted import ScriptedModel
    from advisor.runs.compare import compare, save_evalset
    from advisor.runs.prepare import load_evalset
    from advisor.testing.check_strategy import CheckReport, check_strategy

__version__ = "0.1.0"

_HOMES = {
    "advisor.advice": ("Advice", "Costs", "Pilot", "Situation", "ask"),
    "advisor.core.errors": ("AdvisorError",),
    "advisor.core.model": ("Completion", "Model", "Request", "TuningConfig", "TuningExample", "TuningJob"),
    "advisor.core.strategy": ("Context", "Strategy"),
    "advisor.core.tools": ("tool_from_function",),
    "advisor.core.types": (
        "Chat",
        "Document",
        "EvalSet",
        "Example",
        "Message",
        "Prediction",
        "Run",
        "Task",
        "Tool",
        "ToolCall",
        "Usage",
    ),
    "advisor.decision.comparison": ("Comparison",),
    "advisor.decision.evidence": ("Verdict",),
    "advisor.economics.amounts": ("Range",),
    "advisor.economics.inputs": ("Economics",),
    "advisor.economics.prices": ("Prices",),
    "advisor.models.scripted": ("ScriptedModel",),
    "advisor.runs.compare": ("compare", "save_evalset"),
    "advisor.runs.prepare": ("load_evalset",),
    "advisor.testing.check_strategy": ("CheckReport", "check_strategy"),
}
_HOME_OF = {name: module for module, public in _HOMES.items() for name in public}

__all__ = [
    "Advice",
    "AdvisorError",
    "Chat",
    "CheckReport",
    "Comparison",
    "Completion",
    "Context",
    "Costs",
    "Document",
    "Economics",
    "EvalSet",
    "Example",
    "Message",
    "Model",
    "Pilot",
    "Prediction",
    "Prices",
    "Range",
    "Request",
    "Run",
    "ScriptedModel",
    "Situation",
    "Strategy",
    "Task",
    "Tool",
    "ToolCall",
    "TuningConfig",
    "TuningExample",
    "TuningJob",
    "Usage",
    "Verdict",
    "__version__",
    "ask",
    "check_strategy",
    "compare",
    "load_evalset",
    "save_evalset",
    "tool_from_function",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in ("strategies", "evalsets", "reports"):
        from advisor.core.shipped import shipped

        return shipped(name)
    if name in _HOME_OF:
        value = getattr(import_module(_HOME_OF[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
