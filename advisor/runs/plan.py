"""What a comparison would take, before anything is paid: the strategies run against a model that only counts.

Built-in strategies are really fitted and asked, so prompts, shots tried on dev and training passes are what they will
be; only the answers are empty. A strategy of the user's own is not run, since nobody knows what its code does; nor is
code that the eval set brings: its tools give empty results here, and its metric no scores.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from advisor._util.unknown import total
from advisor.core import metrics, recipes, registry
from advisor.core.brought_code import BroughtCode
from advisor.core.errors import AdvisorError, ModelError
from advisor.core.fingerprints import digest
from advisor.core.metric import Metric, Pairs
from advisor.core.model import Completion, Model, Request, Trainer, TuningJob, TuningReport
from advisor.core.paths import expanded
from advisor.core.shipped import load_suite
from advisor.core.specs import Spec
from advisor.core.strategy import AnswersFromDocuments, Context, traits_of
from advisor.core.tokens import usual_tokens
from advisor.core.types import EvalSet, Example, Task, Usage
from advisor.decision.request import ComparisonRequest
from advisor.economics.money import request_cost
from advisor.models.tokenizers import TokenCounter, token_counter
from advisor.runs.curve_runs import Part, label_of_part
from advisor.runs.prepare import Prepared
from advisor.testing import toy_task

SUPPOSED_SIZE = 10**9
"""Parameters of a local model that is not opened yet: that its recipe is searched does not depend on how many."""
SAMPLED = 64
"""Texts of a batch that are counted; the others are taken to have as many tokens a character."""
GUARD_PROBES = "checks before a yes"
LOCAL_PREFILL, LOCAL_DECODE, LOCAL_TRAINING = 1200.0, 250.0, 1000.0
"""Tokens a second of the embedded model on 2 cores: between what one machine measured busy and idle; a rough guide."""


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One strategy with one seed. How tokens are counted says `Plan.counted`; `None` where nobody can know."""

    label: str
    calls: int | None
    input_tokens: int | None
    output_tokens: int | None
    training_tokens: int | None
    usd: float | None
    seconds: float | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a comparison would do; `skipped` says why a strategy would not be run.

    `code` says which code the eval set brings, and whether it may run; empty where it brings none, or is shipped.
    `counted` says how tokens are counted.
    """

    evalset: str
    model: str
    n_train: int
    n_dev: int
    n_test: int
    rows: tuple[PlanRow, ...]
    skipped: dict[str, str]
    code: str = ""
    counted: str = ""

    @property
    def usd(self) -> float | None:
        """All rows together; `None` if one is unknown."""
        return total(row.usd for row in self.rows)

    @property
    def seconds(self) -> float | None:
        """All rows together; `None` if one is unknown."""
        return total(row.seconds for row in self.rows)


def plan(options: ComparisonRequest) -> Plan:
    """Estimate a comparison without asking any model.

    Raises:
        ConfigurationError: as the comparison itself would.
    """
    prepared = Prepared.of(options)
    code = prepared.evalset.origin
    waiting = code if isinstance(code, BroughtCode) and not code.may_run else None
    if waiting is not None:
        tools = tuple(replace(tool, call=lambda arguments: "") for tool in prepared.evalset.tools)
        prepared = replace(prepared, evalset=replace(prepared.evalset, tools=tools))
    _check_model(options)
    planned = [
        _planned(prepared, spec, seed, first=at == 0)
        for spec in prepared.strategies
        for at, seed in enumerate(prepared.seeds_of(spec))
    ]
    rows = [one.row for one in planned]
    if options.checks != "none" and any(one.row_tokens for one in planned):
        rows.append(
            _row(GUARD_PROBES, _checks(prepared, planned), prepared, "at most; a strategy of your own is not in it")
        )
    evalset = prepared.evalset
    rows += [_planned(prepared, part.spec, part.seed, part=part).row for part in prepared.parts.parts]
    return Plan(
        evalset=evalset.name,
        model=options.model,
        n_train=len(evalset.train),
        n_dev=len(evalset.dev),
        n_test=len(evalset.test),
        rows=tuple(rows),
        skipped=dict(prepared.skipped),
        code=_code_note(waiting) if waiting else "",
        counted="with the model's own tokenizer"
        if token_counter(options.model)
        else "at four bytes each; the model's tokenizer is not at hand",
    )


def _code_note(code: BroughtCode) -> str:
    trusted = "you agreed to run it" if code.is_trusted else "a comparison asks for --trust-code; read it first"
    return f"this eval set brings code: {code.told}; {trusted}. It was not run for this estimate."


def _metric(evalset: EvalSet, task: Task) -> Metric:
    """Return the eval set's metric, or one that scores nothing where it is code that may not run here."""
    code = evalset.origin
    if isinstance(code, BroughtCode) and not code.may_run and not registry.is_registered("metrics", evalset.metric):
        return _NoScore()
    return metrics.for_task(evalset.metric, task, code)


