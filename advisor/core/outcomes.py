"""What comes out of asking: an answer, its usage, its score; and very many of them in little memory."""

from __future__ import annotations

import json
import operator
import sys
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from advisor.core.errors import Cause

BLOCK = 256
"""Outcomes whose texts are packed together."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What answering took. `seconds` is the share of machine time, `latency_seconds` what a caller waited.

    `other_usd` is what was paid elsewhere, such as for embeddings from an endpoint.
    Counts are whole numbers, and fractions in a mean of several usages.
    """

    input_tokens: int | float = 0
    cached_input_tokens: int | float = 0
    output_tokens: int | float = 0
    calls: int | float = 0
    seconds: float = 0.0
    latency_seconds: float = 0.0
    other_usd: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(*map(operator.add, _parts(self), _parts(other)))

    def __sub__(self, other: Usage) -> Usage:
        return Usage(*map(operator.sub, _parts(self), _parts(other)))


_parts = operator.attrgetter(*Usage.__slots__)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A strategy's answer to one input. A bare `str` is accepted in its place.

    `trace` is for people: retrieved ids, tool calls, whatever explains the answer (JSON-like). `cut` says that the
    answer was cut off for want of room; it is found out without it where the model is asked once an input.
    """

    output: str
    usage: Usage | None = None
    trace: Mapping[str, Any] = field(default_factory=dict)
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """One example's result: an output with its score, or an error. A failure is never a zero.

    `score` is in [0, 1], or `None` where the metric is undefined or the call failed; `cause` says what kind of failure
    `error` describes. `cut` says that the answer was cut off because it had no more room.
    """

    example_id: str
    output: str | None
    score: float | None
    error: str = ""
    usage: Usage = field(default_factory=Usage)
    trace: Mapping[str, Any] = field(default_factory=dict)
    cause: Cause = ""
    cut: bool = False


class Outcomes(Sequence[Outcome]):
    """Outcomes as a sequence that takes a twentieth of the memory: figures in columns, texts packed in blocks.

    It holds what JSON holds of them, and compares equal to any sequence of the same outcomes. Going through it in order
    is quick; each single one costs the unpacking of its block.

    Attributes:
        ids: the examples' ids, in order.
        scores: float64, NaN where an outcome has none.
        answered, failed, cut: 1 where an outcome has an output, has an error, and was cut off, else 0.
    """

    __slots__ = ("_blocks", "_open", "_usage", "answered", "cut", "failed", "ids", "scores")

    def __init__(self, outcomes: Iterable[Outcome] = ()) -> None:
        self.ids: list[str] = []
        self.scores, self.answered, self.failed, self.cut = array("d"), bytearray(), bytearray(), bytearray()
        self._blocks: list[bytes] = []
        self._open: tuple[int, list[list[Any]]] = (-1, [])
        figures: list[list[int | float]] = [[] for _ in Usage.__slots__]
        texts: list[list[Any]] = []
        for one in outcomes:
            self.ids.append(sys.intern(one.example_id))
            self.scores.append(float("nan") if one.score is None else one.score)
            self.answered.append(one.output is not None)
            self.failed.append(bool(one.error))
            self.cut.append(one.cut)
            for column, value in zip(figures, _parts(one.usage), strict=True):
                column.append(value)
            texts.append([one.output, one.error, one.cause, one.trace])
            if len(texts) == BLOCK:
                self._blocks.append(_packed(texts))
                texts = []
        if texts:
            self._blocks.append(_packed(texts))
        self._usage = {name: _column(values) for name, values in zip(Usage.__slots__, figures, strict=True)}

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> Outcomes:
        """Return outcomes in this form; those that have it already as they are."""
        return outcomes if isinstance(outcomes, cls) else cls(outcomes)

    def usage(self, name: str) -> Sequence[int | float]:
        """Return one field of `Usage` of all of them, as an array wherever its values are of one type."""
        return self._usage[name]

    def outputs(self) -> Iterator[str | None]:
        """Go through the answers."""
        for at in range(len(self._blocks)):
            yield from (texts[0] for texts in self._unpacked(at))

    def failures(self) -> Iterator[Outcome]:
        """Go through those that have an error."""
        return (self[at] for at, failed in enumerate(self.failed) if failed)

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, at: int) -> Outcome: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Outcome, ...]: ...
    def __getitem__(self, at: int | slice) -> Outcome | tuple[Outcome, ...]:
        if isinstance(at, slice):
            return tuple(self[one] for one in range(*at.indices(len(self))))
        at = range(len(self))[at]
        return self._made(at, self._unpacked(at // BLOCK)[at % BLOCK])

    def __iter__(self) -> Iterator[Outcome]:
        for block in range(len(self._blocks)):
            yield from map(self._made, range(block * BLOCK, len(self)), self._unpacked(block))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(self) != len(other):
            return NotImplemented if not isinstance(other, Sequence) else False
        return all(ours == theirs for ours, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # as any sequence whose members hold mappings

    def __repr__(self) -> str:
        return f"<{len(self)} outcomes>"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Callable[[Any], Any]) -> Any:
        """Written as a list of outcomes; read as a tuple of them wherever the field allows one."""
        from pydantic_core import core_schema

        return core_schema.is_instance_schema(
            cls,
            serialization=core_schema.plain_serializer_function_ser_schema(
                list,
                return_schema=core_schema.list_schema(handler.generate_schema(Outcome)),  # type: ignore[attr-defined]
            ),
        )

    # --- inside ------------------------------------------------------------------------------------------------------

    def _unpacked(self, block: int) -> list[list[Any]]:
        number, texts = self._open
        if number != block:
            texts = json.loads(zlib.decompress(self._blocks[block]))
            self._open = (block, texts)
        return texts

    def _made(self, at: int, texts: Sequence[Any]) -> Outcome:
        output, error, cause, trace = texts
        score = self.scores[at]
        usage = Usage(*(column[at] for column in self._usage.values()))
        cut, known = bool(self.cut[at]), None if score != score else score
        return Outcome(self.ids[at], output, known, error, usage, trace, cause, cut)


def _packed(texts: list[list[Any]]) -> bytes:
    return zlib.compress(json.dumps(texts).encode(), 1)


def _column(values: list[int | float]) -> Sequence[int | float]:
    kinds = {type(value) for value in values}
    try:
        return array("q", values) if kinds == {int} else array("d", values) if kinds == {float} else values
    except OverflowError:  # a count that no machine word holds
        return values
