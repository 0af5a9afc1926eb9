from __future__ import annotations

import json
import re
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from advisor.core.errors import EvalSetError
from advisor.core.metrics import ExactMatch
from advisor.core.normalisation import normalise
from advisor.core.shipped import load_evalset, shipped

shipped("evalsets")
suites = import_module("advisor.evalsets.suites")
load, score, says_unknown = suites.load, suites.score, suites.says_unknown

ITEMS = load("general")
TWINS = [item for item in ITEMS if item.metadata.get("answerable")]
RETENTION = [item for item in ITEMS if item.metadata["suite"] == "retention" and item not in TWINS]
REFUSALS = [item for item in ITEMS if item.metadata["suite"] == "refusals"]
CLOSED = [item for item in RETENTION if item.metadata["choices"]]


def question(item: Any) -> str:
    """The question as it was written, without the choices and the note."""
    return re.sub(r"^Possible answers: .*\n|\nIf this cannot be answered.*$", "", item.input)


def test_there_are_enough_items_of_every_kind() -> None:
    slices = Counter(item.metadata["slice"] for item in RETENTION)
    assert len(RETENTION) >= 300
    assert len(slices) >= 8
    assert min(slices.values()) >= 30
    assert len(REFUSALS) >= 80
    assert len(TWINS) >= 80
    assert len(RETENTION) + len(REFUSALS) + len(TWINS) == len(ITEMS)


def test_no_item_stands_there_twice() -> None:
    assert len({item.id for item in ITEMS}) == len(ITEMS)
    assert len({normalise(item.input) for item in ITEMS}) == len(ITEMS)
    asked = [normalise(question(item)) for item in ITEMS]
    assert [one for one, count in Counter(asked).items() if count > 1] == []


def test_choices_are_four_and_the_right_one_stands_everywhere_equally_often() -> None:
    assert len(CLOSED) >= 290
    places = Counter(item.metadata["choices"].index(item.target) for item in CLOSED)
    assert {len(item.metadata["choices"]) for item in CLOSED} == {4}
    assert max(places.values()) - min(places.values()) <= 2
    for slice_name in {item.metadata["slice"] for item in CLOSED}:
        here = [item.metadata["choices"].index(item.target) for item in CLOSED if item.metadata["slice"] == slice_name]
        assert max(Counter(here).values()) <= len(here) // 4 + 1


def test_wrong_choices_are_no_accepted_answers() -> None:
    for item in CLOSED:
        accepted = {normalise(reference) for reference in item.references}
        assert sum(normalise(choice) in accepted for choice in item.metadata["choices"]) == 1


def test_the_length_of_a_choice_does_not_give_it_away() -> None:
    longest = [max(map(len, item.metadata["choices"])) == len(item.target) for item in CLOSED]
    shortest = [min(map(len, item.metadata["choices"])) == len(item.target) for item in CLOSED]
    assert sum(longest) / len(CLOSED) < 0.45
    assert sum(shortest) / len(CLOSED) < 0.45


SUM = re.compile(r"^What is (\d+) (\+|minus|times|divided by) (\d+)\?$")


def test_plain_sums_are_right() -> None:
    signs = {"+": lambda a, b: a + b, "minus": lambda a, b: a - b, "times": lambda a, b: a * b}
    signs["divided by"] = lambda a, b: a / b
    checked = 0
    for item in RETENTION:
        if found := SUM.match(question(item)):
            assert float(item.target) == signs[found[2]](int(found[1]), int(found[3]))
            checked += 1
    assert checked >= 8


def test_the_answer_of_a_twin_is_in_the_passage_it_shares_with_the_question_that_has_none() -> None:
    twins = {item.group: item for item in TWINS if "passage" in item.id}
    without = {item.group: item for item in REFUSALS if "passage" in item.id}
    assert twins.keys() == without.keys()
    for group, twin in twins.items():
        passage = twin.input.split("\n")[0]
        assert without[group].input.startswith(passage + "\n")
        assert any(normalise(reference) in normalise(passage) for reference in twin.references)


def test_nothing_is_shared_with_the_shipped_eval_set() -> None:
    shop = load_evalset("harrow_desk")
    known = {normalise(str(e.input)) for e in (*shop.train, *shop.dev, *shop.test)}
    assert not known & {normalise(question(item)) for item in ITEMS}


def test_every_target_is_right_and_refusing_everything_scores_badly() -> None:
    assert {score(item, item.target) for item in ITEMS} == {1.0}
    assert {score(item, r) for item in ITEMS for r in item.references} == {1.0}
    assert {score(item, "I'm sorry, I don't know.") for item in REFUSALS} == {1.0}
    assert {score(item, "I don't know") for item in (*RETENTION, *TWINS)} == {0.0}
    assert {score(item, "It is 77 of the mauve ones.") for item in (*REFUSALS, *TWINS)} == {0.0}


