"""Outcomes in columns and packed texts are the same outcomes, in a fraction of the memory."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import TypeAdapter

from advisor.core.outcomes import BLOCK
from advisor.core.types import Outcome, Outcomes, Run, Usage

COUNTS = some.integers(0, 2**70) | some.floats(0, 1e9)
JSON = some.recursive(some.none() | some.text() | some.integers() | some.booleans(), some.lists, max_leaves=4)
OUTCOMES = some.builds(
    Outcome,
    example_id=some.text(),
    output=some.none() | some.text(),
    score=some.none() | some.floats(0, 1),
    error=some.text(),
    usage=some.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, some.floats(0, 1e9), some.floats(0, 1e9)),
    trace=some.dictionaries(some.text(), JSON, max_size=2),
    cause=some.sampled_from(["", "overdue", "other"]),
)


def run(outcomes: tuple[Outcome, ...] | Outcomes) -> Run:
    return Run("r", "s", {}, 0, "m", "e", "f", "exact_match", outcomes)


@given(some.lists(OUTCOMES, max_size=8))
def test_what_goes_in_comes_out(given: list[Outcome]) -> None:
    packed, plain = Outcomes(given), tuple(given)
    assert list(packed) == given
    assert packed == plain == packed
    assert [packed[at] for at in range(-len(given), len(given))] == [*given, *given]
    assert packed[1:-1] == plain[1:-1]
    assert list(packed.failures()) == [one for one in given if one.error]
    assert repr([one.usage for one in packed]) == repr([one.usage for one in given])  # 1 and 1.0 are two things there
    assert run(packed).usage == run(plain).usage
    write = TypeAdapter(Run).dump_python
    assert write(run(packed), mode="json") == write(run(plain), mode="json")


def test_single_ones_and_all_in_order_over_several_blocks() -> None:
    plain = tuple(Outcome(f"t{at}", f"answer {at}", at / 1000) for at in range(2 * BLOCK + 3))
    packed = Outcomes(plain)
    assert Outcomes.of(packed) is packed
    assert packed == plain
    for at in (BLOCK, 0, 2 * BLOCK + 2, BLOCK - 1):
        assert packed[at] == plain[at]
    assert packed != plain[:-1]
    assert packed != Outcomes(plain[1:])
    with pytest.raises(IndexError):
        packed[len(plain)]


def test_an_outcome_takes_little_memory() -> None:
    ids = [f"t{at}" for at in range(20_000)]
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    usage = Usage(12, 0, 3, 1, 0.25, 0.5)
    kept = Outcomes(Outcome(name, f"answer {at % 7}", at / 20_000, usage=usage) for at, name in enumerate(ids))
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(kept) == 20_000
    assert held / len(kept) < 200
