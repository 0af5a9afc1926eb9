"""Test examples that are the same as, or nearly the same as, one that was learned from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from advisor.core.data_check import Leak
from advisor.core.progress import Progress
from advisor.core.types import Example
from advisor.stats.bootstrap import IntArray

from .sameness import answers_of, key_of

Vectors = NDArray[np.float32]

SHINGLE_WORDS = 3
JACCARD = 0.7
PERMUTATIONS = 128
_BANDS, _ROWS = 14, 9
"""What locality-sensitive hashing splits the permutations into: the split that misses and mistakes least at `JACCARD`,
as `datasketch.MinHashLSH` finds it. Its index is not used: for 100,000 questions it takes half a gigabyte."""
CANDIDATES, MET = 200, 5_000
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
    return Wording([key_of(one) for one in both], [answers_of(one) for one in both], progress, parts)


class Wording:
    """The runs of words that questions share, found by MinHash with locality-sensitive hashing, compared exactly.

    Sources: Broder 1997; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, chapter 3. Of questions with the
    same runs and the same answers only the first in each of `parts` is kept, and at most the first `CANDIDATES`
    candidates of a question are compared.

    Args:
        keys: `key_of` of each question.
        answers: `answers_of` of each.
        progress: where to say how far it is.
        parts: where each belongs; one is kept a part. All in one where it is left out.
    """

    def __init__(
        self,
        keys: Sequence[str],
        answers: Sequence[frozenset[str]],
        progress: Progress,
        parts: Sequence[str] = (),
    ) -> None:
        self.answers = answers
        self._keys = keys
        self._runs = lru_cache(maxsize=4_096)(lambda at: shingles(keys[at]))
        signatures = self._signatures(progress)
        first: dict[tuple[str, frozenset[str], str], int] = {}
        firsts = [first.setdefault((key, answers[at], parts[at] if parts else ""), at) for at, key in enumerate(keys)]
        self._kept = np.asarray(firsts, dtype=np.intp) == np.arange(len(keys))
        self._bands = [self._groups(signatures[:, start : start + _ROWS]) for start in range(0, _BANDS * _ROWS, _ROWS)]

    def _signatures(self, progress: Progress) -> NDArray[np.uint32]:
        """Return the MinHash signatures; uint32 (n, permutations)."""
        from datasketch import MinHash

        found = np.empty((len(self._keys), PERMUTATIONS), dtype=np.uint32)
        runs = ([run.encode() for run in sorted(shingles(key))] for key in self._keys)
        for at, sketch in enumerate(MinHash.generator(runs, num_perm=PERMUTATIONS, seed=1)):
            if at % _BLOCK == 0:
                progress("reading the wording", at, len(self._keys))
            found[at] = sketch.hashvalues
        progress("reading the wording", len(self._keys), len(self._keys))
        return found

    def _groups(self, band: NDArray[np.uint32]) -> tuple[IntArray, dict[int, IntArray]]:
        """Return the group of each question in one band, and the kept members of the groups with more than one."""
        rows = np.ascontiguousarray(band).view(np.dtype((np.void, band.dtype.itemsize * band.shape[1]))).ravel()
        _, group, size = np.unique(rows, return_inverse=True, return_counts=True)
        shared = np.flatnonzero((size[group] > 1) & self._kept)
        order = shared[np.argsort(group[shared], kind="stable")]
        names, starts = np.unique(group[order], return_index=True)
        members = np.split(order, starts[1:]) if len(order) else []
        return group.astype(np.intp), dict(zip(names.tolist(), members, strict=True))

    def near(self, at: int, among: Callable[[int], bool]) -> list[tuple[int, float]]:
        """Return the questions that share most runs of words with the one at `at`, the nearest first.

        Args:
            at: its place.
            among: which places are looked at.
        """
        places = [members for group, shared in self._bands if (members := shared.get(int(group[at]))) is not None]
        if not places:
            return []
        met = np.unique(np.concatenate(places))[:MET].tolist()
        found = list(islice((other for other in met if other != at and among(other)), CANDIDATES))
        shares = ((other, _jaccard(self._runs(at), self._runs(other))) for other in found)
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
