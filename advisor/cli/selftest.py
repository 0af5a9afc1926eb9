"""``advisor selftest``: are the promises kept? Measured on simulated worlds whose truth is known."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor._util.tables import text_table
from advisor.cli import common

if TYPE_CHECKING:
    from advisor.testing.selftest import MeasuredRate

SAID = {
    "false yes": "a yes that is wrong",
    "covers": "95% intervals that hold the truth",
    "found": "called real, in the right direction",
    "says yes": "a yes that is right",
}
STATES = {True: "kept", False: "BROKEN", None: "shown only"}
TOO_FEW = "too few"


def selftest(
    full: Annotated[
        bool,
        typer.Option(
            "--full", envvar="ADVISOR_FULL", help="All settings, 2,000 worlds each: about 20 minutes on 2 idle cores."
        ),
    ] = False,
    worlds: Annotated[
        int | None, typer.Option(min=20, envvar="ADVISOR_WORLDS", help="Worlds a setting, in place of the mode's own.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, envvar="ADVISOR_SEED", help="Where randomness starts.")] = 0,
    jobs: Annotated[
        int | None, typer.Option(min=1, envvar="ADVISOR_JOBS", help="Processes. Default: one a core.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", envvar="ADVISOR_JSON", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", envvar="ADVISOR_QUIET", help="No progress.")] = False,
) -> None:
    """Measure on simulated worlds how often a yes is wrong, how often intervals hold the truth, and what is found.

    Each world goes through the pipeline that advisor compare uses, from scores to verdict. No model is asked. The quick
    mode takes under a minute on 2 cores; an interrupted one goes on where it stopped. Exits with 100 if a promise is
    broken.
    """
    from advisor.cli.progress import ProgressLine
    from advisor.testing.selftest import FULL, QUICK, Journal, measure, settings

    mode = FULL if full else QUICK
    mode = mode if worlds is None else replace(mode, worlds=worlds)
    chosen, start, worked = settings(mode), time.monotonic(), _processor_seconds()
    with Journal(chosen, mode, seed) as journal, ProgressLine(quiet=quiet or as_json) as progress:
        rows = measure(chosen, mode, seed=seed, jobs=jobs or _cores(), progress=progress, journal=journal)
    circumstances = {
        **_circumstances(),
        "worlds": mode.worlds,
        "draws": mode.draws,
        "seed": seed,
        "seconds": round(time.monotonic() - start),
        "processor seconds": round(_processor_seconds() - worked),
    }
    if as_json:
        typer.echo(json.dumps({"rows": [_plain(row) for row in rows], **circumstances}, indent=2))
    else:
        typer.echo(as_text(rows, circumstances))
    if any(row.kept is False for row in rows):
        raise typer.Exit(common.GATE_FAILED)


def as_text(rows: Sequence[MeasuredRate], circumstances: dict[str, Any]) -> str:
    """Return the rows as tables, one a measure, and what is needed to do the same again."""
    parts = []
    for name, said in SAID.items():
        some = [row for row in rows if row.measure == name]
        if some:
            head = ("measured", "true in 95 of 100", "promised", "", said)
            parts.append(text_table([head, *(_cells(row) for row in some)]))
    broken = sum(row.kept is False for row in rows)
    promised, blurred = (
        sum(row.kept is not None for row in rows),
        sum(row.kept is True and not row.told for row in rows),
    )
    end = f"{broken} of {promised} promises broken" if broken else f"All {promised} promises are kept, as far as shown"
    if blurred:
        end = f"{broken} of {promised} promises broken; so few worlds cannot tell of {blurred} more"
    made = ", ".join(f"{name} {value}" for name, value in circumstances.items())
    return "\n\n".join([*parts, f"{end}.", made])


def _cells(row: MeasuredRate) -> tuple[str, ...]:
    promise = "" if row.promise is None else f"{_percent(row.promise[0])} to {_percent(row.promise[1])}"
    if row.promise is not None and row.promise[0] == 0.0:
        promise = f"at most {_percent(row.promise[1])}"
    ends = f"{_percent(row.low)} to {_percent(row.high)}"
    state = TOO_FEW if row.kept and not row.told else STATES[row.kept]
    return _percent(row.rate), ends, promise, state, row.setting


def _percent(share: float) -> str:
    return f"{share * 100:.1f}%"


def _plain(row: MeasuredRate) -> dict[str, Any]:
    return {**asdict(row), "rate": row.rate}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor_seconds() -> float:
    """Return what this process and those it started have used; they count once they have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _circumstances() -> dict[str, Any]:
    from importlib.metadata import version

    import advisor

    return {
        "tuneworthy": advisor.__version__,
        "numpy": version("numpy"),
        "scipy": version("scipy"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {_cores()} cores",
        "date": time.strftime("%Y-%m-%d"),
    }
