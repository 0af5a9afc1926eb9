"""Tuning at the provider: upload chat JSONL, create a fine-tuning job, wait, and come back with the tuned name.

Any API with OpenAI's ``/files`` and ``/fine_tuning/jobs`` will do. Of `TuningConfig`, `seed` is passed on, and `epochs`
and `batch_size` where somebody gave them: else they are ``auto``, the provider's own choice, as are LoRA rank, learning
rate and layers, which have no counterpart in this API.

``job.json`` in the job's folder is written before each step that could be paid for twice. A crash between creating a
job and writing down its id is covered too: before a job is created, the provider is asked for one on the same file.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from advisor._util.files import sweep, write_whole
from advisor.core.errors import ModelError
from advisor.core.fingerprints import digest
from advisor.core.model import TuningJob, TuningReport
from advisor.models.endpoint.client import Address, EndpointOptions
from advisor.models.endpoint.failures import is_transient
from advisor.models.endpoint.wire import one_line, write_examples

T = TypeVar("T")

STATE = "job.json"
_WHAT = "hosted fine-tuning"
_WITHOUT_IT = "leave fine-tuning out (--strategy zero_shot --strategy few_shot ...), or tune locally: --model smollm2"
_ENDED = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class _JobState:
    """What has been done at the provider for the job with this content."""

    content: str
    training_file: str = ""
    validation_file: str = ""
    job: str = ""


class Endpoint(Protocol):
    """What hosted tuning needs of an endpoint's model."""

    model: str
    address: Address
    options: EndpointOptions

    def client(self) -> Any:
        """Return the open client."""

    def call(self, send: Callable[[], Any]) -> Any:
        """Send with retries."""

    def sentence(self, error: Exception) -> str:
        """Say what went wrong with one call."""

    def explain(self, error: Exception) -> ModelError | None:
        """Return the error that ends everything, if this is one."""


