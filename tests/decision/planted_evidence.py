"""Comparisons with a planted truth: strategies of known quality and cost, drawn jointly, with their differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from advisor.core.types import FitCost, Interval, Usage
from advisor.decision.evidence import Evidence
from advisor.decision.next_steps import inform
from advisor.decision.request import ComparisonRequest
from advisor.economics.inputs import Economics
from advisor.economics.ledger import open_ledger
from advisor.economics.money import Money, weigh_ledger
from advisor.stats.bootstrap import Draws, Panel
from advisor.stats.paired import Difference
from advisor.stats.summaries import StrategySummary

DRAWS = 2000


@dataclass(frozen=True)
class Plant:
    """One strategy; `sd` is the standard deviation of its own part of the quality draws."""

    label: str
    quality: float
    seconds: float = 0.5
    tuned: bool = False
    kind: str = "prompting"
    sd: float = 0.01
    failed: int = 0
    cut: int = 0
    fit_seconds: float = 0.0
    training_tokens: int = 0
    calls: int = 1
    seeds: tuple[int, ...] = (0,)
    selection: Mapping[str, Any] = field(default_factory=dict)


SEARCHED = {"budget": 300, "fine_tuning_calls": 204}
FEW = Plant("few_shot(k=8)", 0.60, selection=SEARCHED)
"""Declares the budget of a search, so it stands for an optimised prompt too: one rival is enough for most tests."""
TUNED = Plant(
    "fine_tuning", 0.80, tuned=True, kind="fine_tuning", fit_seconds=360.0, seeds=(0, 1), training_tokens=50_000
)


def summary(plant: Plant) -> StrategySummary:
    q = plant.quality
    return StrategySummary(
        label=plant.label,
        strategy=plant.label.partition("(")[0],
        kind=plant.kind,
        tuned=plant.tuned,
        seeds=plant.seeds,
        n=500,
        failed=plant.failed,
        undefined=0,
        quality=Interval(q, q - 2 * plant.sd, q + 2 * plant.sd),
        usage=Usage(200, 0, 10, plant.calls, plant.seconds, plant.seconds),
        latency_p50=None,
        latency_p95=None,
        fit=FitCost(plant.fit_seconds, Usage(), 400, plant.fit_seconds, plant.training_tokens),
        selection=plant.selection,
        cut=plant.cut,
    )


def draws_of(*plants: Plant, seed: int = 0) -> Draws:
    rng = np.random.default_rng(seed)
    shape = (DRAWS, len(plants))
    own = rng.standard_normal(shape) * [p.sd for p in plants]
    quality = np.clip(own + [p.quality for p in plants], 0, 1)
    calls = np.array([float(p.calls) for p in plants])
    usage = {"input_tokens": 200 * calls, "cached_input_tokens": 0 * calls, "output_tokens": 10 * calls, "calls": calls}
    table = {name: np.broadcast_to(row, shape).copy() for name, row in usage.items()}
    table["seconds"] = np.broadcast_to(np.array([p.seconds for p in plants]), shape).copy()
    return Draws(tuple(p.label for p in plants), quality, table)


def weigh(
    draws: Draws, summaries: Sequence[StrategySummary], economics: Economics, model: str, rng: np.random.Generator
) -> Money:
    """Return what the strategies cost and bring."""
    return weigh_ledger(open_ledger(draws, summaries, economics, model, rng), summaries, economics, model)


def panel_of(*plants: Plant, n: int = 500) -> Panel:
    """Scores with the planted means; trainings of one strategy differ by two points from one to the next."""
    scores = []
    for plant in plants:
        means = [plant.quality + 0.02 * (at - (len(plant.seeds) - 1) / 2) for at in range(len(plant.seeds))]
        scores.append(np.array([[float(i < round(n * mean)) for i in range(n)] for mean in means]))
    tuned = tuple(plant.tuned for plant in plants)
    return Panel(tuple(plant.label for plant in plants), tuple(scores), tuned, np.arange(n))


def difference(a: Plant, b: Plant) -> Difference:
    gap, half = a.quality - b.quality, 2.5 * float(np.hypot(a.sd, b.sd))
    ends = Interval(gap, gap - half, gap + half)
    real = abs(gap) > half
    return Difference(a.label, b.label, 500, 500, ends, ends, 0.001 if real else 0.5, 0.001 if real else 0.5,
                      "mid-p McNemar", 0.2, 0.056, float(gap > 0), real)  # fmt: skip


def evidence(*plants: Plant, economics: Economics | None = None, model: str = "smollm2", **carries: bool) -> Evidence:
    economics = economics or Economics()
    drawn = draws_of(*plants)
    summaries = tuple(summary(p) for p in plants)
    pivot = max([p for p in plants if p.tuned] or plants, key=lambda p: p.quality)
    ledger = open_ledger(drawn, summaries, economics, model, np.random.default_rng(1))
    found = Evidence(
        strategies=summaries,
        differences=tuple(difference(pivot, p) for p in plants if p is not pivot),
        money=weigh_ledger(ledger, summaries, economics, model),
        ledger=ledger,
        panel=panel_of(*plants),
        test_ids=tuple(f"t{at}" for at in range(500)),
        draws=drawn,
        pivot=pivot.label,
        request=ComparisonRequest("support tickets", model, economics=economics),
        metric="label_accuracy",
        n_train=400,
        n_dev=0,
        n_test=500,
        has_docs=carries.get("docs", False),
        has_tools=carries.get("tools", False),
        has_schema=carries.get("schema", False),
    )
    return replace(found, information=inform(found))


def asked(base: Evidence, **parts: Any) -> Evidence:
    """Return `base` where other things were asked for: `economics`, `limit`, `config`."""
    return replace(base, request=replace(base.request, **parts))
