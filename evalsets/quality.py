"""What is to be known of the examples before a verdict on them is trusted: leaks, conflicts, label noise, balance."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from advisor.core.data_check import DataFindings
from advisor.core.errors import AdvisorError
from advisor.core.progress import Progress, silent
from advisor.core.queries import query_text
from advisor.core.types import Embed, EvalSet, Example

from . import labels, leaks
from .sameness import answers_of, key_of

EMBEDDED_AT_ONCE = 1024


def look_at_data(evalset: EvalSet, embed: Embed, rng: np.random.Generator, progress: Progress = silent) -> DataFindings:
    """Look for leaks from train and dev into test, conflicts and wrong labels in train; see docs/reading-a-verdict.md.

    Costs the embeddings of all inputs, and beside them seconds: 10,000 train and 3,000 test examples take less than a
    minute. Where there are no embeddings, what needs none is looked at all the same, and `incomplete` says so.

    Args:
        evalset: whose examples are looked at; nothing is changed.
        embed: texts to vectors.
        rng: for the folds and the interval of the label noise.
        progress: where to say how far it is.
    """
    learned = (*evalset.train, *evalset.dev)
    incomplete = ""
    vectors: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
    try:
        train, test = (embedded(part, embed, what, progress) for part, what in _parts(learned, evalset.test))
        vectors = train, test
    except AdvisorError as error:
        incomplete = f"no embeddings could be had: {error}"
    shares = class_shares(evalset)
    noise = labels.Noise(note=incomplete or "the task has no closed labels")
    if vectors is not None and evalset.labels:
        noise = labels.estimate_noise(evalset.train, vectors[0][: len(evalset.train)], rng, progress)
    suspects, told = leaks.find(evalset.test, learned, vectors, progress)
    return DataFindings(
        leaks=suspects,
        conflicts=conflicts(evalset.train),
        label_noise=noise.share,
        suspicious=noise.suspicious,
        label_note=noise.note,
        largest_class=max(shares.values()) if shares else None,
        smallest_class=min(shares.values()) if shares else None,
        n_train=len(evalset.train),
        checked=leaks.HOW + told,
        incomplete=incomplete,
    )


def conflicts(
    examples: Sequence[Example], keys: Iterable[str] = (), answers: Sequence[frozenset[str]] = ()
) -> tuple[tuple[str, ...], ...]:
    """Return the ids of each group of examples with the same question of which two accept no answer in common.

    `keys` and `answers` are `key_of` and `answers_of` of each, where they are at hand already.
    """
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for at, key in enumerate(keys or map(key_of, examples)):
        groups[key].append(at)
    found = []
    for group in groups.values():
        if len(group) > 1 and _clash([answers[at] if answers else answers_of(examples[at]) for at in group]):
            found.append(tuple(examples[at].id for at in group))
    return tuple(found)


def _clash(answers: Iterable[frozenset[str]]) -> bool:
    """Say whether two of these have nothing in common."""
    distinct = list(dict.fromkeys(answers))
    if frozenset.intersection(*distinct):
        return False
    return any(a.isdisjoint(b) for at, a in enumerate(distinct) for b in distinct[:at])


def class_shares(evalset: EvalSet) -> dict[str, float]:
    """Return the share of each label in train, those that never occur included; empty without closed labels."""
    if not evalset.labels:
        return {}
    counts = Counter(example.target for example in evalset.train)
    return {label: counts[label] / len(evalset.train) for label in evalset.labels}


def _parts(learned: Sequence[Example], test: Sequence[Example]) -> tuple[tuple[Sequence[Example], str], ...]:
    return (learned, "reading what was learned from"), (test, "reading the test questions")


def embedded(examples: Sequence[Example], embed: Embed, what: str, progress: Progress) -> NDArray[np.float32]:
    """Embed the questions in pieces, so that it is seen how far it is; float32 (n, d)."""
    texts = [query_text(example.input) for example in examples]
    pieces = []
    for start in range(0, len(texts), EMBEDDED_AT_ONCE):
        progress(what, start, len(texts))
        pieces.append(embed(texts[start : start + EMBEDDED_AT_ONCE]))
    progress(what, len(texts), len(texts))
    return np.concatenate(pieces) if pieces else embed([])
