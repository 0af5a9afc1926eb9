"""One score, as the tests of the metrics ask for it."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from advisor.core import registry
from advisor.core.metric import Metric
from advisor.core.types import Example

JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-9, 9), st.sampled_from(["a", " b", "", "5"]), st.sampled_from([0.5, 2.0])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_leaves=8,
)


def metric(name: str, **params: Any) -> Metric:
    built: Metric = registry.make("metrics", name, **params)
    return built


def example(target: str, **metadata: Any) -> Example:
    return Example("1", "?", target, metadata)


def score(name: str, output: str, target: str, **metadata: Any) -> float | None:
    return metric(name).score(output, example(target, **metadata))
