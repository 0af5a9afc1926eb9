"""Keys and addresses: a key goes to its own host only, and is shown nowhere."""

from __future__ import annotations

import pickle

import pytest

from advisor.core.errors import ConfigurationError, ModelError
from advisor.models.endpoint import EndpointModel
from advisor.models.endpoint.client import Address, Key
from tests.models.endpoint_calls import SECRET, Serve, ask, one
from tests.models.fake_server import (
    http,
    status,
)

pytestmark = pytest.mark.usefixtures("no_keys")


def test_no_key_but_the_hosts_own_is_sent(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("OPENAI_ADMIN_KEY", SECRET)
    monkeypatch.setenv("OPENAI_ORG_ID", SECRET)
    monkeypatch.setenv("OPENAI_PROJECT_ID", SECRET)
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"Authorization: Bearer {SECRET}\nX-Mine: {SECRET}")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    model, server = serve()
    assert one(model).text == "re: hello"
    [seen] = server.seen
    assert seen.headers["authorization"] == "Bearer none"
    assert seen.headers["user-agent"] == "tuneworthy"
    assert SECRET not in str(seen)
    assert {name for name in seen.headers if name.startswith("x-")} <= {"x-stainless-raw-response"}


def test_the_hosts_key_is_sent_and_shown_nowhere(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVISOR_API_KEY", SECRET)
    model, server = serve(status(400, f"bad key {SECRET} and sk-other-one-123456"), http(200, SECRET.encode()))
    refused, malformed = one(model), one(model, ask("b"))
    assert server.seen[0].headers["authorization"] == f"Bearer {SECRET}"
    shown = [repr(model), str(vars(model)), model.fingerprint, model.name, str(refused), str(malformed)]
    assert not any(SECRET in text or "sk-other" in text for text in shown)
    with pytest.raises(TypeError, match="a key is not stored"):
        pickle.dumps(Key.of(model.address))


def test_which_key_belongs_to_which_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "theirs")
    monkeypatch.setenv("ADVISOR_API_KEY", "mine")
    for url, key in [
        ("https://api.openai.com/v1", "theirs"),
        ("https://api.openai.com:443/v1", "theirs"),
        ("https://API.openai.com/v1", "theirs"),
        ("http://api.openai.com/v1", "mine"),
        ("https://api.openai.com.evil.example/v1", "mine"),
        ("https://api.openai.com:8443/v1", "mine"),
        ("https://eu.api.openai.com/v1", "mine"),
        ("http://127.0.0.1:8000/v1", "mine"),
    ]:
        assert Key.of(Address(url)).reveal() == key, url


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/v1",
        "host/v1",
        "http://",
        "http://host:99999/v1",
        "http://ho st/v1",
        "http://[::1/v1",
        f"http://user:{SECRET}@host/v1",
        f"https://host/v1?key={SECRET}",
        f"https://api.openai.com@{'evil.example'}/v1",
    ],
)
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Address(url)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("key", ["sk-a b", "sk-ä", "sk-a\nX: y"])
def test_a_key_no_host_would_give_is_refused_unshown(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(ModelError, match="the key in OPENAI_API_KEY holds spaces") as caught:
        EndpointModel("gpt-4.1-mini")
    assert key not in str(caught.value)


def test_openai_without_a_key_says_which_variable() -> None:
    with pytest.raises(ModelError, match="OPENAI_API_KEY is not set"):
        EndpointModel("gpt-4.1-mini")
