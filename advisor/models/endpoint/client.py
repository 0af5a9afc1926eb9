"""Where an endpoint is, which key belongs to it, and a client that sends that key nowhere else."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from advisor._util.redaction import BLOT, SHORTEST, Secrets, guard_logs, redact, remember
from advisor.core.errors import ConfigurationError, ModelError
from advisor.models.endpoint.retry import Retry

if TYPE_CHECKING:
    from openai import OpenAI

OPENAI_URL = "https://api.openai.com/v1"
NO_KEY = "none"
_LONGEST_CONNECT_SECONDS = 10.0
_LONGEST_ERROR_BYTES = 65_536
_HEADERS = frozenset(
    {
        *("accept", "accept-encoding", "connection", "content-length", "content-type", "host", "transfer-encoding"),
        "x-stainless-raw-response",  # says nothing to a server: the client reads it back from its own request
    }
)
_OPENAI_HEADERS = frozenset({"openai-organization", "openai-project"})


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """How to talk to an endpoint.

    Attributes:
        jobs: calls in flight at the same time.
        timeout_seconds: of one attempt, from sending to the last byte.
        retry: attempts and waits.
        poll_seconds: between two looks at a hosted tuning job.

    Raises:
        ConfigurationError: `jobs` below 1, or a time that is not above 0.
    """

    jobs: int = 8
    timeout_seconds: float = 120.0
    retry: Retry = field(default_factory=Retry)
    poll_seconds: float = 10.0

    def __post_init__(self) -> None:
        for name, least in (("jobs", 1), ("timeout_seconds", 1e-3), ("poll_seconds", 1e-3)):
            if not getattr(self, name) >= least:
                raise ConfigurationError(f"{name}={getattr(self, name)!r} is not possible; it must be at least {least}")


@dataclass(frozen=True, slots=True)
class Address:
    """The base URL of an endpoint, e.g. ``http://127.0.0.1:8000/v1``.

    Raises:
        ConfigurationError: it is not an http(s) URL, or it carries a user, a password, a query or a fragment, which
            could be secrets and would then stand in reports.
    """

    url: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", self.url.rstrip("/"))
        try:
            parts = urlsplit(self.url)
            whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            whole = False
        if not whole or re.search(r"[\s\x00-\x1f]", self.url):
            raise ConfigurationError(
                f"{self._shown()!r} is not the address of an endpoint",
                hint="an address looks like http://127.0.0.1:8000/v1 (the part before /chat/completions)",
            )
        if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
            raise ConfigurationError(
                f"the address of the endpoint at {parts.hostname} carries more than a host and a path",
                hint="leave out user, password and ?query; a key goes into the variable ADVISOR_API_KEY",
            )

    @property
    def host(self) -> str:
        """Host, with the port where one is written."""
        return urlsplit(self.url).netloc

    @property
    def is_openai(self) -> bool:
        """Whether this is OpenAI itself, over TLS."""
        parts = urlsplit(self.url)
        return parts.scheme == "https" and parts.hostname == "api.openai.com" and parts.port in (None, 443)

    @property
    def is_loopback(self) -> bool:
        """Whether this is a server on this machine."""
        name = urlsplit(self.url).hostname or ""
        try:
            return name == "localhost" or ip_address(name).is_loopback
        except ValueError:
            return False

    @property
    def key_variable(self) -> str:
        """The environment variable with the key of this host; OpenAI's key is never sent to any other."""
        return "OPENAI_API_KEY" if self.is_openai else "ADVISOR_API_KEY"

    def _shown(self) -> str:
        """The address without what could be a password."""
        return re.sub(r"//[^/@]*@", "//***@", self.url)[:200]


T = TypeVar("T")


class Key:
    """A key that does not show itself; `reveal` is called in one place, where the request is sent."""

    __slots__ = ("_secrets", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        self._secrets = Secrets.of([value] if len(value) >= SHORTEST else [])
        remember(value)

    def __repr__(self) -> str:
        return "Key(***)"

    def __reduce__(self) -> Any:
        raise TypeError("a key is not stored")

    @classmethod
    def of(cls, address: Address, given: str | None = None) -> Key:
        """Return the key for a host: the one given, else the environment's.

        Raises:
            ModelError: OpenAI has no key, or the key holds characters that no key has.
        """
        variable = address.key_variable
        value = (os.environ.get(variable, "") if given is None else given).strip()
        if not value and address.is_openai:
            raise ModelError(f"{address.host} needs a key and {variable} is not set", hint=f"export {variable}=sk-...")
        if not re.fullmatch(r"[\x21-\x7e]*", value):
            raise ModelError(
                f"the key in {variable} holds spaces, line breaks or letters that no key has",
                hint=f"copy it again: export {variable}=...",
            )
        return cls(value or NO_KEY)

    def reveal(self) -> str:
        """Return the key itself."""
        return self._value

    def hide_in(self, text: str) -> str:
        """Return `text` without the key, and without anything that looks like one of OpenAI's."""
        if self._value != NO_KEY:
            text = text.replace(self._value, BLOT)
        return redact(text)

    def hide_in_answer(self, answer: T) -> T:
        """Return what a server answered without the key: it may echo it, and answers stand in reports.

        A placeholder of a few letters (``EMPTY``) is no secret, and could be a word of the answer.
        """
        return self._secrets.hide_in(answer)


def http_library() -> Any:
    """Return the HTTP library that the `openai` package is built on: httpx, and httpx2 in later releases."""
    import openai

    client = next(kind for kind in openai.DefaultHttpxClient.__mro__ if kind.__name__ == "Client")
    return sys.modules[client.__module__.partition(".")[0]]


def open_client(address: Address, key: Key, timeout_seconds: float) -> OpenAI:
    """Return a client bound to one host: no retries, no redirects, and no header that we did not choose.

    The `openai` package adds headers from the environment (``OPENAI_CUSTOM_HEADERS``, ``OPENAI_ORG_ID``) and about the
    machine (``X-Stainless-*``); what is not on the list above is taken out before anything is sent. Proxies of the
    environment are used, except for a server on this machine.
    """
    import openai

    allowed = _HEADERS | (_OPENAI_HEADERS if address.is_openai else frozenset())

    def keep_only_ours(request: Any) -> None:
        for name in [name for name in request.headers if name.lower() not in allowed]:
            del request.headers[name]
        request.headers["User-Agent"] = "tuneworthy"
        request.headers["Accept-Encoding"] = "identity"
        request.headers["Authorization"] = f"Bearer {key.reveal()}"

    class Short(http_library().SyncByteStream):  # type: ignore[misc]
        """The body of an error, which the package reads to its end, of limited length."""

        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def __iter__(self) -> Iterator[bytes]:
            left = _LONGEST_ERROR_BYTES
            for part in self.inner:
                yield part[:left]
                left -= len(part)
                if left <= 0:
                    return

        def close(self) -> None:
            self.inner.close()

    def shorten_errors(response: Any) -> None:
        if response.status_code >= 300:
            response.stream = Short(response.stream)

    guard_logs()
    timeout = openai.Timeout(timeout_seconds, connect=min(_LONGEST_CONNECT_SECONDS, timeout_seconds))
    return openai.OpenAI(
        api_key=key.reveal(),
        base_url=address.url,
        max_retries=0,
        timeout=timeout,
        http_client=openai.DefaultHttpxClient(
            follow_redirects=False,
            trust_env=not address.is_loopback,
            timeout=timeout,
            event_hooks={"request": [keep_only_ours], "response": [shorten_errors]},
        ),
    )