class _NoScore:
    """Stands for a metric that is not run."""

    name = "not run"

    def score(self, output: str, example: Example) -> float | None:
        return None

    def summarise(self, pairs: Pairs) -> dict[str, float | None]:
        return {}


def _check_model(options: ComparisonRequest) -> None:
    """Refuse a model that there is not; weights are not loaded, and a key may still be missing."""
    from advisor.models.opening import EMBEDDED, open_model

    if options.model != EMBEDDED and not options.model.startswith("hf:") and not expanded(options.model).is_dir():
        with suppress(ModelError):
            open_model(options.model, jobs=options.jobs, offline=options.offline)


@dataclass(frozen=True, slots=True)
class _Planned:
    """A row, and what the checks can estimate from it: one answer, the tokens of a training row, whether it is tuned.

    `first` says that it is the strategy's first seed; `answer` is `None` where nothing is known.
    """

    row: PlanRow
    first: bool
    answer: Usage | None = None
    row_tokens: float = 0.0
    from_documents: bool = False


def _planned(prepared: Prepared, spec: str, seed: int, *, first: bool = False, part: Part | None = None) -> _Planned:
    evalset = prepared.evalset
    label = spec if first else f"{spec} seed {seed}"
    if part is not None:
        label, evalset = label_of_part(part), part.of(evalset, prepared.options.seed)
    strategy = registry.make("strategies", spec, origin="user")
    if Spec.parse(spec).target not in registry.built_in_order("strategies"):
        return _Planned(PlanRow(label, None, None, None, None, None, None, "your own code; not estimated"), first)
    model, other, task = _counter(prepared), _Counting(), Task.of(evalset)
    with TemporaryDirectory() as folder:
        ctx = Context(
            seed,
            Path(folder),
            model,
            task,
            evalset.dev,
            _metric(evalset, task),
            embed=toy_task.embed,
            other_model=lambda spec: other,
            other_embed=lambda spec, usd_per_1m_tokens=None: toy_task.embed,
            max_answer_tokens=prepared.options.max_answer_tokens,
        )
        strategy.fit(evalset.train, ctx)
        fitted = model.usage
        strategy.predict(tuple(example.input for example in evalset.test))
    note = "at least: a tool call asks again" if traits_of(strategy).kind == "tools" else ""
    if "budget" in (chosen := traits_of(strategy).selection):
        note = f"about: answers steer the search, which makes at most {chosen['budget']:,} calls"
    row = _row(label, model, prepared, note)
    if other.usage.calls:
        row = replace(row, usd=None, note=f"{note}; the other model's calls are not estimated")
    return _Planned(
        row,
        first,
        _times(model.usage - fitted, 1 / len(evalset.test)),
        model.row_tokens,
        bool(evalset.gold_document_field and evalset.docs and isinstance(strategy, AnswersFromDocuments)),
    )


def _row(label: str, model: _Counting, prepared: Prepared, note: str) -> PlanRow:
    """Turn what was counted into a row: tokens, money where it is known, seconds where the model runs here."""
    used, prices = model.usage, prepared.prices
    local = prices.usd_per_hour is not None
    own = used.input_tokens - used.cached_input_tokens
    seconds = own / LOCAL_PREFILL + used.output_tokens / LOCAL_DECODE + model.training_tokens / LOCAL_TRAINING
    usd = request_cost(replace(used, seconds=seconds), prices, prepared.options.economics)
    if model.training_tokens and not local:
        usd = None
    counts = (int(used.calls), int(used.input_tokens), int(used.output_tokens), model.training_tokens)
    return PlanRow(label, *counts, usd, seconds if local else None, note)


