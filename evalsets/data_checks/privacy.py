"""Is there anything in the texts that belongs to a person or opens a door? One row a kind; most are checked by sum."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from advisor.core.types import Example

from ..sameness import text_of
from .data_profile import DataProfile, Found, rows_found


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of private text: where it may stand, and whether what stands there is one.

    Attributes:
        pattern: finds candidates.
        holds: tells whether a candidate is one.
        mark: what `--fix` writes in its place.
        serious: fails the gate instead of being a warning.
        hint: a text without one of these characters has no candidate.
    """

    name: str
    pattern: re.Pattern[str]
    holds: Callable[[str], bool]
    mark: str
    serious: bool
    hint: re.Pattern[str]


_MADE_UP = re.compile(r"@(?:[\w.-]+\.)?(?:example\.(?:com|org|net)|[\w-]+\.(?:example|test|invalid|localhost))\Z", re.I)
_FICTION = re.compile(
    r"555-?01\d\d\Z|^(?:44|0)?(?:1632960|2079460|7700900|1134960|1214960|1614960)\d{3}\Z|^(?:353|0)2091\d{5}\Z"
)
_DATE = re.compile(r"(?:\d{4}([-./ ])\d{1,2}\1\d{1,2}|\d{1,2}([-./])\d{1,2}\2\d{4})\b.*")
"""Names and numbers set apart for made-up examples: RFC 2606; North American 555-01xx; Ofcom's and ComReg's numbers
for drama."""


def _is_mail(text: str) -> bool:
    return not _MADE_UP.search(text)


def _is_phone(text: str) -> bool:
    digits = re.sub(r"\D", "", text)
    if not 9 <= len(digits) <= 15 or _DATE.fullmatch(text) or is_card(text):
        return False
    if _FICTION.search(digits.removeprefix("00")) or _FICTION.search(text):
        return False
    return text.startswith(("+", "0", "(0")) or bool(re.search(r"\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}\Z", text))


IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AT": 20, "BE": 16, "BG": 22, "BR": 29, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18,
    "EE": 20, "ES": 24, "FI": 18, "FR": 27, "GB": 22, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IS": 26,
    "IT": 27, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25,
    "RO": 24, "RS": 22, "SA": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "TR": 26, "UA": 29,
}  # fmt: skip


def is_iban(text: str) -> bool:
    """Say whether a text is an IBAN: the length of its country, and the check digits of ISO 7064 MOD 97-10."""
    bare = re.sub(r"[ -]", "", text).upper()
    if len(bare) != IBAN_LENGTHS.get(bare[:2], 0):
        return False
    return int("".join(str(int(mark, 36)) for mark in bare[4:] + bare[:4])) % 97 == 1


_CARD = re.compile(r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|6(?:011|5\d\d|2\d\d)\d{12,15}")
"""The beginnings and lengths of Visa, Mastercard, American Express, Discover and UnionPay."""


def is_card(text: str) -> bool:
    """Say whether a text is a payment card's number: a known beginning with its length, and Luhn's sum."""
    digits = re.sub(r"\D", "", text)
    if not _CARD.fullmatch(digits):
        return False
    doubled = (int(mark) * (1 + at % 2) for at, mark in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0 and len(set(digits)) > 1


_COUNTRIES = "|".join(rf"{code}\d\d(?:[ -]?[A-Z0-9]){{{length - 4}}}" for code, length in IBAN_LENGTHS.items())
_IBAN = re.compile(rf"(?<![A-Za-z0-9])(?:{_COUNTRIES})(?![A-Za-z0-9])")
_DIGITS = re.compile(r"\d(?:[ ()./-]{0,2}\d){8}")
_KEY = re.compile(
    r"\bsk-(?:proj-|ant-)?[A-Za-z0-9_-]{20,}|\bA(?:KIA|SIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b"
    r"|\bxox[abpr]-[A-Za-z0-9-]{10,}|\bAIza[0-9A-Za-z_-]{35}|\bhf_[A-Za-z0-9]{30,}|\bglpat-[A-Za-z0-9_-]{20}"
    r"|\beyJ[A-Za-z0-9_-]{10,1000}\.eyJ[A-Za-z0-9_-]{10,9000}\.[A-Za-z0-9_-]{10,}|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
KINDS = (
    Kind("key", _KEY, lambda text: True, "[key]", True, re.compile("sk-|A[KS]IA|gh._|xox|AIza|hf_|glpat|eyJ|---")),
    Kind("mail address", re.compile(r"(?<![\w.+-])[\w.+%-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}"), _is_mail,
         "[mail]", False, re.compile("@")),
    Kind("IBAN", _IBAN, is_iban,
         "[iban]", True, re.compile(r"[A-Z]{2}\d{2}")),
    Kind("card number", re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w])"), is_card, "[card]", True, _DIGITS),
    Kind("phone number", re.compile(r"(?<![\w.+])(?:\+|\(?)\d(?:[ ()./-]{0,2}\d){7,13}(?![\w])"), _is_phone, "[phone]",
         False, _DIGITS),
)  # fmt: skip
"""In the order in which `--fix` replaces them: what is longer and surer first."""
SERIOUS = (1e-12, 1e-12)
PERSONAL = (1e-12, 2.0)


def check_for(kind: Kind) -> Callable[[DataProfile], Found]:
    """Return the check for one kind."""

    def check(profile: DataProfile) -> Found:
        hits = [(example, masked) for example in _texts(profile) if (masked := _first(kind, example))]
        todo = f"take it out, or write a made-up one; --fix writes {kind.mark} in its place"
        return rows_found(
            profile,
            hits,
            SERIOUS if kind.serious else PERSONAL,
            (f"hold {'an' if kind.name[0] in 'IA' else 'a'} {kind.name}", todo),
        )

    return check


def _texts(profile: DataProfile) -> Iterator[Example]:
    yield from profile.examples
    yield from (Example(document.id, f"{document.title} {document.text}", "") for document in profile.draft.docs)


def _first(kind: Kind, example: Example) -> str:
    for text in (text_of(example.input), example.target):
        for found in occurrences(kind, text):
            return masked(found)
    return ""


def occurrences(kind: Kind, text: str) -> Iterator[str]:
    """Yield what of this kind stands in a text."""
    if kind.hint.search(text):
        for found in kind.pattern.finditer(text):
            if kind.holds(found[0]):
                yield found[0]


def masked(text: str) -> str:
    """Return as much of a private text as is needed to find it."""
    return f"{text[:3]}…{text[-2:]} ({len(text)} characters)"


def redacted(text: str) -> str:
    """Return a text with a mark in place of everything private."""
    for kind in KINDS:
        if kind.hint.search(text):
            text = kind.pattern.sub(lambda found, kind=kind: kind.mark if kind.holds(found[0]) else found[0], text)  # type: ignore[misc]
    return text
