from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.errors import ConfigurationError
from advisor.core.types import Usage
from advisor.economics.prices import Prices, is_local, prices_for, tuned_prices_for, usd_of, usd_of_parts
from tests.known import known

TOKENS = Prices(usd_per_1m_input_tokens=1.0, usd_per_1m_cached_input_tokens=0.1, usd_per_1m_output_tokens=4.0)


@pytest.mark.parametrize("model", ["smollm2", "hf:org/name", "./models/mine", "C:/models/mine", "models.v1/a:b"])
def test_a_local_model_is_paid_by_the_hour(model: str) -> None:
    assert is_local(model)
    assert prices_for(model, usd_per_hour=0.3).usd_per_hour == 0.3
    assert tuned_prices_for(model, usd_per_hour=0.3).usd_per_hour == 0.3


def test_a_known_endpoint_model_has_token_prices_with_a_dated_source() -> None:
    found = prices_for("openai:gpt-4.1-mini")
    assert found.usd_per_1m_input_tokens is not None
    cached, asked = known(found.usd_per_1m_cached_input_tokens), known(found.usd_per_1m_input_tokens)
    assert 0 < cached < asked < known(found.usd_per_1m_output_tokens)
    assert found.usd_per_hour is None
    assert "genai-prices" in found.source


@pytest.mark.parametrize("model", ["http://host/v1#gpt-4.1-mini", "openai:no-such-model", "nobody:gpt-4.1-mini",
                                   "openai:ft:no-such-model:org::1", "mistral:ft:mistral-large:org::1"])  # fmt: skip
def test_an_unknown_price_is_none_and_never_zero(model: str) -> None:
    found = prices_for(model)
    numbers = (found.usd_per_1m_input_tokens, found.usd_per_1m_output_tokens, found.usd_per_1m_training_tokens)
    assert numbers == (None, None, None)
    assert found.usd_per_hour is None
    assert "unknown" in found.source
    assert usd_of(Usage(100, 0, 10, 1), found) is None


def test_a_tuned_model_has_its_own_price_and_not_that_of_its_base() -> None:
    base, tuned = prices_for("openai:gpt-4.1-mini"), prices_for("openai:ft:gpt-4.1-mini-2025-04-14:org::abc")
    assert known(tuned.usd_per_1m_input_tokens) > known(base.usd_per_1m_input_tokens)
    assert tuned.usd_per_1m_training_tokens == 5.0
    assert tuned_prices_for("openai:gpt-4.1-mini") == tuned
    assert tuned_prices_for("openai:ft:gpt-4.1-mini:org::abc") == tuned
    assert tuned_prices_for("openai:gpt-5").usd_per_1m_input_tokens is None


def test_usage_is_priced_by_hand() -> None:
    # 800 fresh at $1, 200 cached at $0.10, 50 written at $4 a million
    assert usd_of(Usage(1000, 200, 50, 1), TOKENS) == pytest.approx(800e-6 + 20e-6 + 200e-6)
    # 36 s at $1 an hour, half of the paid time used
    assert usd_of(Usage(9, 0, 9, 1, 36.0), Prices(usd_per_hour=1.0), utilisation=0.5) == pytest.approx(0.02)


def test_prices_by_the_hour_and_by_the_token_contradict_each_other() -> None:
    with pytest.raises(ConfigurationError, match="contradict each other"):
        Prices(usd_per_1m_input_tokens=1.0, usd_per_hour=1.0)


def test_cached_input_without_a_price_is_charged_as_other_input() -> None:
    prices = Prices(usd_per_1m_input_tokens=1.0, usd_per_1m_output_tokens=4.0)
    assert usd_of(Usage(1000, 200, 0, 1), prices) == pytest.approx(1000e-6)


def test_what_was_not_used_costs_nothing_and_what_was_not_measured_is_unknown() -> None:
    assert usd_of(Usage(), Prices()) == 0.0
    assert usd_of(Usage(calls=1), Prices(usd_per_hour=2.0)) is None  # paid by the hour, and no seconds were measured
    assert usd_of(Usage(100, 0, 10, 1), Prices(usd_per_1m_input_tokens=1.0)) is None


@pytest.mark.parametrize("price", [-0.01, math.inf, math.nan])
def test_an_impossible_price_is_refused(price: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"usd_per_hour is .*allowed"):
        Prices(usd_per_hour=price)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=5))
def test_arrays_and_single_usages_agree(tokens: list[int]) -> None:
    column = np.array(tokens, dtype=float)
    parts = {"input_tokens": column, "cached_input_tokens": column // 2, "output_tokens": column // 3,
             "calls": np.ones(len(tokens)), "seconds": column * 0}  # fmt: skip
    single = [usd_of(Usage(t, t // 2, t // 3, 1), TOKENS) for t in tokens]
    assert usd_of_parts(parts, TOKENS) == pytest.approx(single)
