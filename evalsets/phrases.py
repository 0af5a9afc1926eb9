"""Which texts hold which phrases, all looked for at once (Aho and Corasick 1975), in time linear in all their words."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence


def first_holders(phrases: Sequence[Sequence[str]], texts: Iterable[Sequence[str]]) -> dict[int, int]:
    """Return for each phrase that stands in some text, word for word and in one piece, the first text that holds it.

    Args:
        phrases: each as its words, one at least.
        texts: each as its words.
    """
    tree = _Tree(phrases)
    none = 2**31 - 1
    first = array("l", [none]) * tree.nodes
    for number, text in enumerate(texts):
        for node in tree.walk(text):
            if number < first[node]:
                first[node] = number
    for node in reversed(tree.by_depth):  # what ends a longer phrase ends its shorter ones too
        shorter = tree.shorter[node]
        first[shorter] = min(first[shorter], first[node])
    return {at: first[node] for at, node in enumerate(tree.ends) if first[node] != none}


class _Tree:
    """Phrases by their beginnings; node 0 is the empty one.

    Attributes:
        nodes: how many there are.
        ends: the node of each phrase.
        by_depth: all nodes but the empty one, the shallow ones first.
        shorter: for each node the longest other one that it ends with.
    """

    def __init__(self, phrases: Sequence[Sequence[str]]) -> None:
        self._words: dict[str, int] = {}
        for phrase in phrases:
            for word in phrase:
                self._words.setdefault(word, len(self._words))
        self._next: dict[int, int] = {}
        self.nodes, self.ends = 1, []
        levels: list[list[tuple[int, int, int]]] = []  # of each depth: node, its parent, its word
        for phrase in phrases:
            node = 0
            for depth, word in enumerate(phrase):
                number = self._words[word]
                step = node * len(self._words) + number
                if step not in self._next:
                    self._next[step] = self.nodes
                    if depth == len(levels):
                        levels.append([])
                    levels[depth].append((self.nodes, node, number))
                    self.nodes += 1
                node = self._next[step]
            self.ends.append(node)
        self.shorter = array("l", [0]) * self.nodes
        self.by_depth = array("l", (node for level in levels for node, _, _ in level))
        for level in levels[1:]:
            for node, parent, number in level:
                self.shorter[node] = self._step(self.shorter[parent], number)

    def _step(self, node: int, word: int) -> int:
        width, known = len(self._words), self._next
        while node and node * width + word not in known:
            node = self.shorter[node]
        return known.get(node * width + word, 0)

    def walk(self, text: Sequence[str]) -> Iterable[int]:
        """Yield after each word the node of the longest beginning of a phrase that the text so far ends with."""
        node = 0
        for word in text:
            number = self._words.get(word, -1)
            node = self._step(node, number) if number >= 0 else 0
            if node:
                yield node
