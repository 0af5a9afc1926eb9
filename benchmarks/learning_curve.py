"""Measures whether the bands of the learning curves hold what they promise, and writes benchmarks/README.md's table.

    python benchmarks/learning_curve.py              planted curves of six kinds (minutes)
    python benchmarks/learning_curve.py --real       real ones: an embedding classifier on banking77 and sms_spam

Planted: half of the kinds are not among the families that are fitted. Real: sizes up to a quarter of the data are
shown, and half of it and all of it are predicted. The data are read from ../shared/datasets or ADVISOR_DATA_MIRROR.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from planted_curves import Planted  # noqa: E402

from advisor.decision.learning_curve import learning_curves  # noqa: E402
from advisor.economics.inputs import Economics  # noqa: E402
from advisor.stats.curve_fit import FAMILIES, Fitted, fit_curve, project  # noqa: E402
from advisor.stats.curve_points import SizedRun, measured_errors, tabulate  # noqa: E402

MIRROR = Path(os.environ.get("ADVISOR_DATA_MIRROR", "../shared/datasets"))
KEPT = ROOT / "benchmarks" / "results" / "learning_curve.json"
Make = Callable[[np.random.Generator], Callable[[float], float]]


def _pow3(rng: np.random.Generator) -> Callable[[float], float]:
    end, drop, rate = rng.uniform(0.02, 0.3), rng.uniform(0.2, 0.6), rng.uniform(0.1, 1.0)
    return lambda size: end + drop * (size / 20) ** -rate


def _exp3(rng: np.random.Generator) -> Callable[[float], float]:
    end, drop, scale = rng.uniform(0.02, 0.3), rng.uniform(0.2, 0.6), rng.uniform(30, 1000)
    return lambda size: end + drop * np.exp(-size / scale)


def _rectified(rng: np.random.Generator) -> Callable[[float], float]:
    end, drop, beta, turn = rng.uniform(0.02, 0.3), rng.uniform(0.2, 0.6), rng.uniform(0.4, 1.2), rng.uniform(10, 600)
    return lambda size: end + drop * (turn**beta + 20**beta) / (turn**beta + size**beta)


def _sigmoid(rng: np.random.Generator) -> Callable[[float], float]:
    end, drop, middle, width = (
        rng.uniform(0.02, 0.3),
        rng.uniform(0.2, 0.6),
        rng.uniform(3, 6.5),
        rng.uniform(0.4, 1.2),
    )
    return lambda size: end + drop / (1 + np.exp((np.log(size) - middle) / width))


def _logarithm(rng: np.random.Generator) -> Callable[[float], float]:
    start, slope = rng.uniform(0.5, 0.8), rng.uniform(0.02, 0.12)
    return lambda size: float(np.clip(start - slope * np.log(size / 20), 0.02, 0.95))


def _inverse_logarithm(rng: np.random.Generator) -> Callable[[float], float]:
    end, slope = rng.uniform(-0.2, 0.1), rng.uniform(1.0, 2.0)
    return lambda size: float(np.clip(end + slope / np.log(size), 0.01, 0.95))


KINDS: dict[str, Make] = {
    "rectified power law": _rectified,
    "pow3": _pow3,
    "exp3": _exp3,
    "sigmoid in log size (not fitted)": _sigmoid,
    "straight line in log size (not fitted)": _logarithm,
    "1 / log size (not fitted)": _inverse_logarithm,
}
SETTINGS = ((100, 3), (300, 3), (1000, 3), (300, 1))
"""Test examples, and seeds."""


def planted(tries: int) -> list[dict[str, Any]]:
    """Return, by kind and setting, how often the truth lay in the 90 % intervals."""
    found = []
    for kind, make in KINDS.items():
        for n, seeds in SETTINGS:
            rows = [_one(make, n, seeds, seed) for seed in range(tries)]
            means = {key: float(np.nanmean([row[key] for row in rows])) for key in rows[0]}
            found.append({"kind": kind, "n": n, "seeds": seeds, "tries": tries, **means})
            print(found[-1], flush=True)
    return found


def _one(make: Make, n: int, seeds: int, seed: int) -> dict[str, float]:
    stage = Planted.of(n, 1000 * n + 100_000_000 * seeds + seed)
    error = make(stage.rng)
    sized = stage.sized("fine_tuning", error, seeds=seeds, noise=0.01)
    rng, started = np.random.default_rng(seed), time.perf_counter()
    [curve] = learning_curves(sized, stage.panel(few_shot=0.3), stage.test, Economics(), rng)
    spent = time.perf_counter() - started
    bootstrap = percentile_bootstrap(sized, stage, rng)
    row: dict[str, float] = {"seconds": spent}
    for at, factor in enumerate((2, 4)):
        truth = error(300) - error(300 * factor)
        if not curve.more:  # it was refused: nothing was promised
            row |= {f"gain{factor}": np.nan, f"width{factor}": np.nan, f"bootstrap{factor}": np.nan}
            continue
        gain = curve.more[at].gain
        row[f"gain{factor}"] = float(gain.low <= truth <= gain.high)
        row[f"width{factor}"] = gain.high - gain.low
        low, high = np.quantile(bootstrap[:, at], [0.05, 0.95])
        row[f"bootstrap{factor}"] = float(low <= truth <= high)
    row["hidden"] = float(curve.calibration.inside) if curve.calibration else np.nan
    return row


def percentile_bootstrap(sized: list[SizedRun], stage: Planted, rng: np.random.Generator) -> np.ndarray:
    """Return refits' gains at 2 and 4 times: the parametric bootstrap of the best fit, to compare with."""
    table = tabulate("fine_tuning", sized, stage.test)
    fitted: Fitted = fit_curve(measured_errors(table))
    sizes, errors = fitted.measured.sizes, fitted.measured.errors
    draws, wide = 600, np.array([300.0, 600.0, 1200.0])
    weights = np.array(
        [np.exp(-(fit.deviance / fitted.dispersion) / 2 - k) for fit, k in zip(fitted.fits, (4, 3, 3), strict=True)]
    )
    counts = rng.multinomial(len(stage.test), np.full(len(stage.test), 1 / len(stage.test)), size=draws)
    means = np.stack([1 - counts @ table.scores[table.at(int(size))].mean(axis=0) / len(stage.test) for size in sizes])
    families = rng.choice(3, draws, p=weights / weights.sum())
    found = np.empty((draws, 2))
    for at, family in enumerate(FAMILIES):
        mine = families == at
        if not mine.any():
            continue
        grid = family.grid(sizes[0], sizes[-1])
        shapes, shown = family.shape(grid, sizes, sizes[0]), family.shape(grid, wide, sizes[0])
        drop, end, deviance = project(shapes, fitted.precision, errors[None], 0.0)
        best = int(deviance[:, 0].argmin())
        centre = drop[best, 0] * shapes[best] + end[best, 0]
        noise = rng.standard_normal((int(mine.sum()), len(sizes))) * np.sqrt(fitted.dispersion / fitted.precision)
        again = centre + means.T[mine] - errors + noise
        drop, end, deviance = project(shapes, fitted.precision, again, 0.0)
        picked = deviance.argmin(axis=0)
        falls = drop[picked, np.arange(len(picked))][:, None] * shown[picked]
        found[mine] = falls[:, :1] - falls[:, 1:]
    return found


