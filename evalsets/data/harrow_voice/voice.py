"""`HouseVoice`: how far an answer is the reference's message in the voice of Harrow & Pine. See `STYLE.md`.

The style classifier is fitted on ``train.jsonl`` beside this file, on first use; no other split is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from advisor import Example

SIGN_OFF = "Mind the weather, Harrow & Pine"
WORDS = {word: n for n, word in enumerate("two three four five six seven eight nine ten".split(), 2)}
_LARGE = r"\b(?:eleven|twelve|\w+teen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred)\b"
_MONTHS = "January February March April May June July August September October November December".split()
_MONTH = "(" + "|".join(f"{name[:3]}(?:{name[3:]})?" if name[3:] else name for name in _MONTHS) + r")\b"
_DAY = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_DATE = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? {_MONTH}|\b{_MONTH} (\d{{1,2}})(?:st|nd|rd|th)?\b")
_TIME = re.compile(r"\b(\d{1,2})(?:[:.](\d\d))? ?([ap])\.?m\b\.?|\b(\d{1,2}):(\d\d)\b", re.I)
_ORDER = re.compile(r"(?:\bHP[- ]?|#|\border (?:no\.?|number) )(\d{4})\b", re.I)
_MONEY = re.compile(r"(?:€ ?|\bEUR ?)(\d[\d,]*(?:\.\d+)?)|\b(\d[\d,]*(?:\.\d+)?) ?(?:€|euros?\b|EUR\b)", re.I)
_NUMBER = re.compile(rf"(?<![\w.])\d+(?:[.,]\d+)*|\b(?:{'|'.join(WORDS)})\b", re.I)
_UNIT = r"(?:%|-?(?:mm|cm|m|km|kg|g|ml|l|litres?|kilos?|degrees|°C|Wh?|V|lumens?|bar|psi|Nm|(?:kilo)?metres?|grams?)\b)"
_FIGURE = re.compile(rf"(?<![\w.,:€/-])(?<!size )(?<!sizes )([1-9]|10)(?![\w/:]|[.,]\d)(?!-?\d)(?! ?{_UNIT})", re.I)
_STOCK = re.compile(
    r"\b(unfortunately|please note|kindly|apologi[sz]e|apolog(y|ies)|inconvenience|hesitate"
    r"|(pleased|happy|delighted) to|regret\w*|as per|in order to|prior to|be advised|we appreciate|rest assured|thanks?"
    r"|earliest convenience)\b", re.I)  # fmt: skip
_OFFICE = re.compile(
    r"\b(packages?|shipments?|consignments?|purchas(e|es|ed|ing)|refund\w*|repair\w*|assist\w*|requir\w+"
    r"|contact(s|ed|ing)?|regarding|concerning|additional(ly)?|currently|receiv(e|es|ed|ing)|inform(s|ed|ing)?"
    r"|items?|articles?|products?)\b|[();–—]| - ", re.I)  # fmt: skip
_THIRD = re.compile(r"\b(the company|the customers?|the clients?|our (team|department)|staff|harrow & pine)\b", re.I)
_UNCONTRACTED = re.compile(
    r"\b(cannot|can not|(we|you|they|it|that|I) will|(we|you|they) are|(it|that|he|she|there|here) is|I am"
    r"|(is|are|was|were|do|does|did|has|have|had|could|would|should|will) not"
    r"|(we|you|they) have (\w+ed|been|sent|had|found|put|made|taken|kept|left|got|not))(?= \w)", re.I)  # fmt: skip
_CONTRACTED = re.compile(r"\w(n't|'(ll|re|ve|s|d|m))\b", re.I)
_EMOJI = re.compile(r"[!\u2600-\u27bf\U0001f300-\U0001faff]")
_BAD_MONEY = re.compile(r"€ |\d ?€|\beuros?\b|\bEUR\b|€[\d,]+\.00\b|\bper ?cent\b|\d %", re.I)
_BAD_TIME = re.compile(r"\d ?[ap]\.?m\b|o'clock|\b\d:\d\d", re.I)
_BAD_DATE = re.compile(
    rf"\b{_MONTH},? \d|\d(st|nd|rd|th)\b|\d/\d|(?:{'|'.join(_DAY)}),? \d+ {_MONTH}|\d (?!{'|'.join(_MONTHS)}){_MONTH}"
    rf"|#|\bNo\. ?\d|\bHP ?\d|\b{_MONTH},? 20\d\d|\(?(?:{'|'.join(d[:3] for d in _DAY)}), \d")  # fmt: skip
_OPENING = re.compile(r"(we|our|i|hi|hello|hey|dear|thanks?|sorry|apolog\w+|good (morning|day|news))\b", re.I)
_STEM = re.compile(r"[a-z]{4,}")
_STOP = set("about after again also been before being both could does done down each even ever from have here into "
            "just like make more most much must only other over please same shall should some such than that their "
            "them then there these they this those very want well were what when where which while will with would "
            "your yours mind weather harrow pine".split())  # fmt: skip


def _sentences(text: str) -> list[str]:
    text = re.sub(r"(?<=\d)[.,](?=\d)", "", text)
    return [part for part in re.split(r"(?<=[.?!:])\s+|\n", text) if part.strip()]


RULES: dict[str, Callable[[str], bool]] = {
    "you": lambda text: bool(re.search(r"\byou", text, re.I)) and not _THIRD.search(text),
    "contractions": lambda text: bool(_CONTRACTED.search(text)) and not _UNCONTRACTED.search(text),
    "calm": lambda text: not _EMOJI.search(text),
    "stock phrases": lambda text: not _STOCK.search(text),
    "short sentences": lambda text: all(len(part.split()) <= 20 for part in _sentences(text)),
    "money": lambda text: not _BAD_MONEY.search(text),
    "times": lambda text: not _BAD_TIME.search(text),
    "dates": lambda text: not _BAD_DATE.search(text),
    "numbers": lambda text: not re.search(_LARGE, text, re.I) and not _figures(text),
    "opening": lambda text: not _OPENING.match(text.lstrip("\"'* ")),
    "house words": lambda text: not _OFFICE.search(text),
}
"""The rules of STYLE.md that code can check, on an answer without its sign-off; the sign-off is a rule of its own."""
_NEEDS: dict[str, Callable[[str], Any]] = {
    "money": lambda text: _MONEY.search(text) or "%" in text,
    "times": _TIME.search,
    "dates": lambda text: _DATE.search(text) or _ORDER.search(text),
    "numbers": lambda text: _NUMBER.search(text) or re.search(_LARGE, text, re.I),
}


def _figures(text: str) -> list[str]:
    """Return the figures up to ten that should be words; those of dates, times, orders and named things are fine."""
    for pattern in (_DATE, _TIME, _ORDER, _MONEY):
        text = pattern.sub("~", text)
    return [hit[0] for hit in _FIGURE.finditer(text) if not re.search(r"[A-Z]\w* $", text[: hit.start()])]


def split_sign_off(answer: str) -> tuple[str, bool]:
    """Return the answer without its sign-off, and whether that stands where it should, once."""
    text = answer.strip().replace("\u2019", "'")
    body, found, rest = text.rpartition("\n" + SIGN_OFF)
    right = bool(found) and not rest and SIGN_OFF not in body
    return (body if found and not rest else text.replace(SIGN_OFF, " ")).strip(), right


def broken(answer: str, also: str = "") -> tuple[list[str], int]:
    """Return the rules `answer` breaks, and how many apply: those on figures only where it or `also` has such."""
    body, signed = split_sign_off(answer)
    apply = [name for name in RULES if name not in _NEEDS or _NEEDS[name](body) or _NEEDS[name](also)]
    found = [name for name in apply if not RULES[name](body)]
    return found if signed else [*found, "sign-off"], len(apply) + 1


def hard_facts(text: str) -> set[str]:
    """Return the order numbers, dates, times, sums and numbers of a text, each in one form however it is written."""
    found: set[str] = set()

    def take(pattern: re.Pattern[str], read: Callable[[re.Match[str]], str], text: str) -> str:
        found.update(read(hit) for hit in pattern.finditer(text))
        return pattern.sub(" ~ " if pattern is _DATE else " ; ", text)

    text = take(_ORDER, lambda hit: f"order {hit[1]}", text)
    text = take(_MONEY, lambda hit: f"€{float((hit[1] or hit[2]).replace(',', ''))}", text)
    text = take(_TIME, _clock, text)
    text = take(_DATE, lambda hit: f"date {hit[1] or hit[4]} {(hit[2] or hit[3])[:3]}", text)
    found.update(str(WORDS.get(hit[0].lower(), hit[0].replace(",", ""))) for hit in _NUMBER.finditer(text))
    dated = rf"(?:{'|'.join(_DAY)})s?,? +(?:the +)?~|~ +\(?(?:{'|'.join(_DAY)})"  # a date's weekday is nothing more
    found.update(re.findall("|".join(_DAY), re.sub(dated, "", text)))
    return found - {"1"}


def _clock(hit: re.Match[str]) -> str:
    hour, minute = int(hit[1] or hit[4]), int(hit[2] or hit[5] or 0)
    if hit[3]:
        hour = hour % 12 + (12 if hit[3].lower() == "p" else 0)
    return f"time {hour}:{minute:02}"


def _names(text: str, only_inside: bool = True) -> set[str]:
    words = re.findall(("(?<=[a-z0-9,'] )" if only_inside else "") + r"[A-Z][a-z]+\b", text)
    return set(words) - set(_DAY) - {day[:3] for day in _DAY} - set(_MONTHS) - {"Harrow", "Pine"}


def _stems(text: str) -> set[str]:
    return {word[:5] for word in _STEM.findall(text.lower()) if word not in _STOP}


def facts_kept(answer: str, plain: str, reference: str) -> float:
    """Return the F1 of figures and names against the reference, times the share of its subject words kept.

    Subject words are those that the plain reply and the reference share: a good rewrite need not keep them all, so a
    share of 0.6 counts as whole.
    """
    body, wanted_body = split_sign_off(answer)[0], split_sign_off(reference)[0]
    named = _names(plain) | _names(wanted_body)
    wanted = hard_facts(wanted_body) | (named & _names(wanted_body, only_inside=False))
    given = hard_facts(body) | (named & _names(body, only_inside=False)) | _names(body)
    given -= {one for one in given - wanted if one.isalpha() and one in plain}  # a name of the plain reply is not new
    subject = _stems(plain) & _stems(wanted_body)
    kept = min(1.0, len(subject & _stems(body)) / (0.6 * len(subject))) if subject else 1.0
    total = len(given) + len(wanted)
    return kept * (2 * len(given & wanted) / total if total else 1.0)


@cache
def _classifier() -> Callable[[str], float]:
    """Fit P(house) on train: character 2- to 4-grams, without digits and sign-off, so that neither gives it away."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    lines = (Path(__file__).parent / "train.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [text for row in map(json.loads, lines) for text in (row["input"], row["target"])]
    masked = lambda text: re.sub(r"\d+", "0", split_sign_off(text)[0].lower())  # noqa: E731
    model = make_pipeline(
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), min_df=3, sublinear_tf=True, preprocessor=masked),
        LogisticRegression(C=100.0, max_iter=2000),
    ).fit(texts, [0, 1] * (len(texts) // 2))
    return lambda text: float(model.predict_proba([text])[0, 1])


class HouseVoice:
    """Facts kept, times the mean of rules kept and P(house): `facts * (rules + style) / 2`.

    Facts multiply, since a well-toned reply that lost the date is of no use. Rules and classifier are averaged: both
    measure the voice, one sharply and easily gamed, the other softly. P(house) counts in full from 0.9.
    """

    name = "house_voice"

    def score(self, output: str, example: Example) -> float | None:
        """Return the best over the accepted answers; 0 for an empty one."""
        plain = example.input if isinstance(example.input, str) else json.dumps(example.input, ensure_ascii=False)
        return max(self.parts(output, plain, reference)["score"] for reference in example.references)

    def parts(self, output: str, plain: str, reference: str) -> dict[str, float]:
        """Return the three parts and the score."""
        body = split_sign_off(output)[0]
        if not re.search(r"\w", body):
            return {"facts": 0.0, "rules": 0.0, "style": 0.0, "score": 0.0}
        wrong, applicable = broken(output, reference)
        rules, facts = 1 - len(wrong) / applicable, facts_kept(output, plain, reference)
        style = min(1.0, _classifier()(output) / 0.9)
        return {"facts": facts, "rules": rules, "style": style, "score": facts * (rules + style) / 2}

    def summarise(self, pairs: Sequence[tuple[str | None, Example]]) -> dict[str, float | None]:
        """Return nothing: the mean score says it all."""
        return {}
