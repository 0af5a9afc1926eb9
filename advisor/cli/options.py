"""What can be typed after ``advisor compare``: one alias an option, in the groups of its help."""

from __future__ import annotations

from typing import Annotated

import typer

WHAT, MUCH, MONEY, RESULT, GATES = "What to compare", "How much", "Money", "Results", "Gates"

EvalSet = Annotated[
    str | None,
    typer.Argument(
        help="A shipped eval set (advisor list evalsets), a folder, or a JSONL, CSV or Parquet file. "
        "Default: harrow_desk.",
        envvar="ADVISOR_EVALSET",
        show_default=False,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        envvar="ADVISOR_MODEL",
        rich_help_panel=WHAT,
        help="smollm2 (runs on this machine), hf:org/name, a folder, openai:NAME or http://host/v1#NAME. "
        "Default: smollm2.",
    ),
]
Strategy = Annotated[
    list[str] | None,
    typer.Option(
        "--strategy",
        "-s",
        envvar="ADVISOR_STRATEGY",
        rich_help_panel=WHAT,
        help="A strategy, e.g. few_shot, 'rag(k=3)' or my.py:Mine; repeat for several. Default: all that apply.",
    ),
]
Column = Annotated[
    list[str] | None,
    typer.Option(
        envvar="ADVISOR_COLUMN", rich_help_panel=WHAT, help="Which column is what, e.g. input=question; repeat."
    ),
]
Config = Annotated[
    str | None,
    typer.Option(
        "--config",
        "-c",
        envvar="ADVISOR_CONFIG",
        rich_help_panel=WHAT,
        help="A YAML file with these options (advisor init comparison); flags win over it.",
    ),
]
Offline = Annotated[
    bool | None,
    typer.Option("--offline", envvar="ADVISOR_OFFLINE", rich_help_panel=WHAT, help="Use no network at all."),
]
Limit = Annotated[
    int | None, typer.Option(min=1, envvar="ADVISOR_LIMIT", rich_help_panel=MUCH, help="At most N test examples.")
]
TrainLimit = Annotated[
    int | None,
    typer.Option(min=1, envvar="ADVISOR_TRAIN_LIMIT", rich_help_panel=MUCH, help="At most N training examples."),
]
Seeds = Annotated[
    int | None,
    typer.Option(min=1, envvar="ADVISOR_SEEDS", rich_help_panel=MUCH, help="Trainings per strategy. Default: 2."),
]
Seed = Annotated[
    int | None,
    typer.Option(min=0, envvar="ADVISOR_SEED", rich_help_panel=MUCH, help="Where randomness starts. Default: 0."),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        min=1, envvar="ADVISOR_JOBS", rich_help_panel=MUCH, help="Requests in flight at an endpoint. Default: 8."
    ),
]
Budget = Annotated[
    float | None,
    typer.Option(min=0, envvar="ADVISOR_BUDGET", rich_help_panel=MUCH, help="Stop before spending more USD."),
]
Checks = Annotated[
    str | None,
    typer.Option(
        envvar="ADVISOR_CHECKS",
        rich_help_panel=MUCH,
        help="How much is looked at beside the scores before a yes: none, quick or full. Default: quick.",
    ),
]
Suite = Annotated[
    str | None,
    typer.Option(
        envvar="ADVISOR_SUITE",
        rich_help_panel=WHAT,
        help="A file of questions that a tuned model must still answer. Default: the shipped ones.",
    ),
]
RetentionMargin = Annotated[
    float | None,
    typer.Option(
        envvar="ADVISOR_RETENTION_MARGIN",
        rich_help_panel=MUCH,
        help="Loss on those questions that is acceptable. Default: 0.05.",
    ),
]
LearningCurve = Annotated[
    bool | None,
    typer.Option(
        "--learning-curve",
        envvar="ADVISOR_LEARNING_CURVE",
        rich_help_panel=MUCH,
        help="Also train on parts of the examples and say what more would bring. Takes several times as long.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        envvar="ADVISOR_DRY_RUN",
        rich_help_panel=MUCH,
        help="Only say how many calls, tokens, seconds and USD it would take.",
    ),
]
RequestsPerMonth = Annotated[
    str | None,
    typer.Option(envvar="ADVISOR_REQUESTS_PER_MONTH", rich_help_panel=MONEY, help="A number, or a range 5000..20000."),
]
ValuePerCorrect = Annotated[
    str | None,
    typer.Option(
        envvar="ADVISOR_VALUE_PER_CORRECT",
        rich_help_panel=MONEY,
        help="What one more correct answer is worth, USD; a number or a range 0.10..0.50.",
    ),
]
HorizonMonths = Annotated[
    float | None,
    typer.Option(envvar="ADVISOR_HORIZON_MONTHS", rich_help_panel=MONEY, help="How long it will be used. Default: 12."),
]
UsdPerHour = Annotated[
    float | None,
    typer.Option(envvar="ADVISOR_USD_PER_HOUR", rich_help_panel=MONEY, help="Price of this machine. Default: 0.10."),
]
Utilisation = Annotated[
    float | None,
    typer.Option(
        envvar="ADVISOR_UTILISATION",
        rich_help_panel=MONEY,
        help="Share of the paid machine hours that is used. Default: 0.5.",
    ),
]
UsdPerLabel = Annotated[
    str | None,
    typer.Option(
        envvar="ADVISOR_USD_PER_LABEL",
        rich_help_panel=MONEY,
        help="Price of one label, USD; a number or a range. Default: 0.",
    ),
]
EngineeringHours = Annotated[
    str | None,
    typer.Option(
        envvar="ADVISOR_ENGINEERING_HOURS",
        rich_help_panel=MONEY,
        help="Hours of work that tuning takes once; a number or a range. Default: 0.",
    ),
]
UsdPerEngineeringHour = Annotated[
    float | None,
    typer.Option(
        envvar="ADVISOR_USD_PER_ENGINEERING_HOUR",
        rich_help_panel=MONEY,
        help="Price of an hour of work, USD. Default: 100.",
    ),
]
RetrainsPerYear = Annotated[
    float | None,
    typer.Option(
        envvar="ADVISOR_RETRAINS_PER_YEAR", rich_help_panel=MONEY, help="How often it is trained anew. Default: 0."
    ),
]
Margin = Annotated[
    float | None,
    typer.Option(
        envvar="ADVISOR_MARGIN", rich_help_panel=MONEY, help="Difference in quality that matters. Default: 0.02."
    ),
]
Confidence = Annotated[
    float | None,
    typer.Option(
        envvar="ADVISOR_CONFIDENCE", rich_help_panel=MONEY, help="How sure is sure enough, 0.5 to 1. Default: 0.90."
    ),
]
TargetQuality = Annotated[
    float | None,
    typer.Option(envvar="ADVISOR_TARGET_QUALITY", rich_help_panel=MONEY, help="Quality that is needed, 0 to 1."),
]
BatchDiscount = Annotated[
    float | None,
    typer.Option(
        envvar="ADVISOR_BATCH_DISCOUNT",
        rich_help_panel=MONEY,
        help="Share off for requests sent as a batch, 0.5 is half. Default: the price table.",
    ),
]
HostingUsdPerHour = Annotated[
    float | None,
    typer.Option(
        envvar="ADVISOR_HOSTING_USD_PER_HOUR",
        rich_help_panel=MONEY,
        help="Price of a machine kept for the tuned model alone.",
    ),
]
UnmergedSlowdown = Annotated[
    float | None,
    typer.Option(
        envvar="ADVISOR_UNMERGED_SLOWDOWN",
        rich_help_panel=MONEY,
        help="How much longer answers take if the adapter is not merged. Default: 1.7.",
    ),
]
BaseModelShutdown = Annotated[
    str | None,
    typer.Option(
        envvar="ADVISOR_BASE_MODEL_SHUTDOWN",
        rich_help_panel=MONEY,
        help="The last day of the base model, e.g. 2027-03-01. Default: a dated table.",
    ),
]
Output = Annotated[
    list[str] | None,
    typer.Option(
        "--output",
        "-o",
        envvar="ADVISOR_OUTPUT",
        rich_help_panel=RESULT,
        help="Write a report: .html, .md, .json or .csv; repeat for several.",
    ),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", envvar="ADVISOR_JSON", rich_help_panel=RESULT, help="Print JSON instead of the report."),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", envvar="ADVISOR_QUIET", rich_help_panel=RESULT, help="No progress; only the verdict."
    ),
]
RequireDecision = Annotated[
    bool,
    typer.Option(
        "--require-decision",
        envvar="ADVISOR_REQUIRE_DECISION",
        rich_help_panel=GATES,
        help="Exit with 5 if the evidence does not decide.",
    ),
]
FailUnder = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=1.0,
        envvar="ADVISOR_FAIL_UNDER",
        rich_help_panel=GATES,
        help="Exit with 100 if the recommended strategy's quality is lower.",
    ),
]
