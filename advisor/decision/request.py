"""What one comparison is made of, and the line that asks for it again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from advisor.core.errors import ConfigurationError, did_you_mean
from advisor.decision.findings import Checks
from advisor.economics.flags import MONEY_FLAGS, typed
from advisor.economics.inputs import Economics

CHECKS: tuple[Checks, ...] = ("none", "quick", "full")

ALL = "all"
"""In place of a strategy: every one that applies, the slow hybrids included."""


@dataclass(frozen=True)
class CompareOptions:
    """What one comparison is made of.

    Attributes:
        evalset: a shipped name, a folder, or a file.
        model: a model specification, e.g. ``smollm2``, ``openai:NAME``, ``http://host/v1#NAME``.
        strategies: strategy specifications, e.g. ``few_shot(k=8)``; empty means all that apply and run by default,
            ``("all",)`` all that apply.
        seeds: training seeds for each strategy whose answers depend on one.
        limit, train_limit: at most this many test and training examples, chosen by content.
        seed: the one source of randomness.
        jobs: requests in flight at an endpoint.
        economics: the user's side of the money.
        columns: which column of a file is which field, ``{"input": "question"}``.
        draws: bootstrap draws.
        budget_usd: stop before spending more than this.
        offline: make no request to any network.
        learning_curve: also run strategies that learn from examples on parts of them, and say what more would bring.
        config: the comparison file that options were read from, so that it stands in lines to type again.
        checks: how much is looked at beside the scores before a yes: `none`, `quick` or `full`.
        suite: a file of general questions that a tuned model must still answer; empty for the shipped ones.
        retention_margin: the loss on them that is still acceptable, as a share of right answers.
    """

    evalset: str = "harrow_desk"
    model: str = "smollm2"
    strategies: tuple[str, ...] = ()
    seeds: int = 2
    limit: int | None = None
    train_limit: int | None = None
    seed: int = 0
    jobs: int = 8
    economics: Economics = field(default_factory=Economics)
    columns: Mapping[str, str] | None = None
    draws: int = 10_000
    budget_usd: float | None = None
    offline: bool = False
    learning_curve: bool = False
    config: str = ""
    checks: Checks = "quick"
    suite: str = ""
    retention_margin: float = 0.05

    def __post_init__(self) -> None:
        evalset: Any = self.evalset
        if not isinstance(evalset, str):
            raise ConfigurationError(
                f"evalset is a {type(evalset).__name__}; a shipped name, a folder or a file is needed, as text",
                hint='rows of your own: write them to a file and give its name, e.g. compare("questions.jsonl")',
            )
        spec: Any
        for spec in self.strategies:
            if not isinstance(spec, str):
                known = spec.__name__ if isinstance(spec, type) else type(spec).__name__
                raise ConfigurationError(
                    f"strategies holds {spec!r}; each is written as text, so that a run can be found again",
                    hint=f'put the class into a file and write "path/to/file.py:{known}"',
                )
        for name in ("seeds", "limit", "train_limit", "jobs", "draws"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise ConfigurationError(f"{name} is {value!r}; it must be a whole number of at least 1")
        if self.checks not in CHECKS:
            raise ConfigurationError(f"checks is {self.checks!r}; {did_you_mean(str(self.checks), CHECKS)}")
        if not 0.0 < self.retention_margin < 1.0:
            raise ConfigurationError(
                f"retention_margin is {self.retention_margin!r}; allowed: above 0 and below 1 (0.05 is 5 points)"
            )


_FLAGS = ("seeds", "limit", "train_limit", "seed", "checks", "suite", "retention_margin")


def asked_flags(options: CompareOptions) -> dict[str, str]:
    """Return by flag what else was asked for than eval set, model, strategies, columns and amounts; a switch is ""."""
    plain = CompareOptions()
    changed = [name for name in _FLAGS if getattr(options, name) != getattr(plain, name)]
    found = {f"--{name.replace('_', '-')}": typed(getattr(options, name)) for name in changed}
    found |= {"--learning-curve": ""} if options.learning_curve else {}
    return {**found, **({"--config": options.config} if options.config else {})}


def command_line(options: CompareOptions, strategies: Sequence[str] | None = None, *flags: str) -> str:
    """Return the `advisor compare` line that gives the same figures; prices of one's own are in the file it names.

    Args:
        options: what was asked for.
        strategies: what is typed for each strategy, in place of those that were asked for.
        flags: further words, as they are typed (``--seeds 3``); they win over what was asked for.
    """
    words = ["advisor", "compare", options.evalset, "--model", options.model]
    for spec in options.strategies if strategies is None else strategies:
        words += ["--strategy", spec]
    for field_name, column in (options.columns or {}).items():
        words += ["--column", f"{field_name}={column}"]
    new = {flag.split()[0] for flag in flags}
    for flag, value in {**amount_flags(options.economics), **asked_flags(options)}.items():
        if flag not in new:
            words += [flag, value] if value else [flag]
    return " ".join([shlex.join(word for word in words if word), *flags])


def amount_flags(economics: Economics) -> dict[str, str]:
    """Return by flag the user's amounts that are not the usual ones."""
    usual = Economics()
    amounts = {name: getattr(economics, name) for name in MONEY_FLAGS}
    return {MONEY_FLAGS[name]: typed(value) for name, value in amounts.items() if value != getattr(usual, name)}


@dataclass(frozen=True, slots=True)
class Provenance:
    """How the runs of a comparison came about, beside what was asked for.

    Attributes:
        specs: by run id, what was typed for the strategy.
        skipped: strategies that were not run, and why.
        notes: remarks for the report.
        environment: by name, what a reader needs to do the comparison again.
        test_at_hand: test examples that there are, those that a limit left out included; `None` for those of the set.
        earlier_looks: sizes of the other test splits of this eval set that were compared before with this model.
    """

    specs: Mapping[str, str] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    test_at_hand: int | None = None
    earlier_looks: tuple[int, ...] = ()
