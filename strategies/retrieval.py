"""The retrieval index: exact search by a matrix product, and above `EXACT_TEXTS` a chromadb graph.

chromadb runs inside this process, in memory, always with our own embeddings, its telemetry off.
"""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from advisor import Embed

EXACT_TEXTS = 200_000
"""Up to so many texts every one is compared with every query: 300 MB of vectors, and no index to build."""
_QUERIES_AT_ONCE = 256
_SCORES_AT_ONCE = 16_000_000
"""Similarities that are held at a time: 64 MB."""
_RANKED_AT_ONCE = 10_000
_MARGIN = 1e-5
"""More than a sixth decimal and what two float32 similarities of unit vectors are off, together."""
_EXTRA_HITS = 8
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Hit:
    """One retrieved text: its position in what was indexed, and its cosine similarity to the query."""

    position: int
    similarity: float


class Index:
    """Texts by meaning: the cosine similarity of their embeddings.

    Indexes of the same vectors share them, so that the strategies of one comparison hold them once.
    """

    def __init__(self, texts: Sequence[str], embed: Embed) -> None:
        self._embed, self._vectors = embed, _shared(embed(texts))

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Return the `k` most similar texts of every query (fewer where there are fewer), best first.

        Texts whose similarities agree to six decimals come in the order in which they were indexed.
        """
        hits: list[list[Hit]] = []
        for start in range(0, len(queries), _QUERIES_AT_ONCE):
            hits += self._vectors.nearest(self._embed(list(queries[start : start + _QUERIES_AT_ONCE])), k)
        return hits


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


class _Graph:
    """A chromadb collection of its own.

    The graph search looks at every text (`ef_search` = number of texts), since chromadb builds a slightly different
    graph each time and an approximate search would then find different texts for the same seed.
    """

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        self._size = len(vectors)
        client = _client()
        name = f"run-{next(_numbers)}"
        self._collection = client.create_collection(
            name,
            embedding_function=None,  # the default one downloads a model
            configuration={
                "hnsw": {
                    "space": "cosine",
                    "num_threads": 1,
                    "ef_construction": 128,
                    "ef_search": max(100, len(vectors)),
                    "max_neighbors": 32,
                }
            },
        )
        weakref.finalize(self, client.delete_collection, name).atexit = False  # memory goes with the process anyway
        batch = client.get_max_batch_size()
        for start in range(0, len(vectors), batch):
            part = vectors[start : start + batch]
            self._collection.add(ids=[str(start + offset) for offset in range(len(part))], embeddings=part)

    def nearest(self, queries: NDArray[np.float32], k: int) -> list[list[Hit]]:
        return self._nearest(queries, k, k + _EXTRA_HITS)

    def _nearest(self, vectors: NDArray[np.float32], k: int, wanted: int) -> list[list[Hit]]:
        """Ask for some more than `k`; where the cut falls among equals, ask for all, so that the first of them win."""
        wanted = min(wanted, self._size)
        found = self._collection.query(query_embeddings=vectors, n_results=wanted, include=["distances"])
        ranked = [_ranked(ids, far) for ids, far in zip(found["ids"], found["distances"], strict=True)]
        for at, row in enumerate(ranked):
            if wanted < self._size and row[k - 1].similarity == row[-1].similarity:
                [ranked[at]] = self._nearest(vectors[at : at + 1], k, self._size)
        return [row[:k] for row in ranked]


_held: weakref.WeakValueDictionary[bytes, _Exact | _Graph] = weakref.WeakValueDictionary()


def _shared(vectors: NDArray[np.float32]) -> _Exact | _Graph:
    """Return what searches these vectors, built once while anyone holds it."""
    rows = _unit(vectors)
    content = hashlib.sha256(f"{rows.shape}|{EXACT_TEXTS}|".encode())
    content.update(rows.data)
    key = content.digest()
    found = _held.get(key)
    if found is None:
        found = _Exact(rows) if len(rows) <= EXACT_TEXTS else _Graph(rows)
        _held[key] = found
    return found


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale rows to length 1; what has no length is like nothing."""
    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    lengths: NDArray[np.float32] = np.linalg.norm(rows, axis=1, keepdims=True).astype(np.float32)
    lengths[lengths == 0] = 1.0
    scaled: NDArray[np.float32] = np.divide(rows, lengths)
    return scaled


def _ranked(ids: Sequence[str], distances: Sequence[float]) -> list[Hit]:
    """Order by similarity to six decimals (float32 carries about seven), then by position."""
    found = [Hit(int(name), round(1.0 - float(distance), 6)) for name, distance in zip(ids, distances, strict=True)]
    return sorted(found, key=lambda hit: (-hit.similarity, hit.position))


def _client() -> Any:
    import chromadb
    from chromadb.config import Settings

    return chromadb.EphemeralClient(settings=Settings(anonymized_telemetry=False))
