"""What all checks share: the draft that is looked at, the settings, and what is dear to compute, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from advisor.core.data_check import DataCheckSettings, Gate
from advisor.core.errors import AdvisorError
from advisor.core.fingerprints import digest
from advisor.core.progress import Progress, silent
from advisor.core.types import Embed, Example

from ..draft import SPLITS, Draft
from ..quality import embedded
from ..sameness import answers_of, key_of, text_of
from ..wording import Wording

SHOWN, SHOWN_CHARACTERS = 5, 160
"""How many rows or pairs a finding shows, and how much of each text."""
LISTED = 50
"""How many labels or tools."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a data check found: a `DataCheckResult` without the name and the family, which the table adds."""

    gate: Gate
    figure: str
    todo: str = ""
    shown: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()


class NotAsked(Exception):
    """There is nothing to look at here: the set has no labels, no tools, no documents."""


@dataclass(frozen=True)
class Sample:
    """The examples that are embedded: `learned` (train and dev) and `test`, with their vectors of unit length."""

    learned: tuple[Example, ...]
    test: tuple[Example, ...]
    vectors: tuple[NDArray[np.float32], NDArray[np.float32]]
    whole: bool

    @property
    def told(self) -> str:
        """Say how much was embedded, where it was not all."""
        if self.whole:
            return ""
        some = f"{len(self.learned):,} training and development and {len(self.test):,} test questions"
        return f"embeddings were looked at for {some}, chosen by content"


class DataProfile:
    """An eval set under examination."""

    def __init__(
        self, draft: Draft, embed: Embed | None, settings: DataCheckSettings | None = None, progress: Progress = silent
    ) -> None:
        self.draft, self.settings, self.progress = draft, settings or DataCheckSettings(), progress
        self._embed = embed

    @cached_property
    def examples(self) -> tuple[Example, ...]:
        """All examples: train, dev, test."""
        return tuple(example for split in SPLITS for example in self.draft.splits[split])

    @cached_property
    def split_of(self) -> tuple[str, ...]:
        """The split of each of `examples`."""
        return tuple(split for split in SPLITS for _ in self.draft.splits[split])

    @cached_property
    def learned(self) -> tuple[Example, ...]:
        """Train and dev."""
        return (*self.draft.splits["train"], *self.draft.splits["dev"])

    @property
    def test(self) -> tuple[Example, ...]:
        """The test examples."""
        return self.draft.splits["test"]

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """What two of `examples` with the same question share."""
        return tuple(key_of(example) for example in self.examples)

    @cached_property
    def answers(self) -> tuple[frozenset[str], ...]:
        """The accepted answers of each of `examples`, normalised."""
        known: dict[str, frozenset[str]] = {}
        found = []
        for example in self.examples:
            plain = not example.metadata.get("answers")
            answers = known.get(example.target) if plain else None
            if answers is None:
                answers = answers_of(example)
                if plain:
                    known[example.target] = answers
            found.append(answers)
        return tuple(found)

    @cached_property
    def wording(self) -> Wording:
        """The runs of words that questions share."""
        return Wording(self.keys, self.answers, self.split_of, self.progress)

    @cached_property
    def sample(self) -> Sample:
        """What is embedded.

        Raises:
            NotAsked: embeddings were switched off.
            AdvisorError: they cannot be had.
        """
        at_most = self.settings.embedded
        if not at_most or self._embed is None:
            raise NotAsked("embeddings were left out")
        whole = len(self.examples) <= at_most
        test = _chosen(self.test, at_most - min(len(self.learned), at_most // 2))
        learned = _chosen(self.learned, at_most - len(test))
        parts = (learned, "reading what is learned from"), (test, "reading the test questions")
        first, second = (embedded(part, self._embed, what, self.progress) for part, what in parts)
        return Sample(learned, test, (first, second), whole)

    @property
    def notes(self) -> list[str]:
        """Say what was not looked at whole."""
        if "sample" not in self.__dict__:
            return []
        return [self.sample.told] if self.sample.told else []


def _chosen(examples: tuple[Example, ...], at_most: int) -> tuple[Example, ...]:
    """Return at most so many examples, chosen and ordered by content, never by their order."""
    return tuple(sorted(examples, key=lambda example: digest([example.id, str(example.input)]))[:at_most])


# --- words that checks share -----------------------------------------------------------------------------------------


def cut(text: str, limit: int = SHOWN_CHARACTERS) -> str:
    """Return a text on one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def row(example: Example) -> str:
    """Return an example as it is shown: its id and its question."""
    return f"{example.id}: {cut(text_of(example.input))}"


def pair(a: Example, b: Example, why: str = "") -> str:
    """Return two examples as they are shown beside each other."""
    told = f" ({why})" if why else ""
    half = SHOWN_CHARACTERS // 2
    return f"{a.id} ~ {b.id}{told}: {cut(text_of(a.input), half)} | {cut(text_of(b.input), half)}"


def several(count: int, one: str, many: str = "") -> str:
    """Return ``1 row`` or ``1,234 rows``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def several_shown(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the first lines of a list, and in place of the others how many they are."""
    left = len(lines) - LISTED
    return (*lines[:LISTED], f"… and {left:,} more") if left > 0 else tuple(lines)


def rows_found(
    profile: DataProfile, hits: Sequence[tuple[Example, str]], gates: tuple[float, float], what: tuple[str, str]
) -> Found:
    """Return the finding on examples that each have something wrong: the share of all examples decides the gate.

    Args:
        profile: what is looked at.
        hits: an example, and what is wrong with it as it is shown.
        gates: shares from which on it is a warning, and from which on it fails; above 1 never.
        what: what is said of them (``"hold damaged characters"``), and what to do.
    """
    total = len(profile.examples)
    share = len(hits) / total if total else 0.0
    verb, todo = what
    gate: Gate = "ok"
    if hits and share >= gates[0]:
        gate = "fail" if share >= gates[1] else "warn"
    return Found(
        gate,
        f"{len(hits):,} of {several(total, 'example')} {verb}",
        todo if gate != "ok" else "",
        tuple(f"{example.id}: {cut(shown)}" for example, shown in hits[:SHOWN]),
        tuple(example.id for example, _ in hits),
    )


__all__ = [
    "AdvisorError",
    "DataCheckSettings",
    "DataProfile",
    "Found",
    "NotAsked",
    "Sample",
    "cut",
    "pair",
    "row",
    "rows_found",
    "several",
    "several_shown",
]  # fmt: skip
