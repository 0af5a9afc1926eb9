"""What to do next, and the steps that would tell more with what their figures rest on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from advisor._util import formats

# --- the next step of a verdict --------------------------------------------------------------------------------------

_AGAIN = "ask again when labels, volume or models change"


def _run_tuned() -> str:
    return "Run a fine-tuned strategy"


def _run(*, names: tuple[str, ...]) -> str:
    return f"Run {' and '.join(names)}"


def _run_again() -> str:
    return "Run it again, only what failed is asked anew"


def _confirm() -> str:
    return "Confirm it with more trainings before it goes live"


def _use(*, label: str) -> str:
    return f"Use {label}, and {_AGAIN}"


def _state_prices(*, file: str) -> str:
    """`file`: the comparison file that was read; empty where there is none yet."""
    made = f", {file}" if file else " (advisor init comparison comparison.yaml)"
    return f"Write what the model charges under economics: prices: and tuned_prices: in a comparison file{made}"


def _state_amounts() -> str:
    return "Say what a correct answer is worth and how many requests there are"


def _best(*, what: str, usd: float | None, worth_usd: float | None, decides: float | None, basis: str) -> str:
    figures = [f"worth {formats.usd(worth_usd)}"] if worth_usd is not None else []
    figures.append(f"costs {formats.usd(usd)}")
    if decides is not None:
        figures.append(f"decides in {formats.percent(decides)} of cases")
    return f"{what[0].upper()}{what[1:]}: {', '.join(figures)} ({basis})"


def _nothing_decides(*, now: str) -> str:
    return f"No single step is likely to decide; {now} is the choice now. {_AGAIN.capitalize()}"


def _nothing_pays(*, evpi_usd: float, ahead: str, now: str) -> str:
    """`ahead`: what is expected to bring most; `now`: what to use, another one where a guard fails."""
    least = f"No step is worth its price: to know all for sure would bring {formats.usd(evpi_usd)}"
    if ahead == now:
        return f"{least}, and {now} is the better expected choice now. {_AGAIN.capitalize()}"
    return (
        f"{least}. {ahead} is expected to bring more, but a check does not hold, so that {now} is the choice now. "
        f"{_AGAIN.capitalize()}"
    )


# --- the steps that would tell more ----------------------------------------------------------------------------------


def _test_examples(*, more: int, to_label: int) -> str:
    if not to_label:
        source = "at hand, left out by the limit"
    elif to_label == more:
        source = "to be labelled"
    else:
        source = f"{formats.count(to_label)} of them to be labelled"
    return f"{formats.count(more)} more test examples ({source})"


def _seed(*, seeds: int) -> str:
    return f"train once more, with {seeds} seeds in all"


def _labels(*, more: int, total: int) -> str:
    return f"{formats.count(more)} more training examples ({formats.count(total)} in all)"


def _strategy(*, name: str) -> str:
    return f"run {name}"


def _find_out(*, name: str) -> str:
    words = {"value": "what a correct answer is worth", "volume": "how many requests there are"}
    return f"find out more closely {words[name]}"


# --- what their figures rest on --------------------------------------------------------------------------------------


def _like_those(*, n: int, usd_per_label: float | None) -> str:
    """`usd_per_label`: where there are labels to pay."""
    return f"they are like the {formats.count(n)} at hand; {_paid(usd_per_label)}"


def _curve_holds(*, usd_per_label: float) -> str:
    return f"the learning curve holds; {_paid(usd_per_label)}"


def _paid(usd_per_label: float | None) -> str:
    labels = "labels counted as free, " if usd_per_label == 0.0 else "labels at your price, "
    return f"{'' if usd_per_label is None else labels}calls as measured"


def _like_trainings() -> str:
    return "a training costs what the measured ones did, and seeds differ as far as is known from them"


def _assumed_lift(*, lift: float, sd: float, other: str) -> str:
    return (
        f"assumed, not measured: {formats.points(lift)} better than {other}, give or take {formats.points(sd)}, at its "
        "price"
    )


def _known_after(*, hours: float) -> str:
    return f"it is known exactly afterwards, after {hours:.0f} hour of work"


SENTENCES: Mapping[str, Callable[..., str]] = {
    "next.run_tuned": _run_tuned,
    "next.run": _run,
    "next.run_again": _run_again,
    "next.confirm": _confirm,
    "next.use": _use,
    "next.state_prices": _state_prices,
    "next.state_amounts": _state_amounts,
    "next.best": _best,
    "next.nothing_decides": _nothing_decides,
    "next.nothing_pays": _nothing_pays,
    "step.test_examples": _test_examples,
    "step.seed": _seed,
    "step.labels": _labels,
    "step.strategy": _strategy,
    "step.find_out": _find_out,
    "basis.like_those": _like_those,
    "basis.curve_holds": _curve_holds,
    "basis.like_trainings": _like_trainings,
    "basis.assumed_lift": _assumed_lift,
    "basis.known_after": _known_after,
}
