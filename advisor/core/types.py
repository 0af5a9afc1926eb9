"""The nouns everything else is written in: frozen, slotted, and free of behaviour beyond their own checks.

Data flows one way through them::

    EvalSet → strategy.fit → strategy.predict → metric → Outcome → Run → Comparison → Verdict → report
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING, Any, Literal

from advisor.core.brought_code import Origin
from advisor.core.errors import EvalSetError
from advisor.core.fingerprints import digest
from advisor.core.outcomes import Outcome as Outcome
from advisor.core.outcomes import Outcomes as Outcomes
from advisor.core.outcomes import Prediction as Prediction
from advisor.core.outcomes import Usage as Usage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Role = Literal["system", "user", "assistant", "tool"]
JSONObject = Mapping[str, Any]
Embed = Callable[[Sequence[str]], "NDArray[np.float32]"]
"""Texts to float32 (n, d), rows of unit length."""
MIN_DEV = 40


# --- what goes into a model ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """What a model is told of one tool: `parameters` is a JSON Schema of type object."""

    name: str
    description: str
    parameters: JSONObject


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that can be called: its spec, and `call(arguments) -> text` (raises `ValueError` on bad arguments).

    `fingerprint` is the content address of the code and data behind it, where that is known.
    """

    spec: ToolSpec
    call: Callable[[JSONObject], str]
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call as a model wrote it; `id` ties it to the message with its result."""

    name: str
    arguments: JSONObject
    id: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One chat turn."""

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True)
class Chat:
    """An input that is a conversation, with the tools that stand beside it (schemas only)."""

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()

    def __str__(self) -> str:
        return "\n".join(message.content for message in self.messages)


Input = str | Chat
"""What a strategy is asked: plain text, or a `Chat`. ``str(input)`` always gives the text."""


@dataclass(frozen=True, slots=True)
class Document:
    """One retrievable text."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Piece(Document):
    """A part of a document, with the document's id and title; its text begins there at character `start`."""

    start: int = 0


# --- the eval set ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Example:
    """One question with its answer.

    `metadata` may carry `group` (the cluster for statistics and splitting), `slice` (a name to report by), `answers`
    (further accepted answers) and `calls` (the gold tool calls). Strategies see `metadata` of train and dev only.
    """

    id: str
    input: Input
    target: str
    metadata: JSONObject = field(default_factory=dict)

    @property
    def references(self) -> tuple[str, ...]:
        """Every accepted answer, the target first."""
        more = self.metadata.get("answers", ())
        return (self.target, *(str(answer) for answer in more if str(answer) != self.target))

    @property
    def group(self) -> str:
        """The cluster this example belongs to: itself, where none is given."""
        return str(self.metadata.get("group", self.id))


@dataclass(frozen=True, slots=True)
class EvalSet:
    """Questions with answers in three splits, and all a strategy may know beside them.

    `origin` says who names the metric: data may not name any code (`advisor.core.registry.load`).

    Raises:
        EvalSetError: an empty train or test split, a duplicate id, or a test example that also stands in train or dev.
    """

    name: str
    instruction: str
    metric: str
    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    test: tuple[Example, ...]
    docs: tuple[Document, ...] = ()
    tools: tuple[Tool, ...] = ()
    labels: tuple[str, ...] = ()
    schema: JSONObject | None = None
    output: Literal["text", "json"] = "text"
    family: str = ""
    gold_document_field: str = ""
    licence: str = ""
    source: str = ""
    notes: tuple[str, ...] = ()
    origin: Origin = field(default="data", compare=False, repr=False)

    def __post_init__(self) -> None:
        splits = {"train": self.train, "dev": self.dev, "test": self.test}
        for split in ("train", "test"):
            if not splits[split]:
                raise EvalSetError(
                    f"eval set {self.name!r}: the {split} split is empty; at least one example is needed",
                    hint=f"write examples into {split}.jsonl, one JSON object a line with id, input and target",
                )
        _refuse_duplicates(f"eval set {self.name!r}: example", (e.id for part in splits.values() for e in part))
        _refuse_duplicates(f"eval set {self.name!r}: document", (d.id for d in self.docs))
        learned = {str(e.input): e.id for e in (*self.train, *self.dev)}
        for example in self.test:
            if str(example.input) in learned:
                raise EvalSetError(
                    f"eval set {self.name!r}: test example {example.id!r} also stands in train or dev as "
                    f"{learned[str(example.input)]!r}, so its answer could simply be remembered",
                    hint="take it out of one of the two",
                )

    @property
    def fingerprint(self) -> str:
        """Content address of everything that can change a score."""
        from advisor.core.fingerprints import identity

        return digest(
            {
                "splits": [self.train, self.dev, self.test],
                "task": [self.instruction, identity(self.metric), self.labels, self.schema, self.output],
                "docs": self.docs,
                "tools": [[tool.spec, tool.fingerprint] for tool in self.tools],
            }
        )

    def limited(self, *, train: int | None = None, test: int | None = None) -> EvalSet:
        """Return the set cut to at most this many examples a split, chosen by content and not by order.

        Dev shrinks in the proportion in which train does, but not below 40 examples: choosing on fewer is a lottery.
        """
        kept = min(1.0, train / len(self.train)) if train else 1.0
        dev = max(MIN_DEV, round(len(self.dev) * kept))
        return replace(self, train=_pick(self.train, train), dev=_pick(self.dev, dev), test=_pick(self.test, test))

    def learning_from(self, size: int, order: int = 0) -> EvalSet:
        """Return the set with `size` of its training examples; dev and test stay whole.

        The parts of one `order` are nested, and those of order 0 are the ones that `limited` chooses.
        """
        return replace(self, train=_pick(self.train, size, order))


