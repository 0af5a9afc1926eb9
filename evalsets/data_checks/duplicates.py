"""Is the same thing asked twice: across splits, within one, with another answer, or in one group on both sides?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np

from advisor._util import formats
from advisor.core.data_check import Gate
from advisor.core.errors import AdvisorError
from advisor.core.types import Example

from .. import leaks
from ..draft import SPLITS
from ..quality import conflicts
from .data_profile import SHOWN, DataProfile, Found, NotAsked, cut, pair, row, several

LEAKED = 0.02
"""Share of test questions with a near copy in train or dev from which on the test set fails."""
REPEATED = 0.10
NEARLY = 0.01
SAID = {"exact": "same question", "minhash": "wording"}
CONFLICTING = 0.05


def across(profile: DataProfile) -> Found:
    """Find near copies of test questions in what is learned from: same wording, most of it, or nearly the same sense.

    Those that `advisor.evalsets.leaks` finds, with the same answer; by embedding, among those that were embedded.
    """
    suspects, told = leaks.find(profile.test, profile.learned, None, profile.progress, profile.wording)
    found = {
        leak.test_id: (leak.train_id, f"{SAID[leak.kind]} {formats.percent(leak.similarity)}") for leak in suspects
    }
    for test_id, train_id, cosine in _by_embedding(profile):
        found.setdefault(test_id, (train_id, f"embedding, cosine {cosine:.3f}"))
    by_id = {example.id: example for example in profile.learned}
    test = {example.id: example for example in profile.test}
    share = len(found) / max(1, len(test))
    figure = (
        f"{len(found):,} of {several(len(test), 'test question')} ({formats.percent(share)}) "
        f"{'has' if len(found) == 1 else 'have'} a near copy with the same answer in train or dev{told}"
    )
    shown = tuple(pair(test[one], by_id[other], how) for one, (other, how) in list(found.items())[:SHOWN])
    gate: Gate = "warn" if found else "ok"
    if share >= LEAKED:
        gate = "fail"
    todo = "take the copies out of train and dev (--fix does), and write other questions for them" if found else ""
    return Found(gate, figure, todo, shown, tuple(other for other, _ in found.values()))


def copies(profile: DataProfile) -> dict[str, str]:
    """Return every example of train and dev that is a near copy of a test question, with that question's id."""
    examples, n = profile.examples, len(profile.learned)
    learned, test = range(n), range(n, len(examples))
    near = profile.wording.between(learned, test, "looking for copies of test questions")
    places = {at: other.at for at, other in near.of.items()} | leaks.exact(profile.wording, learned, test)
    found = {examples[at].id: examples[other].id for at, other in places.items()}
    for learned_id, test_id in _close_to_test(profile):
        found.setdefault(learned_id, test_id)
    return found


def _close_to_test(profile: DataProfile) -> Iterator[tuple[str, str]]:
    """Yield every embedded example of train and dev with nearly the vector of a test question with its answer."""
    try:
        sample = profile.sample
    except (NotAsked, AdvisorError):
        return
    if sample.learned and sample.test:
        first, second = sample.vectors
        near = leaks.nearest_with_same_answer(sample.learned, sample.test, (second, first), profile.progress)
        for at, other, cosine in near:
            if cosine >= leaks.COSINE:
                yield sample.learned[at].id, sample.test[other].id


def _by_embedding(profile: DataProfile) -> Iterator[tuple[str, str, float]]:
    try:
        sample = profile.sample
    except NotAsked:
        return
    if sample.learned and sample.test:
        near = leaks.nearest_with_same_answer(sample.test, sample.learned, sample.vectors, profile.progress)
        for at, other, cosine in near:
            if cosine >= leaks.COSINE:
                yield sample.test[at].id, sample.learned[other].id, cosine


def repeats(profile: DataProfile) -> Found:
    """Find questions that stand word for word (case, punctuation and articles aside) twice in one split."""
    first: dict[tuple[str, str, frozenset[str]], Example] = {}
    found: list[tuple[Example, Example]] = []
    for example, split, key, answers in zip(
        profile.examples, profile.split_of, profile.keys, profile.answers, strict=True
    ):
        earlier = first.setdefault((split, key, answers), example)
        if earlier is not example:
            found.append((example, earlier))
    share = len(found) / max(1, len(profile.examples))
    figure = f"{several(len(found), 'example')} ({formats.percent(share)}) repeat an earlier one of the same split"
    if not found:
        return Found("ok", figure)
    todo = "keep one of each (--fix does)"
    shown = tuple(pair(*both) for both in found[:SHOWN])
    return Found("fail" if share >= REPEATED else "warn", figure, todo, shown, tuple(one.id for one, _ in found))


