"""From scores to report where there is next to nothing to go by: a plain sentence, never NaN, never a yes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from advisor.core.statement import say
from advisor.core.types import EvalSet, Example, FitCost, Outcome, Run, Usage
from advisor.decision.comparison import Comparison, compare_runs
from advisor.economics.inputs import Economics

Scores = Sequence[float | None]
VOLUME = Economics(requests_per_month=1_000_000)
NETTED = Economics(requests_per_month=1_000_000, usd_per_correct_answer=1e-2)


def compared(base: Scores, *tuned: Scores, economics: Economics, groups: int = 0) -> Comparison:
    n = len(base)
    test = tuple(Example(f"t{i}", f"question {i}", "yes", {"group": i % groups} if groups else {}) for i in range(n))
    evalset = EvalSet("toy", "Answer.", "exact_match", (Example("a", "train", "yes"),), (), test)
    runs = [_run("few_shot", base, 0, 0.5)] + [_run("fine_tuning", one, seed, 0.1) for seed, one in enumerate(tuned)]
    return compare_runs(runs, evalset, economics, draws=300)


def _run(strategy: str, scores: Scores, seed: int, seconds: float) -> Run:
    outcomes = tuple(
        Outcome(f"t{i}", None, None, error="timed out")
        if score is None
        else Outcome(f"t{i}", "yes", score, usage=Usage(100, 0, 5, 1, seconds, seconds))
        for i, score in enumerate(scores)
    )
    tuned = strategy == "fine_tuning"
    return Run(f"{strategy}-{seed}", strategy, {}, seed, "smollm2", "toy", "f", "exact_match", outcomes,
               FitCost(60.0), tuned, *(("fine_tuning", {}) if tuned else ("prompting", {"budget": 1_000})))  # fmt: skip


def reports(comparison: Comparison, folder: Path) -> dict[str, str]:
    return {
        kind: comparison.save(folder / f"report.{kind}").read_text("utf-8") for kind in ("html", "md", "json", "csv")
    }


COIN = [float(x) for x in np.random.default_rng(1).random(24) < 0.5]
CASES: dict[str, tuple[Scores, ...]] = {
    "one example": ([0.0], [1.0]),
    "one example, two trainings": ([0.0], [1.0], [1.0]),
    "two examples": ([0.0, 0.0], [1.0, 1.0]),
    "two examples that disagree": ([0.0, 1.0], [1.0, 0.0]),
    "all ties": (COIN, COIN),
    "all ties, two trainings": (COIN, COIN, COIN),
    "all wrong": ([0.0] * 24, [0.0] * 24),
    "all right": ([1.0] * 24, [1.0] * 24),
    "constant between": ([0.3] * 24, [0.3] * 24),
    "constant and apart": ([0.3] * 24, [0.4] * 24),
    "half missing": ([0.0, None] * 12, [None, 1.0] * 12),
    "one seed wholly missing": (COIN, [None] * 24, COIN),
    "tuned wholly missing": (COIN, [None] * 24),
    "everything missing": ([None] * 24, [None] * 24),
    "one pair left": ([1.0] + [None] * 23, [1.0] * 24),
}


@pytest.mark.parametrize("economics", [Economics(), VOLUME, NETTED], ids=["nothing known", "volume", "netted"])
@pytest.mark.parametrize("case", CASES)
def test_next_to_nothing_gives_sentences_and_no_yes(case: str, economics: Economics, tmp_path: Path) -> None:
    found = compared(*CASES[case], economics=economics)
    assert found.verdict.answer != "fine_tune" or case == "constant and apart"  # 24 of 24 by 10 points, and cheaper
    assert found.verdict.headline.endswith(".")
    for kind, text in reports(found, tmp_path).items():
        assert not re.search(r"\bnan\b|\binf\b", text, re.IGNORECASE), kind
    for one in found.differences:
        assert -1.0 <= one.interval.low <= one.interval.estimate <= one.interval.high <= 1.0
        assert not one.real
        for p in (one.p_value, one.p_holm, one.p_equivalent, one.not_worse.p_value if one.not_worse else None):
            assert p is not None
            assert 0.0 <= p <= 1.0
    json.loads(json.dumps(json.loads((tmp_path / "report.json").read_text("utf-8")), allow_nan=False))


@pytest.mark.parametrize("groups", [1, 2, 5])
def test_too_few_clusters_show_nothing_however_many_examples(groups: int, tmp_path: Path) -> None:
    found = compared([0.0] * 300, [1.0] * 290 + [0.0] * 10, economics=VOLUME, groups=groups)
    [one] = found.differences
    assert one.clusters == groups
    assert not one.real
    assert one.interval.low < 0.0
    if groups in (1, 5):  # all groups agree: only what was not seen could speak against it
        assert one.not_worse is not None
        assert one.not_worse.p_value == pytest.approx((1 - (29 / 30 + 0.02) / (1 + 29 / 30)) ** groups)
    assert found.verdict.answer == "not_yet"
    broken = [one.values["found"] for one in found.verdict.grounds if one.key == "reason.broken"]
    assert say("data.few_clusters", clusters=groups, needed=6) in broken
    assert "nan" not in reports(found, tmp_path)["md"].lower().split()


def test_a_few_that_all_agree_are_no_yes_and_many_are() -> None:
    few, many = (compared([0.0] * n, [1.0] * n, economics=VOLUME) for n in (5, 200))
    assert few.verdict.answer == "not_yet"
    assert many.verdict.answer == "fine_tune"
