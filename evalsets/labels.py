"""How many labels are wrong, and which look it: confident learning on embeddings, out of fold."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from advisor._util import formats
from advisor.core.data_check import SuspiciousLabel
from advisor.core.progress import Progress
from advisor.core.types import Example, Interval
from advisor.stats.bootstrap import FloatArray, IntArray
from advisor.stats.intervals import binomial_interval

FOLDS = 5
LEAST_PER_LABEL, LEAST_EXAMPLES = 5, 50
"""Fewer examples of a label than there are folds cannot be cross-validated; fewer than 50 in all say nothing."""
LEAST_RIGHT = 0.70
"""A classifier that is right more rarely than this cannot tell a wrong label from a hard example.

Its own errors would be most of the figure. Measured: 500 of banking77's examples 79 %, sms_spam 98 %; harrow_routing,
whose queues follow rules that no embedding shows, 58 %."""
SHOWN, SHOWN_CHARACTERS = 50, 300
DRAWS, DRAWN = 2000, 100
"""Draws of the bootstrap, and how many are held at once."""
MOST_CELLS = 50_000_000
"""Probabilities held at once: 400 MB."""


@dataclass(frozen=True, slots=True)
class Noise:
    """The share of wrong labels, the examples that look mislabelled, and why there is no figure where there is none."""

    share: Interval | None = None
    suspicious: tuple[SuspiciousLabel, ...] = ()
    note: str = ""


def estimate_noise(
    train: Sequence[Example], vectors: NDArray[np.float32], rng: np.random.Generator, progress: Progress
) -> Noise:
    """Estimate the share of wrong labels in train.

    Confident learning (Northcutt, Jiang and Chuang 2021, arXiv 1911.00068): out-of-fold probabilities of each label; an
    example counts towards label j if its probability of j is at least the mean one of the examples labelled j, and its
    largest among these; the counts by given label and by that, scaled to the given labels (equation 3), are the joint
    distribution, and what is off the diagonal is the noise. Departures: the classifier is a linear discriminant
    analysis on sentence embeddings, which has a closed form. The interval is the percentile bootstrap over examples
    with the classifier held, joined with the exact binomial one, so it does not show the classifier's own errors: where
    labels overlap in meaning, some of the figure is that and not wrong labels. No figure is given where the classifier
    is right on fewer than `LEAST_RIGHT` of the examples.

    Args:
        train: examples whose `target` is a label.
        vectors: float32 (n, d), their embeddings.
        rng: for folds and interval.
        progress: where to say how far it is.
    """
    counts = Counter(example.target for example in train)
    names = sorted(label for label, count in counts.items() if count >= LEAST_PER_LABEL)
    code = {name: at for at, name in enumerate(names)}
    rows = np.array([at for at, example in enumerate(train) if example.target in code], dtype=np.intp)
    if len(names) < 2 or len(rows) < LEAST_EXAMPLES:
        need = f"at least {LEAST_EXAMPLES} examples of labels with {LEAST_PER_LABEL} examples or more are needed"
        return Noise(note=f"too few examples to look for wrong labels: {need}")
    if len(rows) * len(names) > MOST_CELLS:
        return Noise(note=f"wrong labels are not looked for among {len(rows):,} examples of {len(names):,} labels: at "
                     f"most {MOST_CELLS:,} probabilities (examples times labels) are held at once")  # fmt: skip
    given = np.array([code[train[at].target] for at in rows], dtype=np.intp)
    probabilities = out_of_fold(vectors[rows].astype(np.float64), given, len(names), rng, progress)
    confident = confident_labels(probabilities, given)
    note = "" if len(rows) == len(train) else f"labels with fewer than {LEAST_PER_LABEL} examples are left out"
    suspicious = _suspicious(train, rows, names, probabilities, given, confident)
    right = float(np.mean(probabilities.argmax(axis=1) == given))
    if right < LEAST_RIGHT:
        weak = f"a classifier on embeddings finds only {formats.percent(right)} of them, too few to tell a wrong label"
        return Noise(suspicious=suspicious, note=f"{weak} from a hard example")
    return Noise(_share(given, confident, len(names), rng), suspicious, note)


def out_of_fold(
    vectors: FloatArray, given: IntArray, labels: int, rng: np.random.Generator, progress: Progress
) -> FloatArray:
    """Return the probability of each label for each example, from the folds it is not in; float64 (n, labels).

    Folds are stratified: the shuffled examples of each label are dealt out in turn.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    order = rng.permutation(len(given))
    order = order[np.argsort(given[order], kind="stable")]
    fold = np.empty(len(given), dtype=np.intp)
    fold[order] = np.arange(len(given)) % FOLDS
    probabilities = np.zeros((len(given), labels))
    for at in range(FOLDS):
        progress("looking for wrong labels", at, FOLDS)
        inside, outside = fold == at, fold != at
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of collinear columns, which shrinkage is there for
            head = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(vectors[outside], given[outside])
        probabilities[np.ix_(inside, head.classes_)] = head.predict_proba(vectors[inside])
    progress("looking for wrong labels", FOLDS, FOLDS)
    return probabilities


