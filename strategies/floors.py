"""What any strategy must beat: answers that cost nothing, because no language model is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from advisor import Context, Example, Input, Prediction, Usage

from .demonstrations import Neighbours


class Majority:
    """Floor: always the most frequent training answer."""

    name = "majority"
    kind = "floor"
    stochastic = False
    learns = False

    def fit(self, train: Sequence[Example], ctx: Context) -> None:
        """Count the targets; a tie goes to the first in the alphabet."""
        counts = Counter(example.target for example in train)
        self._answer = min(counts, key=lambda target: (-counts[target], target))
        self.selection = {"answer": self._answer}

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Give that answer to every input."""
        return [Prediction(self._answer, Usage()) for _ in inputs]


class NearestExample:
    """Floor: the answer of the most similar training example (by embedding)."""

    name = "nearest_example"
    kind = "floor"
    stochastic = False

    def fit(self, train: Sequence[Example], ctx: Context) -> None:
        """Embed the training inputs."""
        self._neighbours = Neighbours(train, ctx.index)

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Give every input its nearest neighbour's answer."""
        nearest = [hits[0] for hits in self._neighbours.nearest(inputs, 1)]
        return [
            Prediction(example.target, Usage(), {"nearest": example.id, "similarity": similarity})
            for example, similarity in nearest
        ]


class CopyInput:
    """Floor: the input, unchanged (how far does doing nothing get?)."""

    name = "copy_input"
    kind = "floor"
    stochastic = False
    learns = False

    def fit(self, train: Sequence[Example], ctx: Context) -> None:
        """Learn nothing."""

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Give every input back: of a conversation, its last turn."""
        return [Prediction(_last_turn(input), Usage()) for input in inputs]


def _last_turn(input: Input) -> str:
    return input if isinstance(input, str) else next((turn.content for turn in reversed(input.messages)), "")
