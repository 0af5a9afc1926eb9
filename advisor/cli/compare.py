"""``advisor compare``: the main job."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any

import typer

from advisor.cli import common, options
from advisor.economics.flags import MONEY_FLAGS

if TYPE_CHECKING:
    from advisor.decision.comparison import Comparison
    from advisor.decision.request import CompareOptions

_PARAMETERS = {key: flag.removeprefix("--").replace("-", "_") for key, flag in MONEY_FLAGS.items()}
"""Key in the ``economics:`` block → parameter of `compare`."""
_SPELLED = {f"economics.{key}": flag for key, flag in MONEY_FLAGS.items()} | {
    "budget_usd": "--budget",
    "strategies.0": "--strategy",
    "evalset": "EVALSET",
    "model": "--model",
}
"""Key → what is typed for it."""


def compare(  # noqa: PLR0913  (typer reads the flags from the parameters; the verb itself takes ctx.params)
    ctx: typer.Context,
    evalset: options.EvalSet = None,
    model: options.Model = None,
    strategy: options.Strategy = None,
    column: options.Column = None,
    config: options.Config = None,
    offline: options.Offline = None,
    limit: options.Limit = None,
    train_limit: options.TrainLimit = None,
    seeds: options.Seeds = None,
    seed: options.Seed = None,
    jobs: options.Jobs = None,
    budget: options.Budget = None,
    checks: options.Checks = None,
    suite: options.Suite = None,
    retention_margin: options.RetentionMargin = None,
    learning_curve: options.LearningCurve = None,
    dry_run: options.DryRun = False,
    requests_per_month: options.RequestsPerMonth = None,
    value_per_correct: options.ValuePerCorrect = None,
    horizon_months: options.HorizonMonths = None,
    usd_per_hour: options.UsdPerHour = None,
    utilisation: options.Utilisation = None,
    usd_per_label: options.UsdPerLabel = None,
    engineering_hours: options.EngineeringHours = None,
    usd_per_engineering_hour: options.UsdPerEngineeringHour = None,
    retrains_per_year: options.RetrainsPerYear = None,
    margin: options.Margin = None,
    confidence: options.Confidence = None,
    target_quality: options.TargetQuality = None,
    batch_discount: options.BatchDiscount = None,
    hosting_usd_per_hour: options.HostingUsdPerHour = None,
    unmerged_slowdown: options.UnmergedSlowdown = None,
    base_model_shutdown: options.BaseModelShutdown = None,
    output: options.Output = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    require_decision: options.RequireDecision = False,
    fail_under: options.FailUnder = None,
) -> None:
    """Run several strategies on one eval set and say whether fine-tuning is worth it.

    [bold]advisor compare[/bold] alone runs the shipped example on this machine, with no account and no key, in a few
    minutes. Everything obtained is stored: interrupt at any time, type the same again, and it goes on.

    [bold]advisor compare my.csv --column input=question --column target=answer -o report.html[/bold]
    compares on your own questions.
    """
    asked, outputs = settle(ctx.params)
    common.check_outputs(outputs)
    if dry_run:
        _print_plan(asked, as_json)
        return
    comparison = _run(asked, quiet or as_json)
    try:
        if as_json:
            typer.echo(common.as_json(comparison))
        elif quiet:
            typer.echo(comparison.verdict.headline)
        else:
            common.show(comparison)
    finally:  # also where nobody reads what is printed
        common.save(comparison, outputs, quiet=quiet or as_json)
    if not (quiet or as_json):
        _say_what_is_unanswered(comparison)
    _gates(comparison, require_decision, fail_under)


def settle(given: Mapping[str, Any]) -> tuple[CompareOptions, tuple[str, ...]]:
    """Join flags (and environment) with the file and the defaults, in this order of precedence.

    Returns:
        The options, and the output files.

    Raises:
        ConfigurationError: a value cannot be used.
    """
    from advisor.decision.request import CompareOptions
    from advisor.runs.comparison_file import check_comparison, read_comparison

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
    asked = replace(CompareOptions(), **chosen, economics=economics.build(), config=given.get("config") or "")
    return asked, tuple(merged.get("output") or ())


def _typed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flags that were given, under the names of the file's keys."""
    names: tuple[str, ...] = ("evalset", "model", "offline", "limit", "train_limit", "seeds", "seed", "jobs")
    names += ("learning_curve", "checks", "suite", "retention_margin")
    typed: dict[str, Any] = {name: given.get(name) for name in names}
    typed["strategies"] = list(given.get("strategy") or ()) or None
    typed["columns"] = common.pairs(given.get("column") or (), "--column") or None
    typed["output"] = list(given.get("output") or ()) or None
    typed["budget_usd"] = given.get("budget")
    typed["economics"] = {key: given[name] for key, name in _PARAMETERS.items() if given.get(name) is not None}
    return {name: value for name, value in typed.items() if value is not None}


def _run(asked: CompareOptions, quiet: bool) -> Comparison:
    from advisor.cli.progress import ProgressLine
    from advisor.runs.compare import compare_options

    with ProgressLine(quiet=quiet) as progress:
        return compare_options(asked, progress=progress)


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


def _print_plan(asked: CompareOptions, as_json: bool) -> None:
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
