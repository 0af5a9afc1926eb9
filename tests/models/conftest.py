"""A server with a script and a model on it, and no keys of the user's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from advisor.models.endpoint import EndpointModel
from tests.models.endpoint_calls import OPTIONS, Serve
from tests.models.fake_server import (
    FakeServer,
    Item,
    echo,
)


@pytest.fixture
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever keys this machine has are not there."""
    for name in ("OPENAI_API_KEY", "ADVISOR_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_CUSTOM_HEADERS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def serve(no_keys: None) -> Iterator[Serve]:
    """Start a server with a script and open a model on it."""
    opened: list[tuple[EndpointModel, FakeServer]] = []

    def start(*script: Item, default: Item = echo, **changes: Any) -> tuple[EndpointModel, FakeServer]:
        server = FakeServer(script, default).__enter__()
        model = EndpointModel("m", url=server.url, options=replace(OPTIONS, **changes))
        opened.append((model, server))
        return model, server

    yield start
    for model, server in opened:
        model.close()
        server.__exit__()
