"""The contract between a strategy and everything else.

A strategy is any object with a `name`, `fit(train, ctx)` and `predict(inputs)`; no base class, no import. Its
constructor stores keyword parameters under their own names, so that the Run can record them. Optional attributes:

- ``kind``: the word the report groups by (`floor`, `prompting`, `rag`, `tools`, `fine_tuning`, `classifier`, or yours);
- ``stochastic``: `False` if the seed cannot change an answer; such a strategy runs with one seed only;
- ``learns``: `False`, or a method of the task that returns it, if training examples beyond a handful cannot change an
  answer; such a strategy gets no learning curve;
- ``selection``: after `fit`, a dict of what was chosen on dev (recorded in the Run);
- ``tunes``: `True` if it trains a model by itself, without `ctx.model.tune` (which is noticed anyway);
- ``by_default``: `False` if it runs only when asked for by name or with ``all`` (slow ones);
- ``applies(task)``: returns `""` or the reason why the strategy cannot run on this task;
- ``predict_from(inputs, documents)``: as `predict`, with a list of documents an input in place of what it would look
  up; for strategies with documents, so that a check can tell what it does not know from what it does not find.

A strategy that looks up says what it showed in the trace of each prediction: ``retrieved``, the ids of the documents,
best first, and ``spans``, from which to which character of its document each was shown. Recall is computed from these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from advisor.core.errors import ConfigurationError
from advisor.core.progress import Progress, silent
from advisor.core.types import Document, Embed, Example, Input, Piece, Prediction, Task

if TYPE_CHECKING:
    from advisor.core.index import Index, IndexKind
    from advisor.core.metric import Metric
    from advisor.core.model import Model, Trainer, TuningConfig


@runtime_checkable
class Strategy(Protocol):
    """A way of answering: learn from `train`, then answer `inputs`, one answer an input, in order."""

    name: str

    def fit(self, train: Sequence[Example], ctx: Context) -> Any:
        """Prepare to answer. Called once before `predict`; a second call forgets the first."""

    def predict(self, inputs: Sequence[Input]) -> Sequence[Prediction | str]:
        """Answer every input. Raise `CallFailed` where an answer could not be had."""


@runtime_checkable
class AnswersFromDocuments(Protocol):
    """Optional: can be given the documents in place of what it would look up."""

    def predict_from(
        self, inputs: Sequence[Input], documents: Sequence[Sequence[Document]]
    ) -> Sequence[Prediction | str]:
        """Answer every input from the documents that stand at its place."""


@dataclass(frozen=True, slots=True)
class Traits:
    """The optional attributes of a strategy, each with its default; made by `traits_of`.

    Each is read when it is asked for, since `fit` may set it; what the strategy's own code raises there is passed on.
    """

    strategy: object

    @property
    def kind(self) -> str:
        """The word the report groups by."""
        return str(getattr(self.strategy, "kind", "custom"))

    @property
    def stochastic(self) -> bool:
        """Whether the seed can change an answer."""
        return bool(getattr(self.strategy, "stochastic", True))

    @property
    def tunes(self) -> bool:
        """Whether it trains a model by itself."""
        return bool(getattr(self.strategy, "tunes", False))

    @property
    def by_default(self) -> bool:
        """Whether it runs without being asked for."""
        return bool(getattr(self.strategy, "by_default", True))

    @property
    def selection(self) -> Any:
        """What was chosen on dev, unchecked."""
        return getattr(self.strategy, "selection", {})

    def learns(self, task: Task) -> bool:
        """Whether training examples beyond a handful can change its answers on `task`."""
        says: Any = getattr(self.strategy, "learns", True)
        return bool(says(task) if callable(says) else says)

    def applies(self, task: Task) -> Any:
        """Why it cannot run on `task`, or ``""``; unchecked."""
        return getattr(self.strategy, "applies", lambda task: "")(task)


def traits_of(strategy: object) -> Traits:
    """Return a strategy's optional attributes, with the defaults of those that it does not have."""
    return Traits(strategy)


def _no_other_embed(spec: str, usd_per_1m_tokens: float | None = None) -> Embed:
    raise ConfigurationError(f"no other embeddings can be had here, so {spec!r} cannot help")


def _no_other_model(spec: str) -> Model:
    raise ConfigurationError(f"no other model can be opened here, so {spec!r} cannot help")


