"""The questions of ``advisor ask`` as they are asked on a terminal: twelve, each may be left unanswered."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from textwrap import fill
from typing import Any

from advisor.core.errors import ConfigurationError

GivenAnswers = dict[str, Any]
INDENT = " " * 7


@dataclass(frozen=True, slots=True)
class InterviewQuestion:
    """One question: the keys it answers, the words, and what may be typed."""

    keys: tuple[str, ...]
    text: str
    allowed: str


QUESTIONS = (
    InterviewQuestion(("kind",), "What should the model learn?", "knowledge, format, voice, behaviour or tools"),
    InterviewQuestion(("changes",), "How often does what it must know change?", "never, monthly, weekly or daily"),
    InterviewQuestion(("examples",), "How many labelled examples do you have?", "a count, for example 400"),
    InterviewQuestion(
        ("prompted", "prompted_by"),
        "Best score so far without tuning, 0 to 1, and how?",
        "0.62 few_shot; or zero_shot, optimised_prompt, rag, function_calling",
    ),
    InterviewQuestion(("ceiling",), "Best score the metric can give, if it is under 1?", "for example 0.95"),
    InterviewQuestion(("economics.requests_per_month",), "How many requests a month?", "a number, or a range 5k..20k"),
    InterviewQuestion(
        ("economics.usd_per_correct_answer",),
        "What is one more correct answer worth, USD?",
        "a number, or a range $0.10..$0.50",
    ),
    InterviewQuestion(
        ("economics.usd_per_label",), "What does one labelled example cost, USD?", "a number, or a range 0.50..2"
    ),
    InterviewQuestion(("latency",), "How long may an answer take?", "any, seconds or subsecond"),
    InterviewQuestion(("private",), "Must everything run on your own machines?", "yes or no"),
    InterviewQuestion(
        ("size",), "Which size of model would be tuned?", "tiny (under 1 billion), small (2 or 3), 7b or larger"
    ),
    InterviewQuestion(("sources",), "What could answers be looked up in?", "documents, tools, both or none"),
)
INTRODUCTION = "12 questions. Enter: I don't know. Ctrl-D: answer with what is known so far."


def interview(
    known: GivenAnswers, check: Callable[[GivenAnswers], object], read: Callable[[str], str] = input
) -> GivenAnswers:
    """Ask what is not known yet, and return all answers as plain values under the keys of the file.

    Args:
        known: plain values already given by flags or a file.
        check: refuses answers that cannot be used, with a `ConfigurationError`; the question is then asked again.
        read: reads one line; `EOFError` ends the questions.
    """
    print(INTRODUCTION, file=sys.stderr)
    for number, asked in enumerate(QUESTIONS, start=1):
        if any(_has(known, key) for key in asked.keys):
            continue
        print(f"\n{number:2}/{len(QUESTIONS)}  {asked.text}\n{INDENT}{asked.allowed}", file=sys.stderr)
        try:
            known = _answer(asked, known, check, read)
        except EOFError:
            print("\nThe rest is taken as not known.", file=sys.stderr)
            break
    print(file=sys.stderr)
    return known


def _answer(
    asked: InterviewQuestion, known: GivenAnswers, check: Callable[[GivenAnswers], object], read: Callable[[str], str]
) -> GivenAnswers:
    while True:
        words = read(f"{INDENT}> ").strip()
        if not words or words.lower() in ("?", "-", "i don't know", "unknown"):
            return known
        try:
            tried = _joined(known, _values(asked, words))
            check(tried)
        except ConfigurationError as error:
            said = " ".join(str(error).removeprefix("that answer: ").split())
            print(fill(said, 79, initial_indent=INDENT, subsequent_indent=INDENT), file=sys.stderr)
        else:
            return tried


def _values(asked: InterviewQuestion, words: str) -> GivenAnswers:
    """Return what was typed under the keys of the question; it is checked with all the rest."""
    if asked.keys == ("prompted", "prompted_by"):
        score, _, how = words.partition(" ")
        return {"prompted": score, **({"prompted_by": how.strip()} if how.strip() else {})}
    if asked.keys == ("sources",):
        return {"sources": ["documents", "tools"] if words == "both" else words.replace(",", " ").split()}
    return {asked.keys[0]: words}


def _has(known: GivenAnswers, key: str) -> bool:
    block, _, name = key.rpartition(".")
    return name in (known.get(block, {}) if block else known)


def _joined(known: GivenAnswers, values: GivenAnswers) -> GivenAnswers:
    joined = {**known, "economics": dict(known.get("economics", {}))}
    for key, value in values.items():
        block, _, name = key.rpartition(".")
        (joined[block] if block else joined)[name] = value
    return joined
