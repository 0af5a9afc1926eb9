from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.core.errors import EvalSetError
from advisor.core.shipped import shipped
from advisor.core.types import Example

shipped("evalsets")
from advisor.evalsets import splitting  # noqa: E402

Groups = st.lists(st.integers(0, 40), min_size=3, max_size=150)


def examples(groups: list[int]) -> tuple[Example, ...]:
    return tuple(Example(f"e{n}", f"q{n}", "a", {"group": f"g{group}"}) for n, group in enumerate(groups))


@settings(max_examples=60)
@given(Groups, st.integers(0, 5), st.randoms(use_true_random=False))
def test_dev_keeps_groups_whole_and_forgets_the_order(groups: list[int], seed: int, rng: object) -> None:
    train = examples(groups)
    rest, dev, note = splitting.carve_dev(train, seed)
    assert sorted(e.id for e in (*rest, *dev)) == sorted(e.id for e in train)
    assert not {e.group for e in rest} & {e.group for e in dev}
    assert rest
    assert f"{len(dev)} of {len(train)}" in note
    shuffled = list(train)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert {e.id for e in splitting.carve_dev(tuple(shuffled), seed)[1]} == {e.id for e in dev}


@settings(max_examples=60)
@given(Groups)
def test_file_split_keeps_groups_whole(groups: list[int]) -> None:
    parts, _ = splitting.split_file(examples(groups))
    found = [{e.group for e in part} for part in parts.values()]
    assert sum(map(len, parts.values())) == len(groups)
    assert sum(map(len, found)) == len(set().union(*found))


def test_shares_where_every_example_is_its_own_group() -> None:
    many = tuple(Example(f"e{n}", f"q{n}", "a") for n in range(1000))
    parts, _ = splitting.split_file(many)
    assert {split: len(part) for split, part in parts.items()} == {"train": 600, "dev": 150, "test": 250}
    for size, dev in ((1000, 150), (3000, 200), (100, 20), (30, 10), (3, 1), (2, 0)):
        assert len(splitting.carve_dev(many[:size] if size <= 1000 else _many(size))[1]) == dev


def _many(size: int) -> tuple[Example, ...]:
    return tuple(Example(f"e{n}", f"q{n}", "a") for n in range(size))


def test_the_same_input_goes_the_same_way_without_groups() -> None:
    twins = tuple(Example(f"e{n}", f"q{n // 2}", "ab"[n % 2]) for n in range(200))
    rest, dev, _ = splitting.carve_dev(twins)
    assert not {str(e.input) for e in rest} & {str(e.input) for e in dev}


def test_the_seed_changes_the_split() -> None:
    assert splitting.carve_dev(_many(200), 0)[1] != splitting.carve_dev(_many(200), 1)[1]


def test_repeats_and_leaks_are_counted() -> None:
    rows = tuple(Example(str(n), text, "a") for n, text in enumerate(["x", "x", "y", "z"]))
    kept, note = splitting.without_repeats(rows)
    assert [e.id for e in kept] == ["0", "2", "3"]
    assert note == "left out 1 training row that repeats (1) an earlier one (same input, same target)"
    kept, note = splitting.without_leaks(kept, (Example("t", "y", "b"),))
    assert [e.id for e in kept] == ["0", "3"]
    assert note == "left out 1 train row (2) whose input also stands in test"
    assert splitting.without_leaks(kept, ()) == (kept, "")


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from("abc")), min_size=10, max_size=150), st.randoms())
def test_stratified_keeps_groups_whole_and_forgets_the_order(rows: list[tuple[int, str]], rng: object) -> None:
    made = [Example(f"e{n}", f"q{n}", label, {"group": f"g{group}"}) for n, (group, label) in enumerate(rows)]
    parts, _ = splitting.split_stratified(tuple(made))
    found = [{e.group for e in part} for part in parts.values()]
    assert sum(map(len, parts.values())) == len(rows)
    assert sum(map(len, found)) == len(set().union(*found))
    rng.shuffle(made)  # type: ignore[attr-defined]
    again, _ = splitting.split_stratified(tuple(made))
    assert {name: {e.id for e in part} for name, part in again.items()} == {
        name: {e.id for e in part} for name, part in parts.items()
    }


def test_stratified_gives_each_label_its_share_in_each_split() -> None:
    made = tuple(Example(f"e{n}", f"q{n}", "rare" if n % 20 == 0 else "common") for n in range(400))
    parts, note = splitting.split_stratified(made)
    assert {name: sum(e.target == "rare" for e in part) for name, part in parts.items()} == {
        "train": 12, "dev": 3, "test": 5,
    }  # fmt: skip
    assert "by label" in note


def test_by_time_the_newest_are_test_and_groups_stay_whole() -> None:
    made = tuple(
        Example(f"e{n}", f"q{n}", "a", {"day": f"2026-01-{1 + n % 25:02}", "group": f"g{n % 50}"}) for n in range(100)
    )
    parts, note = splitting.split_by_time(made, "day")
    days = {name: [str(e.metadata["day"]) for e in part] for name, part in parts.items()}
    assert max(days["train"]) < min(days["dev"])
    assert max(days["dev"]) < min(days["test"])
    assert (len(parts["train"]), len(parts["dev"]), len(parts["test"])) == (60, 12, 28)
    assert "the newest into test" in note
    turned, _ = splitting.split_by_time(made[::-1], "day")
    assert {e.id for e in turned["test"]} == {e.id for e in parts["test"]}


@pytest.mark.parametrize("value", [None, "yesterday", float("nan"), True])
def test_what_is_no_time_is_said(value: object) -> None:
    made = (Example("e1", "q", "a", {"day": value}),)
    with pytest.raises(EvalSetError, match="which is no time"):
        splitting.split_by_time(made, "day")
