"""What models charge: our own dated table first, then the offline data of `genai-prices`, else unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from advisor.core.errors import ConfigurationError
from advisor.economics.amounts import USD
from advisor.economics.definition import Option, validate_options

if TYPE_CHECKING:
    from advisor.core.types import Usage

TABLE = Path(__file__).with_name("prices.yaml")
UNKNOWN = "unknown: give prices in the comparison file under economics: prices:"
LOCAL = "this machine's seconds"

_ListPrice = Annotated[float | None, Option("", USD, flags=())]


@dataclass(frozen=True, slots=True)
class Prices:
    """What a model charges, USD. `None` is unknown and is never taken for 0.

    Raises:
        ConfigurationError: a price is negative, infinite or not a number, or requests are paid by the hour and by the
            token both.
    """

    usd_per_1m_input_tokens: _ListPrice = None
    usd_per_1m_cached_input_tokens: _ListPrice = None
    usd_per_1m_output_tokens: _ListPrice = None
    usd_per_1m_training_tokens: _ListPrice = None
    usd_per_hour: _ListPrice = None
    hosting_usd_per_month: Annotated[float, Option("", USD, flags=())] = 0.0
    source: str = ""

    def __post_init__(self) -> None:
        validate_options(self)
        if self.usd_per_hour is not None and self.by_token:
            raise ConfigurationError(
                "prices by the hour (usd_per_hour) and by the token (usd_per_1m_...) contradict each other: a request "
                "would be paid twice; give one of them, and a fixed price of hosting as hosting_usd_per_month"
            )

    @property
    def by_token(self) -> bool:
        """Whether requests are paid by the token, as far as that is known."""
        return self.usd_per_1m_input_tokens is not None or self.usd_per_1m_output_tokens is not None


def is_local(model: str) -> bool:
    """Return whether `model` runs on this machine, so that its seconds are what it costs.

    Endpoints are written ``http://host/v1#name``, ``https://…`` or ``provider:name``; everything else (``smollm2``,
    ``hf:org/name``, a folder, a drive letter) is local.
    """
    if model.startswith(("http://", "https://")):
        return False
    provider, colon, _ = model.partition(":")
    return not colon or provider == "hf" or len(provider) == 1 or any(mark in provider for mark in "/\\.")


def prices_for(model: str, *, usd_per_hour: float = 0.10) -> Prices:
    """Return the prices of a model specification; every price that is not known is `None`.

    Args:
        model: ``smollm2``, ``hf:org/name``, a folder, ``openai:NAME``, ``openai:ft:NAME:org::id`` or
            ``http://host/v1#NAME``.
        usd_per_hour: what this machine costs; used for local models only.
    """
    if is_local(model):
        return Prices(usd_per_hour=usd_per_hour, source=LOCAL)
    if model.startswith(("http://", "https://")):
        return Prices(source=UNKNOWN)
    provider, _, name = model.partition(":")
    return _from_table(provider, name) or _from_genai_prices(provider, name) or Prices(source=UNKNOWN)


def tuned_prices_for(model: str, *, usd_per_hour: float = 0.10) -> Prices:
    """Return the prices of `model` once it is tuned: the same machine for a local one, else the provider's own rate.

    A tuned model never gets the base model's price by default: providers charge more for it.
    """
    if is_local(model) or model.startswith(("http://", "https://")):
        return prices_for(model, usd_per_hour=usd_per_hour)
    provider, _, name = model.partition(":")
    return prices_for(f"{provider}:{name}" if name.startswith("ft:") else f"{provider}:ft:{name}")


def usd_of(usage: Usage, prices: Prices, *, utilisation: float = 1.0) -> float | None:
    """Return what `usage` cost, USD; `None` if a price that is needed is unknown. See `usd_of_parts`."""
    parts = {name: float(getattr(usage, name)) for name in type(usage).__slots__}
    found = usd_of_parts(parts, prices, utilisation=utilisation)
    return None if found is None else float(found)


def usd_of_parts(usage: Mapping[str, Any], prices: Prices, *, utilisation: float = 1.0) -> Any:
    """Return what usage cost, USD, for numbers or arrays alike; `None` if a price that is needed is unknown.

    ``seconds * usd_per_hour / 3600 / utilisation``, or ``tokens * price``; and what was paid elsewhere. `input_tokens`
    include the cached ones; where a provider states no price for cached input it is charged as other input, an upper
    bound. What was not used costs nothing, whatever its price.

    Args:
        usage: per `Usage` field a number or an array.
        prices: of the model.
        utilisation: share of paid machine time that is used, in (0, 1].
    """
    total: Any = 0.0 * usage["calls"] + usage.get("other_usd", 0.0)
    cached = usage["cached_input_tokens"]
    fresh = usage["input_tokens"] - cached
    per_cached = prices.usd_per_1m_cached_input_tokens
    if prices.usd_per_hour is not None:
        timed = _any(usage["seconds"]) or prices.usd_per_hour == 0 or not _any(usage["calls"])
        return total + usage["seconds"] * (prices.usd_per_hour / 3600 / utilisation) if timed else None
    for tokens, price in (
        (fresh, prices.usd_per_1m_input_tokens),
        (cached, prices.usd_per_1m_input_tokens if per_cached is None else per_cached),
        (usage["output_tokens"], prices.usd_per_1m_output_tokens),
    ):
        if price is None and (_any(tokens) or _any(usage["calls"])):
            return None
        total = total + tokens * ((price or 0.0) / 1e6)
    return total


def _any(values: Any) -> bool:
    return bool(values.any()) if hasattr(values, "any") else bool(values)


@cache
def _table() -> Mapping[str, Any]:
    import yaml

    loaded: Mapping[str, Any] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return loaded


def _from_table(provider: str, name: str) -> Prices | None:
    if name.startswith("ft:"):
        name = ":".join(name.split(":")[:2])
    key = f"{provider}:{name}"
    row = _table()["models"].get(_table()["aliases"].get(key, key))
    if row is None:
        return None
    return Prices(
        usd_per_1m_input_tokens=row.get("input"),
        usd_per_1m_cached_input_tokens=row.get("cached_input"),
        usd_per_1m_output_tokens=row.get("output"),
        usd_per_1m_training_tokens=row.get("training"),
        source=f"{_table()['source']}, {_table()['as_of']}",
    )


def batch_prices_for(model: str) -> Prices | None:
    """Return what a provider charges for requests sent as a batch; `None` where that is not known.

    Where the provider states no batch price for cached input, that of single requests stays.
    """
    if is_local(model) or model.startswith(("http://", "https://")):
        return None
    provider, _, name = model.partition(":")
    found = _from_genai_prices(provider, name, processing="batch")
    return None if found is None or replace(found, source="") == replace(prices_for(model), source="") else found


def _from_genai_prices(provider: str, name: str, **context: str) -> Prices | None:
    """Look `name` up in the data shipped with genai-prices; a tuned (``ft:``) name is never looked up there."""
    if name.startswith("ft:"):
        return None
    from datetime import UTC, datetime
    from importlib.metadata import version

    from genai_prices.data_snapshot import get_snapshot

    try:
        _, found = get_snapshot().find_provider_model(name, None, provider, None)
    except LookupError:
        return None
    rates = found.get_prices(datetime.now(tz=UTC), context or None)
    return Prices(
        usd_per_1m_input_tokens=_rate(rates, "input_mtok"),
        usd_per_1m_cached_input_tokens=_rate(rates, "cache_read_mtok"),
        usd_per_1m_output_tokens=_rate(rates, "output_mtok"),
        source=f"genai-prices {version('genai-prices')}",
    )


def _rate(rates: Any, name: str) -> float | None:
    """Return a flat rate, or the first tier of a tiered one (requests here are far below the next)."""
    value = getattr(rates, name, None)
    value = getattr(value, "base", value)
    return float(value) if isinstance(value, Decimal | int | float) else None
