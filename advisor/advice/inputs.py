"""What ``advisor ask`` can be told, by key of its file: the case, the money, a pilot, and the line to type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from advisor.advice.situation import Costs, Pilot, Situation
from advisor.economics.definition import WHOLE, Option, declared_options, named_options
from advisor.economics.inputs import Economics

_ECONOMICS = declared_options(Economics)

CASE: dict[str, Option] = dict(declared_options(Situation))
MONEY: Mapping[str, Option] = {
    "requests_per_month": _ECONOMICS["requests_per_month"],
    "usd_per_correct_answer": _ECONOMICS["usd_per_correct_answer"],
    "usd_per_label": replace(
        _ECONOMICS["usd_per_label"],
        flags=("--label-cost",),
        help="What one labelled example costs, USD; missing ones are bought.",
    ),
    "horizon_months": _ECONOMICS["horizon_months"],
    "margin": _ECONOMICS["margin"],
    "engineering_hours": replace(
        _ECONOMICS["engineering_hours"],
        help="Work to tune and put into service. Default: 10..80 (our assumption).",
    ),
    **{
        name: replace(_ECONOMICS[name], flags=())
        for name in ("usd_per_engineering_hour", "retrains_per_year", "confidence")
    },
    **declared_options(Costs),
}
"""The ``economics:`` block: what of a comparison's money side matters here, and what a comparison would measure."""
PILOT = declared_options(Pilot)
LINE = named_options(
    evalset=Option("Your eval set, for the line to type. Default: my-evalset.", kind=str),
    model=Option("Your model, for the line to type.", flags=("--model", "-m"), kind=str),
    seed=Option("Where randomness starts. Default: 0.", None, WHOLE, kind=int),
)