def _pick(examples: tuple[Example, ...], limit: int | None, order: int = 0) -> tuple[Example, ...]:
    if limit is None or limit >= len(examples):
        return examples
    ranked = sorted(examples, key=lambda e: digest([e.id, str(e.input), *([order] if order else [])]))
    kept = {example.id for example in ranked[:limit]}
    return tuple(example for example in examples if example.id in kept)


def _refuse_duplicates(what: str, ids: Iterable[str]) -> None:
    seen: set[str] = set()
    for identity in ids:
        if identity in seen:
            raise EvalSetError(
                f"{what} id {identity!r} stands there twice; ids must be unique over all splits",
                hint="rename one of the two, or leave the ids out and let the loader number the rows",
            )
        seen.add(identity)


# --- what comes out --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FitCost:
    """What `fit` took, once. `usage` counts model calls spent on choosing (on train and dev, never on test).

    `other_usd` is what other models took that helped (`Context.other_model`), USD; `None` where a price is unknown.
    Counts are whole numbers, and fractions in a mean of several fits.
    """

    seconds: float = 0.0
    usage: Usage = field(default_factory=Usage)
    examples: int | float = 0
    training_seconds: float = 0.0
    training_tokens: int | float = 0
    other_usd: float | None = 0.0


@dataclass(frozen=True, slots=True)
class Run:
    """One strategy on one eval set with one seed: all that is needed to recompute everything after it.

    `tuned` says whether a model's weights were trained for it, `selection` what `fit` chose, `summaries` the metric's
    figures over the whole set (macro-F1, validity; `None` where undefined). `imported` runs come from another machine.
    `waits` are the seconds that single requests took, one after the other; empty where each answer was timed by itself.
    """

    id: str
    strategy: str
    params: JSONObject
    seed: int
    model: str
    evalset: str
    evalset_fingerprint: str
    metric: str
    outcomes: tuple[Outcome, ...] | Outcomes
    fit_cost: FitCost = field(default_factory=FitCost)
    tuned: bool = False
    kind: str = "custom"
    selection: JSONObject = field(default_factory=dict)
    summaries: Mapping[str, float | None] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    imported: bool = False
    waits: tuple[float, ...] = ()

    @property
    def usage(self) -> Usage:
        """Summed over all outcomes."""
        if not isinstance(self.outcomes, Outcomes):
            return sum((outcome.usage for outcome in self.outcomes), Usage())
        return Usage(*(reduce(operator.add, self.outcomes.usage(name), 0) for name in Usage.__slots__))


@dataclass(frozen=True, slots=True)
class Task:
    """What a strategy may know of the eval set: everything but the test split."""

    name: str
    instruction: str
    metric: str
    labels: tuple[str, ...] = ()
    docs: tuple[Document, ...] = ()
    tools: tuple[Tool, ...] = ()
    schema: JSONObject | None = None
    output: Literal["text", "json"] = "text"
    gold_document_field: str = ""
    example_tools: bool = False

    @classmethod
    def of(cls, evalset: EvalSet) -> Task:
        """Take the part of `evalset` that strategies may see; `example_tools` is True if inputs carry tool schemas."""
        shared = {name: getattr(evalset, name) for name in cls.__slots__ if name != "example_tools"}
        return cls(**shared, example_tools=any(getattr(e.input, "tools", ()) for e in evalset.train))


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its interval, in the unit of the estimate.

    Attributes:
        estimate, low, high: `low` and `high` may be infinite, never NaN.
        level: how often such an interval holds the true value.
        method: how it was computed.
        clusters, seeds: from how many of each, where it was computed from the scores of examples.
    """

    estimate: float
    low: float
    high: float
    level: float = 0.95
    method: str = ""
    clusters: int | None = None
    seeds: int | None = None

    def turned(self) -> Interval:
        """Return the interval of the same difference seen from the other side: of b minus a in place of a minus b."""
        return replace(self, estimate=-self.estimate, low=-self.high, high=-self.low)