# --- real ones -------------------------------------------------------------------------------------------------------


def real(parts: int) -> list[dict[str, Any]]:
    """Fit up to a quarter of the data, predict the half and the whole; `parts` disjoint sets of test examples each."""
    from sklearn.linear_model import LogisticRegression

    from advisor.core.progress import silent
    from advisor.core.queries import query_text
    from advisor.core.shipped import load_evalset
    from advisor.models.local.embeddings import Embedder

    warnings.filterwarnings("ignore", category=UserWarning)
    embed, found = Embedder(silent), []
    for name, most in (("banking77", 1200), ("sms_spam", 1200)):
        evalset = load_evalset(str(MIRROR / name)).limited(train=most, test=900)
        vectors = {
            e.id: v for e, v in zip(evalset.train, embed([query_text(e.input) for e in evalset.train]), strict=True)
        }
        asked = embed([query_text(e.input) for e in evalset.test])
        sizes = [round(most / 4 / 2**step) for step in (4, 3, 2, 1, 0)] + [most // 2, most]
        right: dict[tuple[int, int], np.ndarray] = {}
        for order in range(3):
            for size in sizes:
                train = evalset.learning_from(size, order).train
                head = LogisticRegression(C=10.0, max_iter=300)
                head.fit(np.stack([vectors[e.id] for e in train]), [e.target for e in train])
                right[size, order] = (head.predict(asked) == np.array([e.target for e in evalset.test])) * 1.0
                print(name, size, order, right[size, order].mean(), flush=True)
        for part in range(parts):
            found.append({"set": name, "part": part, **_real_one(right, sizes, part, parts)})
            print(found[-1], flush=True)
    return found


def _real_one(right: dict[tuple[int, int], np.ndarray], sizes: list[int], part: int, parts: int) -> dict[str, float]:
    mine = np.arange(len(next(iter(right.values())))) % parts == part
    stage = Planted.of(int(mine.sum()), part)
    shown = sizes[:-2]
    runs = [
        SizedRun("classifier", size, stage.run("classifier", size, order, right[size, order][mine], tuned=False))
        for size in shown
        for order in range(3)
    ]
    rng = np.random.default_rng(part)
    [curve] = learning_curves(runs, stage.panel(few_shot=0.3), stage.test, Economics(), rng)
    row: dict[str, float] = {"hidden": float(curve.calibration.inside) if curve.calibration else np.nan}
    for at, size in enumerate(sizes[-2:]):
        # the gain on all 900 test examples stands for the truth; the part that the curve saw is a third of them
        truth = np.mean([right[size, order].mean() - right[shown[-1], order].mean() for order in range(3)])
        gain = curve.more[at].gain if curve.more else None
        row[f"gain{2 ** (at + 1)}"] = float(gain.low <= truth <= gain.high) if gain else np.nan
        row[f"truth{2 ** (at + 1)}"] = float(truth)
        row[f"expected{2 ** (at + 1)}"] = gain.estimate if gain else np.nan
    return row


def main() -> None:
    """Run one half and keep its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--tries", type=int, default=100)
    options = parser.parse_args()
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    kept["real" if options.real else "planted"] = real(3) if options.real else planted(options.tries)
    KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    if not options.real:
        rows = kept["planted"]
        for n, seeds in SETTINGS:
            chosen = [row for row in rows if (row["n"], row["seeds"]) == (n, seeds)]
            keys = ("gain2", "gain4", "width2", "width4", "bootstrap2", "bootstrap4", "hidden")
            print(n, seeds, {key: round(float(np.nanmean([row[key] for row in chosen])), 3) for key in keys})


if __name__ == "__main__":
    main()
