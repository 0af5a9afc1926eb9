"""What is no amount, no date and no price list is refused where it is said, not after a comparison was paid for."""

from __future__ import annotations

from typing import Any

import pytest

import advisor
from advisor.core.errors import ConfigurationError
from advisor.economics.amounts import COUNT, MONTHS, parse_amount, parse_number


@pytest.mark.parametrize(("given", "said"), [
    ({"margin": None}, "margin is None; leave it out"),
    ({"usd_per_label": None}, "usd_per_label is None"),
    ({"false_yes": None}, "false_yes is None"),
    ({"base_model_shutdown": "soon"}, r"a date is needed, such as datetime.date\(2027, 3, 1\)"),
    ({"base_model_shutdown": float("nan")}, "a date is needed"),
    ({"prices": 5}, r"prices is 5; advisor.Prices\(...\) is needed"),
    ({"requests_per_month": "5..20"}, r"or a range: advisor.Range\(5, 20\)"),
])  # fmt: skip
def test_python_is_told_at_once(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        advisor.Economics(**given)


def test_what_may_be_left_open_may_be_none() -> None:
    assert advisor.Economics(requests_per_month=None, target_quality=None, base_model_shutdown=None, prices=None)


@pytest.mark.parametrize("text", ["12m", "1__0", "1_", "_1", "1_.5", "k", "$", "%", "", "5k..20m"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="number"):
        parse_number(text, MONTHS)
    with pytest.raises(ValueError, match="number"):
        parse_amount(text, COUNT)


def test_answers_that_are_no_texts_are_not_scored() -> None:
    wrong: Any = None
    with pytest.raises(ConfigurationError, match="output is None; a text is needed"):
        advisor.score("exact_match", wrong, "a")
    with pytest.raises(ConfigurationError, match="n is -1"):
        advisor.power(-1, 0.1, 0.2)
    with pytest.raises(ConfigurationError, match="an eval set is needed"):
        advisor.compare_runs([], wrong)
