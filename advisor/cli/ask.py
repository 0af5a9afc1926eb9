"""``advisor ask``: "should I fine-tune?" from published outcomes; nothing is run."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from advisor._util import interrupts
from advisor.cli import ask_options as options
from advisor.cli import common
from advisor.core import shipped
from advisor.core.errors import ConfigurationError

if TYPE_CHECKING:
    from advisor.advice import Question
    from advisor.advice.file import AskFile

_CASE = ("kind", "changes", "examples", "prompted", "prompted_by", "ceiling", "latency", "private", "size", "evalset",
         "model", "seed")  # fmt: skip
_ECONOMICS = {
    "requests_per_month": "requests_per_month",
    "value_per_correct": "usd_per_correct_answer",
    "label_cost": "usd_per_label",
    "horizon_months": "horizon_months",
    "margin": "margin",
    "engineering_hours": "engineering_hours",
    "training_usd": "training_usd",
    "usd_per_request": "usd_per_request",
    "tuned_usd_per_request": "tuned_usd_per_request",
    "hosting_usd_per_month": "hosting_usd_per_month",
}
"""Flag → key in the ``economics:`` block."""
_PILOT = {"pilot_tuned": "tuned", "pilot_prompted": "prompted", "pilot_n": "n"}


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


_SPELLED = (
    {name: _flag(name) for name in _CASE}
    | {f"economics.{key}": _flag(flag) for flag, key in _ECONOMICS.items()}
    | {f"pilot.{key}": _flag(flag) for flag, key in _PILOT.items()}
)


def ask(  # noqa: PLR0913  (typer reads the flags from the parameters; the verb itself takes ctx.params)
    ctx: typer.Context,
    kind: options.Kind = None,
    changes: options.Changes = None,
    examples: options.Examples = None,
    prompted: options.Prompted = None,
    prompted_by: options.PromptedBy = None,
    ceiling: options.Ceiling = None,
    latency: options.Latency = None,
    private: options.Private = None,
    size: options.Size = None,
    source: options.Source = None,
    requests_per_month: options.RequestsPerMonth = None,
    value_per_correct: options.ValuePerCorrect = None,
    label_cost: options.LabelCost = None,
    horizon_months: options.HorizonMonths = None,
    margin: options.Margin = None,
    engineering_hours: options.EngineeringHours = None,
    training_usd: options.TrainingUsd = None,
    usd_per_request: options.UsdPerRequest = None,
    tuned_usd_per_request: options.TunedUsdPerRequest = None,
    hosting_usd_per_month: options.HostingUsdPerMonth = None,
    pilot_tuned: options.PilotTuned = None,
    pilot_prompted: options.PilotPrompted = None,
    pilot_n: options.PilotN = None,
    from_run: options.FromRun = None,
    config: options.Config = None,
    evalset: options.Evalset = None,
    model: options.Model = None,
    seed: options.Seed = None,
    yes: options.Yes = False,
    as_json: options.AsJson = False,
    calibration: options.Calibration = False,
) -> None:
    """Say whether fine-tuning would pay, from published results. Nothing is run.

    [bold]advisor ask[/bold] alone asks at most 12 questions; Enter means "I don't know". Each can be a flag instead:

    [bold]advisor ask --kind format --prompted 0.62 --prompted-by few_shot --examples 400 --yes[/bold]

    The answer is a leaning with its odds, how far to trust them, and the cheapest test that would flip it.
    """
    from advisor.advice import advise

    if calibration:
        _calibrate(as_json)
        return
    question = settle(ctx.params, ask_more=not (yes or as_json) and sys.stdin.isatty())
    advice = advise(question)
    if as_json:
        typer.echo(common.as_json(advice), nl=False)
    else:
        shipped.show_advice(advice)


def settle(given: Mapping[str, Any], *, ask_more: bool = False) -> Question:
    """Join flags (and environment) with the file and, where `ask_more`, with what is answered on the terminal.

    Raises:
        ConfigurationError: an answer cannot be used, or two contradict each other.
    """
    from advisor.advice.file import build, check_answers, merged, read_answers
    from advisor.advice.stored import pilot_from

    file = read_answers(given["config"]) if given.get("config") else check_answers({}, "the file")
    answers = merged(file, check_answers(_typed(given), "the command line", _SPELLED))
    pilot = None
    if given.get("from_run"):
        if answers.pilot is not None:
            raise ConfigurationError("both --from and a pilot's own figures are given", hint="leave one of them out")
        pilot = pilot_from(given["from_run"])
    build(answers, pilot)
    return build(_interviewed(answers) if ask_more else answers, pilot)


def _typed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flags that were given, under the names of the file's keys."""
    typed = {name: given[name] for name in _CASE if given.get(name) is not None}
    if given.get("source"):
        typed["sources"] = list(given["source"])
    for block, names in (("economics", _ECONOMICS), ("pilot", _PILOT)):
        said = {key: given[flag] for flag, key in names.items() if given.get(flag) is not None}
        if said:
            typed[block] = said
    return typed


def _interviewed(answers: AskFile) -> AskFile:
    from advisor.advice.file import build, check_answers
    from advisor.cli.ask_questions import interview

    known = answers.model_dump(exclude_unset=True, exclude_none=True)
    try:
        full = interview(known, lambda tried: build(check_answers(tried, "that answer")))
    except KeyboardInterrupt:
        print("\nadvisor: interrupted; nothing was run and nothing is kept", file=sys.stderr)
        raise typer.Exit(interrupts.end()) from None
    return check_answers(full, "the answers")


def _calibrate(as_json: bool) -> None:
    from advisor.advice.calibration import ARMS, measure
    from advisor.cli.progress import ProgressLine

    with ProgressLine(quiet=as_json) as progress:
        found = tuple(measure(name, progress=lambda done, of: progress("tasks left out", done, of)) for name in ARMS)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2))
    else:
        shipped.show_calibration(found)
