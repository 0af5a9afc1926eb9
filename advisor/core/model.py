"""What a model is: `generate(requests) -> completions` and `tune(job) -> (model, report)`; and what it may say besides.

`Model` is all that is needed. The protocols after it are optional: a model that has their methods or attributes is
treated as they say, and nothing has to be inherited or registered.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeGuard, runtime_checkable

from advisor.core.errors import CallFailed, Cause
from advisor.core.progress import Progress, silent
from advisor.core.types import JSONObject, Message, ToolCall, ToolSpec, Usage


@dataclass(frozen=True, slots=True)
class Request:
    """One call to a model.

    Attributes:
        messages: the conversation so far.
        max_tokens: the most tokens to write.
        temperature: 0 is greedy; above it, sampled with `seed`.
        stop: texts that end the answer; not part of it.
        tools: tools the model may call; calls come back in `Completion.tool_calls`.
        tool_choice: `auto`, or `required` to force a call.
        schema: a JSON Schema the answer must follow (constrained decoding).
        choices: the answer must be one of these texts (constrained decoding).
        may_be_cut: the beginning is enough. Of a request without it, an answer that `max_tokens` cuts is asked for
            again, once, with four times the room.
        enough_at: an answer in which one of these texts stands is whole, wherever it ends (white space before it
            apart): a line feed, where only the first line counts.
    """

    messages: tuple[Message, ...]
    max_tokens: int = 64
    temperature: float = 0.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: Literal["auto", "required"] = "auto"
    schema: JSONObject | None = None
    choices: tuple[str, ...] = ()
    may_be_cut: bool = False
    enough_at: tuple[str, ...] = ()

    def asks_the_same(self) -> tuple[object, ...]:
        """Return what an answer depends on: all but what is only about when it counts as whole."""
        return tuple(getattr(self, name) for name in self.__slots__ if name not in ("may_be_cut", "enough_at"))


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back: text and calls with their usage, or an error.

    Reading `text` or `tool_calls` of a failed completion raises `CallFailed`, so that a failure can never be mistaken
    for an answer.

    Attributes:
        content: the answer, without `thinking`; read it as `text`.
        calls: the tools it asks for; read them as `tool_calls`.
        usage: what it took, thinking included.
        finish_reason: `length` where the answer was cut off because there was no more room.
        error, cause: what went wrong, and what kind of failure that is.
        thinking: what the model wrote before its answer, as it stands there (a leading ``<think>…</think>``).
        thinking_tokens: how many of the output tokens were thinking, where the server says so or shows it apart.
    """

    content: str = ""
    calls: tuple[ToolCall, ...] = ()
    usage: Usage = field(default_factory=Usage)
    finish_reason: Literal["stop", "length", "tool_calls", "error"] = "stop"
    error: str = ""
    cause: Cause = ""
    thinking: str = ""
    thinking_tokens: int = 0

    @property
    def text(self) -> str:
        """The answer.

        Raises:
            CallFailed: the request failed.
        """
        if self.error:
            raise CallFailed(self.error, cause=self.cause or "other")
        return self.content

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls the model asks for, possibly none.

        Raises:
            CallFailed: the request failed.
        """
        if self.error:
            raise CallFailed(self.error, cause=self.cause or "other")
        return self.calls


@dataclass(frozen=True, slots=True)
class TuningExample:
    """One conversation to learn; the loss is on the assistant turns only."""

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class TuningConfig:
    """How to tune. What is 0 is the trainer's own choice: a provider's, or that of `advisor.core.recipes` by size.

    Attributes:
        rank: LoRA rank r; alpha is 2 r.
        learning_rate: peak of a cosine schedule.
        epochs: passes over the data; the epoch kept is the one best on dev.
        batch_size: examples a step.
        layers: how many of the top layers are adapted; 0 means all.
        seed: shuffling and initialisation.
        restarts: the epochs after which the schedule begins anew (SGDR, Loshchilov and Hutter 2017, arXiv 1608.03983).
            So 3 epochs with a restart after the first are the very beginning of 6 with restarts after 1 and 3, each
            ends with a learning rate of 0, and the longer one can go on from the shorter one.
    """

    rank: int = 16
    learning_rate: float = 0.0
    epochs: int = 0
    batch_size: int = 0
    layers: int = 0
    seed: int = 0
    restarts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TuningJob:
    """Everything one `tune` call needs: what to learn, what to choose the epoch on, how, and where to keep it.

    `until_learned` lets a model that trains here stop early: when every row would be said back word for word.

    `pool` holds all rows of which `train` are some, the very same ones, for a learning curve. A model that trains here
    computes of them once, for every size, what no training changes; nothing of them is learned.

    `states` is a folder for the state in which a training ends, for one that may go on: the same job with more epochs
    and the end of this one among its `restarts` then trains, and reports, only what is new. Delete it when none will.
    """

    train: tuple[TuningExample, ...]
    dev: tuple[TuningExample, ...]
    workdir: Path
    config: TuningConfig = field(default_factory=TuningConfig)
    progress: Progress = silent
    until_learned: bool = False
    pool: tuple[TuningExample, ...] = ()
    states: Path | None = None


@dataclass(frozen=True, slots=True)
class TuningReport:
    """What tuning did: seconds and tokens spent, the loss of each epoch, and which epoch was kept (from 1).

    `layers` says in words what was adapted, `unread` how many training examples were too long to be read to their end.
    """

    seconds: float
    tokens: int
    train_loss: tuple[float, ...]
    dev_loss: tuple[float, ...]
    dev_exact_match: tuple[float, ...]
    epoch: int
    layers: str
    unread: int = 0


@runtime_checkable
class Model(Protocol):
    """A language model. `fingerprint` changes whenever an answer could."""

    name: str
    fingerprint: str

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """Answer every request, in order; a failed one is a `Completion` with `error`."""

    def tune(self, job: TuningJob) -> tuple[Model, TuningReport]:
        """Train on `job` and return the tuned model beside what it took.

        Resumes from `job.workdir` where a complete checkpoint of the same job lies there.

        Raises:
            ModelError: this model cannot be tuned.
        """


# --- what a model may say besides ------------------------------------------------------------------------------------

NumberedCompletion = tuple[int, Completion]
"""A completion behind the position of its request in the batch."""


@runtime_checkable
class StreamingModel(Protocol):
    """Optional: gives each answer as it comes, so that it is kept, and counted against the budget, at once.

    Of a model without it all answers of a batch are kept when the whole batch is there.
    """

    def stream(self, requests: Sequence[Request]) -> Iterable[NumberedCompletion]:
        """Yield each answer once, in any order; a failed one is a `Completion` with `error`.

        What comes back may be a generator, or an `AnswerStream` where calls are made in other threads meanwhile.
        """


class AnnouncingModel(Protocol):
    """Optional: a `StreamingModel` that says when it sends what, so that no call is taken for sent that was not.

    Of a model without it all requests of a batch count as sent when the first one is.
    """

    def stream(self, requests: Sequence[Request], sending: Callable[[int], None]) -> Iterable[NumberedCompletion]:
        """Yield each answer once; ``sending(position)`` is called before each attempt, in any thread."""


def announces(model: object) -> TypeGuard[AnnouncingModel]:
    """Return whether a model's `stream` takes `sending`."""
    return isinstance(model, StreamingModel) and "sending" in inspect.signature(model.stream).parameters


