"""P1: the same seed gives the same bytes; the order of the examples changes no answer of a deterministic model."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.faults.sheet import Sheet, trials
from tests.faults.trial import Trials
from tests.faults.warm import Warm
from tests.small_comparison import rows, write_rows


def test_the_same_seed_twice(tmp_path: Path, warm: Warm, sheet: Sheet) -> None:
    many, count, differ = Trials(tmp_path, warm), trials(2, 50), 0
    for _ in range(count):
        trial = many.new()
        trial.finish()
        differ += trial.exports() != many.whole.exports()
    sheet.add("P1", "the same seed twice, from nothing: JSON, CSV and Markdown are byte-equal", count, differ)
    assert not differ


def test_shuffled_examples_give_the_same_answers(tmp_path: Path, warm: Warm, sheet: Sheet) -> None:
    """Another order is another eval set, but each example's answer and score stay, whatever the chunk it is in."""
    many, count, flips, rng = Trials(tmp_path, warm, test=150), trials(1, 20), 0, random.Random("P1")

    def answers(home: Path) -> dict[tuple[str, str], tuple[object, object]]:
        report = json.loads((home / "report.json").read_text(encoding="utf-8"))
        return {
            (f"{run['strategy']} {run['seed']}", outcome["example_id"]): (outcome["output"], outcome["score"])
            for run in report["runs"]
            for outcome in run["outcomes"]
        }

    wanted = answers(many.whole.home)
    assert len(wanted) == 5 * 150
    for _ in range(count):
        lines = rows("test", 150)
        rng.shuffle(lines)
        write_rows(tmp_path / "small" / "test.jsonl", lines)
        trial = many.new()
        trial.finish()
        found = answers(trial.home)
        flips += sum(found[key] != wanted[key] for key in wanted)
    said = f"{flips} of {count * len(wanted):,} answers changed"
    sheet.add("P1", "test examples shuffled: no answer changes", count, int(flips > 0), said)
    assert not flips


@pytest.mark.slow
@pytest.mark.weights
def test_flips_across_batch_sizes_are_counted(sheet: Sheet) -> None:
    """The embedded model in batches of 1, 4 and 16; sums in another order may tip a near-tie, which is reported."""
    from advisor.core.model import Request
    from advisor.core.types import Message
    from advisor.models.local.model import open_local

    model, count = open_local("smollm2"), trials(8, 48)
    questions = [row["input"] for row in rows("test", count)]
    requests = [Request((Message("user", f"Which team? {text}"),), max_tokens=12) for text in questions]
    by_size = {
        size: [done.text for at in range(0, count, size) for done in model.generate(requests[at : at + size])]
        for size in (1, 4, 16)
    }
    again = [done.text for at in range(0, count, 4) for done in model.generate(requests[at : at + 4])]
    flips = sum(by_size[size][at] != by_size[1][at] for size in (4, 16) for at in range(count))
    differ = sum(a != b for a, b in zip(by_size[4], again, strict=True))
    measured = f"{flips} of {2 * count} answers differ between batches of 1 and of 4 or 16 ({model.precision})"
    sheet.add("P1", "smollm2 asked twice in the same batches", count, differ, measured)
    assert not differ
