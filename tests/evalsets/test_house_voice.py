from __future__ import annotations

import datetime
import json
import re
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest

from advisor.core import registry
from advisor.core.types import Example

FOLDER = Path(__file__).parents[2] / "evalsets" / "data" / "harrow_voice"
SPLITS = ("train", "dev", "test")
SIGN_OFF = "\nMind the weather, Harrow & Pine"
PLAIN = (
    "Unfortunately, the repair of your boots has been delayed. Please note that it will be completed on Tuesday, "
    "April 14th at 2 pm by Aoife and costs 49.00 euros. It will take 3 more days. Order number 3411."
)
HOUSE = (
    "Your boots are late. Aoife's mending them by Tue 14 April at 14:00, for €49. "
    "It's three more days. The order's HP-3411." + SIGN_OFF
)


@pytest.fixture(scope="module")
def metric() -> Any:
    return registry.make("metrics", f"{FOLDER / 'voice.py'}:HouseVoice", origin="user")


@pytest.fixture(scope="module")
def voice() -> Any:
    return registry._module_from_file(FOLDER / "voice.py", "metrics")


def rows(split: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]


def score(metric: Any, output: str, plain: str = PLAIN, target: str = HOUSE) -> float:
    return float(metric.score(output, Example("1", plain, target)))


def test_the_reference_scores_one_and_the_plain_reply_far_less(metric: Any) -> None:
    assert score(metric, HOUSE) > 0.98
    assert 0 < score(metric, PLAIN) < 0.5


def test_on_dev_references_score_near_one_copies_and_other_replies_far_less(metric: Any) -> None:
    dev = rows("dev")
    right = [score(metric, row["target"], row["input"], row["target"]) for row in dev]
    copies = [score(metric, row["input"], row["input"], row["target"]) for row in dev]
    others = [score(metric, other["target"], row["input"], row["target"]) for row, other in pairwise(dev)]
    assert sum(right) / len(right) > 0.98
    assert sum(copies) / len(copies) < 0.35
    assert all(copy < 0.6 * one for copy, one in zip(copies, right, strict=True))
    assert sum(others) / len(others) < 0.05


@pytest.mark.parametrize("output", ["", "  \n", "…", SIGN_OFF, SIGN_OFF * 3])
def test_nothing_and_the_sign_off_alone_score_zero(metric: Any, output: str) -> None:
    assert score(metric, output) == 0


@pytest.mark.parametrize(
    "output",
    [
        "Your order's on its way, and it'll be with you soon." + SIGN_OFF,
        "You'll find it's raining. We've put the kettle on, and that's all we'll say." + SIGN_OFF,
        HOUSE.replace("14 April", "15 April").replace("€49", "€59").replace("14:00", "15:00").replace("three", "four"),
        " ".join(["Tue 14 April 14:00 €49 three HP-3411 Aoife"]) + SIGN_OFF,
        "€49 " + PLAIN + SIGN_OFF,
    ],
)
def test_gaming_does_not_pay(metric: Any, output: str) -> None:
    assert score(metric, output) < 0.6 * score(metric, HOUSE)


@pytest.mark.parametrize("lost", ["Tue 14 April at ", " at 14:00", ", for €49", " The order's HP-3411.", "Aoife's "])
def test_every_lost_fact_costs(metric: Any, lost: str) -> None:
    assert lost in HOUSE
    assert score(metric, HOUSE.replace(lost, "")) < score(metric, HOUSE) - 0.05


@pytest.mark.parametrize("new", [" It's €7 more.", " Ring Dermot."])
def test_every_new_fact_costs(metric: Any, new: str) -> None:
    assert score(metric, HOUSE.replace(SIGN_OFF, new + SIGN_OFF)) < score(metric, HOUSE) - 0.03


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("you", "The company's sending your tent."),
        ("you", "It's a tent."),
        ("contractions", "Your tent is late and it will come."),
        ("contractions", "Your tent's late. It will come."),
        ("calm", "Your tent's here!"),
        ("stock phrases", "Please note your tent's here."),
        ("short sentences", "Your tent's here " + "and here " * 10),
        ("money", "Your tent's 49 euros."),
        ("money", "Your tent's €49.00."),
        ("times", "Your tent's here at 2 pm."),
        ("dates", "Your tent's here on Tuesday, 14 April."),
        ("dates", "Your tent's here on April 14."),
        ("dates", "Your order's #3411."),
        ("numbers", "Your tent's got 3 poles."),
        ("numbers", "Your tent's got twelve poles."),
        ("opening", "We've got your tent."),
        ("house words", "Your package's here."),
        ("house words", "Your tent's here (and dry)."),
    ],
)
def test_each_rule_is_noticed(voice: Any, rule: str, text: str) -> None:
    assert rule in voice.broken(text + SIGN_OFF)[0]


