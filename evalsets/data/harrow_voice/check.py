"""Check one split of harrow_voice against BRIEF.md: ``python check.py train``. Prints what is wrong, then counts."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from datetime import date
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import voice  # noqa: E402

SLICES = ("delivery", "returns", "workshop", "stock", "booking", "account")
_WEEKDAY = "(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*"
_WITH_DATE = re.compile(rf"\b{_WEEKDAY},? (?:the )?({voice._DATE.pattern})|({voice._DATE.pattern}) \({_WEEKDAY}\)")
_UNCHECKABLE = re.compile(
    r"\b(noon|midnight|dozen|couple|fortnight|twice|half past|quarter past)\b|[\u2019\u201c\u201d]", re.I
)


def wrong_weekdays(text: str) -> list[str]:
    """Return the dates whose weekday is not that of 2026."""
    wrong = []
    for hit in _WITH_DATE.finditer(text):
        day = next(group for group in (hit[1], hit[12]) if group)
        found = voice._DATE.search(hit[0])
        assert found
        month = [name[:3] for name in voice._MONTHS].index((found[2] or found[3])[:3]) + 1
        if date(2026, month, int(found[1] or found[4])).strftime("%a") != day:
            wrong.append(hit[0])
    return wrong


def faults(row: dict[str, object]) -> list[str]:
    """Return what is wrong with one row."""
    plain, target = str(row["input"]), str(row["target"])
    body, _ = voice.split_sign_off(target)
    found = [f"breaks {rule}" for rule in voice.broken(target)[0]]
    if len(voice.broken(plain)[0]) < 2:
        found.append(f"the plain reply breaks only {voice.broken(plain)[0]}")
    if voice.hard_facts(plain) != voice.hard_facts(body):
        found.append(f"facts differ: {sorted(voice.hard_facts(plain) ^ voice.hard_facts(body))}")
    if (kept := voice.facts_kept(target, plain, target)) < 1 or voice.facts_kept(plain, plain, target) < 0.99:
        found.append(f"names differ ({kept:.2f}, {voice.facts_kept(plain, plain, target):.2f})")
    if new := voice._names(body) - voice._names(plain, only_inside=False):
        found.append(f"new names {new}")
    greeted = re.sub(r"^(Dear|Hello|Hi|Good morning)\b[^,!.]*[,!.]", "", plain)
    if lost := voice._names(greeted) - voice._names(body, only_inside=False):
        found.append(f"lost names {lost}")
    if not 15 <= len(plain.split()) <= 80 or len(body.split()) > len(plain.split()) + 12:
        found.append(f"lengths {len(plain.split())}, {len(body.split())}")
    if (row["metadata"] or {}).get("slice") not in SLICES:  # type: ignore[attr-defined]
        found.append("no slice")
    stems = voice._stems(plain)
    if len(stems & voice._stems(body)) < 3:
        found.append(f"only {len(stems & voice._stems(body))} words kept")
    found += [f"weekday {w}" for w in wrong_weekdays(plain) + wrong_weekdays(target)]
    found += [f"uncheckable {hit[0]}" for text in (plain, body) for hit in _UNCHECKABLE.finditer(text)]
    return found


def _trigrams(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return set(zip(words, words[1:], words[2:], strict=False))


def main(split: str) -> int:
    """Check a split and return how many faults there are."""
    rows = [json.loads(line) for line in (HERE / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]
    count = 0
    orders: Counter[str] = Counter()
    for number, row in enumerate(rows, 1):
        orders.update(fact for fact in voice.hard_facts(row["input"]) if fact.startswith("order"))
        wrong = faults(row) + ([] if row["id"] == f"{split}-{number:03}" else ["id"])
        count += bool(wrong)
        if wrong:
            print(row["id"], "; ".join(wrong), "|", row["input"][:60])
    grams = [_trigrams(row["input"]) for row in rows]
    for i, one in enumerate(grams):
        for j in range(i):
            if one and len(one & grams[j]) / len(one | grams[j]) >= 0.6:
                print("too alike:", rows[j]["id"], rows[i]["id"])
                count += 1
    for order in [order for order, times in orders.items() if times > 1]:
        print("used twice:", order)
    print(len(rows), "rows", dict(Counter(row["metadata"]["slice"] for row in rows)), count, "faults")
    print("with figures:", sum(bool(voice.hard_facts(row["input"])) for row in rows))
    return count


if __name__ == "__main__":
    sys.exit(bool(main(*sys.argv[1:2] or ["train"])))
