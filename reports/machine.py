"""The comparison for programs: JSON with a schema version, and CSV with one row an answer."""

from __future__ import annotations

import csv
import io
import json
import math
import operator
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

from advisor._util.batches import batches
from advisor._util.redaction import Secrets, known_secrets
from advisor.advice.advice import Advice
from advisor.core.statement import Statement
from advisor.core.types import Outcome, Run, Usage
from advisor.decision.comparison import Comparison
from advisor.decision.evidence import NOT_STORED, Guard, Verdict
from advisor.decision.information import Step
from advisor.decision.learning_curve import LearningCurve
from advisor.decision.words import sentence
from advisor.economics.money import Money
from advisor.economics.scenarios import Scenario

from .safe import cell

SCHEMA_VERSION = 2
_ENCODER = json.JSONEncoder(separators=("\n", ": "), ensure_ascii=True, allow_nan=False)
SCHEMA_FILE = Path(__file__).with_name("comparison.schema.json")
COLUMNS = (
    "comparison", "evalset", "model", "strategy", "kind", "tuned", "params", "seed", "example_id", "score", "output",
    "error", "cause", "input_tokens", "cached_input_tokens", "output_tokens", "calls", "seconds", "latency_seconds",
    "cut", "imported",
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


def render_json(comparison: Comparison) -> Iterator[str]:
    """Yield everything, runs and single answers included, as JSON that `comparison.schema.json` describes, in pieces.

    Undefined is ``null``; an infinite bound is ``"Infinity"`` or ``"-Infinity"``, as JSON has no such number. The text
    is ASCII, so that no answer can steer a terminal through it.
    """
    known = known_secrets()
    comparison = known.hide_in(comparison)
    answered = [run for run in comparison.runs if run.outcomes]
    here = secrets.token_hex()  # no value holds it
    plain = {**_plain(replace(comparison, runs=())), **_plain(comparison.evidence)}
    plain["model"] = comparison.model
    plain["runs"] = [
        _plain(replace(run, outcomes=())) | {"outcomes": [here] * bool(run.outcomes)} for run in comparison.runs
    ]
    del plain["evidence"]
    start, *ends = _versioned(plain).split(f'\n    "{here}"\n   ')
    yield start
    for run, end in zip(answered, ends, strict=True):
        for at, some in enumerate(batches(run.outcomes)):
            text = ",".join(_outcome_texts(some))
            yield "," * bool(at) + (",".join(_outcome_texts(known.hide_in(some))) if known.may_be_in(text) else text)
        yield f"\n   {end}"


def _outcome_texts(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield outcomes as ``json.dumps(..., indent=1)`` writes them in their place, in a tenth of its time."""
    template, values_of, width, place = _outcome_shape()
    values = [value for one in outcomes for value in values_of(one)]
    values[place::width] = [None] * len(outcomes)
    try:
        texts = _ENCODER.encode(values)
    except (ValueError, TypeError):  # no JSON number, or no JSON type
        texts = _ENCODER.encode([_plain(value) for value in values])
    parts = texts[1:-1].split("\n")  # a line feed in a text is an escape there
    for at, one in enumerate(outcomes):
        own = parts[at * width : (at + 1) * width]
        own[place] = json.dumps(_plain(one.trace), indent=1).replace("\n", "\n     ") if one.trace else "{}"
        yield template % tuple(own)


@cache
def _outcome_shape() -> tuple[str, Callable[[Outcome], tuple[Any, ...]], int, int]:
    """Return the text around the values of an outcome, what takes these out of it, how many, and where the trace is."""
    used = {name: "%s" for name in written(Usage)}
    shape = {name: used if name == "usage" else "%s" for name in written(Outcome)}
    text = json.dumps(shape, indent=1).replace('"%s"', "%s")
    paths = [path for name in shape for path in ([f"usage.{one}" for one in used] if name == "usage" else [name])]
    return "\n    " + text.replace("\n", "\n    "), operator.attrgetter(*paths), len(paths), paths.index("trace")


def render_advice(advice: Advice) -> str:
    """Return an advice as JSON, written as a comparison's is."""
    return _versioned(_plain(known_secrets().hide_in(advice)))


def _versioned(plain: Mapping[str, Any]) -> str:
    whole = {"schema_version": SCHEMA_VERSION, **plain}
    return json.dumps(whole, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


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


def render_csv(comparison: Comparison) -> Iterator[str]:
    """Yield one row per strategy, seed and example, headed, comma-separated, safe to open in a spreadsheet; in pieces.

    Texts that a spreadsheet could take for a formula start with an apostrophe, and control characters are left out; for
    the exact text use JSON. A missing score is an empty cell.
    """
    yield _csv([[cell(name) for name in COLUMNS]])
    known = known_secrets()
    for run in comparison.runs:
        head = [_cell(value, known) for value in _head(comparison, run)]
        for some in batches(run.outcomes):
            yield _csv([*head, *(_cell(value, known) for value in _tail(outcome)), run.imported] for outcome in some)


def _csv(rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_MINIMAL).writerows(rows)
    return out.getvalue()


def _head(comparison: Comparison, run: Run) -> tuple[Any, ...]:
    params = json.dumps(_plain(known_secrets().hide_in(run.params)), sort_keys=True)
    return comparison.id, comparison.evalset, run.model, run.strategy, run.kind, run.tuned, params, run.seed


def _tail(outcome: Outcome) -> tuple[Any, ...]:
    u = outcome.usage
    used = (u.input_tokens, u.cached_input_tokens, u.output_tokens, u.calls, u.seconds, u.latency_seconds)
    return (outcome.example_id, outcome.score, outcome.output, outcome.error, outcome.cause, *used, outcome.cut)


def _cell(value: Any, known: Secrets) -> Any:
    if isinstance(value, str):
        return cell(known.hide(value))
    if isinstance(value, float) and not math.isfinite(value):
        return ""
    return "" if value is None else value
