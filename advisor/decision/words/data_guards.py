"""What the guards on leaks and on labels found."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from advisor._util import formats
from advisor.core.types import Interval

# --- no leak ---------------------------------------------------------------------------------------------------------


def _leak_how(*, checked: str) -> str:
    """`checked`: what was compared, as the data check says it."""
    return f"suspects are test questions with a neighbour in train or dev: {checked}"


def _leak_remedy() -> str:
    return "take the suspects, which the HTML and JSON reports list, out of train (or out of test) and compare again"


def _no_suspect(*, n: int) -> str:
    return f"none of {formats.count(n)} test questions has a near copy"


def _no_suspect_yet(*, reason: str) -> str:
    return f"no suspect, but not all was looked at: {reason}"


def _suspects(*, suspects: int, n: int) -> str:
    has = "has" if suspects == 1 else "have"
    share = formats.percent(suspects / max(1, n))
    return f"{formats.count(suspects)} of {formats.count(n)} test questions ({share}) {has} a near copy in train or dev"


def _no_lead(*, suspects: str) -> str:
    return f"{suspects}; there is no lead to compute again without them"


def _nothing_left(*, suspects: str) -> str:
    return f"{suspects}; no example is left to compute the lead on"


def _without(*, suspects: str, other: str, without: Interval, lead: float) -> str:
    """`without`: the lead over `other` without the suspects; `lead`: with them."""
    ends = f"{formats.points(without.estimate)} ({_bare(without.low)} to {_bare(without.high)})"
    return f"{suspects}; without them the lead over {other} is {ends} and not {formats.points(lead)}"


def _bare(value: float) -> str:
    return formats.points(value).removesuffix("s").removesuffix(" point")


def _could_be_chance(*, without: str) -> str:
    return f"{without}: that could be chance"


def _falls(*, without: str, margin: float) -> str:
    return f"{without}: it falls by more than the margin of {formats.points(margin)}"


def _memory(*, without: str) -> str:
    return f"{without}: only what was remembered explains it"


def _as_good_unsure(*, without: str, chance: float) -> str:
    sure = f"that tuning is as good has a chance of {formats.percent(chance)} only"
    return f"{without}: a yes would rest on cost, and {sure}"


def _partly(*, without: str, reason: str) -> str:
    return f"{without}; not all was looked at: {reason}"


def _within(*, without: str) -> str:
    return f"{without}, which is within the margin"


# --- label quality ---------------------------------------------------------------------------------------------------


def _labels_how() -> str:
    return (
        "the share of wrong labels is estimated by confident learning, from a classifier on embeddings that never saw "
        "the example; where labels overlap in meaning it is an upper figure"
    )


def _read_labels() -> str:
    return "read the suspicious labels and the conflicts that the HTML and JSON reports list, and correct what is wrong"


def _by_hand() -> str:
    return "have someone else answer a sample of the test questions, and see on how many the two disagree"


def _conflicts(*, conflicting: int, share: float) -> str:
    if not conflicting:
        return "no training example contradicts another one"
    return (
        f"{formats.count(conflicting)} training examples ({formats.percent(share)}) ask what another one asks, with no "
        "accepted answer in common"
    )


def _conflicting(*, conflicts: str, allowed: float) -> str:
    return f"{conflicts}; at most {formats.percent(allowed)} is allowed"


def _not_estimated(*, conflicts: str, reason: str) -> str:
    return f"{conflicts}; wrong labels are not estimated: {reason}"


def _wrong(*, wrong: Interval, conflicts: str, rarest: float | None, commonest: float | None) -> str:
    balance = ""
    if rarest is not None and commonest is not None:
        balance = (
            f"; the rarest label has {formats.percent(rarest)} of train, the commonest {formats.percent(commonest)}"
        )
    share, ends = formats.percent(wrong.estimate), formats.shares(wrong.low, wrong.high)
    return f"about {share} of the training labels look wrong ({ends}); {conflicts}{balance}"


def _wrong_no_lead(*, wrong: str) -> str:
    return f"{wrong}; there is no lead to hold them against"


def _below_the_margin(*, wrong: str, margin: float) -> str:
    return f"{wrong}; fewer than the margin of {formats.points(margin)}"


def _hide_a_loss(*, wrong: str, margin: float) -> str:
    return f"{wrong}; they can hide a loss as large as the margin of {formats.points(margin)}"


def _explain(*, wrong: str, lead: float, other: str) -> str:
    return f"{wrong}; repeating them could by itself explain {_over(lead, other)}"


def _may_explain(*, wrong: str, lead: float, other: str) -> str:
    return f"{wrong}; they may be as many as {_over(lead, other)}"


def _too_few(*, wrong: str, lead: float, other: str) -> str:
    return f"{wrong}; too few to explain {_over(lead, other)}"


def _over(lead: float, other: str) -> str:
    return f"the lead of {formats.points(lead)} over {other}"


SENTENCES: Mapping[str, Callable[..., str]] = {
    "leak.how": _leak_how,
    "leak.remedy": _leak_remedy,
    "leak.none": _no_suspect,
    "leak.none_yet": _no_suspect_yet,
    "leak.suspects": _suspects,
    "leak.no_lead": _no_lead,
    "leak.nothing_left": _nothing_left,
    "leak.without": _without,
    "leak.could_be_chance": _could_be_chance,
    "leak.falls": _falls,
    "leak.memory": _memory,
    "leak.as_good_unsure": _as_good_unsure,
    "leak.partly": _partly,
    "leak.within": _within,
    "labels.how": _labels_how,
    "labels.read": _read_labels,
    "labels.by_hand": _by_hand,
    "labels.conflicts": _conflicts,
    "labels.conflicting": _conflicting,
    "labels.not_estimated": _not_estimated,
    "labels.wrong": _wrong,
    "labels.no_lead": _wrong_no_lead,
    "labels.below_the_margin": _below_the_margin,
    "labels.hide_a_loss": _hide_a_loss,
    "labels.explain": _explain,
    "labels.may_explain": _may_explain,
    "labels.too_few": _too_few,
}
