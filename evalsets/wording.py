"""Questions that share most of their wording, found exactly: most runs of three words are in both.

An all-pairs similarity join with prefix and position filters: Bayardo, Ma and Srikant 2007 ("Scaling up all pairs
similarity search"); Xiao, Wang, Lin and Yu 2008 ("Efficient similarity joins for near duplicate detection", PPJoin).
Departure: one neighbour a question is enough, so that what is stamped from one template takes no longer than its rows.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from advisor.core.progress import Progress
from advisor.stats.bootstrap import IntArray

SHINGLE_WORDS = 3
JACCARD = 0.7
ENOUGH, COMPARED, LOOKED = 4, 32, 1_000
"""Of a question's neighbours the nearest of the first 4 is taken. At most 32 candidates that turn out to be none are
compared, and at most 1,000 groups of candidates are looked at; `NearestWording.told` says for how many it was so."""
ANSWERS_EACH = 8
"""Of a question that stands there with more than 8 different answers (a contradiction, which is a finding of its own)
so many are held against others."""
_STEP = 512

Accepted = frozenset[str]


@dataclass(frozen=True, slots=True)
class Near:
    """A neighbour: its place, and the share of runs in common."""

    at: int
    share: float


class NearestWording:
    """The nearest neighbour of each place that has one."""

    def __init__(self) -> None:
        self.of: dict[int, Near] = {}
        self._unsure: set[int] = set()

    def note(self, at: int, near: Near | None, *, sure: bool) -> None:
        """Take in what a search for one place gave."""
        known = self.of.get(at)
        if near and (known is None or (-near.share, near.at) < (-known.share, known.at)):
            self.of[at] = near
        if not sure:
            self._unsure.add(at)

    @property
    def told(self) -> str:
        """Say for how many places not every candidate was compared and none was found; empty where there are none."""
        unsure = len(self._unsure - self.of.keys())
        more = f"; {unsure:,} more are like so many that not all were compared (at most {COMPARED} each)"
        return more if unsure else ""


class Wording:
    """The runs of words of questions, and for each the nearest of those that share most of them.

    Args:
        keys: `key_of` of each question.
        answers: `answers_of` of each.
        parts: where each belongs (its split).
        progress: where to say how far it is.
    """

    def __init__(
        self, keys: Sequence[str], answers: Sequence[Accepted], parts: Sequence[str], progress: Progress
    ) -> None:
        self.keys, self.answers, self.parts, self.progress = keys, answers, parts, progress
        names: dict[str, int] = {}
        self.question = np.fromiter((names.setdefault(key, len(names)) for key in keys), np.intp, len(keys))
        progress("reading the wording", 0, len(names))
        self.runs = Runs.of(list(names))
        progress("reading the wording", len(names), len(names))

    def between(self, asked: Iterable[int], among: Iterable[int], what: str) -> NearestWording:
        """Return for each place of `asked` its neighbour among others that accepts a common answer, if it has one."""
        looking: defaultdict[str, list[int]] = defaultdict(list)
        for at in asked:
            for answer in self.answers[at]:
                looking[answer].append(at)
        there: defaultdict[str, list[int]] = defaultdict(list)
        for at in among:
            for answer in self.answers[at]:
                if answer in looking:
                    there[answer].append(at)
        found = NearestWording()
        for done, (answer, places) in enumerate(looking.items()):
            if done % _STEP == 0:
                self.progress(what, done, len(looking))
            if answer in there:
                candidates = Candidates(self)
                for at in there[answer]:
                    candidates.add(at)
                self._search(places, candidates, found)
        self.progress(what, len(looking), len(looking))
        return found

    def earlier(self, what: str) -> NearestWording:
        """Return for each place its earlier neighbour of the same part that accepts a common answer, if it has one."""
        groups: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for at, answers in enumerate(self.answers):
            for answer in answers:
                groups[self.parts[at], answer].append(at)
        found = NearestWording()
        for done, places in enumerate(groups.values()):
            if done % _STEP == 0:
                self.progress(what, done, len(groups))
            if len(places) > 1:
                self._search(places, Candidates(self), found, grows=True)
        self.progress(what, len(groups), len(groups))
        return found

    def earlier_with_other_answer(self, what: str) -> NearestWording:
        """Return for each place its earlier neighbour that accepts no answer in common, if it has one."""
        found = NearestWording()
        self._search(range(len(self.keys)), Candidates(self, apart=True), found, grows=True, what=what)
        return found

    def _search(
        self, places: Sequence[int], among: Candidates, found: NearestWording, *, grows: bool = False, what: str = ""
    ) -> None:
        """Look for the neighbour of each place; with `grows` each is a candidate for those after it."""
        for done, at in enumerate(places):
            if what and done % _STEP == 0:
                self.progress(what, done, len(places))
            near, sure = among.near(at)
            found.note(at, near, sure=sure)
            if grows:
                among.add(at)
        if what:
            self.progress(what, len(places), len(places))


class Candidates:
    """Questions by the rarest of their runs: two that share `JACCARD` of their runs share one of these.

    Args:
        wording: what the places are places of.
        apart: give only candidates that accept no answer in common with what is asked for.
    """

    def __init__(self, wording: Wording, *, apart: bool = False) -> None:
        self._wording, self._runs, self._apart = wording, wording.runs, apart
        self._groups: dict[int, dict[tuple[int, int], dict[Accepted, list[int]]]] = {}
        self._known: set[tuple[int, Accepted]] = set()
        self._each: Counter[int] = Counter()

    def add(self, at: int) -> None:
        """Make a place a candidate; of places with the same question the first is enough."""
        question = int(self._wording.question[at])
        answers = self._wording.answers[at] if self._apart else frozenset()
        if (question, answers) in self._known or self._each[question] == ANSWERS_EACH:
            return
        self._known.add((question, answers))
        self._each[question] += 1
        size = self._runs.size(question)
        for position, run in self._runs.rare(question):
            group = self._groups.setdefault(run, {}).setdefault((size, position), {})
            places = group.setdefault(answers, [])
            if len(places) <= COMPARED + 1:  # no search gets to the end of so many: itself and 32 others
                places.append(at)

    def near(self, at: int) -> tuple[Near | None, bool]:
        """Return the nearest of the first `ENOUGH` neighbours, and whether all candidates were compared if none is."""
        question = int(self._wording.question[at])
        size, best, matches, compared = self._runs.size(question), None, 0, 0
        effort = _Effort()
        for other in self._candidates(at, question, size, effort):
            compared += 1
            theirs = int(self._wording.question[other])
            common = self._runs.common(question, theirs)
            share = common / (size + self._runs.size(theirs) - common)
            if share >= JACCARD:
                matches += 1
                best = Near(other, share) if best is None or share > best.share else best
            if matches == ENOUGH or compared == COMPARED:
                effort.spent = True
                break
        return best, not effort.spent or best is not None

    def _candidates(self, at: int, question: int, size: int, effort: _Effort) -> Iterator[int]:
        """Yield candidates once each, those that share the rarest run first."""
        own, seen, numbers = self._wording.answers[at], {question}, self._wording.question
        for position, run in self._runs.rare(question):
            for (theirs, place), by_answers in self._groups.get(run, {}).items():
                if effort.over():
                    return
                if min(size - position, theirs - place) < least_common(size, theirs):
                    continue  # too few runs are left for the two to be near
                for answers, places in by_answers.items():
                    if self._apart and not own.isdisjoint(answers):
                        if effort.over():
                            return
                        continue
                    for other in places:
                        if (other_question := int(numbers[other])) not in seen:
                            seen.add(other_question)
                            yield other


@dataclass(slots=True)
class _Effort:
    """How many groups were looked at for one question."""

    looked: int = 0
    spent: bool = field(default=False)

    def over(self) -> bool:
        self.looked += 1
        self.spent = self.spent or self.looked > LOOKED
        return self.spent


def least_common(a: int, b: int) -> int:
    """Return how many runs two questions of so many runs have in common at least where they share `JACCARD`."""
    return math.ceil(JACCARD / (1 + JACCARD) * (a + b) - 1e-9)


class Runs:
    """The runs of three words of texts as numbers, of each text the rarest first: number 0 is the rarest of all.

    Args:
        numbers: int32, the runs of all texts, one after the other.
        starts: where those of each text begin; the end of the last one at its end.
        single: runs with a smaller number stand in one text only, and so lead to no other.
    """

    def __init__(self, numbers: NDArray[np.int32], starts: IntArray, single: int) -> None:
        self._numbers, self._starts = numbers, starts.tolist()
        sizes = np.diff(starts)
        alone = np.add.reduceat(numbers < single, starts[:-1]) if len(sizes) else sizes
        self._sizes, self._alone = sizes.tolist(), alone.tolist()
        self._marked = np.full(int(numbers.max(initial=-1)) + 1, -1, dtype=np.int32)
        self._last = -1

    @classmethod
    def of(cls, texts: Sequence[str]) -> Runs:
        """Read texts."""
        codes, row = _shingle_codes(texts)
        _, run, held = np.unique(codes, return_inverse=True, return_counts=True)
        del codes
        pairs = np.sort(row * np.int64(len(held)) + run)
        pairs = pairs[np.diff(pairs, prepend=-1) > 0]  # a text holds each of its runs once
        row, run = np.divmod(pairs, max(1, len(held)))
        del pairs
        held = np.bincount(run, minlength=len(held))
        rank = np.empty(len(held), dtype=np.int64)
        rank[np.argsort(held, kind="stable")] = np.arange(len(held))
        starts = np.searchsorted(row, np.arange(len(texts) + 1))
        row *= max(1, len(held))
        row += rank[run]
        row.sort()
        return cls((row % max(1, len(held))).astype(np.int32), starts.astype(np.intp), int(np.sum(held == 1)))

    def size(self, text: int) -> int:
        """Return how many different runs a text has."""
        return int(self._sizes[text])

    def rare(self, text: int) -> Iterator[tuple[int, int]]:
        """Yield position and number of the rarest runs of a text, without those that no other text has.

        So many that every text that shares `JACCARD` of its runs shares one of them: the prefix of the sources.
        """
        start, alone = self._starts[text], self._alone[text]
        end = self._sizes[text] - math.ceil(JACCARD * self._sizes[text] - 1e-9) + 1
        if alone < end:
            yield from enumerate(self._numbers[start + alone : start + end].tolist(), alone)

    def common(self, a: int, b: int) -> int:
        """Return how many runs two texts have in common; quick where `a` is the same again and again."""
        if self._last != a:
            self._marked[self._of(a)] = a
            self._last = a
        return int(np.count_nonzero(self._marked[self._of(b)] == a))

    def _of(self, text: int) -> NDArray[np.int32]:
        return self._numbers[self._starts[text] : self._starts[text + 1]]


def _shingle_codes(texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return a number for each run of three words, equal where the words are, and the text that it stands in.

    A text of fewer words is one run, of all its words.
    """
    words: dict[str, int] = {}
    lengths = np.empty(len(texts), dtype=np.int64)
    flat: list[NDArray[np.int32]] = []
    for at, text in enumerate(texts):
        own = [words.setdefault(word, len(words) + 1) for word in text.split()]
        own += [0] * (SHINGLE_WORDS - len(own))
        lengths[at] = len(own)
        flat.append(np.asarray(own, dtype=np.int32))
    numbers = np.concatenate(flat) if flat else np.empty(0, dtype=np.int32)
    begins = np.ones(len(numbers), dtype=np.bool_)
    for last in range(1, SHINGLE_WORDS):
        begins[np.cumsum(lengths) - last] = False
    first = np.flatnonzero(begins)
    code = numbers[first].astype(np.int64)
    for step in range(1, SHINGLE_WORDS):
        if step > 1:  # so that no number gets too large
            code = np.unique(code, return_inverse=True)[1]
        code *= len(words) + 1
        code += numbers[first + step]
    return code, np.repeat(np.arange(len(texts), dtype=np.int64), lengths - SHINGLE_WORDS + 1)
