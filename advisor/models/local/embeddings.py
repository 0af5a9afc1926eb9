"""Sentence embeddings on this machine: all-MiniLM-L6-v2, cached by content."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from advisor.models.local import runtime, weights
from advisor.strategy import Progress, silent

DIMENSIONS = 384


class Embedder:
    """Turns texts into vectors of unit length; every distinct text is computed once a process."""

    def __init__(self, progress: Progress = silent) -> None:
        self._progress = progress
        self._model: Any = None
        self._known: dict[bytes, NDArray[np.float32]] = {}

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts: float32 of shape (n, 384), rows of length 1; the empty sequence gives shape (0, 384).

        Raises:
            ModelError: the embedding weights cannot be had.
        """
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        if missing:
            vectors = self._load().encode(
                list(missing.values()), batch_size=32, normalize_embeddings=True, show_progress_bar=False
            )
            self._known.update(zip(missing, np.asarray(vectors, dtype=np.float32), strict=True))
        if not keys:
            return np.empty((0, DIMENSIONS), dtype=np.float32)
        return np.stack([self._known[key] for key in keys])

    def _load(self) -> Any:
        if self._model is None:
            runtime.settle()
            import transformers
            from sentence_transformers import SentenceTransformer

            transformers.utils.logging.disable_progress_bar()
            folder = weights.fetch(weights.MINILM, self._progress)
            self._model = SentenceTransformer(str(folder), device="cpu", local_files_only=True, trust_remote_code=False)
        return self._model
