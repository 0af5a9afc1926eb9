"""Sentence embeddings on this machine: all-MiniLM-L6-v2, cached by content; long work goes on where it was cut off."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from advisor._util import files
from advisor.core import paths
from advisor.core.progress import Progress, silent
from advisor.models.local import runtime, weights

DIMENSIONS = 384
BLOCK = 1024
"""Texts that are embedded together, in some seconds; whole blocks are kept on disk, so that they are not done again."""
TOKENS = 256
"""What is longer is cut here: the length that all-MiniLM-L6-v2 was made for."""
BATCH = 32
"""Texts of similar length in one pass."""
FORMAT = 2
"""Of the files, and of how texts are embedded; another number lets all that was kept lie."""
_FORGOTTEN_SECONDS = 3600.0


class Embedder:
    """Turns texts into vectors of unit length; every distinct text is computed once a process.

    Of long lists each whole block of `BLOCK` texts is kept in ``ADVISOR_CACHE/embeddings``, under the content of all
    its texts: the last bits of a vector (1e-7) depend on what is computed beside it, and a list that is embedded in two
    goes shall give what it gives in one. That does not hold for texts which another list has had before.
    """

    def __init__(self, progress: Progress = silent) -> None:
        self._progress = progress
        self._model: _MiniLM | None = None
        self._known: dict[bytes, NDArray[np.float32]] = {}

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts: float32 of shape (n, 384), rows of length 1; the empty sequence gives shape (0, 384).

        Raises:
            ModelError: the embedding weights cannot be had.
        """
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        distinct = dict(zip(keys, texts, strict=True))
        names = list(distinct)
        for start in range(0, len(names), BLOCK):
            self._learn(names[start : start + BLOCK], distinct)
            if len(names) > BLOCK:
                self._progress("embedding texts", min(start + BLOCK, len(names)), len(names))
        if not keys:
            return np.empty((0, DIMENSIONS), dtype=np.float32)
        return np.stack([self._known[key] for key in keys])

    def _learn(self, block: Sequence[bytes], texts: Mapping[bytes, str]) -> None:
        missing = [key for key in block if key not in self._known]
        if not missing:
            return
        whole = len(block) == BLOCK
        wanted = list(block) if whole else missing
        vectors = _kept(block) if whole else None
        if vectors is None:
            vectors = self._computed([texts[key] for key in wanted])
            if whole:
                _keep(block, vectors)
        self._known.update(zip(wanted, vectors, strict=True))

    def _computed(self, texts: list[str]) -> NDArray[np.float32]:
        if self._model is None:
            self._model = _MiniLM(weights.fetch(weights.MINILM, self._progress))
        return self._model.encode(texts)


class _MiniLM:
    """The model itself. A text's vector is the mean of the last layer over its tokens, scaled to length 1.

    So the model's authors publish it, and so sentence-transformers computes it (Reimers and Gurevych 2019); the test
    holds vectors of that library.
    """

    def __init__(self, folder: Path) -> None:
        runtime.settle()
        import torch
        import transformers

        transformers.utils.logging.disable_progress_bar()
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, model_max_length=TOKENS
        )
        self._model = transformers.AutoModel.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, dtype=torch.float32
        ).eval()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row a text; longest texts first, so that a batch has little padding."""
        order = sorted(range(len(texts)), key=lambda at: -len(texts[at]))
        vectors = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            vectors[batch] = self._pass([texts[at] for at in batch])
        return vectors

    def _pass(self, texts: list[str]) -> NDArray[np.float32]:
        import torch

        tokens = self._tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            states = self._model(**tokens).last_hidden_state
            counted = tokens["attention_mask"].unsqueeze(-1).to(states.dtype)
            means = (states * counted).sum(dim=1) / counted.sum(dim=1)
            found: NDArray[np.float32] = torch.nn.functional.normalize(means, dim=1).numpy()
        return found


# --- blocks on disk: float32 rows, and behind them their SHA-256 -----------------------------------------------------


@cache
def _made_by() -> bytes:
    parts = [str(FORMAT), weights.MINILM.file_sha256, version("torch"), version("transformers")]
    return "|".join(parts).encode()


def _file(block: Sequence[bytes]) -> Path:
    return paths.cache() / "embeddings" / hashlib.sha256(_made_by() + b"".join(block)).hexdigest()


def _kept(block: Sequence[bytes]) -> NDArray[np.float32] | None:
    """Return a block that was kept; a file that is not whole and sound is not there."""
    size = len(block) * DIMENSIONS * 4
    try:
        content = files.read_bounded(_file(block), size + 32)
    except (OSError, files.UnusableFileError):
        return None
    if len(content) != size + 32 or hashlib.sha256(content[:size]).digest() != content[size:]:
        return None
    return np.frombuffer(content[:size], dtype=np.float32).reshape(len(block), DIMENSIONS)


def _keep(block: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
    """Keep a whole block; without room on the disk it is computed again the next time."""
    content = np.ascontiguousarray(vectors, dtype=np.float32).tobytes()
    path = _file(block)
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.sweep(path.parent, "*.part", _FORGOTTEN_SECONDS)
        files.write_whole(path, content + hashlib.sha256(content).digest(), mode=0o600)
