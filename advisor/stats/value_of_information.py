"""What it is worth to know more before deciding: EVPI, EVSI and EVPPI from joint draws.

Source: docs/method.md, "What to do next, and what it is worth", which names the papers.
Everything here is arithmetic on draws; `advisor.decision.next_steps` says which steps there are and what they cost.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from advisor.stats.bootstrap import FloatArray

_NORMAL = NormalDist()


def evpi(nets: FloatArray) -> float:
    """Return the expected value of perfect information, USD, at least 0: ``E max_a NB[a] - max_a E NB[a]``.

    Source: Raiffa and Schlaifer 1961, chapter 4. It is the same figure as the expected regret of the best choice now.

    Args:
        nets: float64 (D, S), net benefit of S choices in D joint draws.
    """
    return _above(float(nets.max(axis=1).mean()), float(nets.mean(axis=0).max()))


def evsi(means: FloatArray, part: FloatArray, share: float) -> float:
    """Return the expected value of sample information, USD, at least 0.

    Moment matching: what the choices will be expected to bring after the sample is their mean now plus the part of
    their spread that the sample is about, scaled so that its variance is the expected reduction. Source: Heath,
    Manolopoulou and Baio 2018 (Medical Decision Making 38, 163-173); the share n / (n + n0) that a sample of n resolves
    of what n0 left open is the Gaussian approximation of Jalal and Alarid-Escudero 2018 (the same journal, 38,
    174-188). Departure: the draws are centred, so that it is never negative and never falls as `share` grows, exactly.

    Args:
        means: float64 (S,), expected net benefit of each choice now.
        part: float64 (D, S), draws of the part that the sample tells about, around 0.
        share: of its variance that the sample resolves, 0 to 1.
    """
    after = means + math.sqrt(share) * (part - part.mean(axis=0))
    return _above(float(after.max(axis=1).mean()), float(means.max()))


def _above(knowing: float, now: float) -> float:
    """Return the difference, at least 0; what rounding leaves of two equal sums is 0."""
    gain = knowing - now
    return gain if gain > 1e-12 * max(abs(knowing), abs(now)) else 0.0


def evppi(conditional: FloatArray) -> float:
    """Return the expected value of knowing one input for sure, USD, at least 0.

    Source: Strong, Oakley and Brennan 2014 (Medical Decision Making 34, 311-326), who fit the expected net benefit
    given the input by regression; here it is linear in the input and independent of the rest, so it is written down.

    Args:
        conditional: float64 (D, S), expected net benefit of each choice given each draw of the input.
    """
    return evpi(conditional)


def component(draws: FloatArray, covariance: FloatArray) -> FloatArray:
    """Return draws with another covariance and the same shape: float64 (D, S), around 0.

    The matrix square roots of the multi-decision case of Heath, Manolopoulou and Baio 2018: ``X Sigma^(-1/2) C^(1/2)``.

    Args:
        draws: float64 (D, S).
        covariance: float64 (S, S), of the part that is meant; directions that `draws` do not have stay 0.
    """
    centred = draws - draws.mean(axis=0)
    whole = np.atleast_2d(np.cov(centred, rowvar=False))
    return np.asarray(centred @ _root(whole, -0.5) @ _root(covariance, 0.5))


def nearest_covariance(matrix: FloatArray) -> FloatArray:
    """Return `matrix` (S, S) with its negative eigenvalues, which noise left there, set to 0."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)


def _root(matrix: FloatArray, power: float) -> FloatArray:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    kept = values > max(1e-12 * float(np.abs(values).max(initial=0.0)), 1e-300)
    powered = np.where(kept, np.where(kept, values, 1.0) ** power, 0.0)
    return np.asarray((vectors * powered) @ vectors.T)


def unit_loss(z: float) -> float:
    """Return the unit normal loss ``E max(Z - z, 0) = phi(z) - z * (1 - Phi(z))``.

    Source: Raiffa and Schlaifer 1961, section 11.2.
    """
    return max(0.0, _NORMAL.pdf(z) - z * _NORMAL.cdf(-z))


def expected_maximum(floor: float, mean: float, sd: float) -> float:
    """Return ``E max(floor, X)`` for X normal with this mean and standard deviation."""
    return floor + sd * unit_loss((floor - mean) / sd) if sd > 0.0 else max(floor, mean)


def chance_to_reach(now: float, needed: float, share: float) -> float:
    """Return how likely a normal score rises to `needed` once `share` of its variance is resolved.

    A quantity with mean m and standard deviation s has the score ``now = m / s``. Afterwards its mean is normal around
    m with variance ``share * s^2`` and its standard deviation is ``s * sqrt(1 - share)`` (the pre-posterior analysis of
    Raiffa and Schlaifer 1961, chapter 5), so the score rises to `needed` with probability
    ``Phi((now - needed * sqrt(1 - share)) / sqrt(share))``.
    """
    if share <= 0.0:
        return 1.0 if now >= needed else 0.0
    return _NORMAL.cdf((now - needed * math.sqrt(max(0.0, 1.0 - share))) / math.sqrt(share))


def score_of(chance: float, draws: int) -> float:
    """Return the normal score of a share of draws; 0 and 1 are taken as half a draw away from certainty."""
    least = 0.5 / max(draws, 1)
    return _NORMAL.inv_cdf(min(max(chance, least), 1.0 - least))
