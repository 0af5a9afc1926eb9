"""Embeddings from an endpoint's ``/embeddings``: every text is paid for once, and what it took is kept beside it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from advisor.core.errors import ModelError
from advisor.core.progress import Progress, silent
from advisor.models.endpoint.model import EndpointModel
from advisor.models.local.vectors import KeptVectors

FORMAT = 1
TEXTS_AT_ONCE = 64
CHARACTERS_AT_ONCE = 100_000
WINDOW = 5000
"""Characters that are embedded at once, below 8,192 tokens in every script; a longer text is the mean of its parts."""
_BESIDE = 2
"""Numbers that stand behind a kept vector: its tokens, and the seconds of the call it came in."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors, and what they would take if nothing were kept.

    Attributes:
        vectors: float32 (n, d), rows of length 1.
        tokens: of all texts, as the server counted them.
        paid_tokens: of those that were really sent now.
        kept_seconds: what one would have waited for those that were kept.
    """

    vectors: NDArray[np.float32]
    tokens: float
    paid_tokens: float
    kept_seconds: float


class EndpointEmbedder:
    """The embeddings of one model behind an OpenAI-compatible endpoint.

    Vectors are kept in ``ADVISOR_CACHE/embeddings`` by address, model and the hash of their text. A provider that
    changes the model behind a name cannot be noticed.
    """

    def __init__(self, model: EndpointModel, progress: Progress = silent) -> None:
        self._model, self._progress = model, progress
        self._known: dict[bytes, NDArray[np.float32]] = {}

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Embed texts, those that are not kept in as few calls as it takes.

        Raises:
            ModelError: the endpoint refuses, does not answer, or answers with something else than vectors.
        """
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        self._known.update(self._kept.load(list(missing)))
        unpaid = {key: text for key, text in missing.items() if key not in self._known}
        for done, part in _batches(unpaid):
            self._progress("embedding texts", done, len(unpaid))
            found = self._asked(part)
            self._kept.keep(found)
            self._known.update(found)
        rows = [self._known[key] for key in keys]
        if len({len(row) for row in rows}) > 1:
            raise ModelError(
                f"{self._model.name} gives vectors of unlike lengths: {sorted({len(row) for row in rows})}"
            )
        table = np.stack(rows) if rows else np.empty((0, 1 + _BESIDE), dtype=np.float32)
        paid = sum(float(self._known[key][-2]) for key in unpaid)
        waits = {key: float(self._known[key][-1]) for key in keys if key not in unpaid}
        return Embedded(table[:, :-_BESIDE], float(table[:, -2].sum()), paid, max(waits.values(), default=0.0))

    @cached_property
    def _kept(self) -> KeptVectors:
        made_by = ["endpoint", str(FORMAT), self._model.address.url, self._model.model]
        return KeptVectors("|".join(made_by).encode(), None)

    def _asked(self, texts: dict[bytes, str]) -> dict[bytes, NDArray[np.float32]]:
        """Embed some texts in one call; its tokens are shared by the texts' length."""
        windows = {key: _windows(text) for key, text in texts.items()}
        sent = [window for each in windows.values() for window in each]
        started = time.perf_counter()
        content = self._model.post_embeddings(sent)
        seconds = time.perf_counter() - started
        vectors, tokens = _read(content, len(sent), self._model.name)
        size, at, found = sum(len(window.encode("utf-8", "replace")) for window in sent), 0, {}
        for key, each in windows.items():
            mean = vectors[at : at + len(each)].mean(axis=0)
            length = float(np.linalg.norm(mean)) or 1.0
            share = tokens * sum(len(window.encode("utf-8", "replace")) for window in each) / size
            found[key] = np.append(mean / length, [share, seconds]).astype(np.float32)
            at += len(each)
        return found


def _windows(text: str) -> list[str]:
    """Cut a text into as few parts as it takes, all of the same length; an empty one is sent as a space."""
    count = max(1, -(-len(text) // WINDOW))
    return [text[len(text) * at // count : len(text) * (at + 1) // count] or " " for at in range(count)]


def _batches(texts: dict[bytes, str]) -> Iterator[tuple[int, dict[bytes, str]]]:
    """Yield parts for one call each, with how many went before."""
    part: dict[bytes, str] = {}
    done = size = 0
    for key, text in texts.items():
        if part and (len(part) == TEXTS_AT_ONCE or size + len(text) > CHARACTERS_AT_ONCE):
            yield done, part
            done, part, size = done + len(part), {}, 0
        part[key], size = text, size + len(text)
    if part:
        yield done, part


def _read(content: bytes, count: int, name: str) -> tuple[NDArray[np.float32], float]:
    """Return vectors of length 1 in the order of what was sent, and the tokens that were counted.

    Raises:
        ModelError: it is no answer with as many vectors, of one length, and a count of tokens.
    """
    try:
        plain: Any = json.loads(content)
        rows = sorted(plain["data"], key=lambda one: int(one["index"]))
        vectors = np.array([one["embedding"] for one in rows], dtype=np.float32)
        tokens = float(plain["usage"]["prompt_tokens"])
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        sound = vectors.ndim == 2 and len(vectors) == count and np.all((lengths > 0) & np.isfinite(lengths))
        if not sound or not 0 <= tokens < 1e9:
            raise ValueError
    except (ValueError, TypeError, KeyError, OverflowError):
        said = content[:200].decode("utf-8", "replace")
        raise ModelError(
            f"{name} answered with something else than {count} embeddings and their tokens: {said!r}",
            hint="is it an embedding model?",
        ) from None
    scaled: NDArray[np.float32] = np.divide(vectors, lengths)
    return scaled, tokens
