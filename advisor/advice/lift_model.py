"""The hierarchical model of published lifts: what a tuned model scores, given what the prompted one scores.

On the logit scale, for task t and base model m of one arm of the table::

    tuned[t,m] = a + b * mean_x[t] + c * (x[t,m] - mean_x[t]) + task[t] + model[m] + noise[t,m]

with x the logit of the reference score. Task effects and noise are Student-t with 4 degrees of freedom (a few tasks
answer very differently), model effects normal; partial pooling by estimated variances. The slope between tasks (b) and
that within a task (c) differ much in this table, so each has its own (Mundlak 1978): with one common slope a new task
would be predicted by how base models of the same task differ, which says nothing about it. A task's own mean of x is
not known for a new task and is drawn given the one x that is.

Fitted by Gibbs sampling (scale mixtures of normals; conjugate inverse-gamma(1, 0.1) for variances, normal(0, 10) for
the slopes). Task kinds were tried as a fifth term and left out: no better on tasks left out in the arm that counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from threadpoolctl import threadpool_limits

from advisor.advice.published import Arm, arm
from advisor.stats.bootstrap import FloatArray

CLIP = 0.01
"""Scores nearer to 0 or 1 than one point are taken as one point away, so that their logit is finite."""
DEGREES = 4.0
KEPT, BURN_IN = 800, 200
_SHAPE, _RATE, _SLOPE_PRECISION = 1.0, 0.1, 0.1


def logit(score: FloatArray | float) -> FloatArray:
    """Return the log odds of scores, those beyond `CLIP` moved to it."""
    kept = np.clip(score, CLIP, 1.0 - CLIP)
    return np.asarray(np.log(kept / (1.0 - kept)))


@dataclass(frozen=True, slots=True)
class Fit:
    """G posterior draws of the model of one arm.

    Attributes:
        slopes: float64 (G, 3): intercept, slope between tasks, slope within a task.
        models: the names of the base models.
        model_effects: float64 (G, M).
        task_variance, model_variance, noise_variance: float64 (G,), logits squared; scale of the Student-t for two.
        centre: mean logit of the reference over tasks.
        between, within: variance of the reference's logit between and within tasks.
    """

    slopes: FloatArray
    models: tuple[str, ...]
    model_effects: FloatArray
    task_variance: FloatArray
    model_variance: FloatArray
    noise_variance: FloatArray
    centre: float
    between: float
    within: float

    def tuned_scores(
        self, reference: FloatArray, models: Sequence[str], rng: np.random.Generator, *, unseen: bool = False
    ) -> FloatArray:
        """Draw tuned scores for a task that is not in the table, float64 (D,) in (0, 1).

        Args:
            reference: float64 (D,), the prompted score in each draw.
            models: base models to draw from, equally likely.
            rng: draws.
            unseen: a kind of base model the table does not hold: its effect is drawn with twice their spread.
        """
        size = len(reference)
        at = np.arange(size) % len(self.slopes)
        x = logit(reference)
        share = self.between / (self.between + self.within)
        mean = self.centre + share * (x - self.centre)
        mean = mean + np.sqrt(self.between * (1.0 - share)) * rng.standard_normal(size)
        columns = np.array([self.models.index(name) for name in models])
        effect = self.model_effects[at, columns[rng.integers(len(columns), size=size)]]
        if unseen:
            effect = 2.0 * np.sqrt(self.model_variance[at]) * rng.standard_normal(size)
        middle = self.slopes[at, 0] + self.slopes[at, 1] * (mean - self.centre) + self.slopes[at, 2] * (x - mean)
        task = np.sqrt(self.task_variance[at]) * rng.standard_t(DEGREES, size)
        noise = np.sqrt(self.noise_variance[at]) * rng.standard_t(DEGREES, size)
        return np.asarray(1.0 / (1.0 + np.exp(-(middle + effect + task + noise))))


@dataclass(slots=True)
class _SamplerState:
    """Where the sampler stands."""

    theta: FloatArray
    row_weights: FloatArray
    task_weights: FloatArray
    noise: float = 1.0
    task: float = 1.0
    model: float = 0.2


def fit(data: Arm, rng: np.random.Generator, *, kept: int = KEPT, burn_in: int = BURN_IN) -> Fit:
    """Fit the model to one arm; `kept` draws are returned after `burn_in`."""
    tasks, task_at = np.unique(np.array(data.tasks), return_inverse=True)
    models, model_at = np.unique(np.array(data.models), return_inverse=True)
    x, y = logit(data.reference), logit(data.tuned)
    counts = np.bincount(task_at)
    means = np.bincount(task_at, weights=x) / counts
    inside = x - means[task_at]
    within = float(np.sum(inside**2) / max(1, len(x) - len(tasks)))
    between = max(float(np.var(means, ddof=1)) - within / float(np.mean(counts)), 1e-6)
    centre = float(np.mean(means))
    fixed = np.stack([np.ones_like(x), means[task_at] - centre, inside], axis=1)
    design = np.concatenate([fixed, np.eye(len(tasks))[task_at], np.eye(len(models))[model_at]], axis=1)
    state = _SamplerState(np.zeros(design.shape[1]), np.ones(len(y)), np.ones(len(tasks)))
    draws = []
    with threadpool_limits(limits=1):  # thousands of small products: threads would only wait for each other
        for turn in range(burn_in + kept):
            _step(state, design, y, rng)
            if turn >= burn_in:
                draws.append((state.theta, state.task, state.model, state.noise))
    theta = np.stack([one[0] for one in draws])
    task_variance, model_variance, noise_variance = (np.array([one[at] for one in draws]) for at in (1, 2, 3))
    return Fit(
        slopes=theta[:, :3],
        models=tuple(str(name) for name in models),
        model_effects=theta[:, 3 + len(tasks) :],
        task_variance=task_variance,
        model_variance=model_variance,
        noise_variance=noise_variance,
        centre=centre,
        between=between,
        within=within,
    )


def _step(state: _SamplerState, design: FloatArray, y: FloatArray, rng: np.random.Generator) -> None:
    """Draw all coefficients at once, then the weights and variances given them."""
    tasks = len(state.task_weights)
    models = design.shape[1] - 3 - tasks
    prior = np.concatenate(
        [np.full(3, _SLOPE_PRECISION), state.task_weights / state.task, np.full(models, 1.0 / state.model)]
    )
    weights = state.row_weights / state.noise
    root = np.linalg.cholesky(design.T @ (design * weights[:, None]) + np.diag(prior))
    half = np.linalg.solve(root, design.T @ (weights * y))
    theta = np.linalg.solve(root.T, half + rng.standard_normal(len(half)))
    error, effects, by_model = y - design @ theta, theta[3 : 3 + tasks], theta[3 + tasks :]
    state.theta = theta
    state.row_weights = _weights(error, state.noise, rng)
    state.noise = _variance(state.row_weights * error**2, rng)
    state.task_weights = _weights(effects, state.task, rng)
    state.task = _variance(state.task_weights * effects**2, rng)
    state.model = _variance(by_model**2, rng)


def _weights(values: FloatArray, variance: float, rng: np.random.Generator) -> FloatArray:
    return np.asarray(rng.gamma((DEGREES + 1.0) / 2.0, 2.0 / (DEGREES + values**2 / variance)))


def _variance(squares: FloatArray, rng: np.random.Generator) -> float:
    return float(1.0 / rng.gamma(_SHAPE + len(squares) / 2.0, 1.0 / (_RATE + 0.5 * float(np.sum(squares)))))


@lru_cache(maxsize=8)
def fitted(name: str, seed: int) -> Fit:
    """Return the fit of an arm to the whole table, made once a process."""
    return fit(arm(name), np.random.default_rng([seed, len(name)]))
