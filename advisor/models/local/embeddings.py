"""Sentence embeddings on this machine: all-MiniLM-L6-v2, every text computed once and then kept on disk."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from importlib.metadata import version
from itertools import chain, groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from advisor._util.batches import batches
from advisor.core.progress import Progress, silent
from advisor.models.local import runtime, weights
from advisor.models.local.vectors import KeptVectors

if TYPE_CHECKING:
    from torch import Tensor

DIMENSIONS = 384
BLOCK = 1024
"""Texts that are computed before they are kept, in some seconds: a killed process loses no more."""
TOKENS = 256
"""What is longer is read in windows: the length that all-MiniLM-L6-v2 was made for."""
PASS_TOKENS = 512
"""Every pass of the model is over so many tokens, so that a text's products do not depend on what is beside it."""
FORMAT = 5
"""Of how texts are embedded; another number lets all that was kept lie."""
ATTENTION = "advisor_each_text_alone"


class Embedder:
    """Turns texts into vectors of unit length; every distinct text is computed once.

    Vectors are kept in ``ADVISOR_CACHE/embeddings`` by the hash of their text, and what is computed anew is what was
    kept: to the last bit on the same machine, whatever was embedded together (`_MiniLM`).
    """

    def __init__(self, progress: Progress = silent) -> None:
        self._progress = progress
        self._known: dict[bytes, NDArray[np.float32]] = {}

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts: float32 of shape (n, 384), rows of length 1; the empty sequence gives shape (0, 384).

        Raises:
            ModelError: the embedding weights cannot be had.
        """
        keys, missing = self._looked_up(texts)
        if missing:
            self._learn(missing)
        if not keys:
            return np.empty((0, DIMENSIONS), dtype=np.float32)
        return np.stack([self._known[key][:DIMENSIONS] for key in keys])

    def kept_seconds(self, texts: Sequence[str]) -> float:
        """Return how long it took to compute those of the texts that are kept, each counted once."""
        keys, _ = self._looked_up(texts)
        return float(sum(self._known[key][DIMENSIONS] for key in set(keys) if key in self._known))

    def _looked_up(self, texts: Sequence[str]) -> tuple[list[bytes], dict[bytes, str]]:
        """Return the texts' keys, and by key those that have to be computed."""
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        if missing:
            self._known.update(self._kept.load(list(missing)))
        return keys, {key: text for key, text in missing.items() if key not in self._known}

    def unkept(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts as if none were kept, and keep none: the same vectors, at what they cost alone."""
        return self._computed(list(texts)) if texts else self(texts)

    def _learn(self, texts: dict[bytes, str]) -> None:
        """Compute texts and keep them, a block at a time, each with its share of the time by its length."""
        done, _ = 0, self._model
        for block in batches(texts, BLOCK):
            lengths = np.array([1 + len(texts[key]) for key in block], dtype=np.float64)
            started = time.perf_counter()
            vectors = self._computed([texts[key] for key in block])
            shares = (time.perf_counter() - started) * lengths / lengths.sum()
            rows = np.column_stack([vectors, shares]).astype(np.float32)
            found = dict(zip(block, rows, strict=True))
            self._kept.keep(found)
            self._known.update(found)
            done += len(block)
            if len(texts) > BLOCK:
                self._progress("embedding texts", done, len(texts))

    def _computed(self, texts: list[str]) -> NDArray[np.float32]:
        return self._model.encode(texts)

    @cached_property
    def _model(self) -> _MiniLM:
        return _MiniLM(weights.fetch(weights.MINILM, self._progress))

    @cached_property
    def _kept(self) -> KeptVectors:
        made_by = [str(FORMAT), weights.MINILM.file_sha256, version("torch"), version("transformers")]
        return KeptVectors("|".join(made_by).encode(), DIMENSIONS + 1)


class _MiniLM:
    """The model itself. A text's vector is the mean of the last layer over its tokens, scaled to length 1.

    So the model's authors publish it, and so sentence-transformers computes it (Reimers and Gurevych 2019); the test
    holds vectors of that library.

    A text of more than `TOKENS` tokens is read whole, in as few windows as it takes, all of the same length (to one
    token); its vector is the mean of theirs, scaled to length 1.

    Texts lie one behind the other in passes of `PASS_TOKENS`, without padding but at the end of the pass; in the
    attention each sees itself alone. So little is computed in vain, and a matrix product has the same shape whichever
    texts are asked for.
    """

    def __init__(self, folder: Path) -> None:
        runtime.settle()
        import torch
        import transformers

        transformers.utils.logging.disable_progress_bar()
        transformers.AttentionInterface.register(ATTENTION, _each_text_alone)
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, model_max_length=TOKENS
        )
        self._model = transformers.AutoModel.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            dtype=torch.float32,
            attn_implementation=ATTENTION,
        ).eval()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row a text; several passes at once, each with one thread, which wait less for one another."""
        import torch

        read = self._tokenizer(list(texts), add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
        windows = [self._windows(tokens) for tokens in read]
        rows = list(chain.from_iterable(windows))
        vectors = np.empty((len(rows), DIMENSIONS), dtype=np.float32)
        passes = _passes([len(row) for row in rows])
        threads = torch.get_num_threads()
        if len(passes) > 1:
            torch.set_num_threads(1)
        try:
            with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                given = [[rows[at] for at in places] for places in passes]
                found = pool.map(self._pass, given) if len(passes) > 1 else map(self._pass, given)
                for places, part in zip(passes, found, strict=True):
                    vectors[places] = part
        finally:
            torch.set_num_threads(threads)
        return _pooled(vectors, [len(each) for each in windows])

    def _windows(self, tokens: list[int]) -> list[list[int]]:
        first, last, room = self._tokenizer.cls_token_id, self._tokenizer.sep_token_id, TOKENS - 2
        count = max(1, -(-len(tokens) // room))
        ends = [len(tokens) * at // count for at in range(count + 1)]
        return [[first, *tokens[start:end], last] for start, end in pairwise(ends)]

    def _pass(self, rows: list[list[int]]) -> NDArray[np.float32]:
        import torch

        rest = PASS_TOKENS - sum(len(row) for row in rows)
        filled = [*rows, [self._tokenizer.pad_token_id] * rest] if rest else rows
        runs = [(length, len(list(same))) for length, same in groupby(len(row) for row in filled)]
        with torch.inference_mode():
            states = self._model(
                input_ids=torch.tensor([list(chain.from_iterable(filled))]),
                position_ids=torch.tensor([[at for row in filled for at in range(len(row))]]),
                runs=runs,
            ).last_hidden_state
            means = torch.cat([each.mean(dim=-2) for each in _split(states[0], runs)])[: len(rows)]
            found: NDArray[np.float32] = torch.nn.functional.normalize(means, dim=1).numpy()
        return found


def _passes(lengths: Sequence[int]) -> list[list[int]]:
    """Put texts of these lengths into as few passes as it takes (nearly): the longest first, each where it still fits.

    Returns the positions of the texts of each pass, the longest first.
    """
    passes: list[list[int]] = []
    room: list[int] = []
    for at in sorted(range(len(lengths)), key=lambda at: -lengths[at]):
        fits = next((number for number, left in enumerate(room) if left >= lengths[at]), len(room))
        if fits == len(room):
            passes.append([])
            room.append(PASS_TOKENS)
        passes[fits].append(at)
        room[fits] -= lengths[at]
    return passes


def _pooled(vectors: NDArray[np.float32], counts: Sequence[int]) -> NDArray[np.float32]:
    """Return one vector a text from those of its windows: their mean, scaled to length 1; a single one as it is."""
    if len(vectors) == len(counts):
        return vectors
    found, at = np.empty((len(counts), vectors.shape[1]), dtype=np.float32), 0
    for place, count in enumerate(counts):
        part = vectors[at : at + count]
        mean = part.mean(axis=0) if count > 1 else part[0]
        found[place] = mean / np.linalg.norm(mean) if count > 1 else mean
        at += count
    return found


def _split(states: Tensor, runs: Sequence[tuple[int, int]]) -> list[Tensor]:
    """Turn (..., tokens, n) into (..., texts, length, n), one tensor a run of texts of the same length."""
    import torch

    parts = torch.split(states, [length * texts for length, texts in runs], dim=-2)
    shapes = [(*states.shape[:-2], texts, length, states.shape[-1]) for length, texts in runs]
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def _each_text_alone(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: None,
    scaling: float | None = None,
    *,
    runs: Sequence[tuple[int, int]],
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attend within each text; query, key and value are (1, heads, tokens, size)."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    found = []
    for parts in zip(*(_split(states[0], runs) for states in (query, key, value)), strict=True):
        q, k, v = (part.transpose(0, 1) for part in parts)
        found.append(scaled_dot_product_attention(q, k, v, scale=scaling).transpose(1, 2).flatten(0, 1))
    return torch.cat(found).unsqueeze(0), None
