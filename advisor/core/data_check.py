"""What `advisor check` found out about an eval set: one finding a check, with its gate, its figure and a remedy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from advisor.core.types import Interval

Gate = Literal["fail", "warn", "ok", "unknown"]
GATES: tuple[Gate, ...] = ("fail", "warn", "unknown", "ok")
"""From the worst to the best. `unknown`: could not be looked at, so it is never counted as passed."""


EMBEDDED = 1_000
"""How many questions are embedded at most, unless more are asked for: about 20 seconds on two busy cores."""


@dataclass(frozen=True, slots=True)
class DataCheckSettings:
    """What may be set from outside.

    Attributes:
        margin: the difference in score that must show, in (0, 1]; `None` where nobody said.
        context_tokens: what the model can read at once.
        embedded: at most so many questions are embedded, chosen by content; 0 leaves out what needs embeddings.
        seed: for folds and draws.
        count_tokens: counts tokens as the model does that is to read the examples; `None` where nobody can, and four
            bytes count as one.
    """

    margin: float | None = None
    context_tokens: int = 8_192
    embedded: int = EMBEDDED
    seed: int = 0
    count_tokens: Callable[[Sequence[str]], list[int]] | None = None


@dataclass(frozen=True, slots=True)
class DataCheckResult:
    """What one check says.

    Attributes:
        check: the name of the check, as the table of data checks has it.
        family: what it is about: sizes, duplicates, labels, texts, privacy, answers, metric.
        gate: `fail` stops a gate (exit code 100), `warn` is to be read, `unknown` could not be looked at.
        figure: what was found, as one sentence with its numbers.
        todo: what to do about it; empty where there is nothing to do.
        shown: a few of the rows or pairs, as they are to be read.
        rows: ids of all the examples concerned, where there are any.
    """

    check: str
    family: str
    gate: Gate
    figure: str
    todo: str = ""
    shown: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DataReport:
    """All findings on one eval set, in the order of the table of data checks.

    Attributes:
        evalset: its name.
        asked_as: what was typed for it.
        counts: number of examples by split, and of documents.
        notes: what was not looked at whole, and what the reader should know.
        not_asked: checks that have nothing to look at here, with the reason.
    """

    evalset: str
    asked_as: str
    counts: Mapping[str, int]
    findings: tuple[DataCheckResult, ...]
    notes: tuple[str, ...] = ()
    not_asked: Mapping[str, str] = field(default_factory=dict)

    @property
    def gate(self) -> Gate:
        """The worst gate of all findings, where `unknown` is no worse than a warning."""
        return min((one.gate for one in self.findings), key=GATES.index, default="ok")

    def with_gate(self, gate: Gate) -> tuple[DataCheckResult, ...]:
        """Return the findings that have this gate."""
        return tuple(one for one in self.findings if one.gate == gate)


@dataclass(frozen=True, slots=True)
class DataChange:
    """One change of ``advisor check --fix``: where, what was done and why. Private texts are never repeated here."""

    split: str
    id: str
    change: str
    why: str


@dataclass(frozen=True, slots=True)
class Leak:
    """A test example that is the same as, or nearly the same as, one that was learned from.

    Attributes:
        test_id, train_id: the two; `train_id` may be one of dev.
        kind: the same text when normalised, most runs of words in common (`minhash`, after how these were once found),
            or embeddings that are close.
        similarity: 1, the share of runs in common, or the cosine.
        test_text, train_text: the two questions, cut; empty beyond the first suspects.
        answer: what both accept.
    """

    test_id: str
    train_id: str
    kind: Literal["exact", "minhash", "embedding"]
    similarity: float
    test_text: str = ""
    train_text: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True)
class SuspiciousLabel:
    """A training example that looks mislabelled.

    Attributes:
        id: the example.
        text: the question, cut; empty beyond the first.
        given: its label.
        likely: the label it looks like.
        gap: probability of `likely` minus that of `given`, from examples that do not include it.
    """

    id: str
    text: str
    given: str
    likely: str
    gap: float


@dataclass(frozen=True, slots=True)
class DataFindings:
    """What is to be known of the examples.

    Attributes:
        leaks: suspects, at most one a test example, the surest first.
        conflicts: groups of training ids with the same question and no accepted answer in common.
        label_noise: estimated share of wrong labels, out of fold; `None` where it cannot be estimated.
        suspicious: the training examples that look mislabelled, the most suspicious first.
        label_note: why there is no label noise, or what it leaves out.
        largest_class, smallest_class: share of the most and least frequent label in train; `None` without labels.
        n_train: how many training examples were looked at.
        checked: how leaks were looked for, in words.
        incomplete: why not all could be looked at; empty where all was.
    """

    leaks: tuple[Leak, ...] = ()
    conflicts: tuple[tuple[str, ...], ...] = ()
    label_noise: Interval | None = None
    suspicious: tuple[SuspiciousLabel, ...] = ()
    label_note: str = ""
    largest_class: float | None = None
    smallest_class: float | None = None
    n_train: int = 0
    checked: str = ""
    incomplete: str = ""
