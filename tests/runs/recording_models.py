"""Scripted models that remember what they were asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from advisor.core.errors import ModelError
from advisor.core.model import Completion, Request
from advisor.core.types import Message, ToolCall, Usage
from advisor.models.scripted import ScriptedModel

USAGE = Usage(input_tokens=10, output_tokens=2, calls=1, seconds=0.5, latency_seconds=0.75)


class Recorder(ScriptedModel):
    """Answers in capitals and remembers what it was asked; ``fail ...`` fails."""

    def __init__(self, name: str = "recorder") -> None:
        super().__init__({}, name)
        self.asked: list[str] = []

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        return [self._one(request.messages[-1].content) for request in requests]

    def _one(self, text: str) -> Completion:
        self.asked.append(text)
        if text.startswith("fail"):
            return Completion(error="timed out", finish_reason="error", usage=USAGE)
        call = (ToolCall("look_up", {"word": text, "n": [1, None]}, "call_1"),)
        return Completion(text.upper(), call, USAGE, finish_reason="tool_calls")


class Streaming(Recorder):
    """The same, one answer at a time; ``dead ...`` ends everything."""

    closed = False

    def stream(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        try:
            for at, request in reversed(list(enumerate(requests))):
                if request.messages[-1].content.startswith("dead"):
                    raise ModelError("the key was refused")
                yield at, self._one(request.messages[-1].content)
        finally:
            self.closed = True


class Numbered(ScriptedModel):
    """Answers with the question and a number that grows."""

    def __init__(self) -> None:
        super().__init__({}, "numbered")
        self.count = 0

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        return [Completion(f"{request.messages[-1].content} {self._next()}") for request in requests]

    def _next(self) -> int:
        self.count += 1
        return self.count


class Billed(Recorder):
    """Somebody is paid for its calls."""

    billed = True


def ask(*texts: str, **options: object) -> list[Request]:
    return [Request((Message("user", text),), **options) for text in texts]  # type: ignore[arg-type]
