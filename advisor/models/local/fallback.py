"""Plain `generate` for architectures that our shared-prefix attention does not serve."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList

from advisor.models.local.engine import too_long
from advisor.models.local.rows import Constraint, TokenSequence
from advisor.models.local.runtime import memory_errors


@torch.inference_mode()
def run(network: Any, rows: Sequence[TokenSequence], ends: frozenset[int], decode: Callable[[list[int]], str]) -> None:
    """Write every row to its end, in place, one at a time."""
    for row in rows:
        try:
            with memory_errors():
                _write(network, row, ends, decode)
        except MemoryError as error:
            raise too_long(row) from error


def _write(network: Any, row: TokenSequence, ends: frozenset[int], decode: Callable[[list[int]], str]) -> None:
    started = time.perf_counter()
    ids = torch.tensor([row.ids], device=network.device)
    sampling = {"do_sample": True, "temperature": row.temperature} if row.temperature > 0 else {"do_sample": False}
    processors = LogitsProcessorList([_Follow(row.constraint, ids.shape[1])] if row.constraint else [])
    with torch.random.fork_rng():
        torch.manual_seed(row.seed)
        output = network.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=row.max_tokens,
            eos_token_id=sorted(ends),
            pad_token_id=min(ends),
            logits_processor=processors,
            **sampling,
        )
    _take(row, output[0, ids.shape[1] :].tolist(), ends, decode)
    row.latency_seconds = time.perf_counter() - started


def _take(row: TokenSequence, written: list[int], ends: frozenset[int], decode: Callable[[list[int]], str]) -> None:
    row.finish = "stop" if written and written[-1] in ends else "length"
    row.written = [token for token in written if token not in ends]
    row.text = decode(row.written)
    cuts = [at for at in (row.text.find(text) for text in row.stop) if at >= 0]
    if cuts:
        row.text, row.finish = row.text[: min(cuts)], "stop"


class _Follow(LogitsProcessor):  # type: ignore[misc]  # transformers is untyped here
    """Applies a row's constraint inside transformers' own loop."""

    def __init__(self, constraint: Constraint, start: int) -> None:
        self._constraint, self._seen = constraint, start

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        for token in input_ids[0, self._seen :].tolist():
            self._constraint.accept(token)
        self._seen = input_ids.shape[1]
        mask = self._constraint.mask()
        return scores if mask is None else scores.masked_fill(~mask.to(scores.device), float("-inf"))
