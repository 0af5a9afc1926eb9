"""tuneworthy: "should I fine-tune?", answered by evidence.

    import advisor
    comparison = advisor.compare("harrow_desk", strategies=["few_shot", "rag", "fine_tuning"])
    print(comparison.verdict.headline)

Everything public stands in `__all__` and is imported when it is first used, so that ``import advisor`` is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from advisor.advice.advice import Advice, ask
    from advisor.advice.situation import Costs, Pilot, Situation
    from advisor.core.data_check import DataCheckResult, DataCheckSettings, DataFindings, DataReport, Leak
    from advisor.core.errors import AdvisorError, ConfigurationError, ModelError, did_you_mean
    from advisor.core.gold import gold_documents, holds_answer
    from advisor.core.index import Hit, Index, IndexKind
    from advisor.core.metric import Metric
    from advisor.core.metrics import score
    from advisor.core.model import Completion, Model, Request, TuningConfig, TuningExample, TuningJob, TuningReport
    from advisor.core.queries import query_text
    from advisor.core.shipped import check_data, load_evalset, save_evalset
    from advisor.core.strategy import Context, Strategy
    from advisor.core.tools import render_tool_specs, tool_from_function, validate_tool_call
    from advisor.core.types import (
        Chat,
        Document,
        Embed,
        EvalSet,
        Example,
        FitCost,
        Input,
        Message,
        Outcome,
        Piece,
        Prediction,
        Run,
        Task,
        Tool,
        ToolCall,
        ToolSpec,
        Usage,
    )
    from advisor.decision.comparison import Comparison, compare_runs
    from advisor.decision.evidence import Verdict
    from advisor.decision.findings import Findings
    from advisor.economics.amounts import Range
    from advisor.economics.inputs import Economics
    from advisor.economics.prices import Prices
    from advisor.models.endpoint import EndpointModel, EndpointOptions, Retry
    from advisor.models.scripted import ScriptedModel
    from advisor.runs.compare import compare
    from advisor.stats.power import detectable_difference, power, required_examples
    from advisor.testing.check_strategy import CheckReport, check_strategy

__version__ = "0.1.0"

_HOMES = {
    "advisor.advice.advice": ("Advice", "ask"),
    "advisor.advice.situation": ("Costs", "Pilot", "Situation"),
    "advisor.core.data_check": ("DataCheckResult", "DataCheckSettings", "DataFindings", "DataReport", "Leak"),
    "advisor.core.errors": ("AdvisorError", "ConfigurationError", "ModelError", "did_you_mean"),
    "advisor.core.gold": ("gold_documents", "holds_answer"),
    "advisor.core.index": ("Hit", "Index", "IndexKind"),
    "advisor.core.metric": ("Metric",),
    "advisor.core.metrics": ("score",),
    "advisor.core.model": (
        "Completion",
        "Model",
        "Request",
        "TuningConfig",
        "TuningExample",
        "TuningJob",
        "TuningReport",
    ),
    "advisor.core.queries": ("query_text",),
    "advisor.core.shipped": ("check_data", "load_evalset", "save_evalset"),
    "advisor.core.strategy": ("Context", "Strategy"),
    "advisor.core.tools": ("render_tool_specs", "tool_from_function", "validate_tool_call"),
    "advisor.core.types": (
        "Chat",
        "Document",
        "Embed",
        "EvalSet",
        "Example",
        "FitCost",
        "Input",
        "Message",
        "Outcome",
        "Piece",
        "Prediction",
        "Run",
        "Task",
        "Tool",
        "ToolCall",
        "ToolSpec",
        "Usage",
    ),
    "advisor.decision.comparison": ("Comparison", "compare_runs"),
    "advisor.decision.evidence": ("Verdict",),
    "advisor.decision.findings": ("Findings",),
    "advisor.economics.amounts": ("Range",),
    "advisor.economics.inputs": ("Economics",),
    "advisor.economics.prices": ("Prices",),
    "advisor.models.endpoint": ("EndpointModel", "EndpointOptions", "Retry"),
    "advisor.models.scripted": ("ScriptedModel",),
    "advisor.runs.compare": ("compare",),
    "advisor.stats.power": ("detectable_difference", "power", "required_examples"),
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
    "ConfigurationError",
    "Context",
    "Costs",
    "DataCheckResult",
    "DataCheckSettings",
    "DataFindings",
    "DataReport",
    "Document",
    "Economics",
    "Embed",
    "EndpointModel",
    "EndpointOptions",
    "EvalSet",
    "Example",
    "Findings",
    "FitCost",
    "Hit",
    "Index",
    "IndexKind",
    "Input",
    "Leak",
    "Message",
    "Metric",
    "Model",
    "ModelError",
    "Outcome",
    "Piece",
    "Pilot",
    "Prediction",
    "Prices",
    "Range",
    "Request",
    "Retry",
    "Run",
    "ScriptedModel",
    "Situation",
    "Strategy",
    "Task",
    "Tool",
    "ToolCall",
    "ToolSpec",
    "TuningConfig",
    "TuningExample",
    "TuningJob",
    "TuningReport",
    "Usage",
    "Verdict",
    "__version__",
    "ask",
    "check_data",
    "check_strategy",
    "compare",
    "compare_runs",
    "detectable_difference",
    "did_you_mean",
    "gold_documents",
    "holds_answer",
    "load_evalset",
    "power",
    "query_text",
    "render_tool_specs",
    "required_examples",
    "save_evalset",
    "score",
    "tool_from_function",
    "validate_tool_call",
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
