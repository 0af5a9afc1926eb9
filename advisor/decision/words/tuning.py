"""What the guard found that asks whether fine-tuning was tried at its best."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from advisor._util import formats


def _how() -> str:
    return (
        "Judged is the tuned strategy, by the trials that it records: more than one recipe compared on dev, a learning "
        "rate that is not at the edge of those tried (or the search was widened there once), a loss on train that is "
        "low, and a dev score that has stopped rising."
    )


def _unknown() -> str:
    return "which recipes were tried is not known"


def _one_recipe(*, label: str) -> str:
    return f"{label} was trained with one recipe only, so nothing shows that it is fine-tuning at its best"


def _tried(*, trials: int, epochs: float | None) -> str:
    trained = f", {epochs:,.0f} epochs in all" if epochs is not None else ""
    return f"{trials} recipes were tried{trained}"


def _rate(*, rate: float, lowest: float, highest: float, inside: bool) -> str:
    tried = f"the best learning rate is {rate:g}, of those from {lowest:g} to {highest:g}"
    return tried if inside else f"{tried}: it is at the edge, and beyond it none was tried"


def _rate_unknown() -> str:
    return "other learning rates were not tried"


def _loss(*, first: float, last: float, low: bool) -> str:
    fell = f"the loss on train went from {first:.3g} to {last:.3g}"
    return fell if low else f"{fell}: it learned too little of its own rows"


def _loss_unknown() -> str:
    return "the loss on train is not known"


def _rise(*, gain: float, epochs: int, rises: bool) -> str:
    if rises:
        return f"after {epochs} epochs dev still rises (the last ones brought {formats.points(gain)})"
    return f"after {epochs} epochs dev has stopped rising"


def _rise_unknown() -> str:
    return "whether dev still rises is not known"


def _search() -> str:
    return "Search for its recipe"


def _more_dev(*, n_dev: int, needed: int) -> str:
    return f"Give the eval set a dev split of at least {needed} examples (it has {n_dev}), on which to choose a recipe"


SENTENCES: Mapping[str, Callable[..., str]] = {
    "best.how": _how,
    "best.unknown": _unknown,
    "best.one_recipe": _one_recipe,
    "best.tried": _tried,
    "best.rate": _rate,
    "best.rate_unknown": _rate_unknown,
    "best.loss": _loss,
    "best.loss_unknown": _loss_unknown,
    "best.rise": _rise,
    "best.rise_unknown": _rise_unknown,
    "best.search": _search,
    "best.more_dev": _more_dev,
}
