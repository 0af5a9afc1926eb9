"""A model that answers from a table or a function: for tests, ours and yours. It runs nothing and knows nothing.

    model = ScriptedModel({"2 + 2?": "4"})
    model = ScriptedModel(lambda request: request.messages[-1].content.upper())

On the command line: ``--model scripted:answers.py:answer``.
"""

from __future__ import annotations

import inspect
import json
import linecache
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from advisor.core.errors import CallFailed
from advisor.core.fingerprints import digest
from advisor.core.model import Completion, Request, TuningExample, TuningJob, TuningReport
from advisor.core.types import Message, ToolCall, Usage

Answer = str | ToolCall | Completion
Answers = Mapping[str, str] | Callable[[Request], Answer]


class ScriptedModel:
    """Answers from a table keyed by the last user message, or from a function of the whole request.

    A question that is not in the table gives a failed completion. `CallFailed` raised by the function becomes a failed
    completion too; whatever else it raises is its own error and goes through. Answers are taken as they are: `stop`,
    `max_tokens`, `schema` and `choices` of the request change nothing.

    Usage counts words (separated by white space) as tokens, in the request and in the answer; a `Completion` that
    carries a usage of its own keeps it.

    Args:
        answers: the table, or the function.
        name: what the model is called.
        seconds: what one call is said to have taken; nobody sleeps.

    Attributes:
        fingerprint: of the table, or of the function's source and the file around it. A callable object is known by
            the file of its class; where its state changes its answers, give it a text `fingerprint` of its own, or
            the model another `name`.
    """

    trains_here = True
    """A training costs nothing but time, so a check may train on a few rows once more."""
    billed = False

    def __init__(self, answers: Answers, name: str = "scripted", seconds: float = 0.0) -> None:
        self.answers, self.name, self.seconds = answers, name, seconds
        self.fingerprint = digest(["scripted", name, _identity(answers)])

    def __repr__(self) -> str:
        kind = f"{len(self.answers)} answers" if isinstance(self.answers, Mapping) else "a function"
        return f"ScriptedModel({kind}, name={self.name!r})"

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """Answer every request, in order."""
        return [self._complete(request) for request in requests]

    def tune(self, job: TuningJob) -> tuple[ScriptedModel, TuningReport]:
        """Learn the training conversations by heart; see `Memory`. Nothing is written to `job.workdir`.

        The report counts words as tokens, has no losses (there are none), and `dev_exact_match` as really measured.
        """
        job.progress("learning by heart", 0, len(job.train))
        tuned = ScriptedModel(Memory(job.train), f"{self.name} (tuned)", self.seconds)
        matches = [tuned._complete(Request(row.messages[:-1])).content == row.messages[-1].content for row in job.dev]
        job.progress("learning by heart", len(job.train), len(job.train))
        words = sum(_words(message) for row in job.train for message in row.messages)
        return tuned, TuningReport(
            seconds=self.seconds * len(job.train),
            tokens=words,
            train_loss=(),
            dev_loss=(),
            dev_exact_match=(sum(matches) / len(matches),) if matches else (),
            epoch=1,
            layers="none: learned by heart",
        )

    def _complete(self, request: Request) -> Completion:
        completion = self._answer(request)
        if completion.usage != Usage():
            return completion
        written = Message("assistant", completion.content, completion.calls)
        usage = Usage(
            input_tokens=sum(_words(message) for message in request.messages),
            output_tokens=_words(written),
            calls=1,
            seconds=self.seconds,
            latency_seconds=self.seconds,
        )
        return replace(completion, usage=usage)

    def _answer(self, request: Request) -> Completion:
        try:
            found = _look_up(self.answers, request) if isinstance(self.answers, Mapping) else self.answers(request)
        except CallFailed as failure:
            return Completion(finish_reason="error", error=str(failure), cause=failure.cause)
        if isinstance(found, ToolCall):
            return Completion(calls=(found,), finish_reason="tool_calls")
        return found if isinstance(found, Completion) else Completion(found)


@dataclass(frozen=True, slots=True)
class _Turn:
    """One assistant turn to remember: what was asked, how many messages ago, and what to say."""

    words: frozenset[str]
    answer: Completion


