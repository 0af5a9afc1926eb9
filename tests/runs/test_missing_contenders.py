"""A strategy that was to be compared and is not is said before anything else, however it got lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import advisor
from advisor.advice.stored import pilot_from
from advisor.cli import app
from advisor.core import registry
from advisor.decision.request import ComparisonRequest
from advisor.runs.prepare import Prepared
from tests.small_comparison import SHOTS, Small, write_evalset, write_model, write_strategy

LOST = {
    "it breaks in fit": ("raise RuntimeError('no luck')", "return ['x'] * len(inputs)", "no luck"),
    "it breaks in predict": ("pass", "return 1 / 0", "ZeroDivisionError"),
    "it gives too few answers": ("pass", "return []", "0 answers"),
    "it cannot be trained": (
        "from advisor import ConfigurationError; raise ConfigurationError('the loss is 13.00, not 12.64')",
        "return []",
        "the loss is 13.00",
    ),
    "all of its calls fail": (
        "pass",
        "from advisor.core.errors import CallFailed; raise CallFailed('timed out')",
        "timed out",
    ),
    "it breaks half way": (
        "self.asked = 0",
        "self.asked += len(inputs)\n        return ['x'] * len(inputs) if self.asked <= 64 else 1 / 0",
        "broke off in 1 run",
    ),
}


def lost(folder: Path, fit: str, predict: str) -> str:
    source = (
        "class Lost:\n    name = 'lost'\n    stochastic = False\n"
        f"    def fit(self, train, ctx):\n        {fit}\n    def predict(self, inputs):\n        {predict}\n"
    )
    return write_strategy(folder, source, "lost.py")


@pytest.mark.parametrize("how", LOST)
def test_a_contender_that_failed_is_the_first_thing_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setenv("ASKED", str(tmp_path / "asked.txt"))
    folder = str(write_evalset(tmp_path / "small", test=80 if "half" in how else 21))
    fit, predict, said = LOST[how]
    asking: Any = {"model": write_model(tmp_path), "draws": 200, "checks": "none"}
    found = advisor.compare(folder, strategies=["majority", lost(tmp_path, fit, predict)], **asking)
    assert found.verdict.headline.startswith("A contender is missing: lost ")
    assert said in found.verdict.gaps
    assert found.verdict.headline.endswith(found.verdict.concluded)
    for name in ("report.html", "report.md", "report.json"):
        text = found.save(tmp_path / name).read_text(encoding="utf-8")
        assert "A contender is missing: lost" in text.replace("\\", "")


def test_it_is_said_whatever_the_answer_and_by_ask_too(small: Small, tmp_path: Path) -> None:
    whole = small.compare("majority", SHOTS, "fine_tuning", seeds=1)
    fit, predict, _ = LOST["it breaks in fit"]
    found = small.compare("majority", SHOTS, "fine_tuning", lost(tmp_path, fit, predict), seeds=1)
    assert (whole.verdict.missing, whole.verdict.answer) == ((), found.verdict.answer)
    assert found.verdict.headline == f"{found.verdict.gaps} {whole.verdict.headline}"
    assert advisor.ask(pilot=pilot_from(found.id)).headline.startswith("A contender is missing: lost failed as a whole")
    shown = CliRunner().invoke(app, ["ask", "--from", found.id, "--yes"]).output
    assert shown.index("A contender is missing: lost failed") < shown.index("Nothing was run")
    told = CliRunner().invoke(app, ["report"]).output
    assert told.index("A contender is missing: lost failed") < told.index("Use now")


def test_a_plug_in_that_cannot_be_loaded_is_listed_as_not_run(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    real = registry.names
    broken = registry.Entry("strategies", "theirs", "theirs:Theirs", "theirs", "it needs the module nothing")
    monkeypatch.setattr(registry, "names", lambda kind: [*real(kind), broken] if kind == "strategies" else real(kind))

    prepared = Prepared.of(ComparisonRequest(small.evalset, small.model))
    assert prepared.skipped["theirs"] == "it cannot be loaded: it needs the module nothing"
    assert "theirs" not in Prepared.of(ComparisonRequest(small.evalset, small.model, ("majority",))).skipped
