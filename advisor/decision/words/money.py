"""What the money rests on, and what it would be if it were paid or served otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from advisor._util import formats
from advisor.economics.definition import declared_options

FORMATS: Mapping[str, Callable[[float | None], str]] = {
    "count": formats.count,
    "hours": formats.count,
    "months": formats.months,
    "factor": formats.times,
    "usd": formats.usd,
    "share": formats.percent,
    "points": formats.points,
}
"""How a number of each unit (`advisor.economics.amounts.Unit`) reads, by the name of the unit."""


def words_of(options: Any) -> dict[str, str]:
    """Return every number that `options` hold in words, by the names of the fields."""
    kind: Any = type(options)
    found = declared_options(kind).items()
    return {
        name: formats.amount(getattr(options, name), FORMATS[one.unit.name])
        for name, one in found
        if one.unit is not None
    }


# --- what is taken as given ------------------------------------------------------------------------------------------


def _amount(*, unit: str, ends: tuple[float, ...], yours: bool) -> str:
    """`ends`: the amount that was given, the two ends of a range, or nothing."""
    if not ends:
        return "not given"
    form = FORMATS[unit]
    if len(ends) == 1:
        return f"{form(ends[0])} ({_whose(yours)})"
    return f"{form(ends[0])} to {form(ends[1])} (90% range) ({_whose(yours)})"


def _prices(*, source: str, yours: bool) -> str:
    """`source`: where they are from; empty where that was not given."""
    return f"{source or 'given'} ({_whose(yours)})"


def _whose(yours: bool) -> str:
    return "yours" if yours else "default"


def _trainings(*, sd_of_one: float, sd_of_more: float) -> str:
    return (
        f"the score of a tuned strategy is taken to vary by {formats.points(sd_of_one)} (standard deviation) from one "
        f"training to the next where one ran; where several did, {formats.points(sd_of_more)} weighs as one more "
        "training beside what was measured; both are guesses"
    )


def _unseen_examples() -> str:
    return (
        "a share of about 1 in 1 + the number of test examples (or groups) may be of a kind that the test set did not "
        "show; each strategy may get these all right or all wrong"
    )


def _labels() -> str:
    return "paid by tuned strategies and trained classifiers only"


def _retraining() -> str:
    return "repeats the measured fit; no new labels and no engineering hours"


def _free_reaches_target(*, target: float, label: str, score: float) -> str:
    return (
        f"The quality that is needed, {formats.percent(target)}, is below what costs nothing: {label} scores "
        f"{formats.percent(score)} and its requests are free, so the target decides nothing."
    )


# --- the base model's last day ---------------------------------------------------------------------------------------


def _own_weights() -> str:
    return "none: it runs on weights of your own (default)"


def _not_known() -> str:
    return "not known, so none is counted (default)"


def _passed(*, until: str, source: str) -> str:
    return f"{until} has passed ({source}); it answers, so it is not counted"


def _counted(*, until: str, source: str, only_months: float | None) -> str:
    """`source`: of a table; empty where the day is the user's. `only_months`: where that day cuts the horizon."""
    cut = "" if only_months is None else f", so only {only_months:.1f} months count"
    return f"{until} ({source or 'yours'}){cut}"


# --- paid or served otherwise: what is different ---------------------------------------------------------------------


def _as_measured() -> str:
    return "as measured"


def _by_batch() -> str:
    return "by batch"


def _nothing_cached() -> str:
    return "nothing cached"


def _unmerged_adapter() -> str:
    return "unmerged adapter"


def _own_machine() -> str:
    return "a machine of its own"


# --- and where its figure comes from ---------------------------------------------------------------------------------


def _priced_as_measured(*, merged: bool) -> str:
    adapter = "; the adapter is merged into the weights" if merged else ""
    return f"priced as in the table above{adapter}"


def _batch_discount(*, off: float) -> str:
    return f"{formats.percent(off)} off (yours); answers come within a day"


def _batch_prices(*, source: str) -> str:
    return f"batch prices of {source}; answers come within a day"


def _all_input_fresh() -> str:
    return "all input is charged as if sent anew"


def _slowdown(*, times: float, yours: bool) -> str:
    return f"answers take {formats.times(times)} as long, {'yours' if yours else 'a default'}"


def _around_the_clock(*, usd_per_hour: float, usd_per_month: float) -> str:
    return (
        f"{formats.usd(usd_per_hour)} an hour around the clock, {formats.usd(usd_per_month)} a month, and nothing for "
        "each request"
    )


SENTENCES: Mapping[str, Callable[..., str]] = {
    "assumption.amount": _amount,
    "assumption.prices": _prices,
    "assumption.trainings": _trainings,
    "assumption.unseen_examples": _unseen_examples,
    "assumption.labels": _labels,
    "assumption.retraining": _retraining,
    "note.free_reaches_target": _free_reaches_target,
    "shutdown.own_weights": _own_weights,
    "shutdown.not_known": _not_known,
    "shutdown.passed": _passed,
    "shutdown.counted": _counted,
    "scenario.as_measured": _as_measured,
    "scenario.by_batch": _by_batch,
    "scenario.nothing_cached": _nothing_cached,
    "scenario.unmerged_adapter": _unmerged_adapter,
    "scenario.own_machine": _own_machine,
    "pricing.as_measured": _priced_as_measured,
    "pricing.batch_discount": _batch_discount,
    "pricing.batch_prices": _batch_prices,
    "pricing.all_input_fresh": _all_input_fresh,
    "pricing.slowdown": _slowdown,
    "pricing.around_the_clock": _around_the_clock,
}