class Memory:
    """What a tuned `ScriptedModel` does: it repeats the assistant turn of the training conversation most alike.

    Turns are compared at the same distance from the last user message, so that a call is followed by the answer to its
    result and not by the call again. An equal question wins; else the one with the largest share of common words
    (Jaccard index), the first of equals. It memorises and does not generalise.
    """

    def __init__(self, examples: Sequence[TuningExample]) -> None:
        self._exact: dict[tuple[int, str], Completion] = {}
        self._turns: dict[int, list[_Turn]] = {}
        for example in examples:
            for at, message in enumerate(example.messages):
                if message.role == "assistant":
                    self._learn(example.messages[:at], message)
        known = [[step, question, answer.content, answer.calls] for (step, question), answer in self._exact.items()]
        self.fingerprint = digest(known)

    def __call__(self, request: Request) -> Completion:
        """Answer as the most similar conversation did.

        Raises:
            CallFailed: nothing was learned for this point of a conversation.
        """
        step, question = _position(request.messages)
        if (step, question) in self._exact:
            return self._exact[step, question]
        if step not in self._turns:
            raise CallFailed(f"nothing was learned to say {step} messages after a question")
        asked = frozenset(question.lower().split())
        return max(self._turns[step], key=lambda turn: _jaccard(asked, turn.words)).answer

    def _learn(self, before: Sequence[Message], turn: Message) -> None:
        step, question = _position(before)
        answer = Completion(turn.content, turn.tool_calls, finish_reason="tool_calls" if turn.tool_calls else "stop")
        if (step, question) not in self._exact:
            self._exact[step, question] = answer
            self._turns.setdefault(step, []).append(_Turn(frozenset(question.lower().split()), answer))


def _position(messages: Sequence[Message]) -> tuple[int, str]:
    """Return how many messages follow the last user message, and its text."""
    for step, message in enumerate(reversed(messages)):
        if message.role == "user":
            return step, message.content
    return len(messages), ""


def _look_up(table: Mapping[str, str], request: Request) -> Completion:
    _, question = _position(request.messages)
    if question not in table:
        return Completion(finish_reason="error", error=f"the script has no answer to {question[:200]!r}", cause="other")
    return Completion(table[question])


def _words(message: Message) -> int:
    calls = [json.dumps(dict(call.arguments), ensure_ascii=False) for call in message.tool_calls]
    names = [call.name for call in message.tool_calls]
    return sum(len(text.split()) for text in (message.content, *names, *calls))


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    either = len(one | other)
    return len(one & other) / either if either else 1.0


# --- identity --------------------------------------------------------------------------------------------------------


def _identity(answers: Answers) -> object:
    if isinstance(answers, Mapping):
        return ["table", dict(answers)]
    own = getattr(answers, "fingerprint", None)
    if isinstance(own, str):
        return ["own", own]
    if inspect.isroutine(answers):
        return ["function", _source(answers), _file(answers), _captured(answers)]
    return ["object", _file(type(answers)) or _source(type(answers))]


def _source(thing: object) -> str:
    try:
        return inspect.getsource(thing)  # type: ignore[arg-type]
    except (OSError, TypeError):
        if (path := _path(thing)) and not linecache.getlines(str(path)):
            path.read_bytes()  # a file that cannot be read now must not make another model of it
        code = getattr(thing, "__code__", None)
        return f"{code.co_code.hex()} {code.co_names} {_plain(code.co_consts)}" if code else str(thing)


def _file(thing: object) -> str:
    """Return the digest of the file around `thing`: helpers that it calls usually stand there."""
    path = _path(thing)
    return digest(path.read_text(encoding="utf-8", errors="replace")) if path else ""


def _path(thing: object) -> Path | None:
    """Return the file in which `thing` was written; `None` where it was typed in, or built in."""
    try:
        path = Path(inspect.getsourcefile(thing) or "")  # type: ignore[arg-type]
    except (OSError, TypeError):
        return None
    return path if path.is_file() else None


def _captured(function: object) -> list[str]:
    """Describe the values a closure holds and its defaults, as far as they are plain data."""
    cells = getattr(function, "__closure__", None) or ()
    held = [cell.cell_contents for cell in cells if _filled(cell)]
    return [_plain(value) for value in (*held, getattr(function, "__defaults__", None))]


def _filled(cell: object) -> bool:
    try:
        cell.cell_contents  # type: ignore[attr-defined]  # noqa: B018
    except ValueError:
        return False
    return True


def _plain(value: object) -> str:
    """Return a text that is the same in every process."""
    try:
        return json.dumps(value, sort_keys=True, default=lambda inner: type(inner).__qualname__)
    except (TypeError, ValueError, RecursionError):
        return type(value).__qualname__
