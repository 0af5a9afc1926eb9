"""A stored comparison as the pilot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import advisor
from advisor.advice.stored import pilot_from
from advisor.core.errors import ConfigurationError
from advisor.decision.comparison import Comparison


def compared(folder: Path, strategies: list[str]) -> Comparison:
    """Compare on a set on which what learns by heart beats what always says the same."""
    (folder / "own").mkdir()
    (folder / "own" / "evalset.yaml").write_text("instruction: Which?\nmetric: label_accuracy\nlabels: [bill, ship]\n")
    rows = [(f"{word} {at}", label) for at in range(20) for word, label in (("invoice", "bill"), ("van", "ship"))]
    for split, more in (("train", ""), ("test", " now")):
        lines = [json.dumps({"input": f"{asked}{more}", "target": label}) for asked, label in rows]
        (folder / "own" / f"{split}.jsonl").write_text("\n".join(lines))
    (folder / "answers.py").write_text("def answer(request):\n    return 'bill'\n")
    return advisor.compare("own", strategies=strategies, model="scripted:answers.py:answer", seeds=1, draws=300)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_lead_and_error_are_those_of_the_comparison(folder: Path) -> None:
    comparison = compared(folder, ["few_shot", "fine_tuning"])
    pilot = pilot_from(comparison.id[:10])
    [difference] = comparison.differences
    sign = 1.0 if difference.a == "fine_tuning" else -1.0
    assert pilot.lead == pytest.approx(sign * difference.interval.estimate)
    assert pilot.error == pytest.approx((difference.interval.high - difference.interval.low) / 3.92, rel=1e-3)
    assert (pilot.n, pilot.prompted_by) == (40, "few_shot")
    advice = advisor.ask(pilot=pilot)
    assert advice.situation.prompted_by == "few_shot"
    assert any("few_shot" in reason.text for reason in advice.reasons)


def test_without_a_tuned_strategy_there_is_no_lead(folder: Path) -> None:
    comparison = compared(folder, ["majority", "few_shot"])
    with pytest.raises(ConfigurationError, match="no tuned strategy"):
        pilot_from(comparison.id)
