"""``advisor compare``: the main job."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor.cli import common

if TYPE_CHECKING:
    from advisor.api import CompareOptions
    from advisor.comparison import Comparison

WHAT, MUCH, MONEY, RESULT, GATES = "What to compare", "How much", "Money", "Results", "Gates"

_ECONOMICS = {
    "requests_per_month": "requests_per_month",
    "value_per_correct": "usd_per_correct_answer",
    "horizon_months": "horizon_months",
    "margin": "margin",
    "usd_per_hour": "usd_per_hour",
    "target_quality": "target_quality",
}
"""Flag → key in the ``economics:`` block."""
_SPELLED = {f"economics.{key}": f"--{flag.replace('_', '-')}" for flag, key in _ECONOMICS.items()} | {
    "budget_usd": "--budget",
    "strategies.0": "--strategy",
    "evalset": "EVALSET",
    "model": "--model",
}
"""Key → what is typed for it."""


def compare(  # noqa: PLR0913  (typer reads the flags from the parameters; the verb itself takes ctx.params)
    ctx: typer.Context,
    evalset: Annotated[
        str | None,
        typer.Argument(
            help="A shipped eval set (advisor list evalsets), a folder, or a JSONL, CSV or Parquet file. "
            "Default: harrow_desk.",
            envvar="ADVISOR_EVALSET",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            envvar="ADVISOR_MODEL",
            rich_help_panel=WHAT,
            help="smollm2 (runs on this machine), hf:org/name, a folder, openai:NAME or http://host/v1#NAME. "
            "Default: smollm2.",
        ),
    ] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            "--strategy",
            "-s",
            envvar="ADVISOR_STRATEGY",
            rich_help_panel=WHAT,
            help="A strategy, e.g. few_shot, 'rag(k=3)' or my.py:Mine; repeat for several. Default: all that apply.",
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            envvar="ADVISOR_COLUMN", rich_help_panel=WHAT, help="Which column is what, e.g. input=question; repeat."
        ),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(
            "--config",
            "-c",
            envvar="ADVISOR_CONFIG",
            rich_help_panel=WHAT,
            help="A YAML file with these options (advisor init comparison); flags win over it.",
        ),
    ] = None,
    offline: Annotated[
        bool | None,
        typer.Option("--offline", envvar="ADVISOR_OFFLINE", rich_help_panel=WHAT, help="Use no network at all."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, envvar="ADVISOR_LIMIT", rich_help_panel=MUCH, help="At most N test examples.")
    ] = None,
    train_limit: Annotated[
        int | None,
        typer.Option(min=1, envvar="ADVISOR_TRAIN_LIMIT", rich_help_panel=MUCH, help="At most N training examples."),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, envvar="ADVISOR_SEEDS", rich_help_panel=MUCH, help="Trainings per strategy. Default: 2."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, envvar="ADVISOR_SEED", rich_help_panel=MUCH, help="Where randomness starts. Default: 0."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1, envvar="ADVISOR_JOBS", rich_help_panel=MUCH, help="Requests in flight at an endpoint. Default: 8."
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(min=0, envvar="ADVISOR_BUDGET", rich_help_panel=MUCH, help="Stop before spending more USD."),
    ] = None,
    checks: Annotated[
        str | None,
        typer.Option(
            envvar="ADVISOR_CHECKS",
            rich_help_panel=MUCH,
            help="How much is looked at beside the scores before a yes: none, quick or full. Default: quick.",
        ),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(
            envvar="ADVISOR_SUITE",
            rich_help_panel=WHAT,
            help="A file of questions that a tuned model must still answer. Default: the shipped ones.",
        ),
    ] = None,
    retention_margin: Annotated[
        float | None,
        typer.Option(
            envvar="ADVISOR_RETENTION_MARGIN",
            rich_help_panel=MUCH,
            help="Loss on those questions that is acceptable. Default: 0.05.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            envvar="ADVISOR_DRY_RUN",
            rich_help_panel=MUCH,
            help="Only say how many calls, tokens, seconds and USD it would take.",
        ),
    ] = False,
    requests_per_month: Annotated[
        str | None,
        typer.Option(
            envvar="ADVISOR_REQUESTS_PER_MONTH", rich_help_panel=MONEY, help="A number, or a range 5000..20000."
        ),
    ] = None,
    value_per_correct: Annotated[
        str | None,
        typer.Option(
            envvar="ADVISOR_VALUE_PER_CORRECT",
            rich_help_panel=MONEY,
            help="What one more correct answer is worth, USD; a number or a range 0.10..0.50.",
        ),
    ] = None,
    horizon_months: Annotated[
        float | None,
        typer.Option(
            envvar="ADVISOR_HORIZON_MONTHS", rich_help_panel=MONEY, help="How long it will be used. Default: 12."
        ),
    ] = None,
    usd_per_hour: Annotated[
        float | None,
        typer.Option(
            envvar="ADVISOR_USD_PER_HOUR", rich_help_panel=MONEY, help="Price of this machine. Default: 0.10."
        ),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(
            envvar="ADVISOR_MARGIN", rich_help_panel=MONEY, help="Difference in quality that matters. Default: 0.02."
        ),
    ] = None,
    target_quality: Annotated[
        float | None,
        typer.Option(envvar="ADVISOR_TARGET_QUALITY", rich_help_panel=MONEY, help="Quality that is needed, 0 to 1."),
    ] = None,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            envvar="ADVISOR_OUTPUT",
            rich_help_panel=RESULT,
            help="Write a report: .html, .md, .json or .csv; repeat for several.",
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", envvar="ADVISOR_JSON", rich_help_panel=RESULT, help="Print JSON instead of the report."),
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet", "-q", envvar="ADVISOR_QUIET", rich_help_panel=RESULT, help="No progress; only the verdict."
        ),
    ] = False,
    require_decision: Annotated[
        bool,
        typer.Option(
            "--require-decision",
            envvar="ADVISOR_REQUIRE_DECISION",
            rich_help_panel=GATES,
            help="Exit with 5 if the evidence does not decide.",
        ),
    ] = False,
    fail_under: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            envvar="ADVISOR_FAIL_UNDER",
            rich_help_panel=GATES,
            help="Exit with 100 if the recommended strategy's quality is lower.",
        ),
    ] = None,
) -> None:
    """Run several strategies on one eval set and say whether fine-tuning is worth it.

    [bold]advisor compare[/bold] alone runs the shipped example on this machine, with no account and no key, in a few
    minutes. Everything obtained is stored: interrupt at any time, type the same again, and it goes on.

    [bold]advisor compare my.csv --column input=question --column target=answer -o report.html[/bold]
    compares on your own questions.
    """
    given = ctx.params
    options, outputs = settle(given)
    common.check_outputs(outputs)
    if dry_run:
        _print_plan(options, as_json)
        return
    comparison = _run(options, quiet or as_json)
    if as_json:
        typer.echo(common.as_json(comparison))
    elif quiet:
        typer.echo(comparison.verdict.headline)
    else:
        common.show(comparison)
    common.save(comparison, outputs, quiet=quiet or as_json)
    _gates(comparison, require_decision, fail_under)


def settle(given: Mapping[str, Any]) -> tuple[CompareOptions, tuple[str, ...]]:
    """Join flags (and environment) with the file and the defaults, in this order of precedence.

    Returns:
        The options, and the output files.

    Raises:
        ConfigurationError: a value cannot be used.
    """
    from advisor.api import CompareOptions
    from advisor.configuration import check_comparison, read_comparison

    file = read_comparison(given["config"]) if given.get("config") else check_comparison({})
    typed = _typed(given)
    flags = check_comparison(typed, "the command line", _SPELLED)
    economics = file.economics.model_copy(
        update={name: getattr(flags.economics, name) for name in flags.economics.model_fields_set}
    )
    merged = {name: getattr(source, name) for source in (file, flags) for name in source.model_fields_set}
    known = {field.name for field in fields(CompareOptions)} - {"economics"}
    chosen = {name: value for name, value in merged.items() if name in known and value is not None}
    if "strategies" in chosen:
        chosen["strategies"] = tuple(chosen["strategies"])
    options = replace(CompareOptions(), **chosen, economics=economics.build())
    return options, tuple(merged.get("output") or ())


def _typed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flags that were given, under the names of the file's keys."""
    names: tuple[str, ...] = ("evalset", "model", "offline", "limit", "train_limit", "seeds", "seed", "jobs")
    names += ("checks", "suite", "retention_margin")
    typed: dict[str, Any] = {name: given.get(name) for name in names}
    typed["strategies"] = list(given.get("strategy") or ()) or None
    typed["columns"] = common.pairs(given.get("column") or (), "--column") or None
    typed["output"] = list(given.get("output") or ()) or None
    typed["budget_usd"] = given.get("budget")
    typed["economics"] = {key: given[flag] for flag, key in _ECONOMICS.items() if given.get(flag) is not None}
    return {name: value for name, value in typed.items() if value is not None}


def _run(options: CompareOptions, quiet: bool) -> Comparison:
    from advisor.api import compare_options
    from advisor.cli.progress import ProgressLine

    with ProgressLine(quiet=quiet) as progress:
        return compare_options(options, progress=progress)


def _print_plan(options: CompareOptions, as_json: bool) -> None:
    from advisor.planning import plan

    planned = plan(options)
    typer.echo(json.dumps(asdict(planned), indent=2, default=str) if as_json else str(planned))


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
