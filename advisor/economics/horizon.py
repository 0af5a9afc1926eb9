"""How long a base model is there: T = min(your horizon, months until it is shut down) (docs/method.md, "Money")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.core.errors import ConfigurationError
from advisor.core.statement import Statement, say
from advisor.economics.prices import is_local

if TYPE_CHECKING:
    from advisor.economics.inputs import Economics

TABLE = Path(__file__).with_name("models_life.yaml")
DAYS_PER_MONTH = 365.25 / 12


@dataclass(frozen=True, slots=True)
class Horizon:
    """The months that count, and why: what is known of the base model's last day."""

    months: float
    shutdown: Statement


def horizon(economics: Economics, model: str, today: date) -> Horizon:
    """Return the months that count: the user's, or those until the base model is shut down if these are fewer.

    All strategies end with their base model, so all have the same months. A date of the table that has passed is not
    counted: the model has just answered, so the table is wrong about it.

    Raises:
        ConfigurationError: the user's own date has passed.
    """
    yours = economics.base_model_shutdown
    refuse_past_shutdown(economics, today)
    until = yours or shutdown_of(model)
    if until is None:
        known = say("shutdown.own_weights") if is_local(model) else say("shutdown.not_known")
        return Horizon(economics.horizon_months, known)
    source = "" if yours else f"{_table()['source']}, {_table()['as_of']}"
    left = (until - today).days / DAYS_PER_MONTH
    if left <= 0.0:
        return Horizon(economics.horizon_months, say("shutdown.passed", until=str(until), source=source))
    months = min(economics.horizon_months, left)
    only = None if months == economics.horizon_months else months
    return Horizon(months, say("shutdown.counted", until=str(until), source=source, only_months=only))


def refuse_past_shutdown(economics: Economics, today: date) -> None:
    """Refuse a shutdown date that has passed.

    Raises:
        ConfigurationError: it has.
    """
    until = economics.base_model_shutdown
    if until is not None and until <= today:
        raise ConfigurationError(
            f"base_model_shutdown is {until}, which has passed (today is {today}); allowed: a day to come",
            hint="leave it out where no date is announced",
        )


def shutdown_of(model: str) -> date | None:
    """Return the announced last day of a hosted base model, or of the one it was tuned from; `None` if not known."""
    if is_local(model):
        return None
    provider, _, name = model.partition(":")
    if name.startswith("ft:"):
        name = name.split(":")[1]
    found: date | None = _table()["models"].get(f"{provider}:{name}")
    return found


@cache
def _table() -> Mapping[str, Any]:
    import yaml

    loaded: Mapping[str, Any] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return loaded
