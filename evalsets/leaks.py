"""Test examples that are the same as, or nearly the same as, one that was learned from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from advisor.findings import Leak
from advisor.strategy import Progress
from advisor.types import Example

from .sameness import answers_of, key_of

Vectors = NDArray[np.float32]

SHINGLE_WORDS = 3
JACCARD = 0.7
PERMUTATIONS = 128
CANDIDATES = 200
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
) -> tuple[Leak, ...]:
    """Return the suspects among the test examples, at most one each: exact before MinHash before embedding.

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
    for row, at in _exact(test, learned):
        found[row] = ("exact", at, 1.0)
    wording = wording or wording_of(learned, test, progress)
    for row, at, similarity in _minhash(len(learned), len(test), wording, progress):
        found.setdefault(row, ("minhash", at, similarity))
    if vectors is not None:
        for row, at, similarity in nearest_with_same_answer(test, learned, vectors, progress):
            if similarity >= COSINE:
                found.setdefault(row, ("embedding", at, similarity))
    order = sorted(found, key=lambda row: (-LEVELS[found[row][0]], -found[row][2], row))
    return tuple(_leak(test[row], learned, found[row], shown=at < SHOWN) for at, row in enumerate(order))


def _leak(example: Example, learned: Sequence[Example], found: tuple[str, int, float], *, shown: bool) -> Leak:
    kind, at, similarity = found
    texts = (str(example.input), str(learned[at].input), example.target) if shown else ("", "", "")
    cut = [text[:SHOWN_CHARACTERS] for text in texts]
    return Leak(example.id, learned[at].id, kind, min(1.0, similarity), *cut)  # type: ignore[arg-type]


# --- exact -----------------------------------------------------------------------------------------------------------


def _exact(test: Sequence[Example], learned: Sequence[Example]) -> Iterator[tuple[int, int]]:
    places: defaultdict[str, list[int]] = defaultdict(list)
    for at, example in enumerate(learned):
        places[key_of(example)].append(at)
    for row, example in enumerate(test):
        same = (at for at in places.get(key_of(example), ()) if _agree(example, learned[at]))
        if (first := next(same, None)) is not None:
            yield row, first


def _agree(a: Example, b: Example) -> bool:
    return bool(answers_of(a) & answers_of(b))


# --- MinHash ---------------------------------------------------------------------------------------------------------


def wording_of(learned: Sequence[Example], test: Sequence[Example], progress: Progress) -> Wording:
    """Return the wording of `learned` and then `test`."""
    both = (*learned, *test)
    parts = ["learned"] * len(learned) + ["test"] * len(test)
    return Wording(both, [key_of(one) for one in both], [answers_of(one) for one in both], progress, parts)


class Wording:
    """The runs of words that questions share, found by MinHash with locality-sensitive hashing, compared exactly.

    Sources: Broder 1997; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, chapter 3. Of questions with the
    same runs and the same answers only the first in each of `parts` is kept, and at most the first `CANDIDATES`
    candidates of a question are compared.

    Args:
        examples: the questions.
        keys: `key_of` of each.
        answers: `answers_of` of each.
        progress: where to say how far it is.
        parts: where each belongs; one is kept a part. All in one where it is left out.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        keys: Sequence[str],
        answers: Sequence[frozenset[str]],
        progress: Progress,
        parts: Sequence[str] = (),
    ) -> None:
        from datasketch import MinHash, MinHashLSH

        self.answers = answers
        self.runs = [shingles(key) for key in keys]
        self._index = MinHashLSH(threshold=JACCARD, num_perm=PERMUTATIONS)
        self._sketches = []
        kept: set[tuple[frozenset[str], frozenset[str], str]] = set()
        with self._index.insertion_session() as session:
            for at, sketch in enumerate(_sketches(MinHash, self.runs)):
                if at % _BLOCK == 0:
                    progress("reading the wording", at, len(examples))
                self._sketches.append(sketch)
                identity = self.runs[at], answers[at], parts[at] if parts else ""
                if identity not in kept:
                    kept.add(identity)
                    session.insert(at, sketch)
        progress("reading the wording", len(examples), len(examples))

    def near(self, at: int, among: Callable[[int], bool]) -> list[tuple[int, float]]:
        """Return the questions that share most runs of words with the one at `at`, the nearest first.

        Args:
            at: its place.
            among: which places are looked at.
        """
        found = [other for other in sorted(self._index.query(self._sketches[at])) if other != at and among(other)]
        shares = ((other, _jaccard(self.runs[at], self.runs[other])) for other in found[:CANDIDATES])
        return sorted(((o, share) for o, share in shares if share >= JACCARD), key=lambda pair: (-pair[1], pair[0]))


def _minhash(n_learned: int, n_test: int, wording: Wording, progress: Progress) -> Iterator[tuple[int, int, float]]:
    """Yield the test examples with a neighbour of the same answer that shares most runs of words."""
    for row in range(n_test):
        if row % _BLOCK == 0:
            progress("looking for shared wording", row, n_test)
        own = wording.answers[n_learned + row]
        near = wording.near(n_learned + row, lambda at, own=own: at < n_learned and bool(own & wording.answers[at]))  # type: ignore[misc]
        if near:
            yield row, *near[0]
    progress("looking for shared wording", n_test, n_test)


def shingles(key: str) -> frozenset[str]:
    """Return the runs of three words of a question's `key_of`; of a shorter one the whole of it."""
    words = key.split()
    runs = range(max(1, len(words) - SHINGLE_WORDS + 1))
    return frozenset(" ".join(words[at : at + SHINGLE_WORDS]) for at in runs)


def _sketches(kind: Any, texts: Sequence[frozenset[str]]) -> Any:
    return kind.generator(([run.encode() for run in sorted(runs)] for runs in texts), num_perm=PERMUTATIONS, seed=1)


def _jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b)


# --- embeddings ------------------------------------------------------------------------------------------------------


def nearest_with_same_answer(
    test: Sequence[Example],
    learned: Sequence[Example],
    vectors: tuple[Vectors, Vectors],
    progress: Progress,
) -> Iterator[tuple[int, int, float]]:
    """Yield for each test example its nearest neighbour that accepts the same answer: (row, at, cosine).

    Works through blocks of test examples, so that memory is flat in their number.
    """
    names: dict[str, int] = {}
    accepted = [[names.setdefault(one, len(names)) for one in answers_of(example)] for example in learned]
    holders: defaultdict[int, list[int]] = defaultdict(list)
    for at, codes in enumerate(accepted):
        for code in codes:
            holders[code].append(at)
    places = {code: np.asarray(rows) for code, rows in holders.items()}
    for start in range(0, len(test), _BLOCK):
        progress("looking for near-duplicates", start, len(test))
        cosines = vectors[1][start : start + _BLOCK] @ vectors[0].T
        for row, line in enumerate(cosines, start):
            codes = [names[one] for one in answers_of(test[row]) if one in names]
            if codes:
                same = np.concatenate([places[code] for code in codes])
                at = int(same[line[same].argmax()])
                yield row, at, float(line[at])
    progress("looking for near-duplicates", len(test), len(test))
