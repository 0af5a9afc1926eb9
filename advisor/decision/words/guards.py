"""What the guards on baselines, the test set and missing outcomes found; what all of them say where nobody looked."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from advisor._util import formats
from advisor.core.types import Interval

# --- where nobody looked ---------------------------------------------------------------------------------------------


def _not_looked_at() -> str:
    return "not looked at"


def _not_asked_for() -> str:
    return "not looked at (--checks none)"


def _failed(*, reason: str) -> str:
    return f"could not be looked at: {reason}"


def _nothing_tuned() -> str:
    return "nothing was tuned"


def _look() -> str:
    return "Look at it"


def _look_closer() -> str:
    return "Look closer"


# --- strong baseline -------------------------------------------------------------------------------------------------


def _baselines_how() -> str:
    return (
        "Owed are few-shot and an optimised prompt with at least the budget of fine-tuning's own choice, retrieval "
        "where there are documents, function calling where there are tools, and constrained decoding where there is a "
        "schema; what is owed must have a score here."
    )


def _baselines_missing(*, scored: int, owed: int, missing: tuple[str, ...], budgets: tuple[str, ...]) -> str:
    """`budgets`: of searches that were too small to count."""
    held = f"{scored} of {owed} baselines that are owed have a score"
    return "; ".join([held, f"missing: {' and '.join(missing)}", *budgets])


def _baselines_held(*, against: tuple[str, ...], budgets: tuple[str, ...]) -> str:
    return "; ".join([f"held against {', '.join(against)}", *budgets])


def _budget(*, label: str, calls: int, tuning_calls: int | None) -> str:
    """`tuning_calls`: those of fine-tuning's own choice, where they are declared."""
    return f"{label} had {_calls(calls, tuning_calls)}"


def _small_budget(*, label: str, calls: int, tuning_calls: int | None) -> str:
    return f"{label} had only {_calls(calls, tuning_calls)}"


def _calls(calls: int, tuning_calls: int | None) -> str:
    beside = "" if tuning_calls is None else f" ({formats.count(tuning_calls)} in fine-tuning's own choice)"
    return f"a budget of {formats.count(calls)} calls{beside}"


# --- enough data -----------------------------------------------------------------------------------------------------


def _nothing_against(*, n: int) -> str:
    return f"{formats.count(n)} test examples, and nothing to hold against"


def _few_clusters(*, clusters: int, needed: int) -> str:
    few = f"{formats.count(clusters)} test examples or groups of them"
    return f"{few} can show nothing by themselves; at least {needed} are needed"


def _real(*, n: int, lead: float, other: str) -> str:
    way = "over" if lead > 0.0 else "behind"
    return f"{formats.count(n)} test examples: the {formats.points(abs(lead))} {way} {other} are more than chance"


def _chance(*, lead: float, other: str, shown: str) -> str:
    return f"the {formats.points(lead)} over {other} could be chance; {shown}"


def _shows(*, n: int, detectable: float | None, margin: float) -> str:
    """How small a difference the test set shows, against the margin."""
    examples, allowed = f"{formats.count(n)} test examples", formats.points(margin)
    if detectable is None:
        return f"{examples}: the smallest difference they show is not known, the margin is {allowed}"
    shown = f"{examples} show differences from {formats.points(detectable)} on"
    if detectable <= margin:
        return f"{shown}, which is within the margin of {allowed}"
    return f"{shown}; one as small as the margin of {allowed} can go unseen"


# --- nothing missing -------------------------------------------------------------------------------------------------


def _missing(*, shares: tuple[tuple[str, float], ...], allowed: float) -> str:
    many = ", ".join(f"{label} {formats.percent(share)}" for label, share in shares)
    return f"outcomes without a score: {many}; at most {formats.percent(allowed)} is allowed"


def _complete(*, share: float, allowed: float) -> str:
    return f"{formats.percent(share)} of outcomes have no score; at most {formats.percent(allowed)} is allowed"


# --- answers complete ------------------------------------------------------------------------------------------------


def _cut(*, shares: tuple[tuple[str, float], ...], allowed: float) -> str:
    many = ", ".join(f"{label} {formats.percent(share)}" for label, share in shares)
    return f"answers cut off for want of room: {many}; at most {formats.percent(allowed)} is allowed"


