"""The answer of ``advisor ask`` on a terminal: that nothing was run, the leaning, the figures, why. Fits 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.advice.advice import Advice
from advisor.advice.calibration import ForecastSkill
from advisor.advice.forecast import Forecast
from advisor.advice.net_benefit import NetBenefit
from advisor.core.types import Interval

from .numbers import brier, change, count, percent, points, score, usd
from .terminal import ANSWER_COLOURS, CommandLine, listed, one_line, print_report

if TYPE_CHECKING:
    from rich.console import Console, Group, RenderableType

ANSWERS = {
    "fine_tune": "Would lean to: yes, fine-tune",
    "do_not_fine_tune": "Would lean to: no, do not fine-tune",
    "not_yet": "Would lean to: not yet",
}


def show(advice: Advice, console: Console | None = None) -> None:
    """Print the advice."""
    print_report(render(advice), console)


def render(advice: Advice) -> Group:
    """Return the advice as one rich renderable."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.panel import Panel

    colour = ANSWER_COLOURS[advice.answer]
    box = Panel(
        Group(
            *([one_line(advice.gaps, "bold red")] if advice.gaps else []),
            one_line(advice.disclaimer),
            one_line(ANSWERS[advice.answer].upper(), f"bold {colour}"),
            one_line(f"{advice.because[0].upper()}{advice.because[1:]}.", "bold"),
        ),
        border_style=colour,
        padding=(0, 1),
    )
    experiment = advice.experiment
    finest = experiment.test_examples_for_margin
    sizes = [experiment.flips]
    if finest is not None and finest > experiment.test_examples:
        sizes.append(
            f"A difference as small as the margin of {points(advice.lift.margin)} would need {count(finest)} test "
            "examples"
        )
    parts: list[RenderableType] = [box]
    parts += listed("What tuning would add", forecast_lines(advice.lift) + worth_lines(advice.worth))
    parts += listed("Why", [f"{one.text} [{one.source}]" for one in advice.reasons])
    parts += listed("Try first", list(advice.try_first))
    parts += listed("What tuning would need", list(advice.needs))
    parts += listed("The cheapest test that would flip this", [f"{one}." for one in sizes])
    parts += [Padding(CommandLine(experiment.line, "bold"), (0, 0, 0, 2))]
    parts += listed("Taken as given", [f"{name}: {value}" for name, value in advice.assumptions.items()])
    parts += [one_line(""), one_line(calibration_line(advice.calibration), "dim")]
    return Group(*parts)


def forecast_lines(lift: Forecast) -> list[str]:
    """Return the lift with its intervals."""
    return [
        f"Lift over the prompted {score(lift.prompted_mean)}: {change(lift.median)}, as likely more as less",
        f"Half of such cases: {change(lift.low_50)} to {change(lift.high_50)}; nine in ten: {change(lift.low_90)} to "
        f"{change(lift.high_90)}",
    ]


def worth_lines(worth: NetBenefit) -> list[str]:
    """Return what it would bring and from which value of an answer it pays; nothing where that is not known."""
    needed, gain = worth.usd_per_correct_answer, worth.gain_usd
    found = []
    if gain is not None:
        found.append(f"Net benefit over the prompted model: {usd(gain.estimate)}; nine in ten: {_ends(gain)}")
    if needed is not None:
        found.append(
            f"Worth it if one more correct answer is worth more than {usd(needed.estimate)}; nine in ten: "
            f"{_ends(needed)}"
        )
    return found


def _ends(found: Interval) -> str:
    return f"{usd(found.low)} to {usd(found.high)}"


def calibration_line(found: ForecastSkill) -> str:
    """Return how far such forecasts can be trusted, in one line."""
    skill = "better" if found.has_skill else "no better"
    arm = "a strong prompt" if found.arm == "strong" else "a bare prompt"
    return (
        f"How far to trust it ({arm}; {count(found.tasks)} tasks left out in turn, {found.made}): Brier score "
        f'{brier(found.brier)} for "better by {points(found.margin)}", {skill} than always saying the average '
        f"({brier(found.brier_base_rate)}); a line through GPT's score: {brier(found.brier_gpt_line)}; lower is "
        f"better. The 50% and 90% intervals held {percent(found.coverage_50)} and {percent(found.coverage_90)}."
    )


def show_calibration(found: tuple[ForecastSkill, ...], console: Console | None = None) -> None:
    """Print the measured calibration of both arms."""
    from rich.console import Group

    print_report(Group(*(one_line(calibration_line(one)) for one in found)), console)
