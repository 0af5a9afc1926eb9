"""What an answer would be worth had it only been written in the right form: repaired by rule, without asking again.

- Labels: the answer is the label it equals after `normalise`; else the label that stands in it first as whole words
  (the longest of those that begin there); else the label most alike by letters, from a likeness of 0.8 on
  (Ratcliff and Obershelp, `difflib`).
- JSON: the first object or array in the text, without what stands around it; commas before a closing bracket are taken
  out, and Python's quotes and words (`True`, `None`) are understood.
- Numbers, where every training answer is a number and nothing else: the last number in the text.
- Free text has no form to be repaired to.

A repair changes the form and never the substance: an answer in which nothing is found stays as it is.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from difflib import SequenceMatcher
from functools import partial

from advisor.core.normalisation import last_number, normalise
from advisor.core.types import EvalSet

ALIKE = 0.8
Repair = Callable[[str], str]


def repair_for(evalset: EvalSet) -> tuple[Repair, str] | None:
    """Return how answers of this eval set are repaired, and that in words; `None` for free text."""
    if evalset.labels:
        return partial(_label, labels=evalset.labels), "each answer taken for the label it names or nearly names"
    if evalset.schema is not None or evalset.output == "json":
        return _json, "the JSON in each answer cut out and its small faults mended"
    if all(re.fullmatch(r"\s*[-+]?[\d,]*\.?\d+\s*", example.target) for example in evalset.train):
        return _number, "the last number of each answer taken for it"
    return None


def _label(answer: str, labels: tuple[str, ...]) -> str:
    given = normalise(answer)
    by_form = {normalise(label): label for label in labels}
    if given in by_form or not given or len(by_form) < len(labels):
        return by_form.get(given, answer) if len(by_form) == len(labels) else answer
    padded = f" {given} "
    found = [(padded.find(f" {form} "), -len(form), form) for form in by_form if f" {form} " in padded]
    if found:
        return by_form[min(found)[2]]
    likeness, form = max((SequenceMatcher(None, given, form).ratio(), form) for form in by_form)
    return by_form[form] if likeness >= ALIKE else answer


def _json(answer: str) -> str:
    for match in re.finditer(r"[{\[]", answer):
        text = _balanced(answer[match.start() :])
        for candidate in (text, re.sub(r",\s*([}\]])", r"\1", text)):
            for read in (json.loads, ast.literal_eval):
                try:
                    return json.dumps(read(candidate), ensure_ascii=False, allow_nan=False)
                except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
                    continue
    return answer


def _balanced(text: str) -> str:
    """Return `text` up to where its first bracket is closed, quotes respected; all of it where it never is."""
    depth, quote, escaped = 0, "", False
    for at, mark in enumerate(text):
        if escaped:
            escaped = False
        elif quote:
            escaped = mark == "\\"
            quote = "" if mark == quote else quote
        elif mark in "\"'":
            quote = mark
        elif mark in "{[":
            depth += 1
        elif mark in "}]":
            depth -= 1
            if depth == 0:
                return text[: at + 1]
    return text


def _number(answer: str) -> str:
    number = last_number(answer)
    return answer if number is None else f"{number:.15g}"
