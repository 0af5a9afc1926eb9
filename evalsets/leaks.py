"""Test examples that are the same as, or nearly the same as, one that was learned from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from advisor.core.data_check import Leak
from advisor.core.progress import Progress
from advisor.core.types import Example
from advisor.stats.bootstrap import IntArray

from .sameness import answers_of, key_of
from .wording import JACCARD, SHINGLE_WORDS, Wording

Vectors = NDArray[np.float32]

COSINE = 0.98
"""Read off banking77 (3,080 short test questions): of the pairs at 0.98 and more, 12 of 12 that were read differ in a
spelling, a word without weight or the order; at 0.97 most, and from 0.95 down they are paraphrases, which two customers
with one intent write by nature (920 test questions have one with the same answer at 0.95, 292 at 0.98)."""
LEVELS = {"exact": 3, "minhash": 2, "embedding": 1}
SHOWN, SHOWN_CHARACTERS = 50, 300
"""How many suspects carry their texts into the report, and how much of them."""

HOW = (
    "the same question (case, punctuation and articles aside), or "
    f"{JACCARD:.0%} of its runs of {SHINGLE_WORDS} words in common, or embeddings with a cosine of {COSINE} and more; "
    "with the same answer in each case"
)

_BLOCK = 512


def find(
    test: Sequence[Example],
    learned: Sequence[Example],
    vectors: tuple[Vectors, Vectors] | None,
    progress: Progress,
    wording: Wording | None = None,
) -> tuple[tuple[Leak, ...], str]:
    """Return the suspects among the test examples, at most one each: exact before wording before embedding.

    The text beside them says what was not looked at whole; it is empty where all was.

    Only a neighbour that accepts the same answer can leak it: to remember another answer does not help. A question that
    merely is on the same topic is no leak either, it is what learning is for; short questions of one intent are near
    each other by nature. See `COSINE` for where the line is drawn.

    Args:
        test: the test examples.
        learned: train and dev.
        vectors: embeddings of `learned` and of `test`, rows of unit length; `None` leaves the third way out.
        progress: where to say how far it is.
        wording: of `learned` and then `test`, where it is at hand already.
    """
    found: dict[int, tuple[str, int, float]] = {}
    wording = wording or wording_of(learned, test, progress)
    asked, among = range(len(learned), len(wording.keys)), range(len(learned))
    for row, at in exact(wording, asked, among).items():
        found[row - len(learned)] = ("exact", at, 1.0)
    near = wording.between(asked, among, "looking for shared wording")
    for row, other in near.of.items():
        found.setdefault(row - len(learned), ("minhash", other.at, other.share))
    if vectors is not None:
        for row, at, similarity in nearest_with_same_answer(test, learned, vectors, progress):
            if similarity >= COSINE:
                found.setdefault(row, ("embedding", at, similarity))
    order = sorted(found, key=lambda row: (-LEVELS[found[row][0]], -found[row][2], row))
    leaks = tuple(_leak(test[row], learned, found[row], shown=at < SHOWN) for at, row in enumerate(order))
    return leaks, near.told


def _leak(example: Example, learned: Sequence[Example], found: tuple[str, int, float], *, shown: bool) -> Leak:
    kind, at, similarity = found
    texts = (str(example.input), str(learned[at].input), example.target) if shown else ("", "", "")
    cut = [text[:SHOWN_CHARACTERS] for text in texts]
    return Leak(example.id, learned[at].id, kind, min(1.0, similarity), *cut)  # type: ignore[arg-type]


# --- wording ---------------------------------------------------------------------------------------------------------


def exact(wording: Wording, asked: range, among: range) -> dict[int, int]:
    """Return for each place of `asked` the first of `among` with the same question and a common answer, if any has."""
    first: dict[tuple[int, str], int] = {}
    for at in among:
        for answer in wording.answers[at]:
            first.setdefault((int(wording.question[at]), answer), at)
    found = {}
    for at in asked:
        question = int(wording.question[at])
        if same := [first[question, one] for one in wording.answers[at] if (question, one) in first]:
            found[at] = min(same)
    return found


def wording_of(learned: Sequence[Example], test: Sequence[Example], progress: Progress) -> Wording:
    """Return the wording of `learned` and then `test`."""
    both = (*learned, *test)
    parts = ["learned"] * len(learned) + ["test"] * len(test)
    return Wording([key_of(one) for one in both], [answers_of(one) for one in both], parts, progress)


# --- embeddings ------------------------------------------------------------------------------------------------------


def nearest_with_same_answer(
    test: Sequence[Example],
    learned: Sequence[Example],
    vectors: tuple[Vectors, Vectors],
    progress: Progress,
) -> Iterator[tuple[int, int, float]]:
    """Yield for each test example its nearest neighbour that accepts the same answer: (row, at, cosine)."""
    for row, same, cosines in with_same_answer(test, learned, vectors, progress):
        nearest = int(cosines.argmax())
        yield row, int(same[nearest]), float(cosines[nearest])


def with_same_answer(
    test: Sequence[Example],
    learned: Sequence[Example],
    vectors: tuple[Vectors, Vectors],
    progress: Progress,
) -> Iterator[tuple[int, IntArray, Vectors]]:
    """Yield for each test example all that accept a common answer: its row, their places, their cosines.

    Works through blocks of test examples, so that memory is flat in their number.
    """
    names: dict[str, int] = {}
    accepted = [[names.setdefault(one, len(names)) for one in answers_of(example)] for example in learned]
    holders: defaultdict[int, list[int]] = defaultdict(list)
    for at, codes in enumerate(accepted):
        for code in codes:
            holders[code].append(at)
    places = {code: np.asarray(rows, dtype=np.intp) for code, rows in holders.items()}
    for start in range(0, len(test), _BLOCK):
        progress("looking for near-duplicates", start, len(test))
        cosines = vectors[1][start : start + _BLOCK] @ vectors[0].T
        for row, line in enumerate(cosines, start):
            codes = [names[one] for one in answers_of(test[row]) if one in names]
            if codes:
                same = np.concatenate([places[code] for code in codes]) if len(codes) > 1 else places[codes[0]]
                yield row, same, line[same]
    progress("looking for near-duplicates", len(test), len(test))
