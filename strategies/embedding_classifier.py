"""The cheap way for label tasks: a linear head on sentence embeddings; no language model is asked."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from advisor import Context, Example, Input, Prediction, Task, Usage, query_text

from .choosing import mean_score

STRENGTHS = (1.0, 10.0, 100.0)
DEFAULT_STRENGTH = 10.0


class EmbeddingClassifier:
    """Classifier: logistic regression on the embeddings of the inputs.

    Args:
        C: inverse strength of the L2 penalty (scikit-learn's `C`); by default chosen on dev among 1, 10, 100.
    """

    name = "embedding_classifier"
    kind = "classifier"
    stochastic = False

    def __init__(self, C: float | None = None) -> None:
        self.C = C

    def applies(self, task: Task) -> str:
        """Return why not, where answers are not labels."""
        return "" if task.labels else "the task has no labels"

    def fit(self, train: Sequence[Example], ctx: Context) -> None:
        """Fit one head a strength and keep the best on all of dev (the first of equals, so the strongest penalty)."""
        self._embed = ctx.embed
        vectors, targets = ctx.embed([query_text(example.input) for example in train]), [e.target for e in train]
        strengths = STRENGTHS if ctx.dev else (DEFAULT_STRENGTH,)
        if self.C:
            strengths = (self.C,)
        heads = {strength: _head(vectors, targets, strength) for strength in strengths}
        scores = {strength: self._dev_score(head, ctx) for strength, head in heads.items()}
        best = max(strengths, key=lambda strength: -1.0 if (score := scores[strength]) is None else score)
        self._head = heads[best]
        by_name = {f"C={strength:g}": score for strength, score in scores.items()}
        self.selection: dict[str, Any] = {"C": best, "dev_examples": len(ctx.dev), "dev_scores": by_name}

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Give every input its most probable label; the trace holds that probability."""
        if not inputs:
            return []
        probabilities = self._head.predict_proba(self._embed([query_text(input) for input in inputs]))
        return [
            Prediction(str(self._head.classes_[row.argmax()]), Usage(), {"probability": float(row.max())})
            for row in probabilities
        ]

    def _dev_score(self, head: Any, ctx: Context) -> float | None:
        if not ctx.dev:
            return None
        answers = head.predict(ctx.embed([query_text(example.input) for example in ctx.dev]))
        return mean_score([str(answer) for answer in answers], ctx.dev, ctx.metric)


def _head(vectors: Any, targets: Sequence[str], strength: float) -> Any:
    if len(set(targets)) == 1:  # logistic regression needs two classes
        from sklearn.dummy import DummyClassifier

        return DummyClassifier().fit(vectors, targets)
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():  # many labels on few examples are no mistake of the user's
        warnings.filterwarnings("ignore", message="The number of unique classes", category=UserWarning)
        return LogisticRegression(C=strength, max_iter=2000).fit(vectors, targets)
