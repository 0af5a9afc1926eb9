"""The simulated worlds of the self-test, and what is promised in each (docs/honesty.md, "What the worlds are")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from advisor.economics.inputs import Economics

Measure = Literal["false yes", "covers", "found", "says yes"]
Promise = tuple[float, float] | None

FALSE_YES: Promise = (0.0, 0.05)
COVERS: Promise = (0.94, 0.96)
FOUND: Promise = (0.78, 0.82)
MORE_OFTEN_THAN_NOT: Promise = (0.50, 1.0)

DEAR, CHEAP = 0.5, 0.1
"""Seconds a request takes; the second is what makes tuning cheaper."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """One simulated strategy.

    Attributes:
        label: its name; the first arm of a setting is the one the others are measured against.
        lead: its true mean score minus that of the first arm.
        tuned: it stands for a tuned strategy.
        seeds: how many trainings are run.
        seed_sd: true standard deviation of its mean score between trainings.
        seconds: mean machine time of one request.
    """

    label: str
    lead: float = 0.0
    tuned: bool = False
    seeds: int = 1
    seed_sd: float = 0.0
    seconds: float = DEAR


@dataclass(frozen=True, slots=True)
class Setting:
    """One kind of world, and what is promised of the verdicts and intervals in it.

    Attributes:
        name: what is simulated, in words.
        arms: the strategies.
        promises: per measure the range promised; `None` where nothing is promised and the figure is only shown.
        n: test examples; with `looks` the largest size.
        looks: sizes of a growing test set, compared one after the other until the first yes.
        discordance: share of examples on which a strategy differs from the first one.
        score: true mean score of the first arm.
        cluster_size, icc: examples that belong together, and the correlation of their differences.
        graded: scores of several parts between 0 and 1, in place of right or wrong.
        permuted: whose answer is whose is thrown anew for each cluster, so that every lead is 0.
        economics: the user's side of the money.
        quick: it is part of the quick mode.
    """

    name: str
    arms: tuple[Simulated, ...]
    promises: Mapping[Measure, Promise]
    n: int = 400
    looks: tuple[int, ...] = ()
    discordance: float = 0.20
    score: float = 0.60
    cluster_size: int = 1
    icc: float = 0.0
    graded: bool = False
    permuted: bool = False
    economics: Economics = field(default_factory=Economics)
    quick: bool = False


@dataclass(frozen=True, slots=True)
class Mode:
    """How much is simulated: worlds a setting, bootstrap draws a world, and whether all settings take part."""

    worlds: int
    draws: int
    everything: bool


QUICK = Mode(worlds=300, draws=1_000, everything=False)
FULL = Mode(worlds=2_000, draws=1_000, everything=True)

BASE = Simulated("few_shot")
MARGIN = 0.02
VOLUME = Economics(requests_per_month=1_000_000, margin=MARGIN)
"""A volume at which `CHEAP` instead of `DEAR` pays any training back, and no value: the verdict is by dominance."""
STRICT = Economics(requests_per_month=1_000_000, margin=0.0)


def settings(mode: Mode) -> tuple[Setting, ...]:
    """Return the settings of a mode."""
    every = (*_false_yes(), *_seeds(), *_looks(), *_coverage(), *_power())
    return tuple(one for one in every if mode.everything or one.quick)


def worse(label: str = "fine_tuning", *, seeds: int = 1, seed_sd: float = 0.0) -> Simulated:
    """Return a tuned strategy that is cheaper, and worse by exactly the margin: yes is just wrong."""
    return Simulated(label, -MARGIN, True, seeds, seed_sd, CHEAP)


def _false_yes() -> tuple[Setting, ...]:
    promised: Mapping[Measure, Promise] = {"false yes": FALSE_YES}
    same = Simulated("fine_tuning", 0.0, True)
    edge = Setting("worse by exactly the margin and cheaper", (BASE, worse()), promised, economics=VOLUME, quick=True)
    four = tuple(worse(f"fine_tuning_{name}") for name in "abcd")
    paid = Economics(requests_per_month=1_000_000, usd_per_correct_answer=_value_at_even(0.03))
    return (
        Setting("A/A, same price, margin 0", (BASE, same), promised, economics=STRICT, quick=True),
        Setting("A/A, tuned is dearer, value known", (BASE, replace(same, seconds=2 * DEAR)), promised, economics=paid),
        Setting("labels permuted, margin 0", (BASE, replace(same, lead=0.05)), promised, permuted=True,
                economics=STRICT, quick=True),
        edge,
        replace(edge, name="the same, four tuned ones", arms=(BASE, *four)),
        replace(edge, name="the same, 80 clusters of 5, correlation 0.2", cluster_size=5, icc=0.2),
        replace(edge, name="the same, 20 clusters of 10, correlation 0.3", n=200, cluster_size=10, icc=0.3,
                quick=False),
        replace(edge, name="the same, 10 examples, 60 % of answers differ", n=10, discordance=0.60, quick=False),
        replace(edge, name="the same, 40 examples", n=40, quick=False),
        replace(edge, name="the same, 100 examples", n=100, quick=False),
        replace(edge, name="the same, 3 % of answers differ", discordance=0.03, quick=False),
        replace(edge, name="the same, graded scores", graded=True, quick=False),
        replace(edge, name="the same, six others not tuned", quick=False,
                arms=(BASE, *(Simulated(f"few_shot_{i}") for i in range(5)), worse())),
        Setting("better by exactly the margin, same price", (BASE, replace(same, lead=MARGIN)), promised,
                economics=VOLUME, quick=True),
        Setting("better, and worth exactly its price", (BASE, Simulated("fine_tuning", 0.03, True, seconds=2 * DEAR)),
                promised, economics=paid, quick=True),
    )  # fmt: skip


def _value_at_even(lead: float) -> float:
    """Return the value of a correct answer at which `lead` pays exactly for `DEAR` more seconds a request, USD.

    Training costs next to nothing at the volume simulated, and counts against a yes.
    """
    plain = Economics()
    return DEAR * plain.usd_per_hour / 3600 / plain.utilisation / lead


def _seeds() -> tuple[Setting, ...]:
    both: Mapping[Measure, Promise] = {"false yes": FALSE_YES, "covers": COVERS}
    edge = Setting("", (BASE,), both, economics=VOLUME)
    # Trainings that vary twice as much as is assumed: a false yes is still promised not to happen where two were run.
    wild: Mapping[Measure, Promise] = {"false yes": FALSE_YES, "covers": None}
    return (
        replace(edge, name="one training, trainings differ by 1.5 points (as is assumed)",
                arms=(BASE, worse(seed_sd=0.015)), quick=True),
        replace(edge, name="one training, they differ by 1 point", promises=wild, arms=(BASE, worse(seed_sd=0.01))),
        replace(edge, name="two trainings, they differ by 1 point", arms=(BASE, worse(seeds=2, seed_sd=0.01))),
        replace(edge, name="two trainings, they differ by 2 points (twice what is assumed)", promises=wild,
                arms=(BASE, worse(seeds=2, seed_sd=0.02))),
        replace(edge, name="five trainings, they differ by 2 points", arms=(BASE, worse(seeds=5, seed_sd=0.02))),
        replace(edge, name="one training, they differ by 2 points (more than is assumed)", promises=wild,
                arms=(BASE, worse(seed_sd=0.02))),
    )  # fmt: skip


def _looks() -> tuple[Setting, ...]:
    promised: Mapping[Measure, Promise] = {"false yes": FALSE_YES}
    edge = Setting("looked at after 100, 200 and 400, worse by the margin and cheaper", (BASE, worse()), promised,
                   looks=(100, 200, 400), economics=VOLUME, quick=True)  # fmt: skip
    four = tuple(worse(f"fine_tuning_{name}") for name in "abcd")
    six = tuple(range(100, 601, 100))
    return (
        edge,
        replace(edge, name="the same looks, 80 clusters of 5, correlation 0.2", cluster_size=5, icc=0.2, quick=False),
        replace(edge, name="the same looks, four tuned ones", arms=(BASE, *four), quick=False),
        replace(edge, name="the same looks, A/A, same price, margin 0", quick=False,
                arms=(BASE, Simulated("fine_tuning", 0.0, True)), economics=STRICT),
        replace(edge, name="six looks, after each 100, worse by the margin and cheaper", n=600, looks=six, quick=False),
    )  # fmt: skip


def _coverage() -> tuple[Setting, ...]:
    promised: Mapping[Measure, Promise] = {"covers": COVERS}
    pair = Setting("", (BASE, Simulated("rag", 0.03)), promised)
    return (
        replace(pair, name="two strategies, 400 examples", quick=True),
        replace(pair, name="two strategies, 100 examples", n=100),
        replace(pair, name="two strategies, 80 clusters of 5, correlation 0.2", cluster_size=5, icc=0.2, quick=True),
        replace(pair, name="two strategies, 20 clusters of 10, correlation 0.3", n=200, cluster_size=10, icc=0.3),
        replace(pair, name="two strategies, 400 examples, 5 % of answers differ", discordance=0.05),
        replace(pair, name="two strategies, 400 examples, graded scores", graded=True),
    )


def _power() -> tuple[Setting, ...]:
    shown: Mapping[Measure, Promise] = {"says yes": None}
    clear: Mapping[Measure, Promise] = {"says yes": MORE_OFTEN_THAN_NOT}
    plain: Mapping[Measure, Promise] = {"found": FOUND, "covers": COVERS}
    tuned = Simulated("fine_tuning", 0.05, True, seconds=CHEAP)
    return (
        Setting("5 points planted, 626 examples, 20 % differ, nothing tuned", (BASE, Simulated("rag", 0.05)), plain,
                n=626, quick=True),
        Setting("the same, tuned (1.5 points between trainings are assumed)", (BASE, tuned),
                {"found": None, "says yes": None}, n=626, economics=VOLUME),
        Setting("5 points better and cheaper, 400 examples", (BASE, tuned), clear, economics=VOLUME, quick=True),
        Setting("equal and cheaper, 400 examples", (BASE, replace(tuned, lead=0.0)), shown, economics=VOLUME),
        Setting("equal and cheaper, 2,000 examples", (BASE, replace(tuned, lead=0.0)), shown, n=2_000,
                economics=VOLUME),
        Setting("10 points better, same price, 400 examples", (BASE, replace(tuned, lead=0.10, seconds=DEAR)), clear,
                economics=VOLUME),
    )  # fmt: skip
