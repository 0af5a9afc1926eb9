"""Why a learning curve is not fitted, or little is to be made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from advisor._util import formats


def _few_sizes(*, sizes: int) -> str:
    known = {0: "no training size has", 1: "1 size has"}.get(sizes, "2 sizes have")
    return f"Only 3 training sizes or more make a curve, and {known} a score here."


def _one_group() -> str:
    return "All test examples belong to one group, so nothing can be said of other ones."


def _all_right() -> str:
    return "Every answer was right at every size: more training examples have nothing left to bring here."


def _all_wrong() -> str:
    return "No answer was right at any size: there is no curve to see yet."


def _falls(*, path: str) -> str:
    return (
        f"The score falls as examples are added, {path}. No curve that rises fits it, so nothing is said of more: look "
        "at the newest labels and at what is chosen on dev first."
    )


def _no_rise(*, path: str) -> str:
    return f"No rise can be told from chance, {path}: what is said beyond is little more than a guess."


def _path(*, smallest: int, first: float, largest: int, last: float) -> str:
    """The scores `first` and `last`, at the smallest and the largest training size."""
    start = f"from {formats.percent(first)} at {formats.count(smallest)} training examples"
    return f"{start} to {formats.percent(last)} at {formats.count(largest)}"


def _scatter(*, times: float) -> str:
    return f"The points scatter about {formats.count(times)} times as much as chance would have them: the band is wide."


SENTENCES: Mapping[str, Callable[..., str]] = {
    "curve.few_sizes": _few_sizes,
    "curve.one_group": _one_group,
    "curve.all_right": _all_right,
    "curve.all_wrong": _all_wrong,
    "curve.falls": _falls,
    "curve.no_rise": _no_rise,
    "curve.path": _path,
    "curve.scatter": _scatter,
}
