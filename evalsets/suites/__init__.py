"""General suites: what a tuned model should still be able to do (retention), and when to say that it does not know.

`load` reads one; `score` judges an answer. The shipped suite is called ``general``; its card is README.md beside this
file. A suite of one's own is a JSONL file in the same shape.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from advisor.core.errors import EvalSetError, did_you_mean
from advisor.core.metrics import Contains, ExactMatch
from advisor.core.normalisation import normalise
from advisor.core.paths import expanded
from advisor.core.types import Example

from ..formats import RecordLayout, to_example
from ..readers import Record, read_jsonl

GENERAL = "general"
SUITES = ("retention", "refusals")
UNKNOWN = "I don't know"
"""The target of a question that has no answer."""
REFUSAL_NOTE = f"If this cannot be answered, answer only: {UNKNOWN}."


def load(source: str = GENERAL) -> tuple[Example, ...]:
    """Load a suite: ``general`` (or nothing), the shipped one, or a JSONL file of one's own.

    A row has `input` and `target`, and beside them `suite` (``retention``, where it is left out, or ``refusals``: a
    question without an answer, which needs no target), `slice`, and where the answer is one of a few texts `choices`. A
    row of ``retention`` with ``"answerable": true`` is the twin of one that has no answer, and is put in the same way.

    Returns:
        Examples whose `input` is complete: the choices are listed in it, and where a question may have no answer it is
        said how to answer then. `metadata` has `suite`, `slice` and `choices` (a tuple, empty where open).

    Raises:
        EvalSetError: there is no such file, or a row is malformed; names file, line and field.
    """
    shipped = sorted((Path(__file__).parent / GENERAL).glob("*.jsonl"))
    paths = shipped if source in ("", GENERAL) else [expanded(source)]
    seen: dict[str, str] = {}
    found = tuple(_example(row, seen) for path in paths for row in read_jsonl(path))
    if not found:
        raise EvalSetError(f"{paths[0].name} holds no item", hint='{"input": "2 + 2?", "target": "4"}')
    return found


def score(example: Example, answer: str) -> float:
    """Return 1.0 if `answer` is right for this item of a suite, else 0.0.

    A question without an answer wants the answer to say so (`says_unknown`). Its twin wants an accepted answer among
    the words. All else wants an accepted answer and nothing beside it, as `exact_match` compares.
    """
    if example.metadata.get("suite") == "refusals":
        return float(says_unknown(answer))
    metric = Contains() if example.metadata.get("answerable") else ExactMatch()
    return metric.score(answer, example) or 0.0


_UNKNOWN = re.compile(
    r"\b(?:do(?:es)? not|did not|can ?not|could not|unable to|impossible to|no way to)"
    r" (?:know|say|tell|answer|determine|find|mention|state|specify|provide|exist|make sense|have|be (?:known|answered|"
    r"determined|told|said|found))\b"
    r"|\bnot (?:mentioned|stated|given|specified|provided|known|possible|enough|answerable|sure|available|in the"
    r" (?:passage|text))\b"
    r"|\b(?:unknown|unanswerable|nobody knows|no one knows|no information|no answer|insufficient information)\b"
    r"|\bthere (?:is|was|are|were) no\b|\bnever (?:happened|existed|was|did|won|had|took place)\b"
)


def says_unknown(answer: str) -> bool:
    """Whether an answer says that the question has none: by phrases in English, contractions resolved.

    It is a list of phrases and no understanding: a refusal worded in another way is missed, and a hedge ("I do not know
    for sure, but …") counts as a refusal.
    """
    plain = answer.casefold().replace("\u2019", "'").replace("can't", "cannot").replace("won't", "will not")
    return bool(_UNKNOWN.search(" ".join(re.sub(r"n't\b", " not", plain).replace("dont", "do not").split())))


def _example(row: Record, seen: dict[str, str]) -> Example:
    """Build and check one item; `seen` holds the ids so far, and where they stood."""
    suite, answerable = row.fields.get("suite", "retention"), row.fields.get("answerable")
    if suite not in SUITES:
        raise row.error(f"field 'suite' is {str(suite)[:80]!r}; {did_you_mean(str(suite), SUITES)}")
    if answerable not in (None, True, False) or (bool(answerable) and suite == "refusals"):
        raise row.error(
            f"field 'answerable' is {str(answerable)[:80]!r}; true is allowed, and only in retention",
            hint='without an answer: "suite": "refusals"; its twin: "suite": "retention", "answerable": true',
        )
    target = {"target": UNKNOWN} if suite == "refusals" else {}
    example = to_example(Record(row.file, row.line, {**target, **row.fields}), RecordLayout(Path(row.file).stem))
    if example.id in seen:
        raise row.error(f"field 'id' is {example.id!r}, which already stands in {seen[example.id]}")
    seen[example.id] = f"{row.file} line {row.line}"
    if not isinstance(example.input, str):
        raise row.error("field 'input' is a conversation; an item of a suite is one question, as text")
    choices = _choices(example, row)
    lines = [f"Possible answers: {' / '.join(choices)}"] if choices else []
    lines += [example.input, *([REFUSAL_NOTE] if answerable or suite == "refusals" else ())]
    slice_name = str(example.metadata.get("slice", suite))
    metadata = {**example.metadata, "suite": suite, "slice": slice_name, "choices": choices}
    return replace(example, input="\n".join(lines), metadata=metadata)


def _choices(example: Example, row: Record) -> tuple[str, ...]:
    """Return the choices, at least two that differ as answers are compared, the target among them; or none."""
    given = example.metadata.get("choices", ())
    if not isinstance(given, list | tuple) or any(not isinstance(one, str) or not one.strip() for one in given):
        raise row.error("field 'choices' must be a list of texts", hint='"choices": ["red", "green", "blue"]')
    folded = [normalise(one) for one in given]
    if len(given) == 1 or len(set(folded)) < len(folded):
        raise row.error("field 'choices' needs at least two texts that differ by more than case and punctuation")
    if given and example.target not in given:
        raise row.error(f"field 'target' is {example.target[:80]!r}, which is not among its choices")
    return tuple(given)
