"""The lexical half of retrieval: BM25 over words, and over pieces of words where words stand without spaces."""

from __future__ import annotations

import hashlib
import itertools
import unicodedata
import weakref
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import regex

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRAM = 3
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー"
_RUNS = regex.compile(rf"(?V1)(?P<unspaced>[{_UNSPACED}]+)|[[\p{{L}}\p{{M}}\p{{N}}_]--[{_UNSPACED}]]+")
_PREFIXED = regex.compile(r"[\p{Arabic}\p{Hebrew}]")
_ACCENTED = regex.compile(r"[\p{Latin}\p{Greek}\p{Arabic}\p{Hebrew}]")
_ONE_FORM = str.maketrans("ىةکیٱ", "يهكيا", "ـ")
"""Letters of Arabic that are written in either way, and the stroke that only lengthens."""


def words_of(text: str) -> list[str]:
    """Return the words of a text as BM25 compares them: without case, accents and widths of letters.

    Scripts without spaces (Chinese, Japanese, Korean endings, Thai, Lao, Khmer, Burmese) give single characters and
    pairs of neighbours (Nie et al. 2000, "On the use of words and n-grams for Chinese information retrieval"). Arabic
    and Hebrew words, which carry articles and prepositions in front, also give their runs of three letters (McNamee and
    Mayfield 2004, "Character n-gram tokenization for European language text retrieval").
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    return [word for run in _RUNS.finditer(plain) for word in _words(run[0], bool(run["unspaced"]))]


def _words(run: str, unspaced: bool) -> Iterator[str]:
    if unspaced:
        parts = regex.findall(r"\X", run)
        yield from parts
        yield from map("".join, itertools.pairwise(parts))
        return
    word = _bare(run) if _ACCENTED.search(run) else run
    yield word
    if _PREFIXED.match(word):
        yield from (word[at : at + GRAM] for at in range(len(word) - GRAM + 1) if len(word) > GRAM)


def _bare(word: str) -> str:
    """Return a word without accents and vowel points, or as it is where nothing else would be left."""
    letters = "".join(one for one in unicodedata.normalize("NFKD", word) if unicodedata.category(one) != "Mn")
    return letters.translate(_ONE_FORM) or word


class LexicalIndex:
    """Texts by their words: BM25 as Lucene computes it (k1 = 1.5, b = 0.75; Kamphuis et al. 2020, via bm25s)."""

    def __init__(self, texts: Sequence[str]) -> None:
        import bm25s

        words = [words_of(text) for text in texts]
        self._size = len(texts)
        self._bm25: Any = bm25s.BM25(method="lucene", k1=1.5, b=0.75) if any(words) else None
        if self._bm25:
            self._bm25.index(words, show_progress=False)

    def nearest(self, query: str, k: int) -> list[tuple[int, float]]:
        """Return positions and scores of at most `k` texts that share a word with the query, best first.

        Scores that agree to six decimals come in the order in which the texts were indexed.
        """
        words = words_of(query)
        if not words or not self._bm25 or k < 1:
            return []
        scores: NDArray[np.float64] = np.round(self._bm25.get_scores(words).astype(np.float64), 6)
        shared = np.flatnonzero(scores > 0)
        best = shared[np.lexsort((shared, -scores[shared]))[:k]]
        return [(int(at), float(scores[at])) for at in best]


_held: weakref.WeakValueDictionary[bytes, LexicalIndex] = weakref.WeakValueDictionary()


def shared(texts: Sequence[str]) -> LexicalIndex:
    """Return the index of these texts, held once while anyone holds it."""
    content = hashlib.sha256()
    for text in texts:
        one = text.encode("utf-8", "surrogatepass")
        content.update(len(one).to_bytes(8, "little") + one)
    key = content.digest()
    found = _held.get(key)
    if found is None:
        found = _held[key] = LexicalIndex(texts)
    return found
