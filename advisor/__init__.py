"""tuneworthy: "should I fine-tune?", answered by evidence.

    import advisor
    comparison = advisor.compare("harrow_desk", strategies=["few_shot", "rag", "fine_tuning"])
    print(comparison.verdict.headline)

Everything public stands in `__all__` and is imported when it is first used, so that ``import advisor`` is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from advisor.api import compare, load_evalset, save_evalset
    from advisor.asking import Advice, Costs, Pilot, Situation, ask
    from advisor.checks import CheckReport, check_strategy
    from advisor.comparison import Comparison
    from advisor.costs import Economics, Prices, Range
    from advisor.errors import AdvisorError
    from advisor.models.base import Completion, Model, Request, TuningConfig, TuningExample, TuningJob
    from advisor.models.scripted import ScriptedModel
    from advisor.strategy import Context, Strategy, Task
    from advisor.tools import tool_from_function
    from advisor.types import Chat, Document, EvalSet, Example, Message, Prediction, Run, Tool, ToolCall, Usage
    from advisor.verdict import Verdict

__version__ = "0.1.0"

_HOMES = {
    "advisor.api": ("compare", "load_evalset", "save_evalset"),
    "advisor.asking": ("Advice", "Costs", "Pilot", "Situation", "ask"),
    "advisor.checks": ("CheckReport", "check_strategy"),
    "advisor.comparison": ("Comparison",),
    "advisor.costs": ("Economics", "Prices", "Range"),
    "advisor.errors": ("AdvisorError",),
    "advisor.models.base": ("Completion", "Model", "Request", "TuningConfig", "TuningExample", "TuningJob"),
    "advisor.models.scripted": ("ScriptedModel",),
    "advisor.strategy": ("Context", "Strategy", "Task"),
    "advisor.tools": ("tool_from_function",),
    "advisor.types": (
        "Chat",
        "Document",
        "EvalSet",
        "Example",
        "Message",
        "Prediction",
        "Run",
        "Tool",
        "ToolCall",
        "Usage",
    ),
    "advisor.verdict": ("Verdict",),
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
        from advisor._shipped import shipped

        return shipped(name)
    if name in _HOME_OF:
        value = getattr(import_module(_HOME_OF[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