def _checks(prepared: Prepared, planned: Sequence[_Planned]) -> _Counting:
    """Count what the checks before a yes may ask: the dearest tuned and the dearest other strategy, asked again.

    The first seed of each strategy; what is asked once only and what is stored already is not known here.
    """
    from advisor.runs.probes import running, suites, training

    options, evalset, sizes = prepared.options, prepared.evalset, running.SIZES[prepared.options.checks]
    asked = [one for one in planned if one.first and one.answer is not None and one.answer.calls]
    of_test = min(len(evalset.test), sizes.condition or len(evalset.test))
    counted = _counter(prepared)
    if evalset.labels or evalset.schema is not None:
        held = min(len(evalset.test), sizes.constrained or len(evalset.test))
        counted.usage = sum((_times(one.answer, held) for one in asked if one.answer), counted.usage)
    for group in ([one for one in asked if one.row_tokens], [one for one in asked if not one.row_tokens]):
        dearest = max((one.answer for one in group if one.answer), key=lambda usage: usage.input_tokens, default=None)
        if dearest is not None:
            counted.usage += _times(dearest, of_test * (2 + sizes.variants))
    for one in asked:
        if one.from_documents and one.answer:
            counted.usage += _times(one.answer, of_test)
    tuned = [one for one in asked if one.row_tokens]
    if tuned:
        with suppress(AdvisorError):  # the comparison itself says what is wrong with the suites, and goes on
            items = load_suite(options.suite)
            parts = [[e for e in items if suites.suite_of(e) == name][: sizes.suite] for name in suites.SUITES]
            for _ in ("the base model", "the tuned one"):
                for part in parts:
                    counted.generate([suites.request_for(item) for item in part])
        if prepared.prices.usd_per_hour is not None or options.checks == "full":
            counted.training_tokens = round(training.ROWS * training.EPOCHS * max(one.row_tokens for one in tuned))
    return counted


def _times(usage: Usage, count: float) -> Usage:
    return Usage(**{name: getattr(usage, name) * count for name in Usage.__slots__})


def _counter(prepared: Prepared) -> _Counting:
    """Return a model that only counts, with the tokenizer of the comparison's model where that is at hand."""
    count = token_counter(prepared.options.model)
    counter = _Counting() if count is None else _ByTokenizer(count)
    is_local = prepared.prices.usd_per_hour is not None and not prepared.options.model.startswith("scripted")
    counter.trainer = Trainer(SUPPOSED_SIZE) if is_local else Trainer()
    return counter


class _Counting:
    """Answers nothing and counts what it was asked: output at most, the shared prefix of a batch as cached."""

    name = "counting"
    fingerprint = "counting"

    def __init__(self) -> None:
        self.usage = Usage()
        self.training_tokens, self.row_tokens = 0, 0.0
        self.trainer, self._reached = Trainer(), dict[str, int]()

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        texts = ["\n".join(message.content for message in request.messages) for request in requests]
        shared = len(os.path.commonprefix(texts)) if len(texts) > 1 else 0  # noqa: RUF071  (texts, not paths)
        each = self._per_character(texts)
        for at, (request, text) in enumerate(zip(requests, texts, strict=True)):
            self.usage += Usage(
                input_tokens=math.ceil(len(text) * each),
                cached_input_tokens=math.ceil(shared * each) if at else 0,
                output_tokens=request.max_tokens,
                calls=1,
            )
        return [Completion() for _ in requests]

    def tune(self, job: TuningJob) -> tuple[Model, TuningReport]:
        texts = ["\n".join(message.content for message in example.messages) for example in job.train]
        each = self._per_character(texts)
        tokens = sum(math.ceil(len(text) * each) for text in texts)
        self.row_tokens = tokens / max(1, len(texts))
        epochs = job.config.epochs or recipes.EPOCHS
        going_on = digest([asdict(replace(job.config, epochs=0, restarts=())), texts])
        self.training_tokens += tokens * max(0, epochs - self._reached.get(going_on, 0))
        self._reached[going_on] = epochs
        return self, TuningReport(0.0, self.training_tokens, (), (), (), epochs, "")

    def _per_character(self, texts: Sequence[str]) -> float:
        """Return how many tokens a character of these texts is, by some of them."""
        some = texts[:: -(-len(texts) // SAMPLED) or 1]
        return sum(self._counts(some)) / max(1, sum(map(len, some)))

    def _counts(self, texts: Sequence[str]) -> list[int]:
        return usual_tokens(texts)


class _ByTokenizer(_Counting):
    """The same, with the tokenizer of the model that it stands for."""

    def __init__(self, count: TokenCounter) -> None:
        super().__init__()
        self._count = count

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._count(texts)

    _counts = count_tokens
