"""Splits that depend on what the rows say and never on their order, and that keep what belongs together together.

Rows of the same `metadata.group`, or with the same input where there is no group, always go the same way.
"""

from __future__ import annotations

import contextlib
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from advisor.core.errors import EvalSetError
from advisor.core.fingerprints import digest
from advisor.core.types import Example

Examples = tuple[Example, ...]

DEV_SHARE = 0.15
DEV_RANGE = (20, 200)
"""Fewest and most dev examples carved out of train; never more than a third of it."""
FILE_SHARES = {"train": 0.60, "dev": 0.15, "test": 0.25}


def carve_dev(train: Examples, seed: int = 0) -> tuple[Examples, Examples, str]:
    """Take a dev split out of `train`; return the rest, dev, and a sentence that says so.

    Dev has 15 % of train, at least 20 and at most 200 examples where a third of train allows that. Whole groups only:
    one that does not fit any more is left in train.
    """
    low, high = DEV_RANGE
    wanted = min(max(round(DEV_SHARE * len(train)), low), high, len(train) // 3)
    chosen = _take(_by_group(train, seed), wanted)
    dev = tuple(example for example in train if group_key(example) in chosen)
    rest = tuple(example for example in train if group_key(example) not in chosen)
    note = (
        f"no dev.jsonl: {len(dev)} of {len(train)} training examples were set aside as dev, whole groups chosen by "
        f"content (seed {seed}); {len(rest)} remain for training"
    )
    return rest, dev, note


def split_file(examples: Examples, seed: int = 0) -> tuple[dict[str, Examples], str]:
    """Split one file's examples 60/15/25 into train, dev and test, by group; with a sentence that says so."""
    groups = _by_group(examples, seed)
    test = _take(groups, max(1, round(FILE_SHARES["test"] * len(examples))))
    left = [group for group in groups if group[0] not in test]
    dev = _take(left, round(FILE_SHARES["dev"] * len(examples)))
    parts = _placed(examples, test, dev)
    return parts, f"one file: split 60/15/25 by content and group (seed {seed}) into {_sizes(parts)} examples"


def split_stratified(examples: Examples, seed: int = 0) -> tuple[dict[str, Examples], str]:
    """Split 60/15/25 by group, with each label in each split in that proportion; with a sentence that says so.

    A group counts for its most frequent label. Labels with too few groups for three splits are in train first, then in
    test.
    """
    labels: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for example in examples:
        labels[group_key(example)][example.target] += 1
    strata: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for key, size in _by_group(examples, seed):
        counts = labels[key]
        strata[min(counts, key=lambda label: (-counts[label], label))].append((key, size))
    test: set[str] = set()
    dev: set[str] = set()
    for groups in strata.values():
        total = sum(size for _, size in groups)
        chosen = _take(groups, round(FILE_SHARES["test"] * total) or int(len(groups) > 1))
        left = [group for group in groups if group[0] not in chosen]
        test |= chosen
        dev |= _take(left, round(FILE_SHARES["dev"] * total)) if len(left) > 1 else set()
    parts = _placed(examples, test, dev)
    return parts, f"one file: split 60/15/25 by label, content and group (seed {seed}) into {_sizes(parts)} examples"


def split_by_time(examples: Examples, field: str) -> tuple[dict[str, Examples], str]:
    """Split 60/15/25 by time, the newest into test; with a sentence that says so.

    A group goes where its newest example goes, and what has the same time stays together.

    Raises:
        EvalSetError: `metadata[field]` is missing or is no time.
    """
    newest: dict[str, float] = {}
    for example in examples:
        key = group_key(example)
        newest[key] = max(newest.get(key, -math.inf), _time(example, field))
    times = sorted(newest[group_key(example)] for example in examples)
    after_train = times[min(len(times) - 1, round(FILE_SHARES["train"] * len(times)))]
    after_dev = times[min(len(times) - 1, round((1 - FILE_SHARES["test"]) * len(times)))]
    test = {key for key, time in newest.items() if time >= after_dev}
    dev = {key for key, time in newest.items() if after_train <= time < after_dev}
    parts = _placed(examples, test, dev)
    return (
        parts,
        f"one file: split by {field}, the oldest into train and the newest into test: {_sizes(parts)} examples",
    )


def _time(example: Example, field: str) -> float:
    """Return the time of an example in seconds: a number, or a date and time in ISO 8601."""
    value = example.metadata.get(field)
    with contextlib.suppress(TypeError, ValueError):
        if isinstance(value, str):
            found = datetime.fromisoformat(value.strip())
            return found.replace(tzinfo=found.tzinfo or UTC).timestamp()
        if not isinstance(value, bool) and value is not None and math.isfinite(value):
            return float(value)
    raise EvalSetError(
        f"example {example.id!r}: field {field!r} is {str(value)[:60]!r}, which is no time",
        hint="a number, or a date and time such as 2026-05-01 or 2026-05-01T10:30:00",
    )


def _placed(examples: Examples, test: set[str], dev: set[str]) -> dict[str, Examples]:
    def split_of(example: Example) -> str:
        key = group_key(example)
        if key in test:
            return "test"
        return "dev" if key in dev else "train"

    return {split: tuple(e for e in examples if split_of(e) == split) for split in FILE_SHARES}


def _sizes(parts: Mapping[str, Examples]) -> str:
    return ", ".join(f"{len(part)} {split}" for split, part in parts.items())


def without_repeats(examples: Examples) -> tuple[Examples, str]:
    """Drop rows whose input, tools and target stood there before; with a sentence, or ``""`` if there were none."""
    seen: set[str] = set()
    kept: list[Example] = []
    dropped: list[Example] = []
    for example in examples:
        key = digest([example.input, example.target])
        (dropped if key in seen else kept).append(example)
        seen.add(key)
    what = "training row that repeats" if len(dropped) == 1 else "training rows that repeat"
    return tuple(kept), f"{_dropped(dropped, what)} an earlier one (same input, same target)" if dropped else ""


def without_leaks(examples: Examples, test: Examples, split: str = "train") -> tuple[Examples, str]:
    """Drop rows whose input stands word for word in `test`; with a sentence, or ``""`` if there were none."""
    asked = {str(example.input) for example in test}
    dropped = [example for example in examples if str(example.input) in asked]
    kept = tuple(example for example in examples if str(example.input) not in asked)
    rows = "row" if len(dropped) == 1 else "rows"
    return kept, f"{_dropped(dropped, f'{split} {rows}')} whose input also stands in test" if dropped else ""


def _dropped(dropped: Sequence[Example], what: str) -> str:
    ids = ", ".join(example.id for example in dropped[:5]) + (", …" if len(dropped) > 5 else "")
    return f"left out {len(dropped)} {what} ({ids})"


def group_key(example: Example) -> str:
    """What `example` must stay together with: its group if it names one, else the same input."""
    if "group" in example.metadata:
        return f"group {example.group}"
    return f"input {example.input}"


def _by_group(examples: Examples, seed: int) -> list[tuple[str, int]]:
    """Groups with their sizes, in an order that only the seed and the groups' own content decide."""
    sizes: defaultdict[str, int] = defaultdict(int)
    for example in examples:
        sizes[group_key(example)] += 1
    return sorted(sizes.items(), key=lambda group: digest([seed, group[0]]))


def _take(groups: Sequence[tuple[str, int]], wanted: int) -> set[str]:
    """Choose groups in order until `wanted` examples are together; if none fits, the smallest one."""
    chosen: set[str] = set()
    total = 0
    for key, size in groups:
        if total + size <= wanted:
            chosen.add(key)
            total += size
    if not chosen and wanted and len(groups) > 1:
        chosen.add(min(groups, key=lambda group: group[1])[0])
    return chosen
