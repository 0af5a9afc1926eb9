"""Which training examples to show: a fixed, varied handful, or those nearest to the question."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from advisor import Example, Index, Input, query_text


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
    """Training examples, found by how near their inputs are to a question."""

    def __init__(self, examples: Sequence[Example], index: Callable[[Sequence[str]], Index]) -> None:
        self._examples, self._index = list(examples), index([query_text(example.input) for example in examples])

    def nearest(self, inputs: Sequence[Input], k: int) -> list[list[tuple[Example, float]]]:
        """Return the `k` most similar examples of every input with their cosine similarity, best first."""
        found = self._index.search([query_text(input) for input in inputs], k)
        return [[(self._examples[hit.position], hit.similarity) for hit in hits] for hits in found]