class HostedTuning:
    """Tuning jobs at the endpoint of one model."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._client: Any = endpoint.client()
        self._has_events = True

    def run(self, job: TuningJob) -> tuple[str, TuningReport]:
        """Tune and return the tuned model's name beside what it took.

        Losses are those of the provider's checkpoints, empty where it keeps none; `tokens` is what it says it trained
        on, 0 where it does not say. `seconds` runs from creating the job to its end, waiting in a queue included.

        Raises:
            ModelError: the provider tunes no models, refuses the job, or the job failed.
        """
        started = time.perf_counter()
        path = job.workdir / STATE
        train, dev = write_examples(job.train), write_examples(job.dev)
        where = [self._endpoint.address.url, self._endpoint.model]
        content = digest([*where, train, dev, asdict(job.config)])
        state = _read(path, content)
        if not state.job:
            state = self._submit(state, job, (train, dev), path)
        ended = self._wait(state.job, job, path)
        report = self._report(ended, job, time.perf_counter() - started)
        return str(ended.fine_tuned_model), report

    # --- submitting --------------------------------------------------------------------------------------------------

    def _submit(self, state: _JobState, job: TuningJob, texts: tuple[str, str], path: Path) -> _JobState:
        job.progress(f"{_WHAT}: uploading", 0, 1)
        if not state.training_file:
            files = [self._upload(name, text) for name, text in zip(("train", "dev"), texts, strict=True) if text]
            state = replace(state, training_file=files[0], validation_file=files[1] if len(files) > 1 else "")
            _write(path, state)
        state = replace(state, job=self._ask("create the job", lambda: self._adopt(state) or self._create(state, job)))
        _write(path, state)
        return state

    def _upload(self, name: str, text: str) -> str:
        def send() -> Any:
            return self._client.files.create(file=(f"{name}.jsonl", text.encode("utf-8")), purpose="fine-tune")

        return _id(self._ask(f"upload {name}.jsonl", send))

    def _create(self, state: _JobState, job: TuningJob) -> str:
        asked = {"n_epochs": job.config.epochs, "batch_size": job.config.batch_size}
        form: dict[str, Any] = {"hyperparameters": {name: value or "auto" for name, value in asked.items()}}
        if self._endpoint.address.is_openai:  # the newer spelling; others mostly know the older one
            form = {"method": {"type": "supervised", "supervised": form}}
        if state.validation_file:
            form["validation_file"] = state.validation_file
        created = self._client.fine_tuning.jobs.create(
            model=self._endpoint.model, training_file=state.training_file, seed=job.config.seed, **form
        )
        return _id(created)

    def _adopt(self, state: _JobState) -> str:
        """Return the job that already stands on our file: one whose id could not be written down, or read."""
        import openai

        try:
            listed = self._client.fine_tuning.jobs.list(limit=50)
        except openai.APIStatusError as error:
            if is_transient(error):
                raise  # not knowing whether there is one is no reason to pay for another
            return ""
        jobs = getattr(listed, "data", None) or []
        return next((_id(job) for job in jobs if getattr(job, "training_file", None) == state.training_file), "")

    # --- waiting -----------------------------------------------------------------------------------------------------

    def _wait(self, identity: str, job: TuningJob, path: Path) -> Any:
        while True:
            seen = self._ask(f"look at job {identity}", lambda: self._client.fine_tuning.jobs.retrieve(identity))
            status = str(getattr(seen, "status", ""))
            if status == "succeeded" and getattr(seen, "fine_tuned_model", None):
                return seen
            if status in _ENDED:
                path.unlink(missing_ok=True)  # so that the same command submits a new one
                reason = getattr(getattr(seen, "error", None), "message", None) or "the provider gives no reason"
                raise ModelError(
                    f"the fine-tuning job {identity} at {self._endpoint.address.host} ended as {status!r}: "
                    f"{one_line(str(reason))}",
                    hint=f"correct that and run the same command again, or {_WITHOUT_IT}",
                )
            job.progress(*self._steps(identity, status))
            time.sleep(self._endpoint.options.poll_seconds)

    def _steps(self, identity: str, status: str) -> tuple[str, int, int]:
        """Return what to show: training steps where the provider reports them, else the job's status."""
        import openai

        if self._has_events and status == "running":
            try:
                events = self._client.fine_tuning.jobs.list_events(identity, limit=20)
            except openai.OpenAIError:
                self._has_events = False
            else:
                for event in getattr(events, "data", None) or []:
                    data = getattr(event, "data", None)
                    if isinstance(data, dict) and {"step", "total_steps"} <= data.keys():
                        return _WHAT, int(data["step"]), int(data["total_steps"])
        return f"{_WHAT}: {status or 'waiting'}", 0, 1

    def _report(self, ended: Any, job: TuningJob, measured: float) -> TuningReport:
        train_loss, dev_loss = self._losses(str(ended.id))
        created, finished = getattr(ended, "created_at", None), getattr(ended, "finished_at", None)
        told = isinstance(created, int) and isinstance(finished, int) and finished >= created
        return TuningReport(
            seconds=float(finished - created) if told else measured,  # type: ignore[operator]
            tokens=int(getattr(ended, "trained_tokens", None) or 0),
            train_loss=train_loss,
            dev_loss=dev_loss,
            dev_exact_match=(),
            epoch=job.config.epochs or _epochs(ended),
            layers="the provider's choice",
        )

    def _losses(self, identity: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return training and validation loss of the checkpoints the provider kept, in order; empty without any."""
        import openai

        try:
            listed = self._client.fine_tuning.jobs.checkpoints.list(identity)
        except openai.OpenAIError:
            return (), ()
        rows = sorted(getattr(listed, "data", None) or [], key=lambda row: getattr(row, "step_number", 0) or 0)
        metrics = [getattr(row, "metrics", None) for row in rows]
        train = [getattr(one, "train_loss", None) for one in metrics]
        full = [getattr(one, "full_valid_loss", None) for one in metrics]
        return _numbers(train), _numbers(full)

    # --- talking -----------------------------------------------------------------------------------------------------

    def _ask(self, what: str, send: Callable[[], T]) -> T:
        """Send with retries.

        Raises:
            ModelError: it failed for good.
        """
        import openai

        host = self._endpoint.address.host
        try:
            return self._endpoint.call(send)  # type: ignore[no-any-return]
        except ModelError:
            raise
        except (openai.OpenAIError, ValueError, TypeError, AttributeError) as error:
            status, said = getattr(error, "status_code", 0), self._endpoint.sentence(error)
            if status in (403, 404, 405, 501):
                raise ModelError(
                    f"{host} does not fine-tune {self._endpoint.model!r} for you: could not {what} ({said})",
                    hint=_WITHOUT_IT,
                ) from None
            if fatal := self._endpoint.explain(error):
                raise fatal from None
            raise ModelError(
                f"{host} could not {what} for fine-tuning {self._endpoint.model!r} ({said})",
                hint="run the same command again: a job that was submitted is found again and goes on",
            ) from None


def _id(made: Any) -> str:
    identity = getattr(made, "id", None)
    if not isinstance(identity, str) or not identity:
        raise ModelError(
            f"the endpoint answered {one_line(repr(made), 80)} where a file or a fine-tuning job was due",
            hint=_WITHOUT_IT,
        )
    return identity


def _numbers(values: list[Any]) -> tuple[float, ...]:
    return tuple(float(value) for value in values if isinstance(value, int | float))


def _epochs(ended: Any) -> int:
    """Return how many epochs a provider chose by itself; 0 where it does not say."""
    told = getattr(getattr(ended, "hyperparameters", None), "n_epochs", None)
    return told if isinstance(told, int) else 0


def _read(path: Path, content: str) -> _JobState:
    """Return what was done for this very content; another job's file, or a broken one, counts as nothing."""
    try:
        state = _JobState(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return _JobState(content)
    return state if state.content == content else _JobState(content)


def _write(path: Path, state: _JobState) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent, f".{path.name}.*.part")  # the run is this process's own
    write_whole(path, json.dumps(asdict(state)).encode())
