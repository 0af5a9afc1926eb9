"""What was quadratic once and is linear now gives the same as the plain way, and shows no more than can be read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.core import errors
from advisor.core.data_check import DataCheckSettings
from advisor.core.normalisation import _drops
from advisor.core.shipped import check_data, shipped

shipped("evalsets")
phrases = import_module("advisor.evalsets.phrases")
answers = import_module("advisor.evalsets.data_checks.answers")
labels = import_module("advisor.evalsets.labels")
folder = import_module("advisor.evalsets.folder")

WORDS = st.lists(st.sampled_from("ab"), min_size=1, max_size=6)


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, max_size=8), st.lists(st.lists(st.sampled_from("abc"), max_size=12), max_size=5))
def test_the_first_text_that_holds_a_phrase_is_found(looked_for: list[list[str]], texts: list[list[str]]) -> None:
    joined = [f" {' '.join(text)} " for text in texts]
    expected = {
        at: next(place for place, text in enumerate(joined) if f" {' '.join(phrase)} " in text)
        for at, phrase in enumerate(looked_for)
        if any(f" {' '.join(phrase)} " in text for text in joined)
    }
    assert phrases.first_holders(looked_for, texts) == expected


PIECES = st.sampled_from(
    ["label", "Intent", "category", ":", "=", "->", "]", "[", "(", "#", ")", " ", "  ", "'", '"', "_", ".", "x",
     "refund", "Refund", "card_lost", "card_Lost", "ß", "c++"]
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join), st.sampled_from(["refund", "card_lost", "Refund", "x"]))
def test_a_label_that_is_given_away_is_told_as_one_pattern_a_label_tells_it(asked: str, label: str) -> None:
    name = re.escape(label)
    marks = r"\b(?:label|category|categories|intent|class|topic|target|answer|tag|queue)\s*[:=\]-]+\s*[\"']?"
    expected = (
        bool("_" in label and re.search(rf"(?<!\w){name}(?!\w)", asked))
        or bool(re.search(rf"{marks}{name}\b", asked, re.I))
        or bool(re.search(rf"[\[#(]{name}[\])]", asked, re.I))
    )
    assert answers._gives_label_away(asked, label) == expected


@settings(max_examples=300, deadline=None)
@given(st.text(st.one_of(st.sampled_from("aA1.,-+%€$_ (/:'‿\u00b4"), st.characters(codec="utf-8")), max_size=20))
def test_only_what_is_no_letter_figure_or_blank_can_be_dropped(text: str) -> None:
    for at, mark in enumerate(text.replace("_", " ")):
        if re.match(r"[\w\s]", mark):
            assert not _drops(text.replace("_", " "), at)


def test_the_noise_drawn_in_pieces_is_the_noise_drawn_at_once() -> None:
    rng = np.random.default_rng(0)
    given_labels = np.sort(rng.integers(0, 6, 400))
    confident = np.where(rng.random(400) < 0.8, given_labels, rng.integers(-1, 6, 400))
    got = labels._share(given_labels, confident, 6, np.random.default_rng(1))
    kinds, counts = np.unique(given_labels * 7 + confident + 1, return_counts=True)
    rows, columns = kinds // 7, kinds % 7 - 1
    drawn = np.random.default_rng(1).multinomial(400, counts / 400, size=labels.DRAWS).astype(float)
    to_label = np.eye(6)[rows]
    carried, sure = drawn @ to_label, (drawn * (columns >= 0)) @ to_label
    wrong = (drawn * ((columns >= 0) & (columns != rows))) @ to_label
    shares = (wrong / sure * carried).sum(axis=1) / carried.sum(axis=1)
    low, high = np.quantile(shares, (0.025, 0.975))
    assert got.low <= low + 1e-12
    assert got.high >= high - 1e-12
    assert labels._off_diagonal(drawn[:5].astype(int), rows, columns, 6) == pytest.approx(shares[:5])


# --- many of a kind --------------------------------------------------------------------------------------------------

LISTED = 50


def test_many_labels_are_counted_and_the_first_are_shown(write: Callable[..., Path]) -> None:
    rows = [{"id": f"r{n}", "input": f"question {n} of {n}", "target": f"label {n}"} for n in range(300)]
    test = [{**row, "id": f"t{at}", "input": f"another {at} about {at}"} for at, row in enumerate(rows)]
    yaml = "name: mine\ninstruction: Which?\nmetric: label_accuracy\nlabels: from_train\n"
    where = write(evalset__yaml=yaml, train__jsonl=rows[:150], test__jsonl=test)
    found = check_data(str(where), settings=DataCheckSettings(embedded=0))
    by_name = {one.check: one for one in found.findings}
    for name in ("class balance", "labels in test"):
        assert len(by_name[name].shown) == LISTED + 1
        assert by_name[name].shown[-1] == "… and 100 more"
    assert "150 of these never occur in train" in by_name["labels in test"].figure


def test_the_nearest_label_is_looked_for_a_few_times_only(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def counted(word: str, allowed: object) -> str:
        asked.append(word)
        return "did you mean this?"

    monkeypatch.setattr(folder, "did_you_mean", counted)
    rows = [{"id": f"r{n}", "input": f"question {n}", "target": f"lable {n}"} for n in range(60)]
    yaml = "name: mine\ninstruction: Which?\nmetric: label_accuracy\nlabels: [label 1, label 2]\n"
    refused: list[str] = []
    folder.read_folder(write(evalset__yaml=yaml, train__jsonl=rows), refused)
    assert len(refused) == 60 + 10
    assert len(asked) == folder.GUESSED
    assert all("is not among the labels" in one for one in refused)


def test_an_error_lists_a_hundred_allowed_words_and_counts_the_rest() -> None:
    told = errors.did_you_mean("w5x", [f"w{n}" for n in range(1_000)])
    assert told.endswith("… (1,000 in all)")
    assert told.count(",") < 110


def test_a_key_that_stands_there_twice_is_named_without_counting_every_key() -> None:
    parse, record = (getattr(import_module("advisor.evalsets.readers"), name) for name in ("parse_json", "Record"))
    text = json.dumps({f"k{n}": 0 for n in range(50_000)})[:-1] + ', "k49999": 1}'
    with pytest.raises(errors.EvalSetError, match="'k49999' stands there twice"):
        parse(text, record("a", 1, {}))