def confident_labels(probabilities: FloatArray, given: IntArray) -> IntArray:
    """Return the label each example confidently belongs to, -1 where none; int (n,).

    Source: Northcutt et al. 2021, equations 1 and 2.
    """
    labels = probabilities.shape[1]
    own = probabilities[np.arange(len(given)), given]
    thresholds = np.bincount(given, weights=own, minlength=labels) / np.bincount(given, minlength=labels)
    reached = np.where(probabilities >= thresholds, probabilities, -1.0)
    best = reached.argmax(axis=1)
    return np.where(reached.max(axis=1) >= 0.0, best, -1).astype(np.intp)


def _share(given: IntArray, confident: IntArray, labels: int, rng: np.random.Generator) -> Interval:
    """Return the noise with its interval: how often each pair (given, confident) occurs is drawn anew."""
    cells = given * (labels + 1) + confident + 1
    kinds, counts = np.unique(cells, return_counts=True)
    rows, columns = kinds // (labels + 1), kinds % (labels + 1) - 1
    estimate = float(_off_diagonal(counts[None, :], rows, columns, labels)[0])
    shares = [
        _off_diagonal(rng.multinomial(len(given), counts / len(given), size=DRAWN), rows, columns, labels)
        for _ in range(DRAWS // DRAWN)
    ]
    low, high = np.quantile(np.concatenate(shares), (0.025, 0.975))
    wrong = round(estimate * len(given))
    exact = binomial_interval(wrong, len(given))
    ends = min(float(low), exact[0], estimate), max(float(high), exact[1], estimate)
    return Interval(estimate, *ends, 0.95, "confident learning, out of fold on embeddings")


def _off_diagonal(counts: IntArray, rows: IntArray, columns: IntArray, labels: int) -> FloatArray:
    """Return the share off the diagonal for each row of `counts` (draws, cells); cells are ordered by given label.

    Each given label's confident examples are scaled to all that carry it; a label without any has no say.
    """
    starts = np.searchsorted(rows, np.arange(labels))
    carried = np.add.reduceat(counts, starts, axis=1)
    sure = np.add.reduceat(counts * (columns >= 0), starts, axis=1)
    wrong = np.add.reduceat(counts * ((columns >= 0) & (columns != rows)), starts, axis=1)
    share = np.divide(wrong, sure, out=np.zeros(wrong.shape), where=sure > 0)
    return np.asarray((share * carried).sum(axis=1) / carried.sum(axis=1))


def _suspicious(
    train: Sequence[Example],
    rows: IntArray,
    names: Sequence[str],
    probabilities: FloatArray,
    given: IntArray,
    confident: IntArray,
) -> tuple[SuspiciousLabel, ...]:
    """Return the examples that confidently belong to another label, the widest gap between the two first."""
    wrong = np.flatnonzero((confident >= 0) & (confident != given))
    gaps = probabilities[wrong, confident[wrong]] - probabilities[wrong, given[wrong]]
    return tuple(
        SuspiciousLabel(
            id=train[rows[at]].id,
            text=str(train[rows[at]].input)[:SHOWN_CHARACTERS] if rank < SHOWN else "",
            given=names[given[at]],
            likely=names[confident[at]],
            gap=float(gap),
        )
        for rank, (at, gap) in enumerate(sorted(zip(wrong, gaps, strict=True), key=lambda pair: (-pair[1], pair[0])))
    )
