"""How options are typed: the flag of every amount that has one, and a value as a flag takes it."""

from __future__ import annotations

from collections.abc import Mapping

MONEY_FLAGS: Mapping[str, str] = {
    "requests_per_month": "--requests-per-month",
    "usd_per_correct_answer": "--value-per-correct",
    "horizon_months": "--horizon-months",
    "usd_per_hour": "--usd-per-hour",
    "utilisation": "--utilisation",
    "usd_per_label": "--usd-per-label",
    "engineering_hours": "--engineering-hours",
    "usd_per_engineering_hour": "--usd-per-engineering-hour",
    "retrains_per_year": "--retrains-per-year",
    "margin": "--margin",
    "confidence": "--confidence",
    "target_quality": "--target-quality",
    "batch_discount": "--batch-discount",
    "hosting_usd_per_hour": "--hosting-usd-per-hour",
    "unmerged_slowdown": "--unmerged-slowdown",
    "base_model_shutdown": "--base-model-shutdown",
}
"""Field of `advisor.economics.inputs.Economics`, which is the key in the ``economics:`` block, to its flag."""


def typed(value: object) -> str:
    """Return a value as a flag takes it: ``500``, ``0.1``, ``500..2000``; no digit is lost."""
    low, high = getattr(value, "low", None), getattr(value, "high", None)  # a Range; the help needs no numpy
    if low is not None:
        return f"{typed(low)}..{typed(high)}"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)
