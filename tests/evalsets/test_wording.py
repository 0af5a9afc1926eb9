"""The similarity join against comparing everything with everything, and that it does no more than its rows allow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.core.shipped import shipped

shipped("evalsets")
wording = import_module("advisor.evalsets.wording")

Accepted = frozenset[str]
Row = tuple[str, Accepted, str]

WORDS = st.lists(st.sampled_from("abcdef"), max_size=14).map(" ".join)
STEMS = st.sampled_from(["a b c d e f a b c d", "f e d c b a f e d c b"])
TEXTS = st.one_of(WORDS, st.tuples(STEMS, WORDS).map(" ".join))
ROWS = st.lists(
    st.tuples(TEXTS, st.frozensets(st.sampled_from("xyz"), min_size=1, max_size=2), st.sampled_from(["train", "test"])),
    max_size=25,
)


def of(rows: Sequence[Row]) -> Any:
    keys, answers, parts = zip(*rows, strict=True) if rows else ((), (), ())
    return wording.Wording(keys, answers, parts, lambda *_: None)


def runs(text: str) -> frozenset[tuple[str, ...]]:
    words = text.split()
    return frozenset(tuple(words[at : at + 3]) for at in range(max(1, len(words) - 2)))


def nearest(rows: Sequence[Row], at: int, fits: Callable[[int], bool]) -> list[tuple[int, float]]:
    """All neighbours of a row among those that fit, by comparing it with each."""
    own, found = runs(rows[at][0]), []
    for other in range(len(rows)):
        theirs = runs(rows[other][0])
        if rows[other][0] != rows[at][0] and fits(other) and len(own & theirs) / len(own | theirs) >= 0.7:
            found.append((other, len(own & theirs) / len(own | theirs)))
    return found


def agree(found: Any, expected: dict[int, list[tuple[int, float]]]) -> None:
    """What was found is a neighbour, with its share; and where there is one, one was found, or it is said."""
    near = {at: (one.at, one.share) for at, one in found.of.items()}
    assert near.keys() == {at for at, those in expected.items() if those}
    for at, (other, share) in near.items():
        assert dict(expected[at])[other] == pytest.approx(share)


@settings(max_examples=150, deadline=None)
@given(ROWS)
def test_it_finds_what_comparing_all_with_all_finds(rows: list[Row]) -> None:
    all_rows, test = range(len(rows)), [at for at, row in enumerate(rows) if row[2] == "test"]
    train = [at for at in all_rows if rows[at][2] == "train"]
    own = [row[1] for row in rows]
    found = of(rows)
    agree(
        found.between(test, train, ""),
        {at: nearest(rows, at, lambda o, at=at: o in train and bool(own[o] & own[at])) for at in test},  # type: ignore[misc]
    )
    same = {
        at: nearest(rows, at, lambda o, at=at: o < at and rows[o][2] == rows[at][2] and bool(own[o] & own[at]))  # type: ignore[misc]
        for at in all_rows
    }
    agree(found.earlier(""), same)
    other = {at: nearest(rows, at, lambda o, at=at: o < at and not own[o] & own[at]) for at in all_rows}  # type: ignore[misc]
    agree(found.earlier_with_other_answer(""), other)


TEMPLATE = " ".join(f"t{n}" for n in range(30))
KINDS: dict[str, Callable[[int, np.random.Generator], Row]] = {
    "one template, one answer": lambda n, rng: (f"{TEMPLATE} {n}", frozenset("x"), "train"),
    "one template, an answer each": lambda n, rng: (f"{TEMPLATE} {n}", frozenset([str(n)]), "train"),
    "one question, an answer each": lambda n, rng: (TEMPLATE, frozenset([str(n)]), "train"),
    "alike, but not enough": lambda n, rng: (
        " ".join(f"p{part}_{int(rng.integers(3))}_{word}" for part in range(6) for word in range(5)),
        frozenset("xy"[n % 2]),
        "train",
    ),
    "a common answer and one of its own": lambda n, rng: (f"{TEMPLATE} {n}", frozenset(["x", str(n)]), "train"),
    "few words": lambda n, rng: (" ".join("abcd"[int(k)] for k in rng.integers(0, 4, 12)), frozenset("x"), "train"),
}


@pytest.mark.parametrize("search", ["earlier", "earlier_with_other_answer"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_question_is_compared_with_more_than_it_may_be(
    monkeypatch: pytest.MonkeyPatch, kind: str, search: str
) -> None:
    rng, counts = np.random.default_rng(0), []
    real = wording.Runs.common

    def counted(self: object, a: int, b: int) -> int:
        counts.append((a, b))
        return int(real(self, a, b))

    monkeypatch.setattr(wording.Runs, "common", counted)
    rows = [KINDS[kind](n, rng) for n in range(600)]
    getattr(of(rows), search)("")
    assert len(counts) <= wording.COMPARED * len(rows)
    if "template" in kind:
        assert len(counts) <= wording.ENOUGH * len(rows)


def test_no_more_groups_are_looked_at_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wording, "LOOKED", 20)
    looked = 0
    real = wording._Effort.over

    def counted(self: object) -> bool:
        nonlocal looked
        looked += 1
        return bool(real(self))

    monkeypatch.setattr(wording._Effort, "over", counted)
    rows: list[Row] = [
        (" ".join(f"c{word}" for word in range(3 + n % 117)) + f" u{n}", frozenset("xyz"[n % 3]), "train")
        for n in range(600)
    ]
    found = of(rows)
    found.earlier("")
    found.earlier_with_other_answer("")
    assert 0 < looked <= 2 * len(rows) * (20 + 1)


def test_what_is_kept_of_one_template_does_not_grow_with_its_rows() -> None:
    def kept(rows: int) -> int:
        candidates = wording.Candidates(
            of([KINDS["one template, one answer"](n, np.random.default_rng(0)) for n in range(rows)])
        )
        for at in range(rows):
            candidates.add(at)
        groups = [group for by_size in candidates._groups.values() for group in by_size.values()]
        return sum(len(places) for group in groups for places in group.values())

    assert kept(100) == kept(300)


def test_it_is_said_where_not_every_candidate_was_compared() -> None:
    rng = np.random.default_rng(0)
    rows = [KINDS["alike, but not enough"](n, rng) for n in range(600)]
    found = of(rows).earlier("")
    assert not found.of
    assert f"at most {wording.COMPARED}" in found.told
    clear = [(f"question {n} about {n} and {n * n}", frozenset("x"), "train") for n in range(600)]
    assert of(clear).earlier("").told == ""


@pytest.mark.parametrize("texts", [[], [""], ["a"], ["a b"], ["a b c"], ["a b c a b c", "a b c"]])
def test_short_texts_have_one_run_and_repeated_runs_count_once(texts: list[str]) -> None:
    found = wording.Runs.of(texts)
    assert [found.size(at) for at in range(len(texts))] == [len(runs(text)) for text in texts]
