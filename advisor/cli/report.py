"""``advisor report``: a stored comparison again, in any format."""

from __future__ import annotations

from typing import Annotated

import typer

from advisor.cli import common


def report(
    run: Annotated[
        str | None,
        typer.Argument(help="Id of a stored comparison, or its beginning (advisor list runs). Default: the newest."),
    ] = None,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output", "-o", envvar="ADVISOR_OUTPUT", help="Write .html, .md, .json or .csv; repeat for several."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", envvar="ADVISOR_JSON", help="Print JSON instead of the report.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", envvar="ADVISOR_QUIET", help="Print only the verdict.")
    ] = False,
) -> None:
    """Show a stored comparison again, or write it to files. Nothing is run.

    [bold]advisor report -o report.html[/bold] writes the newest comparison as one self-contained page.
    """
    from advisor.runs.store import Store

    outputs = output or []
    common.validate_outputs(outputs)
    with Store() as store:
        comparison = store.load_comparison(run)
    with common.saving(comparison.save, outputs, quiet=quiet or as_json):
        if as_json:
            common.print_json(comparison)
        elif quiet:
            typer.echo(comparison.verdict.headline)
        elif not outputs:
            common.show(comparison)
