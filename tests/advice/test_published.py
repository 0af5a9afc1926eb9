"""The tables are what the papers' README says of them, and the calibration is what the command measures."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from advisor.advice.calibration import ARMS, measure, shipped
from advisor.advice.published import HERE, SMALL, arm, band_of, published_tunes, study_headlines


def test_facts_of_the_table() -> None:
    rows = published_tunes()
    assert (len(rows), len({row.task for row in rows}), len({row.model for row in rows})) == (310, 31, 10)
    assert np.mean([row.lift for row in rows]) == pytest.approx(0.384, abs=5e-4)
    assert np.mean([row.base for row in rows]) == pytest.approx(0.301, abs=5e-4)
    assert np.mean([row.finetuned for row in rows]) == pytest.approx(0.685, abs=5e-4)
    assert sum(row.lift > 0 for row in rows) == 301
    assert sum(row.finetuned > row.gpt4 for row in rows) == 194
    assert sum(row.finetuned >= row.gpt4 for row in rows) == 204
    assert all(abs(row.finetuned - row.base - row.lift) < 0.0015 for row in rows)
    assert {row.model for row in rows} >= set(SMALL)


@pytest.mark.parametrize(
    ("score", "wins", "tasks", "lead"),
    [(0.0, 9, 9, 0.28), (0.49, 9, 9, 0.28), (0.5, 6, 7, 0.08), (0.8, 6, 7, -0.019), (0.9, 3, 8, -0.004),
     (1.0, 3, 8, -0.004)],
)  # fmt: skip
def test_the_stronger_gpt4_the_less_a_tune_wins(score: float, wins: int, tasks: int, lead: float) -> None:
    band = band_of(score)
    assert (band.wins, band.tasks) == (wins, tasks)
    assert band.mean_lead == pytest.approx(lead, abs=0.005)


def test_arms_hold_the_base_model_and_the_better_gpt_score() -> None:
    bare, strong = (arm(name) for name in ARMS)
    rows = published_tunes()
    assert list(bare.reference) == [row.base for row in rows]
    assert list(strong.reference) == [max(row.gpt35, row.gpt4) for row in rows]
    some = strong.where(np.array(strong.tasks) != "mmlu")
    assert len(some.tuned) == len(some.tasks) == len(some.models) == 300


def test_findings_name_a_source_and_say_where_they_were_quoted() -> None:
    for found in study_headlines().values():
        assert found.headline
        assert found.study in found.source
        assert ("as quoted by others" in found.source) is found.quoted
    assert "[m]" not in (HERE / "study_headlines.csv").read_text(encoding="utf-8")


def test_shipped_calibration_is_within_its_bounds() -> None:
    for name, found in shipped().items():
        assert (found.results, found.tasks) == (310, 31)
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", found.made)
        assert 0.40 <= found.coverage_50 <= 0.62, name
        assert 0.78 <= found.coverage_90 <= 0.97, name
    strong, bare = shipped()["strong"], shipped()["zero_shot"]
    assert strong.brier < strong.brier_gpt_line < strong.brier_base_rate
    assert strong.has_skill
    assert not bare.has_skill  # over bare prompts nearly every tune gains, and saying so is hard to beat


def test_rivals_of_the_calibration_are_recomputed_by_hand() -> None:
    strong = arm("strong")
    lifts, tasks = strong.tuned - strong.reference, np.array(strong.tasks)
    errors = [(np.mean(lifts[tasks != task] > 0.02) - (lifts[tasks == task] > 0.02)) ** 2 for task in set(tasks)]
    assert shipped()["strong"].brier_base_rate == pytest.approx(np.mean(np.concatenate(errors)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ARMS)
def test_calibration_is_reproduced(name: Any) -> None:
    seen: list[int] = []
    found, kept = measure(name, progress=lambda done, of: seen.append(done)), shipped()[name]
    assert seen == list(range(1, 32))
    for figure in ("share_better", "brier_base_rate", "brier_gpt_line"):
        assert getattr(found, figure) == pytest.approx(getattr(kept, figure))
    assert found.brier == pytest.approx(kept.brier, abs=0.003)
    assert found.coverage_50 == pytest.approx(kept.coverage_50, abs=0.02)
    assert found.coverage_90 == pytest.approx(kept.coverage_90, abs=0.02)
