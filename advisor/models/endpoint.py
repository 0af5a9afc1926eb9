"""Any OpenAI-compatible server as a model: OpenAI itself, vLLM, llama.cpp, Ollama, a gateway.

    model = EndpointModel("gpt-4.1-mini")                                   # key: OPENAI_API_KEY
    model = EndpointModel("qwen3", url="http://127.0.0.1:8000/v1")          # key: ADVISOR_API_KEY, if any

What is sent where, and how failures are told apart, is in docs/endpoints.md.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from advisor.errors import ConfigurationError, ModelError
from advisor.models.base import Completion, Request, TuningJob, TuningReport
from advisor.models.endpoint_client import OPENAI_URL, Address, Key, open_client
from advisor.models.endpoint_retry import (
    LostError,
    OverdueError,
    Retry,
    is_out_of_credit,
    is_transient,
    never_connected,
    persistently,
    spread,
    within,
)
from advisor.models.endpoint_wire import Dialect, Reply, one_line, read_completion, write_request
from advisor.types import Usage, digest

if TYPE_CHECKING:
    from openai import OpenAI

LARGEST_ANSWER_BYTES = 16 * 2**20
_NO_SUCH_MODEL = (404, 405, 410)


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


@dataclass(slots=True)
class _Tally:
    """What was seen of a server so far."""

    reached: bool = False
    answered: int = 0
    uncounted: int = 0
    resent: int = 0
    failing: set[str] = field(default_factory=set)
    failed: dict[str, Completion] = field(default_factory=dict)


class EndpointModel:
    """A model behind an OpenAI-compatible chat-completions endpoint.

    A request that fails for good (after the retries, or because the server refuses it) is a completion with `error`;
    the same object does not send it again. A server that refuses the key, does not know the model, cannot be reached,
    or fails `jobs` + 3 different requests in a row is a `ModelError`, and nothing more is sent.

    `Usage.latency_seconds` and `seconds` are the time of the attempt that was answered, without retries and waits.
    Tokens are the server's own count. A server that counts nothing leaves them at 0, and `notes` says so: the cost of
    these calls is unknown, not zero.

    Args:
        model: the name the server knows it by.
        url: base URL, the part before ``/chat/completions``.
        key: sent to this host only; by default ``OPENAI_API_KEY`` for OpenAI and ``ADVISOR_API_KEY`` for every other.
        options: concurrency, time-out, retries.

    Attributes:
        name: the specification that opens the same model, e.g. ``openai:gpt-4.1-mini``.
        fingerprint: of address and name. A provider that changes the model behind a name cannot be noticed.

    Raises:
        ConfigurationError: no model name, or `url` is not an address.
        ModelError: OpenAI without a key.
    """

    def __init__(
        self, model: str, *, url: str = OPENAI_URL, key: str | None = None, options: EndpointOptions | None = None
    ) -> None:
        if not model.strip():
            raise ConfigurationError(f"which model at {url}? Its name is missing", hint=f"--model {url}#NAME")
        self.model, self.address = model, Address(url)
        self.options = options or EndpointOptions()
        self.name = f"openai:{model}" if self.address.url == OPENAI_URL else f"{self.address.url}#{model}"
        self.fingerprint = digest(["endpoint", self.address.url, model])
        self._key = Key.of(self.address, key)
        self._dialect, self._tally, self._lock = Dialect(), _Tally(), threading.Lock()
        self._opened: OpenAI | None = None

    def __repr__(self) -> str:
        return f"EndpointModel({self.model!r}, url={self.address.url!r})"

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the results must know of this endpoint; empty where all went as it should."""
        seen, found = self._tally, [f"{self.name}: {note}" for note in self._dialect.notes]
        if seen.uncounted:
            found.append(
                f"{self.name} did not say how many tokens {seen.uncounted} of {seen.answered} answers took; "
                "they are missing from the costs, which are therefore too low"
            )
        if seen.resent:
            found.append(
                f"{self.name}: calls were sent again {seen.resent} times after a failure; the provider may have "
                "billed some of them twice, which the costs do not show"
            )
        return tuple(found)

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """Answer every request, in order, `jobs` at a time; a failed one is a completion with `error`.

        Raises:
            ModelError: the key is refused, the model unknown, or the server does not answer; nothing more is sent.
        """
        answers = dict(self.stream(requests))
        return [answers[at] for at in range(len(requests))]

    def stream(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        """Yield every answer with its position as it comes, so that each can be kept at once; see `generate`."""
        stop = threading.Event()
        try:
            yield from spread(lambda at: self._answer(requests[at], stop), len(requests), self.options.jobs)
        finally:
            stop.set()

    def tune(self, job: TuningJob) -> tuple[EndpointModel, TuningReport]:
        """Have the provider tune the model on `job`, and wait for it; see `advisor.models.endpoint_tuning`.

        Resumes from ``job.json`` in `job.workdir`: a job that was submitted is never submitted twice.

        Raises:
            ModelError: the provider tunes no models, refuses the job, or the job failed.
        """
        from advisor.models.endpoint_tuning import HostedTuning

        name, report = HostedTuning(self).run(job)
        return EndpointModel(name, url=self.address.url, key=self._key.reveal(), options=self.options), report

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        with self._lock:
            client, self._opened = self._opened, None
        if client is not None:
            client.close()

    # --- one request -------------------------------------------------------------------------------------------------

    def _answer(self, request: Request, stop: threading.Event) -> Completion:
        import openai

        identity = digest([getattr(request, name) for name in Request.__slots__])
        if identity in self._tally.failed:
            return self._tally.failed[identity]
        try:
            reply = self.call(lambda: self._post(request), stop)
        except (openai.OpenAIError, OverdueError, LostError) as error:
            return self._failure(identity, error)
        completion, counted = read_completion(reply, request)
        with self._lock:
            self._tally.answered += 1
            self._tally.uncounted += not counted
        if completion.error:
            return self._remember(identity, self._key.hide_in(completion.error), completion.usage)
        self._tally.failing.clear()
        return completion

    def call(self, send: Callable[[], Any], stop: threading.Event | None = None) -> Any:
        """Send something, with the retries of `options`; `send` is one attempt.

        Raises:
            Exception: what the last attempt raised; `explain` makes a `ModelError` of it where it concerns all calls.
        """

        def worth(error: BaseException) -> bool:
            import openai

            self._tally.reached |= isinstance(error, openai.APIStatusError | OverdueError | LostError)
            return is_transient(error) and (self._tally.reached or not never_connected(error))

        def resending() -> None:
            with self._lock:
                self._tally.resent += 1

        reply = persistently(send, self.options.retry, stop=stop or threading.Event(), worth=worth, on_retry=resending)
        self._tally.reached = True
        return reply

    def _post(self, request: Request) -> Reply:
        """Make one attempt; where the server refuses a field it does not know, once more without it."""
        import openai

        while True:
            body = write_request(self.model, request, self._dialect)
            started = time.perf_counter()
            try:
                content = within(self.options.timeout_seconds, lambda body=body: self._read(body))  # type: ignore[misc]
                return Reply(content, time.perf_counter() - started)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as refusal:
                with self._lock:
                    adapted = self._dialect.adapt(body, refusal.param, f"{refusal.code} {refusal.body}")
                if not adapted:
                    raise

    def _read(self, body: dict[str, Any]) -> bytes:
        """Return the body of the answer, of limited length and duration."""
        deadline = time.perf_counter() + self.options.timeout_seconds
        create: Any = self.client().chat.completions.with_streaming_response.create
        parts, size = [], 0
        with create(**body) as response:
            try:
                for part in response.iter_bytes():
                    parts.append(part)
                    size += len(part)
                    if size > LARGEST_ANSWER_BYTES or time.perf_counter() > deadline:
                        break
            except Exception as error:  # raw errors of the HTTP library: the openai package wraps only what it reads
                raise (OverdueError if "Timeout" in type(error).__name__ else LostError) from error
        if size <= LARGEST_ANSWER_BYTES and time.perf_counter() > deadline:
            raise OverdueError
        return b"".join(parts)[:LARGEST_ANSWER_BYTES]

    def client(self) -> OpenAI:
        """Return the client, opened at the first call."""
        with self._lock:
            if self._opened is None:
                self._opened = open_client(self.address, self._key, self.options.timeout_seconds)
                weakref.finalize(self, self._opened.close)
            return self._opened

    # --- failures ----------------------------------------------------------------------------------------------------

    def _failure(self, identity: str, error: Exception) -> Completion:
        """Turn the failure of one request into a value.

        Raises:
            ModelError: it concerns all requests.
        """
        sentence = self.sentence(error)
        if fatal := self.explain(error):
            raise fatal from None
        if is_transient(error):
            with self._lock:
                self._tally.failing.add(identity)
                row = len(self._tally.failing)
            if row >= self.options.jobs + 3:
                self._tally.failing, self._tally.failed = set(), {}  # whoever asks again, asks the server
                raise ModelError(
                    f"{self.address.host} failed {row} requests in a row, each {self.options.retry.attempts} times; "
                    f"the last: {sentence}",
                    hint="see whether the server is well, then run the same command again: what was answered is kept",
                ) from None
        return self._remember(identity, sentence, Usage(calls=1))

    def _remember(self, identity: str, error: str, usage: Usage) -> Completion:
        completion = Completion(usage=usage, finish_reason="error", error=error)
        self._tally.failed[identity] = replace(completion, usage=Usage())  # asked again, it costs nothing again
        return completion

    def explain(self, error: Exception) -> ModelError | None:
        """Return the error that ends everything, if this is one: key, model, credit, redirect, nobody there."""
        status, host, variable = getattr(error, "status_code", 0), self.address.host, self.address.key_variable
        if status in (401, 403):
            return ModelError(
                f"{host} refused the key in {variable} (HTTP {status}) for the model {self.model!r}",
                hint=f"export {variable}=... with a key of {host}",
            )
        if status in _NO_SUCH_MODEL:
            return ModelError(
                f"{host} has no model {self.model!r}, or no chat completions under {self.address.url} (HTTP {status})",
                hint=f"see what it has: curl {self.address.url}/models (most base URLs end in /v1)",
            )
        if is_out_of_credit(error):
            return ModelError(f"the account of {variable} at {host} has no credit left (HTTP {status})")
        if 300 <= status < 400:
            return ModelError(
                f"{self.address.url} redirects elsewhere (HTTP {status}); a redirect is not followed, since the key "
                "would go with it",
                hint="give the final address",
            )
        if never_connected(error) and not self._tally.reached:
            return ModelError(
                f"nothing answers at {self.address.url}: {self.sentence(error)}",
                hint="start the server, or correct the address (host, port, https)",
            )
        return None

    def sentence(self, error: Exception) -> str:
        """Say what went wrong with one call, in one line and without the key."""
        status = getattr(error, "status_code", None)
        if status is not None:
            body = getattr(error, "body", None)
            words = body.get("message") if isinstance(body, dict) and "message" in body else body
            said = f"HTTP {status}: {words or 'no reason given'}"
        elif isinstance(error, OverdueError) or type(error).__name__ == "APITimeoutError":
            said = f"no complete answer within {self.options.timeout_seconds:g} seconds"
        elif is_transient(error):
            cause = error.__cause__ or error
            said = f"the connection was lost ({type(cause).__name__}: {cause})"
            said = f"no connection ({cause})" if never_connected(error) else said
        else:
            said = f"{type(error).__name__}: {error}"
        return one_line(self._key.hide_in(said))
