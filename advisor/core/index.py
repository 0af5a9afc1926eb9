"""The retrieval index: by meaning (every text compared with every query, by a matrix product), by words, or by both.

Nothing is built beyond the embeddings, nothing is approximate, and there is no size above which something else
happens. A graph (HNSW) answers sooner, but takes far longer to build than any comparison asks:
`benchmarks/retrieval_index.py` has the figures.
"""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from advisor.core import lexical
from advisor.core.errors import ConfigurationError, did_you_mean
from advisor.core.types import Embed

IndexKind = Literal["dense", "lexical", "hybrid"]

RANK_OFFSET = 60
"""The constant k of reciprocal rank fusion (Cormack, Clarke and Buettcher 2009, SIGIR)."""
FUSED_DEPTH = 100
"""So many texts of each list are joined, or `k` where that is more."""
_SCORES_AT_ONCE = 16_000_000
"""Similarities that are held at a time: 64 MB."""
_RANKED_AT_ONCE = 10_000
_MARGIN = 1e-5
"""More than a sixth decimal and what two float32 similarities of unit vectors are off, together."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One retrieved text: its position in what was indexed, and how like the query it is.

    `similarity` is the cosine of a dense index, the BM25 score of a lexical one (0 and more, without a bound), and the
    sum of 1 / (60 + rank) of a hybrid one.
    """

    position: int
    similarity: float


class Index:
    """Texts to be found by meaning, by words, or by both.

    Indexes of the same texts share what they hold, so that the strategies of one comparison hold it once.

    Args:
        texts: what can be found.
        embed: texts to vectors; not asked by a lexical index.
        kind: `dense`, by the cosine of embeddings; `lexical`, by BM25 over words; `hybrid`, both lists joined by
            reciprocal rank fusion.

    Raises:
        ConfigurationError: an unknown kind.
    """

    def __init__(self, texts: Sequence[str], embed: Embed, kind: IndexKind = "dense") -> None:
        if kind not in get_args(IndexKind):
            raise ConfigurationError(
                f"the index kind {kind!r} is unknown; {did_you_mean(str(kind), get_args(IndexKind))}",
                hint='ctx.index(texts, kind="hybrid")',
            )
        self._embed, self.kind = embed, kind
        self._vectors = _shared(embed(texts)) if kind != "lexical" else None
        self._words = lexical.shared(texts) if kind != "dense" else None

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Return the `k` most similar texts of every query (fewer where there are fewer), best first.

        A lexical index gives only texts that share a word with the query. Texts whose similarities agree to six
        decimals come in the order in which they were indexed.
        """
        if not queries:
            return []
        depth = max(k, FUSED_DEPTH) if self.kind == "hybrid" and k > 0 else k
        by_meaning = self._vectors.nearest(self._embed(list(queries)), depth) if self._vectors else None
        by_words = (
            [[Hit(*one) for one in self._words.nearest(each, depth)] for each in queries] if self._words else None
        )
        if by_meaning is None or by_words is None:
            return by_meaning or by_words or []
        return [fused(lists)[: max(0, k)] for lists in zip(by_meaning, by_words, strict=True)]


def fused(lists: Sequence[Sequence[Hit]]) -> list[Hit]:
    """Join ranked lists by reciprocal rank fusion: the sum of 1 / (60 + rank), best first, equals by position."""
    sums: dict[int, float] = {}
    for hits in lists:
        for rank, hit in enumerate(hits, start=1):
            sums[hit.position] = sums.get(hit.position, 0.0) + 1.0 / (RANK_OFFSET + rank)
    ranked = [Hit(position, round(value, 6)) for position, value in sums.items()]
    return sorted(ranked, key=lambda hit: (-hit.similarity, hit.position))


class _Exact:
    """All vectors, each compared with every query."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        self._rows = vectors

    def nearest(self, queries: NDArray[np.float32], k: int) -> list[list[Hit]]:
        """Return the nearest of each query; float32 finds who may be among them, float64 ranks these."""
        size, queries = len(self._rows), _unit(queries)
        k, step = min(k, size), max(1, _SCORES_AT_ONCE // max(1, size))
        if k < 1:
            return [[] for _ in queries]
        hits: list[list[Hit]] = []
        for start in range(0, len(queries), step):
            part = queries[start : start + step]
            hits += [self._ranked(query, row, k) for query, row in zip(part, part @ self._rows.T, strict=True)]
        return hits

    def _ranked(self, query: NDArray[np.float32], scores: NDArray[np.float32], k: int) -> list[Hit]:
        last = np.partition(scores, len(scores) - k)[len(scores) - k]
        near = np.flatnonzero(scores >= last - _MARGIN)
        wide, found = query.astype(np.float64), np.empty(len(near))
        for start in range(0, len(near), _RANKED_AT_ONCE):
            part = slice(start, start + _RANKED_AT_ONCE)
            # A row's own products: unlike a matrix product their sum does not depend on how many rows there are.
            found[part] = np.round((self._rows[near[part]] * wide).sum(axis=1), 6)
        best = np.lexsort((near, -found))[:k]
        return [Hit(int(near[at]), float(found[at])) for at in best]


_held: weakref.WeakValueDictionary[bytes, _Exact] = weakref.WeakValueDictionary()


def _shared(vectors: NDArray[np.float32]) -> _Exact:
    """Return what searches these vectors, held once while anyone holds it."""
    rows = _unit(vectors)
    content = hashlib.sha256(f"{rows.shape}|".encode())
    content.update(rows.data)
    key = content.digest()
    found = _held.get(key)
    if found is None:
        found = _held[key] = _Exact(rows)
    return found


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale rows to length 1; what has no length is like nothing."""
    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    lengths: NDArray[np.float32] = np.linalg.norm(rows, axis=1, keepdims=True).astype(np.float32)
    lengths[lengths == 0] = 1.0
    scaled: NDArray[np.float32] = np.divide(rows, lengths)
    return scaled
