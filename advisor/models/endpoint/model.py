"""Any OpenAI-compatible server as a model: OpenAI itself, vLLM, llama.cpp, Ollama, a gateway.

    model = EndpointModel("gpt-4.1-mini")                                   # key: OPENAI_API_KEY
    model = EndpointModel("qwen3", url="http://127.0.0.1:8000/v1")          # key: ADVISOR_API_KEY, if any

What is sent where, and how failures are told apart, is in docs/endpoints.md.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from advisor.core.errors import ConfigurationError, ModelError
from advisor.core.fingerprints import digest
from advisor.core.model import Completion, Request, Trainer, TuningJob, TuningReport
from advisor.core.types import Usage
from advisor.models.endpoint.client import OPENAI_URL, Address, EndpointOptions, Key, http_library, open_client
from advisor.models.endpoint.concurrency import ConcurrencyLimit, WorkerPool, within
from advisor.models.endpoint.dialect import Dialect, is_full, room_left
from advisor.models.endpoint.failures import (
    LostError,
    OverdueError,
    cause_of,
    is_out_of_credit,
    is_push_back,
    is_transient,
    never_connected,
    speaks_of_key,
    speaks_of_model,
)
from advisor.models.endpoint.retry import persistently
from advisor.models.endpoint.wire import Reply, one_line, read_completion, write_request

if TYPE_CHECKING:
    from openai import OpenAI

LARGEST_ANSWER_BYTES = 16 * 2**20
_NO_SUCH_MODEL = (404, 405, 410)
_ENCODINGS = ("", "identity", "gzip", "deflate")
"""What an answer may be packed as. It is asked for unpacked; br and zstd unpack a small answer to gigabytes at once."""


@dataclass(slots=True)
class _Tally:
    """What was seen of a server so far.

    `failing` are the requests that failed in a row for a passing reason; `alike` those that failed in the very words of
    `said`, as long as no request of any kind went well.
    """

    reached: bool = False
    well: bool = False
    answered: int = 0
    uncounted: int = 0
    resent: int = 0
    failing: set[str] = field(default_factory=set)
    alike: set[str] = field(default_factory=set)
    said: str = ""
    failed: dict[str, Completion] = field(default_factory=dict)


class EndpointModel:
    """A model behind an OpenAI-compatible chat-completions endpoint.

    A request that fails for good (after the retries, or because the server refuses it) is a completion with `error`;
    the same object does not send it again. A server that refuses the key, does not know the model, cannot be reached,
    fails `jobs` + 3 different requests in a row, or says the same to the first `jobs` + 3 and answers none, is a
    `ModelError`, and nothing more is sent. A server that asks for fewer calls at once (429, 503) gets fewer.
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

    trainer = Trainer(hosted=True)

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
        self._limit = ConcurrencyLimit(self.options.jobs)
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

    def stream(
        self, requests: Sequence[Request], sending: Callable[[int], None] = lambda at: None
    ) -> WorkerPool[Completion]:
        """Give every answer with its position as it comes, so that each can be kept at once; see `generate`.

        Nothing is sent before the one who listens has come back, but for what is in flight; after `finish` nothing is.
        `sending` is called with the position before each attempt, in the thread that makes it.
        """
        stop = threading.Event()

        def answer(at: int) -> Completion:
            return self._answer(requests[at], stop, lambda: sending(at))

        return WorkerPool(answer, len(requests), self.options.jobs, stop)

    def tune(self, job: TuningJob) -> tuple[EndpointModel, TuningReport]:
        """Have the provider tune the model on `job`, and wait for it; see `advisor.models.endpoint.tuning`.

        Resumes from ``job.json`` in `job.workdir`: a job that was submitted is never submitted twice.

        Raises:
            ModelError: the provider tunes no models, refuses the job, or the job failed.
        """
        from advisor.models.endpoint.tuning import HostedTuning

        name, report = HostedTuning(self).run(job)
        return EndpointModel(name, url=self.address.url, key=self._key.reveal(), options=self.options), report

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        with self._lock:
            client, self._opened = self._opened, None
        if client is not None:
            client.close()

    # --- one request -------------------------------------------------------------------------------------------------

    def _answer(self, request: Request, stop: threading.Event, sending: Callable[[], None]) -> Completion:
        import openai

        identity = digest(list(request.asks_the_same()))
        if identity in self._tally.failed:
            return self._tally.failed[identity]
        try:
            reply = self.call(lambda: self._post(request, stop, sending), stop)
        except (openai.OpenAIError, OverdueError, LostError) as error:
            if isinstance(error, openai.BadRequestError) and is_full(f"{error.body}"):
                return self._cut(request)
            return self._failure(identity, error)
        completion, counted = read_completion(reply, request)
        completion = self._key.hide_in_answer(completion)
        with self._lock:
            self._tally.answered += 1
            self._tally.uncounted += not counted
        if completion.error:
            if completion.cause == "malformed":
                self._refuse_hopeless(identity, completion.error)
            return self._remember(identity, completion)
        with self._lock:
            self._tally.well = True
            self._tally.failing.clear()
        return completion

    def _cut(self, request: Request) -> Completion:
        """An answer that the server began, ran out of room for, and does not show; it is paid for all the same."""
        with self._lock:
            self._tally.answered += 1
            self._tally.uncounted += 1
            self._tally.well = True
            self._tally.failing.clear()
        return Completion(usage=Usage(output_tokens=request.max_tokens, calls=1), finish_reason="length")

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

    def _post(self, request: Request, stop: threading.Event, sending: Callable[[], None]) -> Reply:
        """Make one attempt; where the server refuses a field it does not know, once more without it."""
        import openai

        while True:
            body = write_request(self.model, request, self._dialect)
            number, pushed_back = self._limit.enter(stop), False
            try:
                sending()
                started = time.perf_counter()
                content = within(self.options.timeout_seconds, lambda body=body: self._read(body))  # type: ignore[misc]
                return Reply(content, time.perf_counter() - started)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as refusal:
                said = f"{refusal.code} {refusal.body}"
                left = room_left(said, request.max_tokens)
                if left is not None:
                    request = replace(request, max_tokens=left)
                    continue
                with self._lock:
                    adapted = self._dialect.adapt(body, refusal.param, said)
                if not adapted:
                    raise
            except openai.APIStatusError as error:
                pushed_back = is_push_back(error)
                raise
            finally:
                self._limit.leave(number, pushed_back=pushed_back)

    def post_embeddings(self, texts: Sequence[str]) -> bytes:
        """Return what ``/embeddings`` says to these texts.

        Raises:
            ModelError: it refuses, or does not answer.
        """
        import openai

        body = {"model": self.model, "input": list(texts), "encoding_format": "float"}
        create = self.client().embeddings.with_streaming_response.create
        try:
            return bytes(self.call(lambda: within(self.options.timeout_seconds, lambda: self._read(body, create))))
        except (openai.OpenAIError, OverdueError, LostError) as error:
            raise self.explain(error) or ModelError(f"{self.name} does not embed: {self.sentence(error)}") from None

    def _read(self, body: dict[str, Any], create: Any = None) -> bytes:
        """Return the body of the answer, of limited length and duration."""
        http = http_library()
        deadline = time.perf_counter() + self.options.timeout_seconds
        create = create or self.client().chat.completions.with_streaming_response.create
        parts, size = [], 0
        try:
            with create(**body) as response:
                encoding = response.headers.get("content-encoding", "").strip().lower()
                if encoding not in _ENCODINGS:
                    return f"(packed as {encoding[:40]})".encode()
                for part in response.iter_bytes():
                    parts.append(part)
                    size += len(part)
                    if size > LARGEST_ANSWER_BYTES or time.perf_counter() > deadline:
                        break
        except http.TimeoutException as error:  # the openai package does not wrap what happens in a body
            raise OverdueError from error
        except (http.HTTPError, http.StreamError) as error:
            raise LostError from error
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
        if not is_transient(error):
            self._refuse_hopeless(identity, sentence)
        else:
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
        failed = Completion(usage=Usage(calls=1), finish_reason="error", error=sentence, cause=cause_of(error))
        return self._remember(identity, failed)

    def _remember(self, identity: str, failed: Completion) -> Completion:
        self._tally.failed[identity] = replace(failed, usage=Usage())  # asked again, it costs nothing again
        return failed

    def _refuse_hopeless(self, identity: str, sentence: str) -> None:
        """End it where the first requests all get the same words back and none an answer.

        Raises:
            ModelError: so it is.
        """
        with self._lock:
            seen = self._tally
            if seen.well:
                return
            seen.alike = (seen.alike if seen.said == sentence else set()) | {identity}
            seen.said, row = sentence, len(seen.alike)
            if row < self.options.jobs + 3:
                return
            seen.alike, seen.failed = set(), {}
        raise ModelError(
            f"{self.address.host} gave no answer to any of the first {row} requests and the same words to all: "
            f"{sentence}",
            hint=f"is {self.address.url} the base URL (most end in /v1), and does it serve a model {self.model!r}?",
        )

    def explain(self, error: Exception) -> ModelError | None:
        """Return the error that ends everything, if this is one: key, model, credit, redirect, nobody there."""
        status, host, variable = getattr(error, "status_code", 0), self.address.host, self.address.key_variable
        if status in (401, 403) or (status in (400, 422) and speaks_of_key(error)):
            return ModelError(
                f"{host} refused the key in {variable} (HTTP {status}) for the model {self.model!r}",
                hint=f"export {variable}=... with a key of {host}",
            )
        if status in _NO_SUCH_MODEL or (status in (400, 422) and speaks_of_model(error, self.model)):
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