def nearly_repeats(profile: DataProfile) -> Found:
    """Find questions of one split that share most of their wording, or nearly all of their sense, with an earlier one.

    Questions with different answers are left to `same_wording_other_label`.
    """
    near = profile.wording.earlier("looking for near repeats")
    found = {at: (one.at, f"{formats.percent(one.share)} of their wording") for at, one in sorted(near.of.items())}
    for at, other, cosine in _near_within(profile):
        found.setdefault(at, (other, f"embedding, cosine {cosine:.3f}"))
    share = len(found) / max(1, len(profile.examples))
    figure = (
        f"{several(len(found), 'example')} ({formats.percent(share)}) nearly repeat an earlier one of their split"
        f"{near.told}"
    )
    shown = tuple(pair(profile.examples[at], profile.examples[o], why) for at, (o, why) in list(found.items())[:SHOWN])
    if share < NEARLY:
        return Found("ok", figure, "", shown)
    todo = "write other questions, or keep one of each: what is stamped from one template counts as one example"
    return Found("warn", figure, todo, shown, tuple(profile.examples[at].id for at in found))


def _near_within(profile: DataProfile) -> Iterator[tuple[int, int, float]]:
    """Yield places of embedded examples with the first earlier one of their split that has one answer and vector."""
    try:
        sample = profile.sample
    except NotAsked:
        return
    place = {example.id: at for at, example in enumerate(profile.examples)}
    question = profile.wording.question
    for part, vectors in zip((sample.learned, sample.test), sample.vectors, strict=True):
        at = np.asarray([place[example.id] for example in part], dtype=np.intp)
        split = np.asarray([SPLITS.index(profile.split_of[one]) for one in at], dtype=np.intp)
        for one, same, cosines in leaks.with_same_answer(part, part, (vectors, vectors), profile.progress):
            close = (cosines >= leaks.COSINE) & (same < one) & (split[same] == split[one])
            close &= question[at[same]] != question[at[one]]
            if close.any():
                first = int(np.flatnonzero(close)[same[close].argmin()])
                yield int(at[one]), int(at[same[first]]), float(cosines[first])


def groups(profile: DataProfile) -> Found:
    """Find groups that stand on both sides of a split."""
    places: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for example, split in zip(profile.examples, profile.split_of, strict=True):
        if "group" in example.metadata:
            places[example.group][split] += 1
    if not places:
        raise NotAsked("no example names a group")
    astray = {name: counts for name, counts in places.items() if counts["test"] and len(counts) > 1}
    figure = f"{len(astray):,} of {several(len(places), 'group')} stand in test and in train or dev"
    if not astray:
        return Found("ok", figure)
    shown = tuple(
        f"{cut(name, 60)}: " + ", ".join(f"{counts[split]} {split}" for split in SPLITS if counts[split])
        for name, counts in list(astray.items())[:SHOWN]
    )
    todo = (
        "if what is known of a group answers other questions on it, put each group into one split; "
        "if it is meant so (every document is asked about in each), say so in the card"
    )
    return Found("warn", figure, todo, shown)


def contradictions(profile: DataProfile) -> Found:
    """Find questions that stand there twice and accept no answer in common."""
    found = conflicts(profile.examples, profile.keys, profile.answers)
    rows = tuple(identity for group in found for identity in group)
    share = len(rows) / max(1, len(profile.examples))
    figure = (
        f"{several(len(rows), 'example')} ({formats.percent(share)}) ask what another one asks, with another answer"
    )
    if not found:
        return Found("ok", figure)
    by_id = {example.id: example for example in profile.examples}
    shown = tuple(
        " | ".join(f"{identity} → {cut(by_id[identity].target, 40)}" for identity in group[:4])
        + f": {row(by_id[group[0]]).partition(': ')[2]}"
        for group in found[:SHOWN]
    )
    todo = "decide which answer is right (or list both in metadata.answers); --fix takes them out of train and dev"
    return Found("fail" if share >= CONFLICTING else "warn", figure, todo, shown, rows)


def same_wording_other_label(profile: DataProfile) -> Found:
    """Find questions with nearly the same wording that carry different labels."""
    if not profile.draft.labels:
        raise NotAsked("the task has no closed labels")
    near = profile.wording.earlier_with_other_answer("looking for other labels")
    found = {at: one.at for at, one in sorted(near.of.items())}
    share = len(found) / max(1, len(profile.examples))
    figure = (
        f"{several(len(found), 'example')} ({formats.percent(share)}) share most of their wording with one that "
        f"carries another label{near.told}"
    )
    examples = profile.examples
    shown = tuple(
        pair(examples[at], examples[o], f"{cut(examples[at].target, 30)} and {cut(examples[o].target, 30)}")
        for at, o in list(found.items())[:SHOWN]
    )
    if share < NEARLY:
        return Found("ok", figure, "", shown)
    return Found("warn", figure, "read the pairs: one of the two labels is likely wrong", shown,
                 tuple(examples[at].id for at in found))  # fmt: skip
