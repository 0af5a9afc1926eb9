"""What was found in the examples, for every report: suspects, suspicious labels, conflicts."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.core.data_check import DataFindings
from advisor.decision.comparison import Comparison

from . import numbers
from .safe import shorten
from .view import Fact

SHOWN, SHOWN_CHARACTERS = 20, 300
KINDS = {"exact": "the same text", "minhash": "the same runs of words", "embedding": "close in meaning"}

LEAKS_METHOD = (
    "How this was computed: each test question was held against all of train and dev. A suspect is: {checked}. "
    "Similarity is 1 for the same text, else the share of runs of words in common, else the cosine of the embeddings."
)
LABELS_METHOD = (
    "How this was computed: a classifier on embeddings said what each example looks like without having seen it "
    "(confident learning, Northcutt et al. 2021). Where labels overlap in meaning it names examples that are right."
)


@dataclass(frozen=True, slots=True)
class Suspect:
    """One line of a list: two texts side by side, and what is to be said of them."""

    id: str
    text: str
    other_id: str
    other_text: str
    said: str


@dataclass(frozen=True, slots=True)
class DataSection:
    """What the HTML shows of the examples; every list is cut to `SHOWN`, and `*_left` says how many more there are."""

    facts: tuple[Fact, ...]
    leaks: tuple[Suspect, ...]
    leaks_left: str
    leaks_method: str
    labels: tuple[Suspect, ...]
    labels_left: str
    labels_method: str
    conflicts: tuple[str, ...]
    conflicts_left: str


def facts(comparison: Comparison) -> tuple[Fact, ...]:
    """Return the counts; nothing where the examples were not looked at."""
    data = comparison.findings.data
    if data is None:
        return ()
    copies = numbers.percent(len(data.leaks) / comparison.n_test)
    found = [Fact("Test questions with a near copy in train or dev", f"{numbers.count(len(data.leaks))} ({copies})")]
    clashing = sum(len(group) for group in data.conflicts)
    found.append(Fact("Training examples that contradict another one", numbers.count(clashing)))
    if data.label_noise is not None:
        share = numbers.interval(data.label_noise, numbers.percent)
        found.append(Fact("Training labels that look wrong", share, data.label_note))
    elif data.label_note:
        found.append(Fact("Training labels that look wrong", numbers.MISSING, data.label_note))
    if data.largest_class is not None and data.smallest_class is not None:
        ends = f"{numbers.percent(data.smallest_class)} to {numbers.percent(data.largest_class)}"
        found.append(Fact("Share of a label in train", ends, "the rarest to the commonest"))
    if data.incomplete:
        found.append(Fact("Not all was looked at", data.incomplete))
    return tuple(found)


def section(comparison: Comparison) -> DataSection | None:
    """Return what the HTML shows; `None` where the examples were not looked at."""
    data = comparison.findings.data
    if data is None:
        return None
    leaks, suspicious = _leaks(data), _labels(data)
    groups = [", ".join(group[:6]) + (", …" if len(group) > 6 else "") for group in data.conflicts]
    return DataSection(
        facts=facts(comparison),
        leaks=leaks[:SHOWN],
        leaks_left=_left(len(data.leaks), len(leaks)),
        leaks_method=LEAKS_METHOD.format(checked=data.checked),
        labels=suspicious[:SHOWN],
        labels_left=_left(len(data.suspicious), len(suspicious)),
        labels_method=LABELS_METHOD,
        conflicts=tuple(groups[:SHOWN]),
        conflicts_left=_left(len(groups), len(groups)),
    )


def _left(of: int, known: int) -> str:
    """Return how many are not shown, in words; empty where all are."""
    left = of - min(known, SHOWN)
    return f"{numbers.count(left)} more {'is' if left == 1 else 'are'} in the JSON report." if left else ""


def _leaks(data: DataFindings) -> tuple[Suspect, ...]:
    return tuple(
        Suspect(
            leak.test_id,
            shorten(leak.test_text, SHOWN_CHARACTERS),
            leak.train_id,
            shorten(leak.train_text, SHOWN_CHARACTERS),
            f"{KINDS[leak.kind]}, {numbers.score(leak.similarity)}; both answered {shorten(leak.answer, 60)!r}",
        )
        for leak in data.leaks
        if leak.test_text
    )


def _labels(data: DataFindings) -> tuple[Suspect, ...]:
    return tuple(
        Suspect(one.id, shorten(one.text, SHOWN_CHARACTERS), one.given, "", f"looks like {one.likely}")
        for one in data.suspicious
        if one.text
    )
