"""What a comparison would take, before anything is paid: the strategies run against a model that only counts.

Built-in strategies are really fitted and asked, so prompts, shots tried on dev and training passes are what they will
be; only the answers are empty. A strategy of the user's own is not run, since nobody knows what its code does.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from advisor import metrics, registry, toy
from advisor.api import CompareOptions, Prepared
from advisor.costs import request_cost
from advisor.curve_runs import Part, label_of_part
from advisor.errors import ModelError
from advisor.models.base import Completion, Model, Request, TuningJob, TuningReport
from advisor.specs import Spec
from advisor.strategy import Context, Task
from advisor.types import Usage

CHARACTERS_PER_TOKEN = 4
LOCAL_PREFILL, LOCAL_DECODE, LOCAL_TRAINING = 700.0, 100.0, 800.0
"""Tokens a second of the embedded model on 2 cores, rounded down from what one machine measured; a rough guide only."""


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One strategy with one seed. Tokens are estimated at four characters each; `None` where nobody can know."""

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
    """What a comparison would do."""

    evalset: str
    model: str
    n_train: int
    n_dev: int
    n_test: int
    rows: tuple[PlanRow, ...]
    skipped: dict[str, str]

    @property
    def usd(self) -> float | None:
        """All rows together; `None` if one is unknown."""
        return _total([row.usd for row in self.rows])

    @property
    def seconds(self) -> float | None:
        """All rows together; `None` if one is unknown."""
        return _total([row.seconds for row in self.rows])

    def __str__(self) -> str:
        width = max([24, *(len(row.label) for row in self.rows)])
        lines = [
            f"{self.evalset}: {self.n_train} training, {self.n_dev} dev and {self.n_test} test examples; {self.model}",
            f"{'strategy':<{width}} {_cells(('calls', 'tokens in', 'out, most', 'trained', 'USD', 'minutes'))}",
        ]
        for row in self.rows:
            counts = (row.calls, row.input_tokens, row.output_tokens, row.training_tokens)
            cells = [_shown(value, ",") for value in counts]
            minutes = None if row.seconds is None else row.seconds / 60
            cells += [_shown(row.usd, ".4f"), _shown(minutes, ".1f")]
            lines.append(f"{row.label:<{width}} {_cells(cells)}{'  ' + row.note if row.note else ''}")
        lines += [f"not run: {name} ({why})" for name, why in self.skipped.items()]
        lines.append(
            f"Estimated total: {_shown(self.usd, '.4f')} USD, "
            f"{_shown(None if self.seconds is None else self.seconds / 60, '.1f')} minutes. Nothing was run or paid."
        )
        return "\n".join(lines)


def _cells(cells: Sequence[str]) -> str:
    widths = (7, 11, 10, 9, 9, 8)
    return " ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))


def _shown(value: float | None, form: str) -> str:
    return "unknown" if value is None else format(value, form)


def plan(options: CompareOptions) -> Plan:
    """Estimate a comparison without asking any model.

    Raises:
        ConfigurationError: as the comparison itself would.
    """
    prepared = Prepared.of(options)
    _check_model(options)
    rows = [
        _row(prepared, spec, seed, first=at == 0)
        for spec in prepared.strategies
        for at, seed in enumerate(prepared.seeds_of(spec))
    ]
    evalset = prepared.evalset
    rows += [_row(prepared, part.spec, part.seed, part=part) for part in prepared.parts.parts]
    return Plan(
        evalset=evalset.name,
        model=options.model,
        n_train=len(evalset.train),
        n_dev=len(evalset.dev),
        n_test=len(evalset.test),
        rows=tuple(rows),
        skipped=dict(prepared.skipped),
    )


def _check_model(options: CompareOptions) -> None:
    """Refuse a model that there is not; weights are not loaded, and a key may still be missing."""
    from advisor.models.specs import EMBEDDED, open_model

    if options.model != EMBEDDED and not options.model.startswith("hf:") and not Path(options.model).is_dir():
        with suppress(ModelError):
            open_model(options.model, jobs=options.jobs, offline=options.offline)


def _row(prepared: Prepared, spec: str, seed: int, *, first: bool = False, part: Part | None = None) -> PlanRow:
    options, evalset = prepared.options, prepared.evalset
    label = spec if first else f"{spec} seed {seed}"
    if part is not None:
        label, evalset = label_of_part(part), part.of(evalset, options.seed)
    strategy = registry.make("strategies", spec)
    if Spec.parse(spec).target not in registry.built_in_order("strategies"):
        return PlanRow(label, None, None, None, None, None, None, "your own code; not estimated")
    model, other, task = _Counting(), _Counting(), Task.of(evalset)
    with TemporaryDirectory() as folder:
        ctx = Context(
            seed,
            Path(folder),
            model,
            task,
            evalset.dev,
            metrics.for_task(evalset.metric, task),
            embed=toy.embed,
            other_model=lambda spec: other,
        )
        strategy.fit(evalset.train, ctx)
        strategy.predict(tuple(example.input for example in evalset.test))
    used, prices = model.usage, prepared.prices
    local = prices.usd_per_hour is not None
    own = used.input_tokens - used.cached_input_tokens
    seconds = own / LOCAL_PREFILL + used.output_tokens / LOCAL_DECODE + model.training_tokens / LOCAL_TRAINING
    usd = request_cost(replace(used, seconds=seconds), prices, options.economics)
    if model.training_tokens and not local:
        usd = None
    note = "at least: a tool call asks again" if getattr(strategy, "kind", "") == "tools" else ""
    if "budget" in (chosen := getattr(strategy, "selection", {})):
        note = f"about: answers steer the search, which makes at most {chosen['budget']:,} calls"
    if other.usage.calls:
        usd, note = None, f"{note}; the other model's calls are not estimated"
    counts = (int(used.calls), int(used.input_tokens), int(used.output_tokens), model.training_tokens)
    return PlanRow(label, *counts, usd, seconds if local else None, note)


class _Counting:
    """Answers nothing and counts what it was asked: output at most, the shared prefix of a batch as cached."""

    name = "counting"
    fingerprint = "counting"

    def __init__(self) -> None:
        self.usage = Usage()
        self.training_tokens = 0

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        texts = ["\n".join(message.content for message in request.messages) for request in requests]
        shared = len(os.path.commonprefix(texts)) if len(texts) > 1 else 0  # noqa: RUF071  (texts, not paths)
        for at, (request, text) in enumerate(zip(requests, texts, strict=True)):
            self.usage += Usage(
                input_tokens=_tokens(len(text)),
                cached_input_tokens=_tokens(shared) if at else 0,
                output_tokens=request.max_tokens,
                calls=1,
            )
        return [Completion() for _ in requests]

    def tune(self, job: TuningJob) -> tuple[Model, TuningReport]:
        texts = ["\n".join(message.content for message in example.messages) for example in job.train]
        self.training_tokens += sum(_tokens(len(text)) for text in texts) * job.config.epochs
        return self, TuningReport(0.0, self.training_tokens, (), (), (), job.config.epochs, "")


def _tokens(characters: int) -> int:
    return -(-characters // CHARACTERS_PER_TOKEN)


def _total(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
