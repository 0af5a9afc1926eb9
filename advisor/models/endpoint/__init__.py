"""Models behind an OpenAI-compatible endpoint: calls, retries, the wire format, hosted tuning."""

from __future__ import annotations

from advisor.models.endpoint.client import EndpointOptions
from advisor.models.endpoint.model import EndpointModel
from advisor.models.endpoint.retry import Retry

__all__ = ["EndpointModel", "EndpointOptions", "Retry"]
