"""The one sentence of a verdict to act on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from advisor._util import formats


def _gaps(*, parts: tuple[str, ...]) -> str:
    """`parts`: who is missing and why, one each."""
    return f"A contender is missing: {'; '.join(parts)}. The rest is about the others only."


def _failed(*, label: str, why: str) -> str:
    return f"{label} failed as a whole{f' ({why})' if why else ''}"


def _no_score(*, label: str) -> str:
    return f"{label} has no score, as none of its answers could be given one in every run"


def _broke_off(*, label: str, runs: int, why: str) -> str:
    return f"{label} broke off in {formats.count(runs)} run{'s' if runs > 1 else ''}{f' ({why})' if why else ''}"


def _nothing_tuned() -> str:
    return "Not yet: no fine-tuned strategy has a score here, so there is nothing to decide on."


def _nothing_against(*, tuned: str) -> str:
    return f"Not yet: {tuned} has nothing to be held against."


def _withheld(*, leaning: str, broken: tuple[str, ...]) -> str:
    """`leaning`: a strategy's label, or empty for fine-tuning; `broken`: what the guards that fail found."""
    return f"Not yet: the evidence leans to {leaning or 'fine-tuning'}, but {'; '.join(broken)}."


def _brings_more(*, tuned: str, other: str, gain_usd: float, months: float, chance: float | None) -> str:
    more = f"{formats.usd(gain_usd)} more than {other} over {formats.months(months)}"
    return f"Fine-tune: {tuned} brings {more}, best in {formats.percent(chance)} of draws."


def _better_and_not_dearer(*, tuned: str, rival: str, lead: float) -> str:
    return f"Fine-tune: {tuned} is {formats.points(lead)} better than {rival} and costs no more per request."


def _saving_pays(*, tuned: str, margin: float, months: float) -> str:
    return (
        f"Fine-tune: {tuned} is not worse than the margin of {formats.points(margin)} and its saving pays it back "
        f"within {formats.months(months)}."
    )


def _other_pays(*, instead: str, tuned: str, chance: float | None, gain_usd: float, months: float) -> str:
    loss = f", and would lose {formats.usd(-gain_usd)} over {formats.months(months)}" if gain_usd < 0.0 else ""
    return (
        f"Do not fine-tune: {instead} is the better buy; {tuned} is the best in {formats.percent(chance)} of "
        f"draws{loss}."
    )


def _other_is_better(*, instead: str, tuned: str, lead: float) -> str:
    return f"Do not fine-tune: {instead} is {formats.points(lead)} better than {tuned}, and not dearer."


def _other_is_as_good(*, instead: str, tuned: str, margin: float) -> str:
    return (
        f"Do not fine-tune: {instead} is at most {formats.points(margin)} worse than {tuned} (the margin), and not "
        "dearer."
    )


def _toss_up(*, chance: float | None, needed: float) -> str:
    return (
        f"Not yet: fine-tuning is the best buy in {formats.percent(chance)} of draws; a yes needs "
        f"{formats.level(needed)}."
    )


def _needs_a_value(*, usd: float, lead: float | None, once: bool) -> str:
    """`lead`: where it is not real yet; `once`: whether the one-off cost is counted."""
    condition = "" if lead is None else f"if the measured {formats.points(lead)} hold, "
    return f"Not yet: {condition}fine-tuning is {threshold(usd, once=once)}."


def threshold(usd: float, *, once: bool) -> str:
    """Return ``worth it if a correct answer is worth more than $0.0031, that is 31 cents per 100``."""
    more = "" if once else ", its one-off cost not counted as no volume was given"
    return f"worth it if a correct answer is worth more than {formats.usd(usd)}, that is {formats.per_100(usd)}{more}"


def _price_unknown(*, tuned: str, other: str) -> str:
    return f"Not yet: what {tuned} or {other} costs is unknown."


def _not_surely(*, tuned: str, volume_given: bool) -> str:
    volume = "" if volume_given else "; your volume would tell if it pays back"
    return f"Not yet: {tuned} is better and its requests are not dearer, but not surely enough{volume}."


def _data(*, shown: str) -> str:
    return f"Not yet: {shown}."


SENTENCES: Mapping[str, Callable[..., str]] = {
    "headline.gaps": _gaps,
    "gap.failed": _failed,
    "gap.no_score": _no_score,
    "gap.broke_off": _broke_off,
    "headline.nothing_tuned": _nothing_tuned,
    "headline.nothing_against": _nothing_against,
    "headline.withheld": _withheld,
    "headline.brings_more": _brings_more,
    "headline.better_and_not_dearer": _better_and_not_dearer,
    "headline.saving_pays": _saving_pays,
    "headline.other_pays": _other_pays,
    "headline.other_is_better": _other_is_better,
    "headline.other_is_as_good": _other_is_as_good,
    "headline.toss_up": _toss_up,
    "headline.needs_a_value": _needs_a_value,
    "headline.price_unknown": _price_unknown,
    "headline.not_surely": _not_surely,
    "headline.data": _data,
}
