"""``advisor ask``: "should I fine-tune?" from published outcomes; nothing is run."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor._util import interrupts
from advisor.advice.inputs import CASE, LINE, MONEY, PILOT
from advisor.cli.flags import spelled, typed_keys, typed_values, with_flags
from advisor.core import shipped
from advisor.core.errors import ConfigurationError
from advisor.economics.definition import Option, declared_options

if TYPE_CHECKING:
    from advisor.advice.advice import Question
    from advisor.runs.comparison_file import Said

OWN_PILOT, HOW = "A pilot of your own", "How to answer"


@dataclass(frozen=True, slots=True)
class AskFlags:
    """How the answers are given, and what is done with them."""

    from_run: Annotated[
        str,
        Option("Take the pilot from a stored comparison (advisor list runs).", flags=("--from",), panel=OWN_PILOT),
    ] = ""
    config: Annotated[str, Option("A YAML file with the answers; flags win over it.", flags=("--config", "-c"))] = ""
    yes: Annotated[bool, Option("Ask nothing; what is not given is not known.", flags=("--yes", "-y"))] = False
    as_json: Annotated[bool, Option("Print JSON, and ask nothing.", flags=("--json",))] = False
    calibration: Annotated[
        bool,
        Option(
            "Only measure how well the forecast does on tasks left out (half a minute).",
            flags=("--calibration/--no-calibration",),
        ),
    ] = False


_WANTED = declared_options(AskFlags)


@with_flags(
    ("Your case (each may be left out)", CASE.values()),
    ("Money", MONEY.values()),
    (OWN_PILOT, PILOT.values()),
    (HOW, [*LINE.values(), *_WANTED.values()]),
)
def ask(**given: Any) -> None:
    """Say whether fine-tuning would pay, from published results. Nothing is run.

    [bold]advisor ask[/bold] alone asks at most 12 questions; Enter means "I don't know". Each can be a flag instead:

    [bold]advisor ask --kind format --prompted 0.62 --prompted-by few_shot --examples 400 --yes[/bold]

    The answer is a leaning with its odds, how far to trust them, and the cheapest test that would flip it.
    """
    from advisor.advice.advice import advise

    wanted = AskFlags(**typed_values(given, _WANTED))
    if wanted.calibration:
        _calibrate(wanted.as_json)
        return
    question = settle(given, ask_more=not (wanted.yes or wanted.as_json) and sys.stdin.isatty())
    advice = advise(question)
    if wanted.as_json:
        typer.echo(shipped.advice_json(advice), nl=False)
    else:
        shipped.show_advice(advice)


def settle(given: Mapping[str, Any], *, ask_more: bool = False) -> Question:
    """Join flags (and environment) with the file and, where `ask_more`, with what is answered on the terminal.

    Raises:
        ConfigurationError: an answer cannot be used, or two contradict each other.
    """
    from advisor.advice.file import build, read_answers, validate_answers
    from advisor.advice.stored import pilot_from
    from advisor.runs.comparison_file import merged

    wanted = AskFlags(**typed_values(given, _WANTED))
    file = read_answers(wanted.config) if wanted.config else {}
    answers = merged(
        file,
        validate_answers(
            _typed(given),
            "the command line",
            spelled(CASE) | spelled(LINE) | spelled(MONEY, "economics") | spelled(PILOT, "pilot"),
        ),
    )
    pilot = None
    if wanted.from_run:
        if "pilot" in answers:
            raise ConfigurationError("both --from and a pilot's own figures are given", hint="leave one of them out")
        pilot = pilot_from(wanted.from_run)
    build(answers, pilot)
    return build(_interviewed(answers) if ask_more else answers, pilot)


def _typed(given: Mapping[str, Any]) -> Said:
    """Return the flags that were given, under the names of the file's keys."""
    blocks = {"economics": typed_keys(given, MONEY), "pilot": typed_keys(given, PILOT)}
    return typed_keys(given, CASE | LINE) | {name: keys for name, keys in blocks.items() if keys}


def _interviewed(known: Said) -> Said:
    from advisor.advice.file import build, validate_answers
    from advisor.cli.ask_questions import interview

    try:
        full = interview(known, lambda tried: build(validate_answers(tried, "that answer")))
    except KeyboardInterrupt:
        print("\nadvisor: interrupted; nothing was run and nothing is kept", file=sys.stderr)
        raise typer.Exit(interrupts.end()) from None
    return validate_answers(full, "the answers")


def _calibrate(as_json: bool) -> None:
    from advisor.advice.calibration import ARMS, measure
    from advisor.cli.progress import ProgressLine

    with ProgressLine(quiet=as_json) as progress:
        found = tuple(measure(name, progress=lambda done, of: progress("tasks left out", done, of)) for name in ARMS)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2))
    else:
        shipped.show_calibration(found)
