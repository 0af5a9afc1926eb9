"""``advisor ask``: "should I fine-tune?" from published outcomes; nothing is run."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor import stopping
from advisor.cli import common
from advisor.errors import ConfigurationError

if TYPE_CHECKING:
    from advisor.asking import Question
    from advisor.asking.file import AskFile

CASE, MONEY, PILOT, HOW = "Your case (each may be left out)", "Money", "A pilot of your own", "How to answer"
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


def _option(panel: str, name: str, text: str, *spelled: str) -> Any:
    return typer.Option(*spelled, envvar=f"ADVISOR_{name}", rich_help_panel=panel, help=text)


def ask(  # noqa: PLR0913  (typer reads the flags from the parameters; the verb itself takes ctx.params)
    ctx: typer.Context,
    kind: Annotated[str | None, _option(CASE, "KIND", "knowledge, format, voice, behaviour or tools.")] = None,
    changes: Annotated[
        str | None, _option(CASE, "CHANGES", "How often what it must know changes: never, monthly, weekly or daily.")
    ] = None,
    examples: Annotated[int | None, _option(CASE, "EXAMPLES", "Labelled examples at hand.")] = None,
    prompted: Annotated[
        float | None, _option(CASE, "PROMPTED", "Best score so far without tuning, 0 to 1 (0.62 is 62%).")
    ] = None,
    prompted_by: Annotated[
        str | None,
        _option(CASE, "PROMPTED_BY", "How: zero_shot, few_shot, optimised_prompt, rag or function_calling."),
    ] = None,
    ceiling: Annotated[
        float | None, _option(CASE, "CEILING", "Best score the metric can give, where it is under 1.")
    ] = None,
    latency: Annotated[
        str | None, _option(CASE, "LATENCY", "How long an answer may take: any, seconds or subsecond.")
    ] = None,
    private: Annotated[
        bool | None,
        _option(CASE, "PRIVATE", "Everything must run on machines of your own.", "--private/--no-private"),
    ] = None,
    size: Annotated[
        str | None,
        _option(CASE, "SIZE", "Model to be tuned: tiny (under 1 billion), small (2 or 3), 7b or larger."),
    ] = None,
    source: Annotated[
        list[str] | None,
        _option(CASE, "SOURCE", "What answers could be looked up in: documents, tools or none; repeat."),
    ] = None,
    requests_per_month: Annotated[
        str | None, _option(MONEY, "REQUESTS_PER_MONTH", "A number, or a range 5000..20000.")
    ] = None,
    value_per_correct: Annotated[
        str | None,
        _option(MONEY, "VALUE_PER_CORRECT", "What one more correct answer is worth, USD; a number or a range."),
    ] = None,
    label_cost: Annotated[
        str | None, _option(MONEY, "LABEL_COST", "What one labelled example costs, USD; missing ones are bought.")
    ] = None,
    horizon_months: Annotated[
        float | None, _option(MONEY, "HORIZON_MONTHS", "How long it will be used. Default: 12.")
    ] = None,
    margin: Annotated[
        float | None, _option(MONEY, "MARGIN", "Difference in quality that matters. Default: 0.02.")
    ] = None,
    engineering_hours: Annotated[
        str | None,
        _option(MONEY, "ENGINEERING_HOURS", "Work to tune and put into service. Default: 10..80 (our assumption)."),
    ] = None,
    training_usd: Annotated[
        str | None, _option(MONEY, "TRAINING_USD", "One training. Default: 2..50 (our assumption).")
    ] = None,
    usd_per_request: Annotated[
        str | None, _option(MONEY, "USD_PER_REQUEST", "A request to the prompted model. Default: equal costs.")
    ] = None,
    tuned_usd_per_request: Annotated[
        str | None, _option(MONEY, "TUNED_USD_PER_REQUEST", "A request to the tuned model.")
    ] = None,
    hosting_usd_per_month: Annotated[
        float | None, _option(MONEY, "HOSTING_USD_PER_MONTH", "Fixed cost of serving the tuned model. Default: 0.")
    ] = None,
    pilot_tuned: Annotated[
        float | None, _option(PILOT, "PILOT_TUNED", "Its score with the tuned model, 0 to 1.")
    ] = None,
    pilot_prompted: Annotated[
        float | None, _option(PILOT, "PILOT_PROMPTED", "Its score with the best prompt, on the same examples.")
    ] = None,
    pilot_n: Annotated[int | None, _option(PILOT, "PILOT_N", "How many examples both answered.")] = None,
    from_run: Annotated[
        str | None,
        _option(PILOT, "FROM", "Take the pilot from a stored comparison (advisor list runs).", "--from"),
    ] = None,
    config: Annotated[
        str | None,
        _option(HOW, "CONFIG", "A YAML file with the answers; flags win over it.", "--config", "-c"),
    ] = None,
    evalset: Annotated[
        str | None, _option(HOW, "EVALSET", "Your eval set, for the line to type. Default: my-evalset.")
    ] = None,
    model: Annotated[str | None, _option(HOW, "MODEL", "Your model, for the line to type.", "--model", "-m")] = None,
    seed: Annotated[int | None, _option(HOW, "SEED", "Where randomness starts. Default: 0.")] = None,
    yes: Annotated[bool, _option(HOW, "YES", "Ask nothing; what is not given is not known.", "--yes", "-y")] = False,
    as_json: Annotated[bool, _option(HOW, "JSON", "Print JSON, and ask nothing.", "--json")] = False,
    calibration: Annotated[
        bool,
        _option(HOW, "CALIBRATION", "Only measure how well the forecast does on tasks left out (half a minute)."),
    ] = False,
) -> None:
    """Say whether fine-tuning would pay, from published results. Nothing is run.

    [bold]advisor ask[/bold] alone asks at most 12 questions; Enter means "I don't know". Each can be a flag instead:

    [bold]advisor ask --kind format --prompted 0.62 --prompted-by few_shot --examples 400 --yes[/bold]

    The answer is a leaning with its odds, how far to trust them, and the cheapest test that would flip it.
    """
    from advisor.asking import advise

    if calibration:
        _calibrate(as_json)
        return
    question = settle(ctx.params, ask_more=not (yes or as_json) and sys.stdin.isatty())
    advice = advise(question)
    if as_json:
        typer.echo(common.as_json(advice), nl=False)
    else:
        _report("show")(advice)


def settle(given: Mapping[str, Any], *, ask_more: bool = False) -> Question:
    """Join flags (and environment) with the file and, where `ask_more`, with what is answered on the terminal.

    Raises:
        ConfigurationError: an answer cannot be used, or two contradict each other.
    """
    from advisor.asking.file import build, check_answers, merged, read_answers
    from advisor.asking.stored import pilot_from

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
    from advisor.asking.file import build, check_answers
    from advisor.cli.ask_questions import interview

    known = answers.model_dump(exclude_unset=True, exclude_none=True)
    try:
        full = interview(known, lambda tried: build(check_answers(tried, "that answer")))
    except KeyboardInterrupt:
        print("\nadvisor: interrupted; nothing was run and nothing is kept", file=sys.stderr)
        raise typer.Exit(stopping.end()) from None
    return check_answers(full, "the answers")


def _calibrate(as_json: bool) -> None:
    from advisor.asking.calibration import ARMS, measure
    from advisor.cli.progress import ProgressLine

    with ProgressLine(quiet=as_json) as progress:
        found = tuple(measure(name, progress=lambda done, of: progress("tasks left out", done, of)) for name in ARMS)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2))
    else:
        _report("show_calibration")(found)


def _report(name: str) -> Any:
    from advisor import registry

    return registry.load("reports", f"advisor.reports.advice:{name}")
