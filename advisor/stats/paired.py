"""From scores to paired statistics: an interval a strategy, every difference with its test, and the joint draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from advisor.core.types import Interval
from advisor.stats.alpha_spending import COMPARISON_LEVEL
from advisor.stats.bootstrap import Contrast, Draws, FloatArray, Panel, Unseen, bootstrap, contrast
from advisor.stats.hypothesis_tests import NonInferiority, equivalence_p, holm, non_inferiority, paired_tests
from advisor.stats.intervals import interval, simultaneous_intervals
from advisor.stats.power import detectable_difference

_TIE = 1e-12


@dataclass(frozen=True, slots=True)
class Difference:
    """`a` minus `b` on the examples both answered, in score units (0.02 = 2 points).

    Attributes:
        interval: paired two-level bootstrap.
        simultaneous: the same, valid for all differences of the comparison at once (max-T), and at a later look at a
            growing test set for all looks (`advisor.stats.alpha_spending`), so that its level is higher then.
        p_value, test: the test and its p, for the training seeds at hand; `p_holm` adjusted for all differences.
        discordance: share of examples on which the two differ.
        detectable: smallest difference that would be found `real` in about 80 of 100 tries: at this n, spread between
            clusters and training seeds, and number of differences held together; `None` where undefined.
        probability_better: share of bootstrap draws above 0, unseen kinds of examples allowed for (`Unseen`).
        not_worse: whether `a` is worse by the margin or more can be excluded, for this pair alone.
        p_equivalent: p-value of "differs by less than the margin" (TOST), for this pair alone.
        real: `p_holm` and the simultaneous interval agree, at the level of that interval, that it is not 0.
    """

    a: str
    b: str
    n: int
    clusters: int
    interval: Interval
    simultaneous: Interval
    p_value: float
    p_holm: float
    test: str
    discordance: float
    detectable: float | None
    probability_better: float
    real: bool
    not_worse: NonInferiority | None = None
    p_equivalent: float | None = None


@dataclass(frozen=True, slots=True)
class PairedStatistics:
    """What the scores say: an interval a strategy, the differences to the pivot, and the joint draws behind both.

    `family` are the differences of every strategy that could have become the pivot, the `differences` first. `pivot`
    is empty where nothing could be scored.
    """

    qualities: Mapping[str, Interval]
    family: tuple[Difference, ...]
    draws: Draws
    pivot: str

    @property
    def differences(self) -> tuple[Difference, ...]:
        """The pivot minus each other strategy."""
        return tuple(one for one in self.family if one.a == self.pivot)


def paired_statistics(
    panel: Panel, draws: int, rng: np.random.Generator, *, error: float = 1.0 - COMPARISON_LEVEL, margin: float = 0.0
) -> PairedStatistics:
    """Draw all strategies and all differences of a panel jointly and read off intervals and tests.

    Args:
        panel: strategies with at least one example scored in every seed; may be empty.
        draws: how many bootstrap draws.
        rng: the one source of randomness.
        error: two-sided error rate at which a difference counts as real, of all differences together.
        margin: difference that counts as none, for non-inferiority and equivalence; 0 leaves both out.
    """
    means = [one for one in (contrast(panel, column) for column in range(len(panel.labels))) if one is not None]
    if not means:
        return PairedStatistics({}, (), Draws((), np.empty((draws, 0)), {}), "")
    pivot, pairs = _family([one.estimate for one in means], panel.tuned)
    family = {(a, b): one for a, b in pairs if (one := contrast(panel, a, b)) is not None}
    drawn = bootstrap(panel, [*means, *family.values()], draws=draws, rng=rng)
    split = len(means)
    qualities = {
        label: interval(one, drawn.contrasts[:, column], rng, level=COMPARISON_LEVEL)
        for column, (label, one) in enumerate(zip(panel.labels, means, strict=True))
    }
    unseen = Unseen.draw(min(one.clusters for one in means), draws, split, rng)
    quality = unseen.of_means(np.clip(drawn.contrasts[:, :split], 0.0, 1.0))
    differences = _differences(panel.labels, family, drawn.contrasts[:, split:], unseen, rng, 1.0 - error)
    if margin > 0.0:
        held = zip(differences, family.values(), strict=True)
        differences = tuple(_against_margin(one, raw, margin) for one, raw in held)
    joint = Draws(panel.labels, quality, drawn.usage)
    return PairedStatistics(qualities, differences, joint, panel.labels[pivot])


def _family(estimates: Sequence[float], tuned: Sequence[bool]) -> tuple[int, list[tuple[int, int]]]:
    """Pick the pivot, and list the pairs of every strategy that could have been it with every other, its own first."""
    columns = range(len(estimates))
    candidates = [column for column in columns if tuned[column]] or list(columns)
    pivot = max(candidates, key=lambda column: estimates[column])
    pairs = [(pivot, other) for other in columns if other != pivot]
    for candidate in candidates:
        known = {frozenset(pair) for pair in pairs}
        pairs += [(candidate, o) for o in columns if o != candidate and frozenset((candidate, o)) not in known]
    return pivot, pairs


def _differences(
    labels: Sequence[str],
    family: Mapping[tuple[int, int], Contrast],
    drawn: FloatArray,
    unseen: Unseen,
    rng: np.random.Generator,
    level: float,
) -> tuple[Difference, ...]:
    contrasts = list(family.values())
    tests = paired_tests(contrasts, rng, draws=len(drawn))
    adjusted = holm([p for p, _ in tests])
    own = [interval(one, drawn[:, j], rng, level=COMPARISON_LEVEL) for j, one in enumerate(contrasts)]
    base = own
    if level > COMPARISON_LEVEL:
        base = [interval(one, drawn[:, j], rng, level=level) for j, one in enumerate(contrasts)]
    wide = simultaneous_intervals(base, drawn, [one.clusters for one in contrasts])
    found = []
    for j, ((a, b), one) in enumerate(family.items()):
        narrow, together, (p_value, test) = own[j], wide[j], tests[j]
        found.append(
            Difference(
                a=labels[a],
                b=labels[b],
                n=len(one.values),
                clusters=one.clusters,
                interval=narrow,
                simultaneous=together,
                p_value=p_value,
                p_holm=adjusted[j],
                test=test,
                discordance=float(np.mean(np.abs(one.values) > _TIE)),
                detectable=_detectable(one, len(family), level),
                probability_better=float(np.mean(unseen.of_difference(drawn[:, j], a, b) > 0.0)),
                real=adjusted[j] < 1 - level and not together.low <= 0.0 <= together.high,
            )
        )
    return tuple(found)


def _against_margin(one: Difference, raw: Contrast, margin: float) -> Difference:
    # Without spread between clusters an assumed spread of trainings must not stand for what was measured.
    estimate, error = raw.estimate, raw.standard_error if raw.cluster_error > _TIE else 0.0
    return replace(
        one,
        not_worse=non_inferiority(estimate, error, margin, clusters=raw.clusters),
        p_equivalent=equivalence_p(estimate, error, margin, clusters=raw.clusters),
    )


def _detectable(one: Contrast, family: int, level: float) -> float | None:
    """Smallest difference found at 80 %, with this sample's discordance and the design effect of clusters and seeds.

    The level is Bonferroni's over the family, since a difference is called real only where all of them hold together.
    """
    graded = not np.isin(one.values, (-1.0, 0.0, 1.0)).all()
    independent = float(np.var(one.values)) / len(one.values)
    effect = max(1.0, one.standard_error**2 / independent if independent > 0.0 else 1.0)
    moment = min(1.0, float(np.mean(one.values**2)))
    each = 1.0 - (1.0 - level) / family
    return detectable_difference(len(one.values), moment, level=each, design_effect=effect, graded=graded)
