"""General suites: what a tuned model should still be able to do (retention), and when to say that it does not know.

`load` reads one; `score` judges an answer. The shipped suite is called ``general``; its card is README.md beside this
file. A suite of one's own is a JSONL file in the same shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from advisor.errors import EvalSetError, did_you_mean
from advisor.normalisation import normalise
from advisor.types import Example

from ..formats import Layout, to_example
from ..readers import Row, read_jsonl

GENERAL = "general"
SUITES = ("retention", "refusals")
UNKNOWN = "I don't know"
"""The target of a question that has no answer."""
REFUSAL_NOTE = f"If this cannot be answered, answer only: {UNKNOWN}."


def load(source: str = GENERAL) -> tuple[Example, ...]:
    """Load a suite: ``general``, the shipped one, or a JSONL file of one's own.

    A row has `input` and `target`, and beside them `suite` (``retention``, where it is left out, or ``refusals``),
    `slice`, and where the answer is one of a few texts `choices`. A row of ``refusals`` says whether it is
    `answerable`; one that is not needs no target. See docs/evalset-format.md.

    Returns:
        Examples whose `input` is complete: the choices are listed in it, and a question of ``refusals`` says how to
        answer if it cannot be answered. `metadata` has `suite`, `slice`, `choices` (a tuple, empty where open), and for
        ``refusals`` `answerable`.

    Raises:
        EvalSetError: there is no such file, or a row is malformed; names file, line and field.
    """
    folder = Path(__file__).parent / GENERAL
    paths = sorted(folder.glob("*.jsonl")) if source == GENERAL else [Path(source).expanduser()]
    seen: dict[str, str] = {}
    found = tuple(_example(row, seen) for path in paths for row in read_jsonl(path))
    if not found:
        raise EvalSetError(f"{paths[0].name} holds no item", hint='{"input": "2 + 2?", "target": "4"}')
    return found


def score(example: Example, answer: str) -> float:
    """Return 1.0 if `answer` is right for this item of a suite, else 0.0.

    Retention: the accepted answer and nothing else, as `exact_match` compares. Refusals: a question without an answer
    wants the answer to say so; one with an answer wants that answer among the words.
    """
    if example.metadata.get("suite") != "refusals":
        return float(normalise(answer) in {normalise(one) for one in example.references})
    if not example.metadata["answerable"]:
        return float(says_unknown(answer))
    given = f" {normalise(answer)} "
    return float(any(f" {normalise(one)} " in given for one in example.references))


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


def _example(row: Row, seen: dict[str, str]) -> Example:
    """Build and check one item; `seen` holds the ids so far, and where they stood."""
    suite = row.fields.get("suite", "retention")
    if suite not in SUITES:
        raise row.error(f"field 'suite' is {str(suite)[:80]!r}; {did_you_mean(str(suite), SUITES)}")
    fields = dict(row.fields)
    if suite == "refusals" and fields.get("answerable") is False:
        fields.setdefault("target", UNKNOWN)
    example = to_example(Row(row.file, row.line, fields), Layout(Path(row.file).stem))
    if example.id in seen:
        raise row.error(f"field 'id' is {example.id!r}, which already stands in {seen[example.id]}")
    seen[example.id] = f"{row.file} line {row.line}"
    metadata: dict[str, Any] = {**example.metadata, "suite": suite, "slice": str(example.metadata.get("slice", suite))}
    metadata["choices"] = _choices(example, row)
    if not isinstance(example.input, str):
        raise row.error("field 'input' is a conversation; an item of a suite is one question, as text")
    asked = "\n".join(_asked(example.input, metadata, row))
    return replace(example, input=asked, metadata=metadata)


def _choices(example: Example, row: Row) -> tuple[str, ...]:
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


def _asked(question: str, metadata: Mapping[str, Any], row: Row) -> Iterator[str]:
    """Yield the lines of the question as it is put: the question, the choices, what to say if there is no answer."""
    yield question
    if metadata["choices"]:
        yield "Answer with one of these:"
        yield from (f"- {one}" for one in metadata["choices"])
    if metadata["suite"] == "refusals":
        if not isinstance(metadata.get("answerable"), bool):
            raise row.error(
                f"field 'answerable' is {str(metadata.get('answerable'))[:80]!r}; true or false is needed for refusals",
                hint='"suite": "refusals", "answerable": false',
            )
        yield REFUSAL_NOTE
