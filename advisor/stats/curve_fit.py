"""Fits falling curves to error rates by training size, and draws from what the data leave open of them.

Three families, all ``error(D) = drop * shape(D) + end`` with a shape that is 1 at the smallest measured size and falls
to 0, so that for a given shape the best `drop` and `end` are a least-squares problem of two unknowns (variable
projection: Golub and Pereyra 1973). The shapes lie on a grid, thus no start value decides what is found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from advisor.stats.bootstrap import FloatArray

FAR = 4.0
"""How many times the largest size a shape may still turn at; also the limit of extrapolation."""

TEMPER = 0.5
"""Power to which the likelihood is raised: none of the three families is the truth. See `Fitted.draw`."""

PRIOR_DISPERSION = 1.0
"""One imagined observation of the dispersion, at that of a binomial: the mean scatters as if no example were shared."""

LEAST_SHARE = 0.02
"""A curve that has nothing left to gain stays possible, at this fraction of the odds of one that can lose it all."""

_STARTS, _STEPS = 3, 12


@dataclass(frozen=True, slots=True)
class Measured:
    """Mean errors by training size.

    Attributes:
        sizes: float64 (J,), ascending.
        errors: float64 (J,), mean over seeds, in [0, 1].
        repeats: float64 (J,), how many seeds.
        n: test examples.
        between: sum over sizes and seeds of the squared distance from the size's mean, in binomial variances.
        freedom: degrees of freedom of `between`.
    """

    sizes: FloatArray
    errors: FloatArray
    repeats: FloatArray
    n: int
    between: float = 0.0
    freedom: int = 0

    def without_largest(self) -> Measured:
        """Return the same with the largest size hidden; its seeds take their share of the spread along."""
        hidden = int(self.repeats[-1]) - 1
        left = (self.freedom - hidden) / self.freedom if self.freedom else 0.0
        kept = (self.sizes[:-1], self.errors[:-1], self.repeats[:-1], self.n)
        return Measured(*kept, self.between * left, self.freedom - hidden)


@dataclass(frozen=True, slots=True)
class Family:
    """One family of curves.

    Attributes:
        name: as its source calls it.
        grid: (smallest, largest size) -> float64 (G, p), the shapes that are looked at.
        shape: (float64 (G, p), float64 (M,) sizes, smallest size) -> float64 (G, M).
        named: (one shape's parameters, drop, end, smallest size) -> its parameters in the source's notation.
    """

    name: str
    grid: Callable[[float, float], FloatArray]
    shape: Callable[[FloatArray, FloatArray, float], FloatArray]
    named: Callable[[FloatArray, float, float, float], tuple[tuple[str, float], ...]]


def _power_shape(grid: FloatArray, at: FloatArray, first: float) -> FloatArray:
    return np.asarray((at / first) ** -grid[:, :1])


def _exponential_shape(grid: FloatArray, at: FloatArray, first: float) -> FloatArray:
    return np.asarray(np.exp(-(at - first) / grid[:, :1]))


def _rectified_shape(grid: FloatArray, at: FloatArray, first: float) -> FloatArray:
    beta, learned = grid[:, :1], grid[:, 1:] ** grid[:, :1]
    return np.asarray((learned + first**beta) / (learned + at**beta))


def _rectified_grid(first: float, last: float) -> FloatArray:
    betas, turns = np.linspace(0.2, 2.0, 19), np.geomspace(first / 2, FAR * last, 16)
    return np.array([(beta, turn) for beta in betas for turn in turns])


FAMILIES = (
    Family(
        "rectified power law",
        _rectified_grid,
        _rectified_shape,
        lambda p, drop, end, first: (
            ("B", float(drop * (p[1] ** p[0] + first ** p[0]))),
            ("D_l", float(p[1] ** p[0])),
            ("beta", float(p[0])),
            ("E", end),
        ),
    ),
    Family(
        "pow3",
        lambda first, last: np.geomspace(0.05, 2.5, 40)[:, None],
        _power_shape,
        lambda p, drop, end, first: (("a", float(drop * first ** p[0])), ("alpha", float(p[0])), ("E", end)),
    ),
    Family(
        "exp3",
        lambda first, last: np.geomspace(first / 3, FAR * last, 40)[:, None],
        _exponential_shape,
        lambda p, drop, end, first: (
            ("a", float(drop * np.exp(first / p[0]))),
            ("scale", float(p[0])),
            ("E", end),
        ),
    ),
)
"""``B/(D_l + D^beta) + E`` (arXiv 2402.02314); ``a*D^-alpha + E`` and ``a*exp(-D/scale) + E`` (Domhan et al. 2015).

With a turn far to the right the first is flat over all that was measured and falls later: few flat points do not rule
that out, and the band says so.
"""


@dataclass(frozen=True, slots=True)
class BestFit:
    """One family's best curve: its weight, its parameters by name, and its deviance in binomial variances."""

    family: str
    parameters: tuple[tuple[str, float], ...]
    weight: float
    deviance: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """All families on one strategy's errors.

    Attributes:
        measured: the data.
        floor: no curve goes below this error.
        precision: float64 (J,), inverse binomial variance of each mean error.
        dispersion: variance of the means around the curve, in binomial variances.
        freedom: degrees of freedom behind `dispersion`.
        fits: one a family.
    """

    measured: Measured
    floor: float
    precision: FloatArray
    dispersion: float
    freedom: int
    fits: tuple[BestFit, ...]

    def draw(self, at: FloatArray, shifts: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Draw error curves: float64 (D, M), at the sizes `at`.

        The test examples are resampled (`shifts`), which moves all sizes together; given them, a shape is drawn with
        probability in proportion to its quasi-likelihood and its prior (see `fit_curve`), and then `drop` and `end`
        from their normal distribution, held to ``drop >= 0`` and ``end >= floor``. The dispersion is drawn too (scaled
        inverse chi-squared).

        Departs from the percentile bootstrap of the best fit (Efron and Tibshirani 1993, chapter 13): that fit levels
        off too early on average, and the percentiles of its refits repeat the bias. Both were measured on planted
        curves, see benchmarks/README.md. The likelihood is raised to `TEMPER` (Holmes and Walker 2017), since curves
        of no family should be covered as well.

        Args:
            at: float64 (M,), sizes.
            shifts: float64 (D, J), what resampling the test examples adds to each mean error.
            rng: the one source of randomness.
        """
        draws, sizes = len(shifts), self.measured.sizes
        spread = self.dispersion * self.freedom / rng.chisquare(self.freedom, draws) / TEMPER
        observed = self.measured.errors + shifts
        scores, shapes, shown = [], [], []
        for family in FAMILIES:
            grid = family.grid(sizes[0], sizes[-1])
            shapes.append(family.shape(grid, sizes, sizes[0]))
            shown.append(family.shape(grid, at, sizes[0]))
            found = project(shapes[-1], self.precision, observed, self.floor)
            prior = np.log(_left_to_gain(shapes[-1], found[0], found[1], self.floor) / len(grid))
            scores.append(prior - found[2] / (2.0 * spread))
        table = np.concatenate(scores)
        picked = np.argmax(table + rng.gumbel(size=table.shape), axis=0)  # a draw in proportion to exp(table)
        noise = rng.standard_normal(observed.shape) * np.sqrt(spread[:, None] / self.precision)
        chosen = np.concatenate(shapes)[picked]
        drop, end = _one_each(chosen, self.precision, observed + noise, self.floor)
        curve = drop[:, None] * np.concatenate(shown)[picked] + end[:, None]
        return np.asarray(np.clip(curve, self.floor, 1.0))

    def noise(self, errors: FloatArray, repeats: float, rng: np.random.Generator) -> FloatArray:
        """Return what a fresh training, mean of `repeats`, would add to the error drawn, float64 (D,)."""
        spread = self.dispersion * self.freedom / rng.chisquare(self.freedom, len(errors))
        variance = np.clip(errors * (1.0 - errors), 0.25 / self.measured.n, None) / (self.measured.n * repeats)
        return np.asarray(rng.standard_normal(len(errors)) * np.sqrt(spread * variance))


def fit_curve(measured: Measured, floor: float = 0.0) -> Fitted:
    """Fit every family by binomial quasi-likelihood (McCullagh and Nelder 1989, chapter 9).

    Variance of a mean error: ``dispersion * e * (1 - e) / (n * seeds)``. All sizes are scored on the same examples, so
    the scatter around the curve is that of training and may be below a binomial's; it is estimated from the seeds and
    from the misfit of the best family together, with `PRIOR_DISPERSION` as one further observation.

    The weight of a family is its quasi-likelihood, to the power `TEMPER`, averaged over its shapes with their prior; a
    family with more freedom pays for it in the average. Families are equally likely at first, and so are the shapes of
    one, but for a factor: the share of the last error that the curve can still lose. Without it the curves level off
    too early on average, on planted curves as on real ones (benchmarks/README.md); it was set by looking at these.

    Args:
        measured: at least three sizes.
        floor: the lowest error that the labels allow.
    """
    rough = np.clip(measured.errors, 0.5 / (measured.n + 1), 1.0 - 0.5 / (measured.n + 1))
    precision = measured.repeats * measured.n / (rough * (1.0 - rough))
    shapes = [family.shape(family.grid(*_ends(measured)), measured.sizes, measured.sizes[0]) for family in FAMILIES]
    found = [project(shape, precision, measured.errors[None], floor) for shape in shapes]
    best = min(range(len(FAMILIES)), key=lambda at: float(found[at][2].min()))
    at = int(found[best][2][:, 0].argmin())
    smooth = found[best][0][at, 0] * shapes[best][at] + found[best][1][at, 0]
    smooth = np.clip(smooth, 0.5 / (measured.n + 1), 1.0 - 0.5 / (measured.n + 1))
    precision = measured.repeats * measured.n / (smooth * (1.0 - smooth))
    found = [project(shape, precision, measured.errors[None], floor) for shape in shapes]
    tables = [deviance[:, 0] for _, _, deviance in found]
    priors = [_left_to_gain(shape, drop, end, floor)[:, 0] for shape, (drop, end, _) in zip(shapes, found, strict=True)]
    polished = [
        _polish(family, measured, precision, floor, table) for family, table in zip(FAMILIES, tables, strict=True)
    ]
    freedom = max(len(measured.sizes) - 3, 0) + measured.freedom + 1
    misfit = min(deviance for _, deviance in polished)
    dispersion = (misfit + measured.between + PRIOR_DISPERSION) / freedom
    weights = np.array(
        [
            np.mean(prior * np.exp(-TEMPER * (table - misfit) / (2.0 * dispersion)))
            for prior, table in zip(priors, tables, strict=True)
        ]
    )
    weights /= weights.sum()
    fits = tuple(
        BestFit(family.name, named, float(weight), deviance)
        for family, (named, deviance), weight in zip(FAMILIES, polished, weights, strict=True)
    )
    return Fitted(measured, floor, precision, dispersion, freedom, fits)


def project(
    shapes: FloatArray, precision: FloatArray, observed: FloatArray, floor: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the best `drop` and `end` of every shape for every observation, and their deviance: float64 (G, D) each.

    A convex problem of two unknowns with ``drop >= 0`` and ``end >= floor``: where the free optimum is not allowed, the
    better of the two edges is the answer.

    Args:
        shapes: float64 (G, J).
        precision: float64 (J,).
        observed: float64 (D, J).
        floor: the lowest `end`.
    """
    weighted = shapes * precision
    total, ones, squares = precision.sum(), weighted.sum(axis=1)[:, None], (weighted * shapes).sum(axis=1)[:, None]
    level, cross = observed @ precision, weighted @ observed.T
    return _held(total, ones, squares, level, cross, (observed**2) @ precision, floor)


def _one_each(
    shapes: FloatArray, precision: FloatArray, observed: FloatArray, floor: float
) -> tuple[FloatArray, FloatArray]:
    """As `project`, each observation with a shape of its own, both float64 (D, J): `drop` and `end`, float64 (D,)."""
    weighted = shapes * precision
    total, ones, squares = precision.sum(), weighted.sum(axis=1), (weighted * shapes).sum(axis=1)
    level, cross = observed @ precision, (weighted * observed).sum(axis=1)
    return _held(total, ones, squares, level, cross, (observed**2) @ precision, floor)[:2]


def _held(
    total: float,
    ones: FloatArray,
    squares: FloatArray,
    level: FloatArray,
    cross: FloatArray,
    size: FloatArray,
    floor: float,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Solve the normal equations within their bounds; all arguments are sums over the sizes."""
    determinant = total * squares - ones**2
    usable = determinant > 1e-12 * total * squares  # else the shape is level over all sizes: only `end` can be told
    drop = np.divide(
        total * cross - ones * level, determinant, out=np.zeros(np.broadcast(ones, cross).shape), where=usable
    )
    end = (level - drop * ones) / total

    def deviance(drop: FloatArray, end: FloatArray) -> FloatArray:
        found = size - 2.0 * (drop * cross + end * level)
        return np.asarray(found + drop**2 * squares + 2.0 * drop * end * ones + end**2 * total)

    level_end = np.maximum(level / total, floor) + np.zeros_like(drop)
    low_drop = np.maximum((cross - floor * ones) / squares, 0.0)
    flat, low = deviance(np.zeros_like(drop), level_end), deviance(low_drop, np.full_like(drop, floor))
    free = (drop >= 0.0) & (end >= floor)
    lower = low < flat
    drop_found = np.where(free, drop, np.where(lower, low_drop, 0.0))
    end_found = np.where(free, end, np.where(lower, floor, level_end))
    return drop_found, end_found, np.maximum(deviance(drop_found, end_found), 0.0)


def _left_to_gain(shapes: FloatArray, drop: FloatArray, end: FloatArray, floor: float) -> FloatArray:
    """Return which share of the error at the largest size each curve can still lose, never quite 0: float64 (G, D)."""
    left = drop * shapes[:, -1:]
    return np.asarray(left / np.maximum(left + end - floor, 1e-9) + LEAST_SHARE)


def _ends(measured: Measured) -> tuple[float, float]:
    return float(measured.sizes[0]), float(measured.sizes[-1])


def _polish(
    family: Family, measured: Measured, precision: FloatArray, floor: float, table: FloatArray
) -> tuple[tuple[tuple[str, float], ...], float]:
    """Improve the best shapes of the grid between its points; return the named parameters and the deviance."""
    from scipy.optimize import minimize

    grid = np.log(family.grid(*_ends(measured)))

    def solved(shape: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        row = family.shape(np.exp(shape)[None], measured.sizes, measured.sizes[0])
        return project(row, precision, measured.errors[None], floor)

    def misfit(shape: FloatArray) -> float:
        return float(solved(shape)[2][0, 0])

    bounds = list(zip(grid.min(axis=0), grid.max(axis=0), strict=True))
    starts = [grid[at] for at in np.argsort(table, kind="stable")[:_STARTS]]
    found = [minimize(misfit, start, method="L-BFGS-B", bounds=bounds, options={"maxiter": _STEPS}) for start in starts]
    best = min(found, key=lambda one: float(one.fun))
    drop, end, deviance = (float(value[0, 0]) for value in solved(best.x))
    return family.named(np.exp(best.x), drop, end, measured.sizes[0]), deviance
