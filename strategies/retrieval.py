"""The retrieval index: chromadb inside this process, in memory, always with our own embeddings, its telemetry off."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from advisor import Embed

_QUERIES_AT_ONCE = 256
_EXTRA_HITS = 8
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Hit:
    """One retrieved text: its position in what was indexed, and its cosine similarity to the query."""

    position: int
    similarity: float


class Index:
    """Texts by meaning: cosine similarity of their embeddings, in one chromadb collection of its own.

    The graph search looks at every text (`ef_search` = number of texts), since chromadb builds a slightly different
    graph each time and an approximate search would then find different texts for the same seed. On 10,000 texts that
    takes about 5 milliseconds a query.
    """

    def __init__(self, texts: Sequence[str], embed: Embed) -> None:
        self._embed, self._size = embed, len(texts)
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
                    "ef_search": max(100, len(texts)),
                    "max_neighbors": 32,
                }
            },
        )
        weakref.finalize(self, client.delete_collection, name).atexit = False  # memory goes with the process anyway
        vectors, batch = embed(texts), client.get_max_batch_size()
        for start in range(0, len(texts), batch):
            part = vectors[start : start + batch]
            self._collection.add(ids=[str(start + offset) for offset in range(len(part))], embeddings=part)

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Return the `k` most similar texts of every query (fewer where there are fewer), best first.

        Texts of equal similarity come in the order in which they were indexed.
        """
        hits: list[list[Hit]] = []
        for start in range(0, len(queries), _QUERIES_AT_ONCE):
            hits += self._nearest(self._embed(list(queries[start : start + _QUERIES_AT_ONCE])), k, k + _EXTRA_HITS)
        return hits

    def _nearest(self, vectors: NDArray[np.float32], k: int, wanted: int) -> list[list[Hit]]:
        """Ask for some more than `k`; where the cut falls among equals, ask for all, so that the first of them win."""
        wanted = min(wanted, self._size)
        found = self._collection.query(query_embeddings=vectors, n_results=wanted, include=["distances"])
        ranked = [_ranked(ids, far) for ids, far in zip(found["ids"], found["distances"], strict=True)]
        for at, row in enumerate(ranked):
            if wanted < self._size and row[k - 1].similarity == row[-1].similarity:
                [ranked[at]] = self._nearest(vectors[at : at + 1], k, self._size)
        return [row[:k] for row in ranked]


def _ranked(ids: Sequence[str], distances: Sequence[float]) -> list[Hit]:
    """Order by similarity to six decimals (float32 carries about seven), then by position."""
    found = [Hit(int(name), round(1.0 - float(distance), 6)) for name, distance in zip(ids, distances, strict=True)]
    return sorted(found, key=lambda hit: (-hit.similarity, hit.position))


def _client() -> Any:
    import chromadb
    from chromadb.config import Settings

    return chromadb.EphemeralClient(settings=Settings(anonymized_telemetry=False))