@runtime_checkable
class AnswerStream(Protocol):
    """Optional: what `stream` may return, to be asked what is done and to be ended early."""

    def __iter__(self) -> Iterator[NumberedCompletion]:
        """Return itself."""

    def __next__(self) -> NumberedCompletion:
        """Wait for the next answer."""

    def ready(self) -> list[NumberedCompletion]:
        """Return the answers that are there by now, without waiting; they are not given again."""

    def coming(self) -> Sequence[int]:
        """Return the positions that are begun once the next answer is asked for, and surely not before."""

    def finish(self) -> None:
        """Start nothing new: the budget is reached, or somebody pressed Ctrl-C. What is in flight still comes."""

    def close(self) -> None:
        """Give up the rest; called at the end in any case."""


@runtime_checkable
class HasCaches(Protocol):
    """Optional, of a model that computes here: it keeps what it computed for the next call.

    Before each strategy it is asked to forget that, so that no strategy is quicker for what another one asked; and a
    few requests are then timed one by one, at no cost but time.
    """

    def forget(self) -> None:
        """Drop what was kept; later answers are the same."""


def forget(model: Model) -> None:
    """Have a model forget, where it can."""
    if isinstance(model, HasCaches):
        model.forget()


@runtime_checkable
class HasBilling(Protocol):
    """Optional: ``billed = False`` says that nobody is paid for a call, so that none is written down as an attempt."""

    billed: bool


@runtime_checkable
class HasNotes(Protocol):
    """Optional: what a reader of the results must know of this model, a sentence each."""

    @property
    def notes(self) -> tuple[str, ...]:
        """The sentences; empty where all went as it should."""


@runtime_checkable
class DescribesItself(Protocol):
    """Optional: how the answers are computed, so that somebody else can compute them again."""

    @property
    def description(self) -> Mapping[str, str]:
        """By name, e.g. ``precision`` or ``device``, what a report says of it; what is empty is left out."""


@runtime_checkable
class TrainsHere(Protocol):
    """Optional: ``trains_here = True`` says that a training costs nothing but time on this machine.

    The checks before a yes then train once more to see whether it can learn by heart.
    """

    trains_here: bool


@dataclass(frozen=True, slots=True)
class Trainer:
    """Who trains a model.

    Attributes:
        parameters: of the model, where it is trained here; `None` where that is not known.
        hosted: a provider trains it, at a price, and chooses what a `TuningConfig` leaves open.
    """

    parameters: int | None = None
    hosted: bool = False


@runtime_checkable
class HasTrainer(Protocol):
    """Optional: says who trains it. Recipes are searched where the number of parameters is known."""

    @property
    def trainer(self) -> Trainer:
        """The trainer."""


def trainer_of(model: object) -> Trainer:
    """Return who trains a model; nothing is known of one that does not say."""
    return model.trainer if isinstance(model, HasTrainer) else Trainer()


@runtime_checkable
class ShowsTraining(Protocol):
    """Optional: can compare what it learns from with what it is asked."""

    def serves_as_trained(self, example: TuningExample) -> bool:
        """Return whether the tokens of a training row's prompt are those that are served."""


@runtime_checkable
class CountsTokens(Protocol):
    """Optional: counts tokens with its own tokenizer. Of a model without it, two UTF-8 bytes count as a token."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text takes by itself, without the marks of a chat template around it."""


@runtime_checkable
class HasContext(Protocol):
    """Optional: says how many tokens a prompt and its answer may take together; `None` where it is not known."""

    @property
    def context_tokens(self) -> int | None:
        """The limit."""
