"""What retrieval costs beyond embedding: an index over n documents, its second use, and a query.

    python benchmarks/retrieval_index.py
    python benchmarks/retrieval_index.py --sizes 20000 --graph

Documents and queries are made up, and so are their vectors, which are put where the embedder keeps those that it has
computed: what is measured is everything but the embedding itself, whose pace `embeddings.py` measures. Every use is in
a process of its own, as a second comparison would be; its time begins when Python has started. ``--graph`` also
builds chromadb's index (HNSW, its own settings) over the same vectors, and says how many of the nearest it finds; it
is no part of the lock, so put it into the environment first: ``pip install chromadb==1.5.9``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time

QUERIES, K, CLUSTERS = 256, 8, 500
SECOND_USE_SECONDS, BUILD_SECONDS, OF_SIZE = 2.0, 15.0, 20_000


def texts_of(size: int) -> list[str]:
    """Return the documents; the queries come behind them."""
    return [f"Document {at} says that order {at * 7919 % 1_000_003} is on its way." for at in range(size + QUERIES)]


def put(size: int) -> None:
    """Put vectors for all texts where the embedder looks for them; they lie in clusters, as those of texts do."""
    import hashlib

    import numpy as np

    from advisor.models.local.embeddings import DIMENSIONS, Embedder

    rng, kept = np.random.default_rng(0), Embedder()._kept
    centres = rng.standard_normal((CLUSTERS, DIMENSIONS), dtype=np.float32)
    texts = texts_of(size)
    for start in range(0, len(texts), 10_000):
        keys = [hashlib.sha256(text.encode()).digest() for text in texts[start : start + 10_000]]
        rows = (
            rng.standard_normal((len(keys), DIMENSIONS), dtype=np.float32)
            + centres[rng.integers(CLUSTERS, size=len(keys))]
        )
        seconds = np.zeros((len(keys), 1), dtype=np.float32)  # what stands behind each kept vector
        unit = np.hstack([rows / np.linalg.norm(rows, axis=1, keepdims=True), seconds])
        kept.keep(dict(zip(keys, unit, strict=True)))


def use(size: int, graph: bool) -> dict[str, float]:
    """Make the index and ask it, in this process."""
    start = time.perf_counter()
    from advisor import Index
    from advisor.models.local.embeddings import Embedder

    embed, texts = Embedder(), texts_of(size)
    documents, queries = texts[:size], texts[size:]
    loaded = embed(documents)
    read = time.perf_counter()
    index = Index(documents, embed)
    built = time.perf_counter()
    hits = index.search(queries, K)
    asked = time.perf_counter()
    found = {"all": built - start, "index": built - read, "query": (asked - built) / QUERIES}
    found["gigabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    if graph:
        found |= beside(loaded, embed(queries), [{hit.position for hit in one} for one in hits])
    return found


def beside(rows, queries, exact: list[set[int]]) -> dict[str, float]:  # type: ignore[no-untyped-def]
    """Build chromadb's graph over the same vectors, and ask it the same."""
    import chromadb

    client = chromadb.EphemeralClient(settings=chromadb.config.Settings(anonymized_telemetry=False))
    start = time.perf_counter()
    graph = client.create_collection("graph", embedding_function=None, configuration={"hnsw": {"space": "cosine"}})
    for at in range(0, len(rows), client.get_max_batch_size()):
        part = rows[at : at + client.get_max_batch_size()]
        graph.add(ids=[str(at + offset) for offset in range(len(part))], embeddings=part)
    built = time.perf_counter()
    found = graph.query(query_embeddings=queries, n_results=K, include=["distances"])["ids"]
    asked = time.perf_counter()
    same = sum(len(one & {int(name) for name in names}) for one, names in zip(exact, found, strict=True))
    return {"graph": built - start, "graph_query": (asked - built) / QUERIES, "recall": same / QUERIES / K}


def child(*words: str) -> dict[str, float]:
    """Run this file in a process of its own."""
    done = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    told: dict[str, float] = json.loads(done.stdout or "{}")
    return told


def main() -> int:
    """Print the table; return 1 if something takes longer than is promised."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", default="20000,100000")
    parser.add_argument("--graph", action="store_true")
    parser.add_argument("--put", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--use", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.put or asked.use:
        if asked.put:
            put(asked.put)
        print(json.dumps(use(asked.use, asked.graph) if asked.use else {}))
        return 0
    kept = True
    heads = ["documents", "index beyond embedding, s", "second use, s", "a query, ms", "peak GB"]
    print("| " + " | ".join([*heads, "chromadb: graph, s", "a query, ms", "of the nearest found"]) + " |")
    print("|---|---|---|---|---|---|---|---|")
    for size in (int(each) for each in asked.sizes.split(",")):
        with tempfile.TemporaryDirectory() as place:
            os.environ["ADVISOR_CACHE"] = place
            child("--put", str(size))
            one = child("--use", str(size), *(["--graph"] if asked.graph else []))
        shown = (
            f"| {size:,} | {one['index']:.2f} | {one['all']:.2f} | {one['query'] * 1e3:.1f} | {one['gigabytes']:.2f} |"
        )
        graph = (
            f" {one['graph']:.0f} | {one['graph_query'] * 1e3:.1f} | {one['recall']:.3f} |"
            if "graph" in one
            else " – | – | – |"
        )
        print(shown + graph, flush=True)
        kept &= size > OF_SIZE or (one["all"] <= SECOND_USE_SECONDS and one["index"] <= BUILD_SECONDS)
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    said = f"{OF_SIZE:,} documents: {BUILD_SECONDS:g} s beyond embedding, {SECOND_USE_SECONDS:g} s the second time"
    print(f"promised for {said}: {'kept' if kept else 'NOT KEPT'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