@pytest.mark.parametrize(
    "text",
    [
        "Your Larch 2's here: 2.1 kg, 5 mm, size 9, 10%, €5, 09:30, Tue 7 April, HP-1234, two poles and 11 pegs.",
        "It's where you have it, as far as it is. You have 30 days, and that's 1 litre.",
    ],
)
def test_what_the_guide_allows_breaks_nothing(voice: Any, text: str) -> None:
    assert voice.broken(text + SIGN_OFF)[0] == []


@pytest.mark.parametrize(
    "answer", ["Your tent's here.", "Your tent's here." + SIGN_OFF * 2, "Your tent's here." + SIGN_OFF + " PS"]
)
def test_the_sign_off_stands_last_and_once(voice: Any, answer: str) -> None:
    assert "sign-off" in voice.broken(answer)[0]


def test_facts_are_the_same_however_they_are_written(voice: Any) -> None:
    assert voice.hard_facts(PLAIN) == voice.hard_facts(HOUSE)


def test_every_accepted_answer_counts_and_the_score_is_the_same_twice(metric: Any) -> None:
    example = Example("1", PLAIN, "Your kayak's gone." + SIGN_OFF, {"answers": [HOUSE]})
    assert metric.score(HOUSE, example) == metric.score(HOUSE, example) > 0.98


@pytest.mark.parametrize("split", SPLITS)
def test_every_target_keeps_every_checkable_rule_and_the_facts(voice: Any, split: str) -> None:
    for row in rows(split):
        plain, target = row["input"], row["target"]
        body = voice.split_sign_off(target)[0]
        assert voice.broken(target)[0] == [], row["id"]
        assert len(voice.broken(plain)[0]) >= 2, row["id"]
        assert voice.hard_facts(plain) == voice.hard_facts(body), row["id"]
        assert voice.facts_kept(target, plain, target) == 1, row["id"]
        assert voice.facts_kept(plain, plain, target) > 0.99, row["id"]
        assert len(voice._stems(plain) & voice._stems(body)) >= 3, row["id"]


@pytest.mark.parametrize("split", SPLITS)
def test_no_target_loses_or_adds_a_name(voice: Any, split: str) -> None:
    for row in rows(split):
        body = voice.split_sign_off(row["target"])[0]
        plain = re.sub(r"^(Dear|Hello|Hi|Good morning)\b[^,!.]*[,!.]", "", row["input"])
        assert voice._names(plain) <= voice._names(body, only_inside=False), row["id"]
        assert voice._names(body) <= voice._names(row["input"], only_inside=False), row["id"]


@pytest.mark.parametrize("split", SPLITS)
def test_weekdays_are_those_of_2026(voice: Any, split: str) -> None:
    day, date = "(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*", voice._DATE.pattern
    dated = re.compile(rf"\b{day},? (?:the )?(?:{date})|(?:{date}) \({day}\)")
    months = [name[:3] for name in voice._MONTHS]
    for row in rows(split):
        for hit in dated.finditer(row["input"] + "\n" + row["target"]):
            found = voice._DATE.search(hit[0])
            then = datetime.date(2026, months.index((found[2] or found[3])[:3]) + 1, int(found[1] or found[4]))
            assert then.strftime("%a") == (hit[1] or hit[10]), (row["id"], hit[0])


@pytest.mark.parametrize("split", SPLITS)
def test_rows_are_as_the_brief_says(voice: Any, split: str) -> None:
    uncheckable = re.compile(
        r"\b(noon|midnight|dozen|couple|fortnight|twice|half past|quarter past)\b|[\u2019\u201c\u201d]", re.I
    )
    for number, row in enumerate(rows(split), 1):
        words, body = len(row["input"].split()), voice.split_sign_off(row["target"])[0]
        assert row["id"] == f"{split}-{number:03}"
        assert row["metadata"]["slice"] in {"delivery", "returns", "workshop", "stock", "booking", "account"}
        assert 15 <= words <= 80, row["id"]
        assert len(body.split()) <= words + 12, row["id"]
        assert not uncheckable.search(row["input"] + body), row["id"]


def test_no_order_number_is_used_again_and_no_two_inputs_are_alike(voice: Any) -> None:
    everything = [row["input"] for split in SPLITS for row in rows(split)]
    orders = [fact for text in everything for fact in voice.hard_facts(text) if fact.startswith("order")]
    assert len(orders) == len(set(orders))
    spoken = [re.findall(r"\w+", text.lower()) for text in everything]
    grams = [set(zip(words, words[1:], words[2:], strict=False)) for words in spoken]
    assert all(len(one & other) < 0.6 * len(one | other) for one, other in combinations(grams, 2))
