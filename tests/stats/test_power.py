from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.errors import ConfigurationError
from advisor.stats.power import detectable_difference, power, required_examples


@pytest.mark.parametrize(("points", "items"), [(0.03, 1742), (0.05, 626), (0.10, 155)])
def test_the_figures_of_the_documentation(points: float, items: int) -> None:
    assert required_examples(points, 0.20) == items
    assert detectable_difference(items, 0.20) == pytest.approx(points, abs=2e-4)


def test_the_promised_power_is_the_power() -> None:
    """626 examples at 20 % discordance find 5 points in 80 of 100 tries (docs/honesty.md promises 78 to 82)."""
    from scipy.stats import binom

    rng = np.random.default_rng(0)
    counts = rng.multinomial(626, [0.125, 0.075, 0.8], size=40_000)
    wins, n = counts[:, 0], counts[:, 0] + counts[:, 1]
    smaller = np.minimum(wins, n - wins)
    mid_p = 2 * binom.cdf(smaller, n, 0.5) - binom.pmf(smaller, n, 0.5)
    assert 0.78 <= np.mean(mid_p < 0.05) <= 0.82


@given(st.integers(30, 20_000), st.floats(0.01, 1.0))
def test_the_two_are_inverses(n: int, discordance: float) -> None:
    found = detectable_difference(n, discordance)
    assert found is not None
    assert 0.0 < found <= 1.0
    assert required_examples(found, discordance) <= n + 1
    assert found * 0.98 > 0
    assert required_examples(found * 0.98, discordance) >= n


@given(st.integers(30, 20_000), st.floats(0.01, 1.0), st.floats(0.5, 0.99))
def test_what_is_detectable_is_found_with_just_that_power(n: int, discordance: float, wanted: float) -> None:
    found = detectable_difference(n, discordance, power=wanted)
    assert found is not None
    if found < 0.99 * discordance**0.5:  # beyond it a difference leaves no spread, and the power jumps to 1
        assert power(n, found, discordance) == pytest.approx(wanted, abs=1e-3)


def test_power_rises_with_n_and_falls_with_noise() -> None:
    assert power(0, 0.05, 0.2) < 0.03
    assert power(300, 0.05, 0.2) == pytest.approx(0.4906, abs=1e-4)
    assert power(626, 0.05, 0.2) == pytest.approx(0.80, abs=1e-3)
    assert power(3 * 626, 0.05, 0.2, design_effect=3.0) == pytest.approx(0.80, abs=1e-3)
    assert power(626, 0.05, 0.4) < 0.80 < power(1_000, 0.05, 0.2)
    assert (power(1, 1.0, 1.0), power(4, 1.0, 1.0)) == (0.0, 1.0)


@given(st.integers(10, 5_000), st.floats(0.0, 1.0))
def test_more_examples_show_smaller_differences_and_noise_hides_them(n: int, discordance: float) -> None:
    here = detectable_difference(n, discordance) or 1.0
    assert (detectable_difference(2 * n, discordance) or 1.0) <= here
    assert (detectable_difference(n, min(1.0, discordance + 0.1)) or 1.0) >= here - 1e-12
    assert (detectable_difference(n, discordance, design_effect=2.0) or 1.0) >= here


def test_too_few_examples_detect_nothing() -> None:
    assert detectable_difference(0, 0.2) is None
    assert detectable_difference(3, 0.2) is None
    assert detectable_difference(500, 0.0) == pytest.approx(0.0156, abs=1e-3)  # about 8 of 500, all one way


def test_graded_scores_are_the_paired_t_test_with_known_spread() -> None:
    from statsmodels.stats.power import NormalIndPower

    found = detectable_difference(400, 0.09, graded=True)
    assert found is not None
    effect = found / np.sqrt(0.09 - found**2)
    assert NormalIndPower(ddof=0).power(effect, 400, 0.05, ratio=0) == pytest.approx(0.8, abs=0.01)


def test_design_effect_multiplies() -> None:
    assert required_examples(0.05, 0.2, design_effect=3.0) == pytest.approx(3 * 626, abs=3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"difference": 0.0, "discordance": 0.2}, "difference is 0.0"),
        ({"difference": 3, "discordance": 0.2}, "3 points"),
        ({"difference": 0.03, "discordance": 20}, "discordance is 20"),
        ({"difference": 0.03, "discordance": 0.2, "power": 80}, "power is 80"),
        ({"difference": 0.03, "discordance": 0.2, "level": 1.0}, "level is 1.0"),
        ({"difference": 0.03, "discordance": 0.2, "design_effect": 0.5}, "design_effect is 0.5"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        required_examples(**arguments)
    if "power" not in arguments:
        with pytest.raises(ConfigurationError, match=said):
            power(100, **arguments)
