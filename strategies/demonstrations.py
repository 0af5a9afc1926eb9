"""Which training examples to show: a fixed, varied handful, or those nearest to the question."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from advisor import Embed, Example, Input


def varied(
    examples: Sequence[Example], k: int, rng: np.random.Generator, key: Callable[[Example], Hashable]
) -> list[Example]:
    """Return `k` examples, drawn at random but with as many different keys as possible (fewer where there are fewer).

    The first `k` of `varied(..., k + n)` are `varied(..., k)` for the same generator state.
    """
    shelves: dict[Hashable, list[Example]] = {}
    for at in rng.permutation(len(examples)):
        shelves.setdefault(key(examples[at]), []).append(examples[at])
    rounds = ((depth, shelf) for depth in range(len(examples)) for shelf in shelves.values())
    drawn: list[Example] = []
    for depth, shelf in rounds:
        if len(drawn) >= k:
            break
        drawn.extend(shelf[depth : depth + 1])
    return drawn


class Neighbours:
    """Training examples with their embeddings, searched exactly."""

    def __init__(self, examples: Sequence[Example], embed: Embed) -> None:
        self._examples, self._embed = list(examples), embed
        self._vectors = embed([str(example.input) for example in examples]).astype(np.float64)

    def nearest(self, inputs: Sequence[Input], k: int) -> list[list[tuple[Example, float]]]:
        """Return the `k` most similar examples of every input with their cosine similarity, best first."""
        if not inputs:
            return []
        similarities = self._embed([str(input) for input in inputs]).astype(np.float64) @ self._vectors.T
        # Nine decimals and a stable sort: among duplicates the first wins, whatever the batch size did to the last bit.
        ranked = np.argsort(-np.round(similarities, 9), axis=1, kind="stable")[:, :k]
        return [
            [(self._examples[at], float(row[at])) for at in best]
            for row, best in zip(similarities, ranked, strict=True)
        ]
