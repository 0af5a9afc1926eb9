"""Amounts as they are written: read alike everywhere, refused in one sentence, and what we write reads back equal."""

from __future__ import annotations

import re
from statistics import NormalDist
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.economics.amounts import (
    COUNT,
    FACTOR,
    HOURS,
    LARGEST,
    MONTHS,
    POINTS,
    SHARE,
    SMALLEST,
    USD,
    Z95,
    Amount,
    Range,
    Unit,
    amount_schema,
    number_schema,
    parse_amount,
    parse_number,
    pattern,
    typed,
)

UNITS = (COUNT, FACTOR, HOURS, MONTHS, POINTS, SHARE, USD)
numbers = st.floats(0, LARGEST) | st.integers(0, 10**15)
ranges = st.tuples(st.floats(SMALLEST, LARGEST), st.floats(SMALLEST, LARGEST)).map(lambda ends: Range(*sorted(ends)))


@pytest.mark.parametrize(
    ("text", "unit", "amount"),
    [
        ("1000", COUNT, 1000.0),
        ("0", COUNT, 0.0),
        (" 1_000 ", COUNT, 1000.0),
        ("1e3", COUNT, 1000.0),
        (".5", COUNT, 0.5),
        ("20k", COUNT, 20_000.0),
        ("20K", HOURS, 20_000.0),
        ("1.5M", COUNT, 1_500_000.0),
        ("2.3k", COUNT, 2_300.0),
        ("$0.40", USD, 0.4),
        ("$20k", USD, 20_000.0),
        ("0.40", USD, 0.4),
        ("40%", SHARE, 0.4),
        ("7%", SHARE, 0.07),
        ("2.5%", POINTS, 0.025),
        ("500..2000", COUNT, Range(500, 2000)),
        ("1_000 .. 2_000", COUNT, Range(1000, 2000)),
        ("5k..20k", COUNT, Range(5_000, 20_000)),
        ("500..2k", COUNT, Range(500, 2_000)),
        ("$0.10..$0.50", USD, Range(0.1, 0.5)),
        ("$0.10..0.50", USD, Range(0.1, 0.5)),
        ("10%..40%", SHARE, Range(0.1, 0.4)),
        (["5k", 20_000], COUNT, Range(5_000, 20_000)),
        ({"low": 1, "high": "$2"}, USD, Range(1, 2)),
    ],
)
def test_amounts_are_read(text: Any, unit: Unit, amount: Amount) -> None:
    assert parse_amount(text, unit) == amount
    jsonschema.Draft202012Validator(amount_schema(unit)).validate(text)


@pytest.mark.parametrize(
    "value",
    ["many", "", "..", "1..", "1..2..3", "1.....2", "5..1", "2000..500", "0..5", "-5..5", "-1", "inf", "nan", "1..inf",
     "1e16", "1e-300..1", "1..1e300", "20kk", "k", "1e3k", "5 k", "1,000", [1], [], [1, 2, 3], {"low": 1},
     {"low": 1, "hi": 2}, float("nan"), 1e308, 10**310, True, [True, 2], None],
)  # fmt: skip
def test_an_impossible_amount_says_what_is_allowed(value: Any) -> None:
    with pytest.raises(ValueError, match=r"neither a number from 0 to 1e15 nor a range such as 5000\.\.20000"):
        parse_amount(value)


@pytest.mark.parametrize(
    ("text", "unit", "says"),
    [
        ("40%", COUNT, "'40%' is a share; a number is needed, such as 20000 or 20k"),
        ("10%..40%", COUNT, "'10%' is a share; a number is needed"),
        ("40%", USD, "'40%' is a share; a sum of money is needed, such as 0.40 or $0.40"),
        ("$5", COUNT, "'$5' is a sum of money; a number is needed"),
        ("$0.4", SHARE, "'$0.4' is a sum of money; a share is needed, such as 0.4 or 40%"),
        ("12%", MONTHS, "'12%' is a share; a number of months is needed"),
    ],
)
def test_a_sign_of_another_unit_is_refused(text: str, unit: Unit, says: str) -> None:
    for read in (parse_amount, parse_number):
        if ".." in text and read is parse_number:
            continue
        with pytest.raises(ValueError, match=re.escape(says)):
            read(text, unit)
    assert not jsonschema.Draft202012Validator(amount_schema(unit)).is_valid(text)


@given(numbers | ranges, st.sampled_from(UNITS))
def test_what_is_typed_reads_back_equal(amount: Amount, unit: Unit) -> None:
    assert parse_amount(typed(amount), unit) == amount


@given(ranges)
def test_ranges_mean_the_same_however_written(pair: Range) -> None:
    assert parse_amount([pair.low, pair.high]) == parse_amount({"low": pair.low, "high": pair.high}) == pair
    assert parse_amount(pair) == pair


@settings(max_examples=500)
@given(st.from_regex(r"[0-9._kM$%+e ]{0,4}(\.\.)?[0-9._kM$%+e ]{0,4}", fullmatch=True), st.sampled_from(UNITS))
def test_the_schema_accepts_the_spellings_that_are_read(text: str, unit: Unit) -> None:
    spelled = re.compile(rf"\s*{pattern(unit)}\s*")
    ends = text.split("..")
    well_formed = len(ends) <= 2 and all(spelled.fullmatch(end) for end in ends)
    assert jsonschema.Draft202012Validator(amount_schema(unit)).is_valid(text) is well_formed
    assert jsonschema.Draft202012Validator(number_schema(unit, {})).is_valid(text) is (well_formed and len(ends) == 1)
    for end in ends:
        try:
            parse_number(end, unit)
        except ValueError:
            assert not spelled.fullmatch(end)
        else:
            assert spelled.fullmatch(end)


def test_the_quantile_that_is_written_out() -> None:
    assert NormalDist().inv_cdf(0.95) == Z95
