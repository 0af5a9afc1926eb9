"""What can be typed after ``advisor ask``: one alias an option, in the groups of its help."""

from __future__ import annotations

from typing import Annotated, Any

import typer

CASE, MONEY, PILOT, HOW = "Your case (each may be left out)", "Money", "A pilot of your own", "How to answer"


def _option(panel: str, name: str, text: str, *spelled: str) -> Any:
    return typer.Option(*spelled, envvar=f"ADVISOR_{name}", rich_help_panel=panel, help=text)


Kind = Annotated[str | None, _option(CASE, "KIND", "knowledge, format, voice, behaviour or tools.")]
Changes = Annotated[
    str | None, _option(CASE, "CHANGES", "How often what it must know changes: never, monthly, weekly or daily.")
]
Examples = Annotated[int | None, _option(CASE, "EXAMPLES", "Labelled examples at hand.")]
Prompted = Annotated[float | None, _option(CASE, "PROMPTED", "Best score so far without tuning, 0 to 1 (0.62 is 62%).")]
PromptedBy = Annotated[
    str | None,
    _option(CASE, "PROMPTED_BY", "How: zero_shot, few_shot, optimised_prompt, rag or function_calling."),
]
Ceiling = Annotated[float | None, _option(CASE, "CEILING", "Best score the metric can give, where it is under 1.")]
Latency = Annotated[str | None, _option(CASE, "LATENCY", "How long an answer may take: any, seconds or subsecond.")]
Private = Annotated[
    bool | None,
    _option(CASE, "PRIVATE", "Everything must run on machines of your own.", "--private/--no-private"),
]
Size = Annotated[
    str | None,
    _option(CASE, "SIZE", "Model to be tuned: tiny (under 1 billion), small (2 or 3), 7b or larger."),
]
Source = Annotated[
    list[str] | None,
    _option(CASE, "SOURCE", "What answers could be looked up in: documents, tools or none; repeat."),
]
RequestsPerMonth = Annotated[str | None, _option(MONEY, "REQUESTS_PER_MONTH", "A number, or a range 5000..20000.")]
ValuePerCorrect = Annotated[
    str | None,
    _option(MONEY, "VALUE_PER_CORRECT", "What one more correct answer is worth, USD; a number or a range."),
]
LabelCost = Annotated[
    str | None, _option(MONEY, "LABEL_COST", "What one labelled example costs, USD; missing ones are bought.")
]
HorizonMonths = Annotated[float | None, _option(MONEY, "HORIZON_MONTHS", "How long it will be used. Default: 12.")]
Margin = Annotated[float | None, _option(MONEY, "MARGIN", "Difference in quality that matters. Default: 0.02.")]
EngineeringHours = Annotated[
    str | None,
    _option(MONEY, "ENGINEERING_HOURS", "Work to tune and put into service. Default: 10..80 (our assumption)."),
]
TrainingUsd = Annotated[str | None, _option(MONEY, "TRAINING_USD", "One training. Default: 2..50 (our assumption).")]
UsdPerRequest = Annotated[
    str | None, _option(MONEY, "USD_PER_REQUEST", "A request to the prompted model. Default: equal costs.")
]
TunedUsdPerRequest = Annotated[str | None, _option(MONEY, "TUNED_USD_PER_REQUEST", "A request to the tuned model.")]
HostingUsdPerMonth = Annotated[
    float | None, _option(MONEY, "HOSTING_USD_PER_MONTH", "Fixed cost of serving the tuned model. Default: 0.")
]
PilotTuned = Annotated[float | None, _option(PILOT, "PILOT_TUNED", "Its score with the tuned model, 0 to 1.")]
PilotPrompted = Annotated[
    float | None, _option(PILOT, "PILOT_PROMPTED", "Its score with the best prompt, on the same examples.")
]
PilotN = Annotated[int | None, _option(PILOT, "PILOT_N", "How many examples both answered.")]
FromRun = Annotated[
    str | None,
    _option(PILOT, "FROM", "Take the pilot from a stored comparison (advisor list runs).", "--from"),
]
Config = Annotated[
    str | None,
    _option(HOW, "CONFIG", "A YAML file with the answers; flags win over it.", "--config", "-c"),
]
Evalset = Annotated[str | None, _option(HOW, "EVALSET", "Your eval set, for the line to type. Default: my-evalset.")]
Model = Annotated[str | None, _option(HOW, "MODEL", "Your model, for the line to type.", "--model", "-m")]
Seed = Annotated[int | None, _option(HOW, "SEED", "Where randomness starts. Default: 0.")]
Yes = Annotated[bool, _option(HOW, "YES", "Ask nothing; what is not given is not known.", "--yes", "-y")]
AsJson = Annotated[bool, _option(HOW, "JSON", "Print JSON, and ask nothing.", "--json")]
Calibration = Annotated[
    bool,
    _option(HOW, "CALIBRATION", "Only measure how well the forecast does on tasks left out (half a minute)."),
]