@dataclass(frozen=True, slots=True)
class Context:
    """Everything a strategy is given beside its training examples. May grow; never shrinks.

    Attributes:
        seed: the one source of randomness; use ``numpy.random.default_rng(ctx.seed)``.
        workdir: a folder of this strategy's own that survives an interruption (same strategy, data, seed: same folder).
        model: the language model, metered: `model.generate(requests)`, `model.tune(examples, config, ...)`.
        task: the eval set without its test split.
        dev: examples for choosing (how many shots, which prompt, which epoch).
        metric: the eval set's metric, for choosing on `dev`.
        embed: texts → float32 array of shape (n, d) with rows of unit length, cached by content.
        progress: where to say how far long work is.
        other_model: opens another model by its specification, for helping `fit` (a model that reflects on mistakes).
            It is metered and paid for like `model`, out of the same budget; what it takes is a one-off cost.
        pool: all training examples there are, where `fit` is given some of them for a learning curve; else empty. Only
            for the `pool` of a `TuningJob`. Do not learn from them: small sizes would score as if they had them all.
        max_answer_tokens: the user's own limit, which `answer_tokens` then returns.
        other_embed: ``ctx.other_embed("openai:NAME")`` gives what `embed` is, from an endpoint's ``/embeddings``; for
            `index`. Paid from the same budget; each request is charged what it costs alone. Where the price is not
            known it is said: ``usd_per_1m_tokens=0.02``.
        shared: a folder that all seeds share, for what does not depend on the seed and need not be done twice.
    """

    seed: int
    workdir: Path
    model: Model
    task: Task
    dev: tuple[Example, ...]
    metric: Metric
    embed: Embed
    progress: Progress = field(default=silent)
    other_model: Callable[[str], Model] = field(default=_no_other_model)
    pool: tuple[Example, ...] = ()
    max_answer_tokens: int | None = None
    other_embed: Callable[..., Embed] = field(default=_no_other_embed)
    shared: Path | None = None

    @property
    def trainer(self) -> Trainer:
        """Who trains `model`, and how many parameters it has, where that is known."""
        from advisor.core.model import trainer_of

        return trainer_of(self.model)

    def usual_tuning(self) -> TuningConfig:
        """Return how a model of this size is usually tuned; for one of unknown size all is left to its trainer."""
        from advisor.core.model import TuningConfig
        from advisor.core.recipes import resolved

        config, size = TuningConfig(seed=self.seed), self.trainer.parameters
        return config if size is None else resolved(config, size)

    def answer_tokens(self, known: Sequence[Example | str]) -> int:
        """Return the `max_tokens` of a request whose answer is like the known ones (targets of examples, or texts).

        Counted with the model's own tokenizer: the 99.5th percentile x 1.5 + 16, at least 32 (64 where nothing is
        known). An answer that is cut all the same is asked for again with four times the room by `model` itself.
        """
        from advisor.core.tokens import answer_room

        if self.max_answer_tokens is not None:
            return self.max_answer_tokens
        return answer_room(self.count_tokens([one if isinstance(one, str) else one.target for one in known]))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text takes for `model`; UTF-8 bytes / 2 where its tokenizer is not known."""
        from advisor.core.tokens import count_tokens

        return count_tokens(self.model, texts)

    @property
    def context_tokens(self) -> int | None:
        """How many tokens a prompt and its answer may take together; `None` where the model does not say."""
        from advisor.core.tokens import context_tokens

        return context_tokens(self.model)

    def index(self, texts: Sequence[str], kind: IndexKind = "dense", embed: Embed | None = None) -> Index:
        """Return texts to search: ``ctx.index(texts).search(queries, k)``, exactly and best first.

        By meaning; with ``kind="lexical"`` by words (BM25, in any script), with ``kind="hybrid"`` by both, joined by
        reciprocal rank fusion. Vectors are kept across runs, and the strategies of one comparison hold what belongs to
        the same texts once. `embed` is what `other_embed` gives, in place of the embeddings of this machine.
        """
        from advisor.core.index import Index

        return Index(texts, embed or self.embed, kind)

    def split(self, documents: Sequence[Document], tokens: int) -> list[Piece]:
        """Return documents in pieces of at most this many tokens of `model`, each with its document's id and title.

        What fits stays whole: the document, else its sections, paragraphs, tables, lists and code blocks (as Markdown),
        else sentences.
        """
        from advisor.core.splitting import split

        return split(documents, tokens, self.count_tokens)
