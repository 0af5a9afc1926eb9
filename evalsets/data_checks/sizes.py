"""Are there enough examples, and are the labels spread so that they can be learned and told apart?"""

from __future__ import annotations

import math
from collections import Counter

from advisor._util import formats
from advisor.core.types import MIN_DEV
from advisor.stats.power import detectable_difference, required_examples

from .data_profile import DataProfile, Found, NotAsked, cut, several, several_shown

DISCORDANCE = 0.20
"""Share of examples on which two strategies are taken to differ, where no run has told yet."""
FINE, COARSE = 0.10, 0.20
"""A test set that shows only differences above 10 points is a warning, above 20 points no test set."""
DEFAULT_MARGIN = 0.02
FEW_TRAIN = 50
RARE, DOMINANT, SHIFT = 5, 0.90, 0.15


def test_size(profile: DataProfile) -> Found:
    """Hold the test set against the difference that must show."""
    n = len(profile.test)
    groups = len({example.group for example in profile.test})
    asked = profile.settings.margin
    margin = asked or DEFAULT_MARGIN
    finest = detectable_difference(n, DISCORDANCE)
    needed = required_examples(margin, DISCORDANCE)
    shows = f"show differences from {formats.points(finest)} on" if finest else "cannot show any difference"
    grouped = f" in {groups:,} groups, which tell less than as many single ones," if groups < n else ""
    figure = (
        f"{several(n, 'test example')}{grouped} {shows} (power 80%, two strategies differing on "
        f"{formats.percent(DISCORDANCE)}); the margin of {formats.points(margin)} needs {needed:,}"
    )
    if finest is None or finest > COARSE:
        gate = "fail"
    else:
        gate = "warn" if finest > (asked or FINE) else "ok"
    wanted = required_examples(asked or FINE, DISCORDANCE)
    todo = f"write more test examples: {wanted:,} show {formats.points(asked or FINE)}" if gate != "ok" else ""
    return Found(gate, figure, todo)  # type: ignore[arg-type]


def train_size(profile: DataProfile) -> Found:
    """Are there enough examples to learn from?"""
    n = len(profile.draft.splits["train"])
    if n >= FEW_TRAIN:
        return Found("ok", several(n, "training example"))
    todo = f"write at least {FEW_TRAIN}; advisor compare --learning-curve says what more would bring"
    return Found("warn" if n else "fail", several(n, "training example"), todo)


def dev_size(profile: DataProfile) -> Found:
    """Are there enough examples to choose on?"""
    n = len(profile.draft.splits["dev"])
    if not n and profile.draft.carve:
        return Found("ok", "no dev.jsonl: some of train are set apart when it is loaded")
    if n >= MIN_DEV:
        return Found("ok", several(n, "development example"))
    return Found(
        "warn",
        f"{several(n, 'development example')}; choosing on fewer than {MIN_DEV} is a lottery",
        f"move examples from train until there are {MIN_DEV}, or delete dev.jsonl and let it be set apart",
    )


def balance(profile: DataProfile) -> Found:
    """How are the labels spread in train?"""
    labels = _labels(profile)
    counts = Counter(example.target for example in profile.draft.splits["train"])
    total = max(1, counts.total())
    order = sorted(labels, key=lambda label: (counts[label], label))
    rare = [label for label in order if counts[label] < RARE]
    largest = order[-1]
    share = counts[largest] / total
    figure = (
        f"{several(len(labels), 'label')}; the rarest, {cut(order[0], 40)!r}, has {counts[order[0]]:,} of {total:,} "
        f"training examples, the commonest, {cut(largest, 40)!r}, {formats.percent(share)}"
    )
    shown = several_shown([f"{label}: {several(counts[label], 'training example')}" for label in rare])
    if rare:
        todo = f"write at least {RARE} training examples of each label, or drop the label"
        return Found("warn", f"{figure}; {len(rare)} have fewer than {RARE}", todo, shown)
    if share > DOMINANT:
        todo = "score by macro-F1 (label_accuracy reports it), and write more of the other labels"
        return Found("warn", f"{figure}: always saying it is right {formats.percent(share)} of the time", todo)
    return Found("ok", figure)


def labels_tested(profile: DataProfile) -> Found:
    """Does every label occur in test, and is every one that does in train?"""
    labels = _labels(profile)
    train = {example.target for example in profile.learned}
    test = {example.target for example in profile.test}
    unlearned, untested = sorted(test - train), sorted(set(labels) - test)
    figure = f"{len(test):,} of {several(len(labels), 'label')} occur in test"
    if unlearned:
        todo = "write training examples of these labels, or take them out of test"
        return Found(
            "fail", f"{figure}; {len(unlearned)} of these never occur in train", todo, several_shown(unlearned)
        )
    if untested:
        todo = "write test examples of these labels; what is not tested is not known"
        return Found("warn", f"{figure}; {len(untested)} are never tested", todo, several_shown(untested))
    return Found("ok", figure)


def label_shift(profile: DataProfile) -> Found:
    """Are the labels spread in test as in train?"""
    _labels(profile)
    train = Counter(example.target for example in profile.draft.splits["train"])
    test = Counter(example.target for example in profile.test)
    n, m = max(1, train.total()), max(1, test.total())
    shifts = {label: test[label] / m - train[label] / n for label in {*train, *test}}
    moved = sum(abs(shift) for shift in shifts.values()) / 2
    # what two random draws of these sizes would differ by anyway: the mean absolute difference of two shares
    chance = sum((2 / math.pi * (p := train[label] / n) * (1 - p) * (1 / n + 1 / m)) ** 0.5 for label in shifts) / 2
    figure = f"{formats.percent(moved)} of the test examples would need another label to be spread as train is"
    if moved - chance <= SHIFT:
        return Found("ok", figure)
    shown = [f"{label}: {formats.percent(train[label] / n)} of train, {formats.percent(test[label] / m)} of test"
             for label in sorted(shifts, key=lambda label: -abs(shifts[label]))[:5]]  # fmt: skip
    todo = "draw both splits from the same source, or say in the card why they differ"
    return Found("warn", figure, todo, tuple(shown))


def one_answer(profile: DataProfile) -> Found:
    """Is there more than one answer in test?"""
    if len(profile.test) < 2:
        raise NotAsked("there is no more than one test example")
    counts = Counter((example.target, str(example.metadata.get("ground_truth"))) for example in profile.test)
    (target, _), most = counts.most_common(1)[0]
    share = most / len(profile.test)
    figure = f"the most frequent test answer, {cut(target, 40)!r}, is right for {formats.percent(share)}"
    if len(counts) > 1 and share <= DOMINANT:
        return Found("ok", figure)
    todo = "a strategy that always says it is hardly ever wrong: write test examples with other answers"
    return Found("fail" if len(counts) == 1 else "warn", figure, todo)


def _labels(profile: DataProfile) -> tuple[str, ...]:
    if not profile.draft.labels:
        raise NotAsked("the task has no closed labels")
    return profile.draft.labels
