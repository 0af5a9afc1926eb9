"""Sentence embeddings on this machine: all-MiniLM-L6-v2, cached by content; long work goes on where it was cut off."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from advisor.models.local import runtime, weights
from advisor.paths import home
from advisor.strategy import Progress, silent

DIMENSIONS = 384
BLOCK = 1024
"""Texts that are embedded together, in some seconds; whole blocks are kept on disk, so that they are not done again."""


class Embedder:
    """Turns texts into vectors of unit length; every distinct text is computed once a process.

    Of long lists each block of `BLOCK` texts is kept in ``ADVISOR_HOME/embeddings``, under the content of all its
    texts: what is computed beside a text changes the last bits of its vector, and a list that is embedded in two goes
    must give what it gives in one.
    """

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
            self._embed(missing)
        if not keys:
            return np.empty((0, DIMENSIONS), dtype=np.float32)
        return np.stack([self._known[key] for key in keys])

    def _embed(self, missing: Mapping[bytes, str]) -> None:
        keys = list(missing)
        for start in range(0, len(keys), BLOCK):
            block = keys[start : start + BLOCK]
            if len(keys) > BLOCK:
                self._progress("embedding texts", start, len(keys))
            vectors = _kept(block)
            if vectors is None:
                vectors = self._computed([missing[key] for key in block])
                _keep(block, vectors)
            self._known.update(zip(block, vectors, strict=True))

    def _computed(self, texts: list[str]) -> NDArray[np.float32]:
        vectors = self._load().encode(texts, batch_size=32, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)

    def _load(self) -> Any:
        if self._model is None:
            runtime.settle()
            import transformers
            from sentence_transformers import SentenceTransformer

            transformers.utils.logging.disable_progress_bar()
            folder = weights.fetch(weights.MINILM, self._progress)
            self._model = SentenceTransformer(str(folder), device="cpu", local_files_only=True, trust_remote_code=False)
        return self._model


def _file(block: Sequence[bytes]) -> Path:
    name = hashlib.sha256(weights.MINILM.file_sha256.encode() + b"".join(block)).hexdigest()
    return home() / "embeddings" / f"{name}.npy"


def _kept(block: Sequence[bytes]) -> NDArray[np.float32] | None:
    """Return a block that was kept; what cannot be read as one is not there."""
    if len(block) < BLOCK:
        return None
    with contextlib.suppress(OSError, ValueError, EOFError):
        found = np.load(_file(block), allow_pickle=False)
        if found.shape == (len(block), DIMENSIONS) and found.dtype == np.float32:
            return np.asarray(found)
    return None


def _keep(block: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
    """Keep a whole block; without room on the disk it is computed again the next time."""
    if len(block) < BLOCK:
        return
    path = _file(block)
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            np.save(file, vectors, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink()
