"""What one comparison is made of, and the line that asks for it again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from advisor.core.errors import ConfigurationError
from advisor.economics.amounts import SHARE, USD
from advisor.economics.definition import WHOLE, Bounds, Option, typed_flags, validate_options
from advisor.economics.inputs import Economics

ProbeDepth = Literal["none", "quick", "full"]

WHAT, MUCH = "What to compare", "How much"
ONE_OR_MORE = Bounds(least=1)

ALL = "all"
"""In place of a strategy: every one that applies, the slow hybrids included."""


@dataclass(frozen=True)
class ComparisonRequest:
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
        docs: a folder or file of documents to look up, in place of the set's own.
        draws: bootstrap draws.
        budget_usd: stop before spending more than this.
        offline: make no request to any network.
        learning_curve: also run strategies that learn from examples on parts of them, and say what more would bring.
        config: the comparison file that options were read from, so that it stands in lines to type again.
        checks: how much is looked at beside the scores before a yes: `none`, `quick` or `full`.
        suite: a file of general questions that a tuned model must still answer; empty for the shipped ones.
        retention_margin: the loss on them that is still acceptable, as a share of right answers.
        max_answer_tokens: the most tokens an answer may take, thinking apart; by default read off the known answers
            (`Context.answer_tokens`).
    """

    evalset: Annotated[
        str,
        Option(
            "A shipped eval set (advisor list evalsets), a folder, or a JSONL, CSV or Parquet file. "
            "Default: harrow_desk.",
            flags=("EVALSET",),
            argument=True,
        ),
    ] = "harrow_desk"
    model: Annotated[
        str,
        Option(
            "smollm2 (runs on this machine), hf:org/name, a folder, openai:NAME or http://host/v1#NAME. "
            "Default: smollm2.",
            flags=("--model", "-m"),
            panel=WHAT,
        ),
    ] = "smollm2"
    strategies: Annotated[
        tuple[str, ...],
        Option(
            "A strategy, e.g. few_shot, 'rag(k=3)' or my.py:Mine; repeat for several. Default: all that apply.",
            flags=("--strategy", "-s"),
            panel=WHAT,
        ),
    ] = ()
    seeds: Annotated[int, Option("Trainings per strategy. Default: 2.", None, ONE_OR_MORE, panel=MUCH)] = 2
    limit: Annotated[int | None, Option("At most N test examples.", None, ONE_OR_MORE, panel=MUCH)] = None
    train_limit: Annotated[int | None, Option("At most N training examples.", None, ONE_OR_MORE, panel=MUCH)] = None
    seed: Annotated[int, Option("Where randomness starts. Default: 0.", None, WHOLE, panel=MUCH)] = 0
    jobs: Annotated[
        int, Option("Requests in flight at an endpoint. Default: 8.", None, ONE_OR_MORE, panel=MUCH, repeated=False)
    ] = 8
    economics: Economics = field(default_factory=Economics)
    columns: Annotated[
        Mapping[str, str] | None,
        Option("Which column is what, e.g. input=question; repeat.", flags=("--column",), panel=WHAT),
    ] = None
    docs: Annotated[
        str,
        Option("Documents to look up: a folder of .md, .txt, .html and .pdf files, or a .jsonl.", panel=WHAT),
    ] = ""
    draws: Annotated[int, Option("Bootstrap draws. Default: 10000.", None, Bounds(least=100), flags=())] = 10_000
    budget_usd: Annotated[
        float | None,
        Option("Stop before spending more USD.", USD, Bounds(above=0), flags=("--budget",), panel=MUCH, repeated=False),
    ] = None
    offline: Annotated[bool, Option("Use no network at all.", panel=WHAT, repeated=False)] = False
    learning_curve: Annotated[
        bool,
        Option(
            "Also train on parts of the examples and say what more would bring. Takes several times as long.",
            panel=MUCH,
        ),
    ] = False
    config: Annotated[
        str,
        Option(
            "A YAML file with these options (advisor init comparison); flags win over it.",
            flags=("--config", "-c"),
            panel=WHAT,
            in_file=False,
        ),
    ] = ""
    checks: Annotated[
        ProbeDepth,
        Option(
            "How much is looked at beside the scores before a yes: none, quick or full. Default: quick.", panel=MUCH
        ),
    ] = "quick"
    suite: Annotated[
        str,
        Option("A file of questions that a tuned model must still answer. Default: the shipped ones.", panel=WHAT),
    ] = ""
    retention_margin: Annotated[
        float,
        Option(
            "Loss on those questions that is acceptable. Default: 0.05.",
            SHARE,
            Bounds(above=0, below=1, note="0.05 is 5 points"),
            panel=MUCH,
        ),
    ] = 0.05
    max_answer_tokens: Annotated[
        int | None,
        Option(
            "At most N tokens for an answer, thinking apart. Default: read off the known answers, 32 or more.",
            None,
            ONE_OR_MORE,
            panel=MUCH,
        ),
    ] = None

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
        validate_options(self)


def command_line(options: ComparisonRequest, strategies: Sequence[str] | None = None, *flags: str) -> str:
    """Return the `advisor compare` line that gives the same figures; prices of one's own are in the file it names.

    Args:
        options: what was asked for; an empty model is left out.
        strategies: what is typed for each strategy, in place of those that were asked for.
        flags: further words, as they are typed (``--seeds 3``); they win over what was asked for.
    """
    words = ["advisor", "compare", options.evalset, *(["--model", options.model] if options.model else [])]
    for spec in options.strategies if strategies is None else strategies:
        words += ["--strategy", spec]
    settled = {"--model", "--strategy", *(flag.split()[0] for flag in flags)}
    for flag, value in (*typed_flags(options), *typed_flags(options.economics)):
        if flag not in settled:
            words += [flag, value] if value else [flag]
    return " ".join([shlex.join(word for word in words if word), *flags])


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
