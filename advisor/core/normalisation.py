"""When two answers are the same: texts, numbers, JSON values. Used by the metrics, and stated here in full."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

_MARK = re.compile(r"[^\w\s]")
"""What may be punctuation: letters, figures and blanks are not, and an underscore is a space by then."""
_ARTICLES = re.compile(r"(?<!\S)(?:a|an|the)(?!\S)")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_NUMBER = re.compile(
    r"(?:(?<![\w)\]])(?P<sign>[-+]))?(?:[$€£¥]\s?)?"  # a minus between two numbers is not a sign
    r"(?P<digits>(?<!\d)(?<!\d\.)(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|(?<![\d.])\.\d+)"
    r"(?P<exponent>[eE][-+]?\d+(?!\w))?",
    re.ASCII,
)
_FENCE = re.compile(r"\A```[\w-]*\s*\n(.*?)\n?\s*```\Z", re.S)


def normalise(text: str) -> str:
    """Return `text` as it is compared: SQuAD's normalisation (Rajpurkar et al. 2016), kept safe for figures.

    Unicode NFKC, lower case (casefold), no articles (a, an, the), no punctuation, single spaces. Departures: a mark
    between two digits stays (86.40, 12:30, 3/4, 2024-05-01), except a comma that groups thousands (1,200 = 1200); so do
    a sign or decimal point before a number (-5, .5), the per cent sign after one, currency signs and mathematical
    symbols. An underscore is a space. Thus "€86.40" is not "86.40": where both are right, list both as accepted
    answers. A text of which nothing would be left (the option "A") keeps its articles or, failing that, its marks.
    """
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    folded = _THOUSANDS.sub("", plain.replace("\u2212", "-").replace("_", " "))
    bare = _MARK.sub(lambda mark: "" if _drops(folded, mark.start()) else mark[0], folded).split()
    kept = _ARTICLES.sub(" ", " ".join(bare)).split()
    return " ".join(kept or bare or plain.split())


def _drops(text: str, at: int) -> bool:
    mark = text[at]
    category = unicodedata.category(mark)
    if category[0] != "P" and category != "Sk":
        return False
    before = text[at - 1] if at else " "
    after = text[at + 1 : at + 2] or " "
    if before.isdigit() and (after.isdigit() or mark == "%"):
        return False
    opens = before.isspace() or before == "(" or unicodedata.category(before) in ("Sc", "Sm")
    if mark == "-" and (opens or at == 0):
        rest = text[at + 1 : at + 3]
        return not (after.isdigit() or (len(rest) == 2 and rest[1].isdigit() and _leads_a_number(after)))
    return not (mark == "." and after.isdigit() and (opens or before in "-+"))


def _leads_a_number(mark: str) -> bool:
    return mark == "." or unicodedata.category(mark) == "Sc"


def last_number(text: str) -> float | None:
    """Return the last number in `text`, or `None`: signs, currency before it and thousands commas are understood.

    ``"76 - 25 = 51."`` gives 51, ``"-$1,234.50"`` gives -1234.5, ``"25%"`` 25. A decimal comma is not understood.
    """
    value = None
    for match in _NUMBER.finditer(unicodedata.normalize("NFKC", text).replace("\u2212", "-")):
        number = float(f"{match['digits'].replace(',', '')}{match['exponent'] or ''}")
        if math.isfinite(number):
            value = -number if match["sign"] == "-" else number
    return value


def read_json(text: str) -> Any:
    """Parse an answer that should be JSON and nothing else; one Markdown code fence around it is taken off.

    Raises:
        ValueError: it is not JSON (NaN and Infinity are not), or is nested too deeply.
    """
    text = text.strip()
    fenced = _FENCE.match(text)
    try:
        return json.loads(fenced[1] if fenced else text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


Leaf = tuple[tuple[str, ...], str]
"""The path to a plain value in a JSON document, and the value in canonical form."""


def leaves(value: Any) -> Counter[Leaf]:
    """Flatten a JSON value into a multiset of (path, canonical value).

    The order in a list of plain values does not matter; in a list that holds objects or lists it does. 5 equals 5.0,
    true is not 1, texts are compared without surrounding spaces. An empty object or list is a leaf of its own.
    """
    return Counter(_leaves(value, ()))


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[Leaf]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, f".{key}"))
    elif isinstance(value, list) and value:
        nested = any(isinstance(item, Mapping | list) for item in value)
        for at, item in enumerate(value):
            yield from _leaves(item, (*path, f"[{at}]" if nested else "[]"))
    else:
        yield path, _canonical(value)


def _canonical(value: Any) -> str:
    if isinstance(value, str):
        value = value.strip()
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value)


def same_value(given: Any, expected: Any) -> bool:
    """Compare two argument values: 5 equals 5.0, texts trimmed and casefolded, lists in order, true is not 1."""
    if isinstance(given, str) and isinstance(expected, str):
        return _folded(given) == _folded(expected)
    if isinstance(given, bool) or isinstance(expected, bool):
        return given is expected
    if isinstance(given, list) and isinstance(expected, list):
        return len(given) == len(expected) and all(map(same_value, given, expected))
    if isinstance(given, Mapping) and isinstance(expected, Mapping):
        return given.keys() == expected.keys() and all(same_value(given[key], expected[key]) for key in given)
    return bool(given == expected)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().casefold()


def accepts(given: Mapping[str, Any], accepted: Mapping[str, Any]) -> bool:
    """Compare arguments with accepted values, ``{argument: [value, …]}``; ``""`` among them makes it optional.

    An empty list of accepted values means that the argument is to be left out, or to be an empty list.

    The form of the Berkeley Function Calling Leaderboard; objects inside hold lists of accepted values as well.
    Departure: texts are compared trimmed and casefolded only, BFCL also ignores spaces and ``,./-_*^``.
    """
    if any(name not in accepted for name in given):
        return False
    return all(
        _accepted(given[name], options) if name in given else _optional(options) for name, options in accepted.items()
    )


def _optional(options: Any) -> bool:
    return isinstance(options, list) and ("" in options or not options)


def _accepted(given: Any, options: Any) -> bool:
    if same_value(given, options):
        return True
    return isinstance(options, list) and any(_fits(given, option) for option in options)


def _fits(given: Any, option: Any) -> bool:
    if isinstance(given, Mapping) and isinstance(option, Mapping):
        return accepts(given, option)
    if isinstance(given, list) and isinstance(option, list):
        return len(given) == len(option) and all(map(_fits, given, option))
    return same_value(given, option)