def test_retention_is_scored_as_exact_match_is() -> None:
    metric = ExactMatch()
    for item in RETENTION[::7]:
        for answer in (item.target, item.target.upper() + ".", "something else", f"I think it is {item.target}"):
            assert score(item, answer) == metric.score(answer, item)


@pytest.mark.parametrize("answer", [
    "I don't know.", "I don\u2019t know", "I DO NOT KNOW", "i dont know", "The passage does not say.",
    "That is not mentioned in the text.", "It cannot be determined.", "I can't answer that.", "Unknown",
    "There is no king of the United States.", "It isn't stated.", "Nobody knows that.", "No information is given.",
    "The Titanic never had a tenth voyage; it was not possible.",
])  # fmt: skip
def test_a_refusal_is_recognised(answer: str) -> None:
    assert says_unknown(answer)


@pytest.mark.parametrize(
    "answer", ["", "Paris", "It was built by Hector Reed.", "Seven", "I know it well", "Knot", "23"]
)
def test_an_answer_is_no_refusal(answer: str) -> None:
    assert not says_unknown(answer)


def test_an_item_is_complete_as_it_is_asked() -> None:
    [paris] = [item for item in ITEMS if item.id == "facts-01"]
    assert paris.input == "Possible answers: Madrid / Paris / Rome / Vienna\nWhat is the capital of France?"
    assert all(item.input.endswith("answer only: I don't know.") for item in (*REFUSALS, *TWINS))


# --- a suite of one's own --------------------------------------------------------------------------------------------


def own(tmp_path: Path, *rows: dict[str, Any]) -> str:
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_a_users_file_is_read_in_the_same_shape(tmp_path: Path) -> None:
    rows = (
        {"input": "Say yes.", "target": "yes"},
        {"input": "Red or blue?", "target": "red", "choices": ["blue", "red"], "slice": "colours"},
        {"suite": "refusals", "input": "Who am I?"},
        {"input": "Who wrote Hamlet?", "target": "Shakespeare", "answerable": True},
    )
    plain, closed, unknown, known = load(own(tmp_path, *rows))
    assert (plain.id, plain.metadata["suite"], plain.metadata["slice"]) == ("mine-1", "retention", "retention")
    assert (plain.metadata["choices"], closed.metadata["choices"]) == ((), ("blue", "red"))
    assert closed.metadata["slice"] == "colours"
    assert (unknown.target, unknown.metadata["suite"]) == ("I don't know", "refusals")
    assert (score(known, "It was William Shakespeare."), score(known, "I don't know")) == (1.0, 0.0)


GOOD = {"input": "Red or blue?", "target": "red"}


@pytest.mark.parametrize(("row", "said"), [
    ({"input": "a"}, "field 'target' is missing"),
    ({**GOOD, "suite": "refusal"}, "did you mean 'refusals'"),
    ({**GOOD, "suite": 3}, "field 'suite' is '3'"),
    ({**GOOD, "choices": ["red"]}, "at least two texts"),
    ({**GOOD, "choices": ["Red.", "red"]}, "differ by more than case"),
    ({**GOOD, "choices": "red"}, "must be a list of texts"),
    ({**GOOD, "choices": ["red", 3]}, "must be a list of texts"),
    ({**GOOD, "choices": ["green", "blue"]}, "not among its choices"),
    ({**GOOD, "suite": "refusals", "answerable": True}, "only in retention"),
    ({**GOOD, "answerable": "no"}, "field 'answerable' is 'no'; true is allowed"),
    ({"input": [{"role": "user", "content": "hi"}], "target": "red"}, "one question, as text"),
])  # fmt: skip
def test_a_malformed_row_is_refused_with_its_line(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    with pytest.raises(EvalSetError) as caught:
        load(own(tmp_path, GOOD, row))
    assert "mine.jsonl line 2" in str(caught.value)
    assert said in str(caught.value).casefold() or said in str(caught.value)


def test_an_id_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvalSetError, match=r"line 2: field 'id' is 'a', which already stands in mine\.jsonl line 1"):
        load(own(tmp_path, {**GOOD, "id": "a"}, {**GOOD, "id": "a"}))


def test_a_missing_file_is_an_error_and_an_empty_one_too(tmp_path: Path) -> None:
    with pytest.raises(EvalSetError, match="there is no file"):
        load(str(tmp_path / "none.jsonl"))
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(EvalSetError, match=r"empty\.jsonl holds no item"):
        load(str(tmp_path / "empty.jsonl"))