def _whole(*, share: float, allowed: float) -> str:
    return f"{formats.percent(share)} of answers were cut off; at most {formats.percent(allowed)} is allowed"


def _more_room() -> str:
    return "Give the answers more room"


# --- retrieval worked ------------------------------------------------------------------------------------------------


def _retrieval_how(*, needed: float) -> str:
    return (
        f"Judged is the best strategy that looks up and was not tuned: at least {formats.percent(needed)} of the "
        "documents that the test questions name, and of the answers that stand in them word for word, must have been "
        "shown. What the right document would bring is bounded by a run that was given it."
    )


def _no_documents() -> str:
    return "there are no documents to look anything up in"


def _nothing_looked_up() -> str:
    return "no strategy that was not tuned says what it looked up"


def _no_gold(*, label: str) -> str:
    return f"whether {label} found what was needed is not known: no test question names its document"


def _found(*, label: str, shown: int, recall: Interval, n: int, more: tuple[str, ...]) -> str:
    ends = f"{formats.percent(recall.low)} to {formats.percent(recall.high)}"
    found = f"{label} showed {formats.percent(recall.estimate)} of the documents that {formats.count(n)} questions name"
    return ", ".join([f"{found} (recall@{shown}, {ends})", *more])


def _answers_shown(*, share: float, n: int) -> str:
    return f"{formats.percent(share)} of the {formats.count(n)} answers that stand in them word for word"


def _text_shown(*, share: float) -> str:
    return f"{formats.percent(share)} of their text"


def _left_out(*, n: int) -> str:
    return f"for {formats.count(n)} questions not all that was found had room"


def _low(*, found: str, needed: float) -> str:
    return f"{found}; at least {formats.percent(needed)} is needed, else retrieval was not held against at its best"


def _parts(*, found: str) -> str:
    return f"{found}; whether the part that was needed was among it is not known"


def _bounded(*, found: str, margin: float) -> str:
    return f"{found}; with the right document it would gain less than the margin of {formats.points(margin)}"


def _right_document(*, label: str, score: float, n: int, gain: Interval) -> str:
    return (
        f"given the right document {label} scores {formats.percent(score)} on {formats.count(n)} examples, "
        f"{formats.points(gain.estimate)} ({formats.signed_ends(gain.low, gain.high)}) more than with what it retrieved"
    )


def _name_documents() -> str:
    return "Name in each test example the document its answer stands in, and in evalset.yaml gold_document_field"


def _retrieval_remedy() -> str:
    return "Look at what was missed (`retrieved` in the JSON report), and show more"


SENTENCES: Mapping[str, Callable[..., str]] = {
    "guard.not_looked_at": _not_looked_at,
    "guard.not_asked_for": _not_asked_for,
    "guard.failed": _failed,
    "guard.nothing_tuned": _nothing_tuned,
    "guard.look": _look,
    "guard.look_closer": _look_closer,
    "baseline.how": _baselines_how,
    "baseline.missing": _baselines_missing,
    "baseline.held": _baselines_held,
    "baseline.budget": _budget,
    "baseline.small_budget": _small_budget,
    "data.nothing_against": _nothing_against,
    "data.few_clusters": _few_clusters,
    "data.real": _real,
    "data.chance": _chance,
    "data.shows": _shows,
    "missing.too_many": _missing,
    "missing.few": _complete,
    "complete.too_many": _cut,
    "complete.few": _whole,
    "complete.remedy": _more_room,
    "retrieval.how": _retrieval_how,
    "retrieval.no_documents": _no_documents,
    "retrieval.nothing": _nothing_looked_up,
    "retrieval.no_gold": _no_gold,
    "retrieval.found": _found,
    "retrieval.answers": _answers_shown,
    "retrieval.text": _text_shown,
    "retrieval.left_out": _left_out,
    "retrieval.low": _low,
    "retrieval.parts": _parts,
    "retrieval.bounded": _bounded,
    "retrieval.right_document": _right_document,
    "retrieval.name_documents": _name_documents,
    "retrieval.remedy": _retrieval_remedy,
}
