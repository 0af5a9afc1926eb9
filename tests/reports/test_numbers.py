from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.types import Interval
from tests.reports.sample import report

numbers = report("numbers")
FORMS = [getattr(numbers, name) for name in (
    "score", "signed", "usd", "usd_once", "usd_tick", "seconds", "count", "about", "percent", "p_value", "months",
    "points",
)]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_what_is_missing_is_a_dash_and_never_nan_or_zero(form: Any) -> None:
    assert form(None) == form(math.nan) == "–"
    assert "inf" not in form(math.inf)
    assert "limit" in form(math.inf)


@pytest.mark.parametrize("form", FORMS)
@given(value=st.floats(min_value=-1e12, max_value=1e12, allow_nan=False))
def test_every_number_reads_as_a_number(form: Any, value: float) -> None:
    shown = form(value)
    assert any(character.isdigit() for character in shown)
    assert "nan" not in shown
    assert "inf" not in shown


@given(st.floats(min_value=1e-6, max_value=1e9))
def test_rounding_dollars_stays_within_five_percent(value: float) -> None:
    assert float(numbers.usd(value).replace("$", "").replace(",", "")) == pytest.approx(value, rel=0.06)


@given(st.floats(min_value=1e-3, max_value=1e9))
def test_rough_numbers_keep_two_digits(value: float) -> None:
    assert float(numbers.about(value).replace(",", "")) == pytest.approx(value, rel=0.051)


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        (numbers.score(0.6249), "0.62"),
        (numbers.score(-0.001), "0.00"),
        (numbers.signed(0.123), "+0.12"),
        (numbers.signed(-0.001), "0.00"),
        (numbers.usd(0.0031), "$0.0031"),
        (numbers.usd(-12.3), "-$12.30"),
        (numbers.usd(1234.6), "$1,235"),
        (numbers.usd(0), "$0"),
        (numbers.usd_once(0.000086), "<$0.01"),
        (numbers.usd_once(0.0), "$0"),
        (numbers.usd_tick(500.0), "$500"),
        (numbers.usd_tick(0.05), "$0.05"),
        (numbers.seconds(0.042), "42 ms"),
        (numbers.seconds(0.0001), "<1 ms"),
        (numbers.seconds(0), "0 s"),
        (numbers.seconds(1.31), "1.3 s"),
        (numbers.seconds(59.97), "1.0 min"),
        (numbers.seconds(5400), "1.5 h"),
        (numbers.about(12_345), "12,000"),
        (numbers.about(0.0123), "0.012"),
        (numbers.p_value(0.0001), "<0.001"),
        (numbers.percent(0.999), ">99%"),
        (numbers.percent(1.0), "100%"),
        (numbers.interval(Interval(0.62, 0.55, 0.69)), "0.62 [0.55, 0.69]"),
        (numbers.interval(Interval(0.62, math.nan, math.nan)), "0.62"),
        (numbers.interval(None), "–"),
        (numbers.between(Interval(40.0, 12.0, math.inf), numbers.usd), "$40.00 (at least $12.00)"),
        (numbers.between(Interval(40.0, -math.inf, 99.0), numbers.usd), "$40.00 (at most $99.00)"),
        (numbers.between(Interval(math.inf, 0.01, math.inf), numbers.usd), "at least $0.010"),
        (numbers.between(Interval(0.6, 0.5, 0.7)), "0.60 (between 0.50 and 0.70)"),
        (numbers.between(None), "–"),
    ],
)
def test_figures_read_as_documented(shown: Any, wanted: str) -> None:
    assert shown == wanted


def test_only_numbers_py_rounds() -> None:
    """House rule: no other module of the reports formats or rounds a figure."""
    import re
    from pathlib import Path

    folder = Path(str(numbers.__file__)).parent
    rounding = re.compile(r"\{[^{}]*:[+,]?\.?\d*[fge%]\}|(?<!\.)\bround\((?!datum)")
    allowed = {"numbers.py", "layout.py"}  # layout places axis ticks; what is printed beside them comes from numbers
    checked = [path for path in folder.glob("*.py") if path.name not in allowed]
    assert {path.name: rounding.findall(path.read_text("utf-8")) for path in checked} == {p.name: [] for p in checked}
