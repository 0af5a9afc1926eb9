"""A comparison as a pandas table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from advisor.core.types import Interval
from advisor.decision.comparison import Comparison
from advisor.economics.money import StrategyMoney
from advisor.stats.paired import Difference
from advisor.stats.summaries import StrategySummary

if TYPE_CHECKING:
    import pandas as pd


def to_frame(comparison: Comparison) -> pd.DataFrame:
    """Return one row a strategy, indexed by its label, in the order of the comparison.

    Columns carry their unit in their name; nothing is rounded, and what is unknown is missing. ``lead_over_pivot``
    is the row's strategy minus the pivot, in score units.
    """
    import pandas as pd

    differences = {d.b: d for d in comparison.differences if d.a == comparison.pivot}
    money = {m.label: m for m in comparison.money.strategies}
    rows = [
        _quality(s) | _lead(differences.get(s.label)) | _money(money.get(s.label)) | _time(s)
        for s in comparison.strategies
    ]
    return pd.DataFrame(rows, index=pd.Index([s.label for s in comparison.strategies], name="strategy"))


def _ends(name: str, interval: Interval | None) -> dict[str, float | None]:
    if interval is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _quality(summary: StrategySummary) -> dict[str, Any]:
    facts = {"kind": summary.kind, "tuned": summary.tuned, "seeds": len(summary.seeds), "n": summary.n}
    return {**facts, "failed": summary.failed, "undefined": summary.undefined, **_ends("quality", summary.quality)}


def _lead(difference: Difference | None) -> dict[str, Any]:
    found = _ends("lead_over_pivot", difference.simultaneous.turned() if difference else None)
    return {
        **found,
        "p_holm": difference.p_holm if difference else None,
        "real": difference.real if difference else None,
    }


def _money(money: StrategyMoney | None) -> dict[str, Any]:
    return {
        **_ends("usd_per_1000_requests", money.usd_per_1000_requests if money else None),
        "one_off_usd": money.one_off_usd if money else None,
        "hosting_usd_per_month": money.hosting_usd_per_month if money else None,
        **_ends("net_benefit_usd", money.net_benefit_usd if money else None),
        "probability_best": money.probability_best if money else None,
    }


def _time(summary: StrategySummary) -> dict[str, Any]:
    return {
        "latency_p50_seconds": summary.latency_p50,
        "latency_p95_seconds": summary.latency_p95,
        "fit_seconds": summary.fit.seconds,
        "training_seconds": summary.fit.training_seconds,
        "training_tokens": summary.fit.training_tokens,
        "input_tokens": summary.usage.input_tokens,
        "output_tokens": summary.usage.output_tokens,
    }
