"""The comparison for programs: JSON with a schema version, and CSV with one row an answer."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

from advisor._util.redaction import hide_known
from advisor.advice.advice import Advice
from advisor.core.statement import Statement
from advisor.core.types import Outcome, Run
from advisor.decision.comparison import Comparison
from advisor.decision.evidence import NOT_STORED, Guard, Verdict
from advisor.decision.information import Step
from advisor.decision.learning_curve import LearningCurve
from advisor.decision.words import sentence
from advisor.economics.money import Money
from advisor.economics.scenarios import Scenario

from .safe import cell

SCHEMA_VERSION = 2
SCHEMA_FILE = Path(__file__).with_name("comparison.schema.json")
COLUMNS = (
    "comparison", "evalset", "model", "strategy", "kind", "tuned", "params", "seed", "example_id", "score", "output",
    "error", "cause", "input_tokens", "cached_input_tokens", "output_tokens", "calls", "seconds", "latency_seconds",
)  # fmt: skip
IN_WORDS: Mapping[type, tuple[str, ...]] = {
    Advice: ("headline",),
    Verdict: ("headline", "reasons", "would_flip", "next_step"),
    Guard: ("finding", "how", "remedy", "details"),
    Step: ("action", "command", "assumption"),
    LearningCurve: ("refusal",),
}
"""What is written in words too, beside the values that the words are made from."""
STATEMENTS: Mapping[type, Mapping[str, str]] = {
    Money: {"assumptions": "basis", "remarks": "contradictions"},
    Scenario: {"name": "variant", "assumption": "basis"},
}
"""The same for dataclasses below the words: each name with the field whose statements are put into words under it."""


def render_json(comparison: Comparison) -> str:
    """Return everything, runs and single answers included, as JSON that `comparison.schema.json` describes.

    Undefined is ``null``; an infinite bound is ``"Infinity"`` or ``"-Infinity"``, as JSON has no such number. The text
    is ASCII, so that no answer can steer a terminal through it.
    """
    plain = {**_plain(comparison), **_plain(comparison.evidence)}
    plain["model"] = comparison.model
    del plain["evidence"]
    return _versioned(plain)


def render_advice(advice: Advice) -> str:
    """Return an advice as JSON, written as a comparison's is."""
    return _versioned(_plain(advice))


def _versioned(plain: Mapping[str, Any]) -> str:
    whole = {"schema_version": SCHEMA_VERSION, **plain}
    return hide_known(json.dumps(whole, indent=1, ensure_ascii=True, allow_nan=False)) + "\n"


def _plain(value: Any) -> Any:
    """Turn dataclasses, mappings and sequences into JSON types; what is none of these becomes its text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return _finite(value)
    if is_dataclass(value) and not isinstance(value, type):
        values = {name: _plain(getattr(value, name)) for name in written(type(value))}
        said = STATEMENTS.get(type(value), {}).items()
        return values | {name: _in_words(getattr(value, field)) for name, field in said}
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Iterable):
        return [_plain(item) for item in value]
    return str(value)


def _in_words(said: Statement | Sequence[Statement] | Mapping[str, Statement]) -> str | list[str] | dict[str, str]:
    if isinstance(said, Statement):
        return sentence(said)
    if isinstance(said, Mapping):
        return {name: sentence(one) for name, one in said.items()}
    return [sentence(one) for one in said]


@cache
def written(kind: type) -> list[str]:
    """Return what is written of a dataclass: its fields, without those that are not stored, and `IN_WORDS`."""
    hints = get_type_hints(kind, include_extras=True)
    stored = [field.name for field in fields(kind) if NOT_STORED not in get_args(hints[field.name])]
    return [*stored, *IN_WORDS.get(kind, ())]


def _finite(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return float(value) if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"


def render_csv(comparison: Comparison) -> str:
    """Return one row per strategy, seed and example, headed, comma-separated, safe to open in a spreadsheet.

    Texts that a spreadsheet could take for a formula start with an apostrophe, and control characters are left out; for
    the exact text use JSON. A missing score is an empty cell.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_MINIMAL)
    writer.writerow([cell(name) for name in COLUMNS])
    for run in comparison.runs:
        head = _head(comparison, run)
        for outcome in run.outcomes:
            writer.writerow([_cell(value) for value in (*head, *_tail(outcome))])
    return out.getvalue()


def _head(comparison: Comparison, run: Run) -> tuple[Any, ...]:
    params = json.dumps(_plain(run.params), sort_keys=True)
    return comparison.id, comparison.evalset, run.model, run.strategy, run.kind, run.tuned, params, run.seed


def _tail(outcome: Outcome) -> tuple[Any, ...]:
    u = outcome.usage
    used = (u.input_tokens, u.cached_input_tokens, u.output_tokens, u.calls, u.seconds, u.latency_seconds)
    return (outcome.example_id, outcome.score, outcome.output, outcome.error, outcome.cause, *used)


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return cell(value)
    if isinstance(value, float) and not math.isfinite(value):
        return ""
    return "" if value is None else value
