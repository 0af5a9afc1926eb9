"""What the tests of the endpoint model share: quick options, requests, one answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from advisor.core.model import Completion, Request
from advisor.core.types import Message, ToolSpec
from advisor.models.endpoint import EndpointModel, EndpointOptions
from advisor.models.endpoint.retry import Retry
from tests.models.fake_server import FakeServer

Serve = Callable[..., tuple[EndpointModel, FakeServer]]
QUICK = Retry(attempts=3, first_wait_seconds=0.001, longest_wait_seconds=0.3)
OPTIONS = EndpointOptions(jobs=4, timeout_seconds=600.0, retry=QUICK, poll_seconds=0.01)
SECRET = "sk-canary-0123456789"
ADD = ToolSpec("math.add", "Add.", {"type": "object", "properties": {"a": {"type": "integer"}}})


def ask(text: str = "hello", **options: Any) -> Request:
    return Request((Message("user", text),), **options)


def one(model: EndpointModel, request: Request | None = None) -> Completion:
    return model.generate([request or ask()])[0]


MANY = [ask(f"question {number}") for number in range(60)]
