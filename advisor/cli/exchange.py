"""``advisor export run`` and ``advisor import``: a stored comparison as one file, for another machine."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from advisor.cli import common
from advisor.core.paths import expanded


def export(
    run: Annotated[
        str | None,
        typer.Argument(help="Id of a stored comparison, or its beginning (advisor list runs). Default: the newest."),
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", envvar="ADVISOR_OUTPUT", help="The file. Default: the id, .zip.")
    ] = None,
) -> None:
    """Write a stored comparison with all its runs to one file. Nothing is run.

    [bold]advisor import FILE[/bold] reads it on another machine: reports can be made there, and the same command goes
    on from what the file holds.
    """
    from advisor.runs import archive
    from advisor.runs.store import Store

    with Store() as store:
        comparison = store.load_comparison(run)
    path = expanded(output or f"{comparison.id}.zip")
    archive.write(comparison, path)
    common.say_written(path)


def import_(
    file: Annotated[str, typer.Argument(help="What advisor export run wrote.")],
) -> None:
    """Take in a comparison from another machine. What is stored here already stays as it is.

    Its results then count like your own: take in files of people whose results you believe.
    """
    from advisor.runs import archive
    from advisor.runs.store import Store

    comparison = archive.read(expanded(file))
    with Store() as store:
        store.take_in(comparison)
    print(f"Took in {comparison.id}. To see it, type: advisor report {comparison.id}", file=sys.stderr)
