from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.index import Index
from advisor.core.model import Completion
from advisor.core.shipped import shipped
from advisor.core.types import Example
from advisor.testing.toy_task import embed
from tests.strategies.recording import MakeContext, MakeRecorder

shipped("strategies")
from advisor.strategies.choosing import choose_on_dev, dev_sample, mean_score  # noqa: E402
from advisor.strategies.demonstrations import Neighbours, varied  # noqa: E402


def answering(targets: Any, right: Any, *, failed: Any = ()) -> Any:
    """Answer `right` of the inputs correctly; those at `failed` not at all."""

    def answer(inputs: Any) -> Any:
        rows = [targets[text] if at < right else "wrong" for at, text in enumerate(inputs)]
        return [Completion(error="timed out") if at in failed else Completion(row) for at, row in enumerate(rows)]

    return answer


@pytest.fixture
def ctx(context: MakeContext, recorder: MakeRecorder) -> Any:
    return context(recorder())


@pytest.fixture
def targets(ctx: Any) -> Any:
    return {str(example.input): example.target for example in ctx.dev}


def test_the_better_candidate_wins_and_scores_are_recorded(ctx: Any, targets: Any) -> None:
    name, record = choose_on_dev({"a": answering(targets, 3), "b": answering(targets, 6)}, ctx, 30)
    assert name == "b"
    assert record["dev_examples"] == len(ctx.dev) == 9
    assert record["dev_scores"] == {"a": pytest.approx(3 / 9), "b": pytest.approx(6 / 9)}


def test_ties_go_to_the_first(ctx: Any, targets: Any) -> None:
    candidates = {name: answering(targets, 4) for name in ("cheap", "dear")}
    assert choose_on_dev(candidates, ctx, 30)[0] == "cheap"


def test_a_failed_call_is_left_out_for_all_candidates_and_never_a_zero(ctx: Any, targets: Any) -> None:
    candidates = {"a": answering(targets, 9, failed=(7, 8)), "b": answering(targets, 8)}
    name, record = choose_on_dev(candidates, ctx, 30)
    assert record["dev_examples"] == 7
    assert record["dev_scores"] == {"a": 1.0, "b": 1.0}
    assert name == "a"


def test_where_every_call_failed_scores_are_undefined(ctx: Any, targets: Any) -> None:
    broken = answering(targets, 9, failed=range(9))
    name, record = choose_on_dev({"a": broken, "b": answering(targets, 9)}, ctx, 30)
    assert name == "a"
    assert record["dev_scores"] == {"a": None, "b": None}


def test_nothing_is_asked_without_dev_or_without_a_choice(context: MakeContext, recorder: MakeRecorder) -> None:
    def never(inputs: Any) -> None:
        raise AssertionError("asked")

    assert choose_on_dev({"a": never, "b": never}, context(recorder(), dev=()), 30)[0] == "a"
    assert choose_on_dev({"a": never}, context(recorder()), 30)[0] == "a"


def test_the_dev_sample_is_seeded_limited_and_in_order(context: MakeContext, recorder: MakeRecorder) -> None:
    ctx, other = context(recorder()), context(recorder(), seed=1)
    assert dev_sample(ctx, 4) == dev_sample(ctx, 4)
    assert dev_sample(ctx, 4) != dev_sample(other, 4)
    assert [ctx.dev.index(example) for example in dev_sample(ctx, 4)] == sorted(map(ctx.dev.index, dev_sample(ctx, 4)))
    assert dev_sample(ctx, 99) == list(ctx.dev)


def test_mean_score_of_nothing_is_undefined(ctx: Any) -> None:
    assert mean_score([], [], ctx.metric) is None


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=30), st.integers(1, 12), st.integers(0, 5))
def test_varied_shows_as_many_kinds_as_it_can(labels: Any, k: int, seed: int) -> None:
    examples = [Example(str(at), f"q{at}", label) for at, label in enumerate(labels)]
    drawn = varied(examples, k, np.random.default_rng(seed), lambda example: example.target)
    assert len(drawn) == min(k, len(examples)) == len({example.id for example in drawn})
    assert len({example.target for example in drawn}) == min(k, len(set(labels)))
    assert varied(examples, k + 3, np.random.default_rng(seed), lambda e: e.target)[:k] == drawn


def test_neighbours_agree_with_brute_force_and_prefer_the_first_of_duplicates() -> None:
    texts = ["the invoice", "my parcel", "the invoice", "a password here"]
    examples = [Example(str(at), text, text) for at, text in enumerate(texts)]
    neighbours = Neighbours(examples, lambda texts: Index(texts, embed))
    [hits] = neighbours.nearest(["about the invoice"], 3)
    similarities = embed(["about the invoice"]) @ embed(texts).T
    assert [example.id for example, _ in hits][:2] == ["0", "2"]
    assert hits[0][1] == pytest.approx(similarities.max(), abs=1e-6)
    assert neighbours.nearest([], 3) == []
    assert len(neighbours.nearest(["x"], 99)[0]) == 4
