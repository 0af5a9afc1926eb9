"""``advisor compare``: the main job."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor.cli import common
from advisor.cli.flags import spelled, typed_keys, typed_values, with_flags
from advisor.decision.request import MUCH, WHAT, ComparisonRequest
from advisor.economics.amounts import SHARE
from advisor.economics.definition import Bounds, Option, declared_options
from advisor.economics.inputs import Economics

if TYPE_CHECKING:
    from advisor.decision.comparison import Comparison

MONEY, RESULTS, GATES = "Money", "Results", "Gates"
_OPTIONS, _ECONOMICS = declared_options(ComparisonRequest), declared_options(Economics)


@dataclass(frozen=True, slots=True)
class CompareFlags:
    """What is done with a comparison once it is settled what is compared."""

    dry_run: Annotated[bool, Option("Only say how many calls, tokens, seconds and USD it would take.", panel=MUCH)] = (
        False
    )
    output: Annotated[
        tuple[str, ...],
        Option(
            "Write a report: .html, .md, .json or .csv; repeat for several.", flags=("--output", "-o"), panel=RESULTS
        ),
    ] = ()
    as_json: Annotated[bool, Option("Print JSON instead of the report.", flags=("--json",), panel=RESULTS)] = False
    trust_code: Annotated[
        bool,
        Option(
            "Run the code that the eval set or the file brings; remembered for this content.",
            panel=WHAT,
            from_environment=False,
        ),
    ] = False
    quiet: Annotated[bool, Option("No progress; only the verdict.", flags=("--quiet", "-q"), panel=RESULTS)] = False
    require_decision: Annotated[bool, Option("Exit with 5 if the evidence does not decide.", panel=GATES)] = False
    fail_under: Annotated[
        float | None,
        Option(
            "Exit with 100 if the recommended strategy's quality is lower.",
            SHARE,
            Bounds(least=0, most=1),
            panel=GATES,
        ),
    ] = None


_WANTED = declared_options(CompareFlags)


@with_flags(("", _OPTIONS.values()), (MONEY, _ECONOMICS.values()), ("", _WANTED.values()))
def compare(**given: Any) -> None:
    """Run several strategies on one eval set and say whether fine-tuning is worth it.

    [bold]advisor compare[/bold] alone runs the shipped example on this machine, with no account and no key, in a few
    minutes. Everything obtained is stored: interrupt at any time, type the same again, and it goes on.

    [bold]advisor compare my.csv --column input=question --column target=answer -o report.html[/bold]
    compares on your own questions.

    Amounts may be written 20k, 1.5M, $0.40 or, where they are shares, 40%; and as ranges of these, 5k..20k.
    """
    wanted = CompareFlags(**typed_values(given, _WANTED))
    asked, outputs = settle(given, wanted.trust_code)
    common.validate_outputs(outputs)
    if wanted.dry_run:
        _print_plan(asked, wanted.as_json)
        return
    silent = wanted.quiet or wanted.as_json
    comparison = _run(asked, silent, wanted.trust_code)
    with common.saving(comparison.save, outputs, quiet=silent):
        if wanted.as_json:
            common.print_json(comparison)
        elif wanted.quiet:
            typer.echo(comparison.verdict.headline)
        else:
            common.show(comparison)
    if not silent:
        _say_what_is_unanswered(comparison)
    _gates(comparison, wanted.require_decision, wanted.fail_under)


def settle(given: Mapping[str, Any], trust_code: bool = False) -> tuple[ComparisonRequest, tuple[str, ...]]:
    """Join flags (and environment) with the file and the defaults, in this order of precedence.

    Returns:
        The options, and the output files.

    Raises:
        ConfigurationError: a value cannot be used, or the file names code that nobody agreed to run.
    """
    from advisor.runs.comparison_file import code_named_by, merged, options_of, read_comparison, validate_comparison

    config = given.get("config") or ""
    typed = typed_keys(given, _OPTIONS)
    typed["economics"] = typed_keys(given, _ECONOMICS)
    typed["output"] = list(given.get("output") or ()) or None
    flags = validate_comparison(typed, "the command line", spelled(_OPTIONS) | spelled(_ECONOMICS, "economics"))
    file = read_comparison(config) if config else {}
    if code := code_named_by(file, flags):
        code.after_consent(trust_code)
    said = merged(file, flags)
    return options_of(said, config), tuple(said.get("output", ()))


def _run(asked: ComparisonRequest, quiet: bool, trust_code: bool) -> Comparison:
    from advisor.cli.progress import ProgressLine
    from advisor.runs.compare import compare_options

    with ProgressLine(quiet=quiet) as progress:
        return compare_options(asked, progress=progress, trust_code=trust_code)


def _say_what_is_unanswered(comparison: Comparison) -> None:
    """Say on stderr, not in the report: which calls an interruption cost is no property of the results."""
    from advisor.economics.prices import is_local
    from advisor.runs.store import Store

    if is_local(comparison.model) or comparison.model.startswith("scripted:"):
        return
    with Store() as store:
        calls = store.unanswered(run.id for run in comparison.runs)
    if calls:
        print(
            f"{calls} calls were sent and brought no answer that was kept (interrupted, or sent again after a "
            "failure); the provider may have billed them, and no cost above holds them",
            file=sys.stderr,
        )


def _print_plan(asked: ComparisonRequest, as_json: bool) -> None:
    from advisor.core.shipped import plan_text
    from advisor.runs.plan import plan

    planned = plan(asked)
    typer.echo(json.dumps(asdict(planned), indent=2, default=str) if as_json else plan_text(planned))


def _gates(comparison: Comparison, require_decision: bool, fail_under: float | None) -> None:
    if fail_under is not None:
        recommended = next((s for s in comparison.strategies if s.label == comparison.verdict.recommended), None)
        quality = recommended.quality.estimate if recommended and recommended.quality else None
        if quality is None or quality < fail_under:
            found = "is unknown" if quality is None else f"is {quality:.4g}"
            typer.echo(
                f"advisor: the quality of {comparison.verdict.recommended!r} {found}, under {fail_under}", err=True
            )
            raise typer.Exit(common.GATE_FAILED)
    if require_decision and comparison.verdict.answer == "not_yet":
        typer.echo(f"advisor: the evidence does not decide yet. {comparison.verdict.next_step}", err=True)
        raise typer.Exit(common.INCONCLUSIVE)
