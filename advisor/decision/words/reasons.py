"""The reasons of a verdict, each with its figure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from advisor._util import formats
from advisor.core.types import Interval

from .headlines import threshold

# --- where there is nothing to decide between ------------------------------------------------------------------------


def _scored(*, scored: int, strategies: int, tuned: int) -> str:
    return (
        f"{formats.count(scored)} of {formats.count(strategies)} strategies have a score, {formats.count(tuned)} of "
        "them fine-tuned."
    )


def _best_so_far(*, label: str, score: float, n: int) -> str:
    return f"The best so far is {label} with {formats.percent(score)} on {formats.count(n)} test examples."


def _at_hand(*, n_train: int, n_test: int) -> str:
    return f"{formats.count(n_train)} training and {formats.count(n_test)} test examples are at hand."


def _lost(*, outcomes: int) -> str:
    return f"{formats.count(outcomes)} outcomes have no score."


# --- quality and cost ------------------------------------------------------------------------------------------------


def _quality(
    *, tuned: str, other: str, ours: float | None, theirs: float | None, n: int, lead: Interval, real: bool
) -> str:
    way, more = ("better", "more") if lead.estimate > 0 else ("worse", "less")
    kind = f"really {way}" if real else "a difference that could be chance"
    return (
        f"{tuned} scores {formats.percent(ours)} and {other} {formats.percent(theirs)} on {formats.count(n)} test "
        f"examples: {formats.points(abs(lead.estimate))} {more} ({formats.signed_ends(lead.low, lead.high)}, all "
        f"strategies at once), {kind}."
    )


def _cost(*, tuned: str, other: str, ours: float | None, theirs: float | None, once: float | None) -> str:
    return (
        f"1,000 requests cost {_sum(ours)} with {tuned} and {_sum(theirs)} with {other}; {tuned} costs {_sum(once)} "
        "once."
    )


def _sum(usd: float | None) -> str:
    return "an unknown sum" if usd is None else formats.usd(usd)


# --- chances ---------------------------------------------------------------------------------------------------------


def _gain(*, tuned: str, other: str, chance: float | None, needed: str, gain: Interval) -> str:
    ends = f"{formats.usd(gain.low)} to {formats.usd(gain.high)}"
    return (
        f"After all costs {tuned} is the best in {formats.percent(chance)} of draws ({needed}); its gain over {other} "
        f"is {formats.usd(gain.estimate)} ({ends})."
    )


def _chances(*, tuned: str, instead: str, margin: float, chances: tuple[tuple[str, float], ...], needed: str) -> str:
    """`chances`: by the names of `advisor.economics.break_even.Dominance`, those that are known."""
    words = {
        "better": f"beats all others by more than {formats.points(margin)}",
        "better_and_not_dearer": "does so at no higher price than the best of them",
        "cheaper_and_as_good": "is as good and paid back by its saving",
        "needless": f"is needless beside {instead}",
    }
    parts = [f"{words[name]}: {formats.percent(chance)}" for name, chance in chances]
    return f"Chances that {tuned} {'; '.join(parts)} ({needed})."


def _needed(*, yes: float, no: float, netted: bool, look: int) -> str:
    """Return ``a yes needs 97.5%, a no 90%``, and at a later look why it is more: ``third look …``.

    A netted no is asked for as the chance of a yes, so its threshold is the other end.
    """
    least = f"at most {formats.level(1 - no)}" if netted else formats.level(no)
    found = f"a yes needs {formats.level(yes)}, a no {least}"
    return f"{found}; {formats.ordinal(look)} look at a growing test set" if look > 1 else found


# --- what it takes to pay --------------------------------------------------------------------------------------------


def _any_value(*, lead: float | None) -> str:
    """`lead`: where it is not real yet."""
    return f"{_if_it_holds(lead)} is worth it at any value of a correct answer from $0 on, as it is not dearer."


def _value(*, usd: Interval, lead: float | None, once: bool) -> str:
    high = f"between {formats.usd(usd.low)} and {formats.usd(usd.high)}"
    if math.isinf(usd.high):
        high = f"at least {formats.usd(usd.low)}, and no limit upwards"
    return f"{_if_it_holds(lead)} is {threshold(usd.estimate, once=once)} ({high})."


def _if_it_holds(lead: float | None) -> str:
    return "It" if lead is None else f"If the measured {formats.points(lead)} hold, it"


def _pay_back(*, never: float, volume: float | None, months: float | None, on_cost_alone: bool) -> str:
    """`never`: share of draws in which no volume pays; `months`: until it has paid back, at the user's volume."""
    seldom = f"{'on cost alone, ' if on_cost_alone else ''}no volume pays in {formats.percent(never)} of draws"
    if volume is None:
        return f"{seldom[0].upper()}{seldom[1:]}."
    start = "the first request" if volume < 1.0 else f"{formats.count(volume)} requests a month"
    if never > 0.5:
        return f"{seldom[0].upper()}{seldom[1:]}; in the others it pays from {start} on."
    if months is None:
        return f"It pays from {start} on; {seldom}."
    back = "in less than 0.1 months" if months < 0.1 else f"after {formats.months(months)}"
    return f"It pays from {start} on; {seldom}; at your volume it is paid back {back}."


# --- guards and data -------------------------------------------------------------------------------------------------


def _broken(*, guard: str, found: str) -> str:
    return f"Does not hold, {guard}: {found}."


def _data(*, shown: str) -> str:
    return f"{shown}."


def _later_look(*, look: int, sizes: tuple[int, ...], needed: float, first: float, wider: bool) -> str:
    """`sizes`: of the test sets looked at before; `needed` and `first`: the chance a yes needs, now and at first."""
    before = " and ".join(formats.count(size) for size in sizes)
    more = ", and the brackets of the leads are wider" if wider else ""
    return (
        f"{formats.ordinal(look).capitalize()} look at a growing test set ({before} test examples before): a yes needs "
        f"{formats.level(needed)} instead of {formats.level(first)}{more}, so that looking often does not make a false "
        "yes likelier."
    )


SENTENCES: Mapping[str, Callable[..., str]] = {
    "reason.scored": _scored,
    "reason.best_so_far": _best_so_far,
    "reason.at_hand": _at_hand,
    "reason.lost": _lost,
    "reason.quality": _quality,
    "reason.cost": _cost,
    "reason.gain": _gain,
    "reason.chances": _chances,
    "reason.needed": _needed,
    "reason.any_value": _any_value,
    "reason.value": _value,
    "reason.pay_back": _pay_back,
    "reason.broken": _broken,
    "reason.data": _data,
    "note.later_look": _later_look,
}
