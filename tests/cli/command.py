"""What the tests of the command line share: what a command gives back, and what a refusal looks like."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = (
    "torch",
    "transformers",
    "openai",
    "bm25s",
    "semantic_text_splitter",
    "pandas",
    "numpy",
    "scipy",
    "sklearn",
    "altair",
)
Result = subprocess.CompletedProcess[str]
Advise = Callable[..., Result]


def refused(done: Result, code: int, *says: str) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    for text in says:
        assert text in done.stderr


FIRST_WORDS = """
class FirstWords:
    name = "first_words"
    stochastic = False
    def fit(self, train, ctx): self.known = {str(example.input)[:6]: example.target for example in train}
    def predict(self, inputs): return [self.known.get(str(asked)[:6], "") for asked in inputs]
"""
