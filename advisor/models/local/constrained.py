"""Constrained decoding: a JSON Schema, a list of choices, or a tool call, enforced token by token by llguidance."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from torch import Tensor

from advisor.core.errors import ModelError
from advisor.core.model import Request
from advisor.core.types import JSONObject, ToolSpec
from advisor.models.local.chat import CALL_CLOSE, CALL_OPEN

_STYLE = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


class Grammars:
    """Compiles requests into constraints for one tokenizer; grammars are compiled once and copied."""

    def __init__(self, tokenizer: Any, vocabulary: int) -> None:
        from llguidance.hf import from_tokenizer

        self._call_opens = tuple(tokenizer.encode(CALL_OPEN, add_special_tokens=False))
        self._tokenizer = from_tokenizer(tokenizer, n_vocab=vocabulary)
        self._vocabulary = vocabulary
        self._compiled: dict[str, Any] = {}

    def constraint(self, request: Request) -> TokenConstraint | CallConstraint | None:
        """Return what `request` allows, or `None` where it allows anything.

        Raises:
            ModelError: the schema cannot be turned into a grammar.
        """
        from llguidance import LLMatcher

        grammar = _grammar(request)
        if grammar is None:
            return None
        if grammar not in self._compiled:
            matcher = LLMatcher(self._tokenizer, grammar)
            if matcher.is_error():
                raise ModelError(f"this schema cannot be enforced while decoding: {matcher.get_error()}")
            self._compiled[grammar] = matcher
        strict = TokenConstraint(self._compiled[grammar], self._vocabulary)
        if request.tools and request.tool_choice == "auto" and not request.choices and request.schema is None:
            return CallConstraint(self._call_opens, strict)
        return strict


class TokenConstraint:
    """One sequence's position in its grammar; starts with a copy of `matcher`."""

    def __init__(self, matcher: Any, vocabulary: int) -> None:
        self._fresh, self._vocabulary = matcher, vocabulary
        self._matcher: Any = matcher.deep_copy()
        self._bits: Any = None

    def mask(self) -> Tensor | None:
        """Return which tokens may come next."""
        return torch.from_numpy(self._unpacked().astype(bool))

    def allowed(self) -> Tensor | None:
        """Return the ids that may come next, ascending."""
        return torch.from_numpy(self._unpacked().nonzero()[0])

    def only(self) -> int | None:
        """Return the token that must come next; `None` where there is a choice.

        llguidance allows one single token wherever the text is settled, so this writes what masks would have written.
        """
        bits = self._packed()
        (found,) = bits.nonzero()
        byte = int(bits[found[0]]) if len(found) == 1 else 0
        return 8 * int(found[0]) + byte.bit_length() - 1 if byte and byte & (byte - 1) == 0 else None

    def accept(self, token: int) -> None:
        """Take the chosen token."""
        self._matcher.consume_token(token)
        self._bits = None

    def restart(self) -> None:
        """Forget what was written."""
        self._matcher, self._bits = self._fresh.deep_copy(), None

    def _packed(self) -> Any:
        if self._bits is None:
            self._bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        return self._bits

    def _unpacked(self) -> Any:
        return np.unpackbits(self._packed(), bitorder="little")[: self._vocabulary]


class CallConstraint:
    """Free text, unless it opens a tool call; from there on the call's grammar holds."""

    def __init__(self, opens: tuple[int, ...], call: TokenConstraint) -> None:
        self._opens, self._call = opens, call
        self._written: tuple[int, ...] = ()
        self._inside = False

    def mask(self) -> Tensor | None:
        """Return which tokens may come next; `None` while the text is free."""
        return self._call.mask() if self._inside else None

    def allowed(self) -> Tensor | None:
        """Return the ids that may come next, ascending; `None` while the text is free."""
        return self._call.allowed() if self._inside else None

    def only(self) -> int | None:
        """Return the token that must come next; `None` where there is a choice."""
        return self._call.only() if self._inside else None

    def accept(self, token: int) -> None:
        """Take the chosen token."""
        if self._inside:
            self._call.accept(token)
            return
        self._written = (*self._written, token)
        self._inside = self._written == self._opens
        for written in self._opens if self._inside else ():
            self._call.accept(written)

    def restart(self) -> None:
        """Forget what was written."""
        self._written, self._inside = (), False
        self._call.restart()


def _grammar(request: Request) -> str | None:
    if request.choices:
        return "start: " + " | ".join(json.dumps(choice, ensure_ascii=False) for choice in request.choices)
    if request.schema is not None:
        return f"start: %json {json.dumps(_styled(request.schema))}"
    if request.tools:
        call = json.dumps(_styled({"anyOf": [_call_schema(tool) for tool in request.tools]}))
        return f'start: "{CALL_OPEN}" %json {call} "{CALL_CLOSE}"'
    return None


def _styled(schema: JSONObject) -> dict[str, Any]:
    return {**schema, "x-guidance": _STYLE}


def _call_schema(tool: ToolSpec) -> dict[str, Any]:
    parameters = {"additionalProperties": False, **tool.parameters}
    return {
        "type": "object",
        "properties": {"name": {"const": tool.name}, "arguments": parameters},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }
