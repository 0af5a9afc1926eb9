"""Our dataclasses as JSON, in the store and in files; a comparison read back, one of an earlier version included."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from advisor.decision.comparison import Comparison

Plain = dict[str, Any]
_EVIDENCE = (
    *("metric", "n_train", "n_dev", "n_test", "pivot", "differences", "money", "disagreements", "looks"),
    *("strategies", "findings", "information", "curves"),
)
_ENDS = {"low": -math.inf, "high": math.inf}


@lru_cache
def adapter(kind: type) -> Any:
    """Return pydantic's reader and writer of one of our frozen dataclasses."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def text_of(kind: type, value: Any) -> str:
    """Return what `value` is stored and exported as: JSON in ASCII, as Python writes it.

    Infinite and undefined numbers are ``Infinity`` and ``NaN`` wherever they stand, so that they come back as they were
    (pydantic's own JSON turns those within statements and parameters into ``null``).
    """
    return json.dumps(adapter(kind).dump_python(value, mode="python"), default=_as_json)


def _as_json(value: Any) -> Any:
    """What Python's JSON does not know: other mappings, numbers of numpy, dates, paths, sets."""
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    return adapter(object).dump_python(value, mode="json")


def comparison_of(plain: Any) -> Comparison:
    """Return the comparison that plain values stand for.

    Raises:
        ValueError: they stand for none.
    """
    from advisor.decision.comparison import Comparison

    found: Comparison = adapter(Comparison).validate_python(_as_now(plain) if _is_earlier(plain) else plain)
    _check_words(found)
    return found


def with_endless(plain: Any) -> Any:
    """Return plain values of an export up to format 4 with the infinite bounds that it wrote as ``null``."""
    if isinstance(plain, list):
        return [with_endless(one) for one in plain]
    if not isinstance(plain, dict):
        return plain
    found = {name: with_endless(value) for name, value in plain.items()}
    if isinstance(found.get("estimate"), int | float):  # an interval: its bounds are always known
        found |= {name: end for name, end in _ENDS.items() if name in found and found[name] is None}
    return found


def _check_words(comparison: Comparison) -> None:
    """Put everything that is said into words once, since a statement may have been written by another version."""
    from advisor.decision.words import sentence

    verdict, information = comparison.verdict, comparison.information
    try:
        said: list[object] = [verdict.headline, verdict.reasons, verdict.would_flip, verdict.next_step]
        said += [(one.finding, one.how, one.remedy, one.details) for one in verdict.guards]
        said += [(one.action, one.assumption) for one in (information.steps if information else ())]
        said += [one.refusal for one in comparison.curves]
        money = comparison.money
        said += [sentence(one) for one in (*money.basis.values(), *money.contradictions)]
        said += [(sentence(one.variant), sentence(one.basis)) for one in money.scenarios]
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"what it says cannot be put into words: {error!r}") from error


# --- before what a verdict says was held as values -------------------------------------------------------------------


def _is_earlier(plain: Any) -> bool:
    return isinstance(plain, dict) and isinstance(plain.get("verdict"), dict) and "headline" in plain["verdict"]


def _as_now(earlier: Plain) -> Plain:
    """Return what an earlier version wrote as it is written now; what it said stays in the words it was said in."""
    try:
        evidence = {name: earlier[name] for name in _EVIDENCE}
        evidence["request"] = _request(earlier)
        evidence["strategies"] = [{**one, "strategy": one["label"].partition("(")[0]} for one in earlier["strategies"]]
        skipped = [{"what": what, "label": "", "reason": why} for what, why in earlier["findings"]["skipped"].items()]
        evidence["findings"] = {**earlier["findings"], "skipped": skipped}
        evidence["money"] = _money(earlier["money"])
        evidence["information"] = _information(earlier["information"])
        evidence["curves"] = [{**one, "refused": _said(one["refusal"])} for one in earlier["curves"]]
        kept = {name: earlier[name] for name in ("id", "evalset", "runs", "skipped", "notes", "environment")}
        return {**kept, "evidence": evidence, "verdict": _verdict(earlier["verdict"])}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"a part of it is missing: {error}") from error


def _request(earlier: Plain) -> Plain:
    """Return what was asked for, as far as the line that was typed says it."""
    found = {"evalset": earlier["evalset"], "model": earlier["model"], "economics": earlier["money"]["economics"]}
    words = shlex.split(earlier["environment"].get("command", ""))
    said = list(pairwise(words))
    found["strategies"] = [value for flag, value in said if flag == "--strategy"]
    numbers = {"--limit": "limit", "--train-limit": "train_limit", "--seeds": "seeds", "--seed": "seed"}
    return found | {numbers[flag]: int(value) for flag, value in said if flag in numbers}


def _verdict(earlier: Plain) -> Plain:
    guards = [
        {
            "name": one["name"],
            "state": one["state"],
            "found": _said(one["finding"]),
            "method": _said(one["how"]),
            "action": _action(one["remedy"]) if one["remedy"] else None,
            "figures": [_said(detail) for detail in one["details"]],
        }
        for one in earlier["guards"]
    ]
    return {
        **{name: earlier[name] for name in ("answer", "recommended", "rule", "flips")},
        "conclusion": _said(earlier["headline"]),
        "grounds": [_said(reason) for reason in earlier["reasons"]],
        "turning_points": [_said(point) for point in earlier["would_flip"]],
        "action": _action(earlier["next_step"]),
        "guards": guards,
    }


def _money(earlier: Plain) -> Plain:
    scenarios = [
        {**one, "variant": _said(one["name"]), "basis": _said(one["assumption"])} for one in earlier["scenarios"]
    ]
    basis = {name: _said(text) for name, text in earlier["assumptions"].items()}
    contradictions = [_said(text) for text in earlier["remarks"]]
    return {**earlier, "basis": basis, "contradictions": contradictions, "scenarios": scenarios}


def _information(earlier: Plain | None) -> Plain | None:
    if earlier is None:
        return None
    best = earlier["best"]
    return {**earlier, "steps": [_step(one) for one in earlier["steps"]], "best": _step(best) if best else None}


def _step(earlier: Plain) -> Plain:
    figures = {name: earlier[name] for name in ("name", "usd", "worth_usd", "chance_decides")}
    doing = _action(earlier["action"], earlier["command"])
    return {**figures, "doing": doing, "basis": _said(earlier["assumption"])}


def _action(text: str, command: str = "") -> Plain:
    """Return something to do; the line to type stood at the end of its text."""
    if not command and ": advisor " in text:
        text, _, rest = text.partition(": advisor ")
        command = f"advisor {rest}"
    return {"what": _said(text), "command": command}


def _said(text: str) -> Plain | None:
    return {"key": "said", "values": {"text": text}} if text else None
