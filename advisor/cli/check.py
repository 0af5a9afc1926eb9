"""``advisor check``: is an eval set fit to be believed? Looks at its data; no model is asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli import common
from advisor.core.errors import ConfigurationError

if TYPE_CHECKING:
    from advisor.core.data_check import DataChange

FORMATS = ("html", "json")


def check(  # noqa: PLR0913  (typer reads the flags from the parameters)
    evalset: Annotated[
        str, typer.Argument(help="A shipped or public name (advisor list evalsets), a folder, or a file.")
    ] = "harrow_desk",
    column: Annotated[
        list[str] | None,
        typer.Option(envvar="ADVISOR_COLUMN", help="Which column is what, e.g. input=question; repeat."),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(envvar="ADVISOR_MARGIN", help="Difference in quality that must show, e.g. 0.05 (5 points)."),
    ] = None,
    context_tokens: Annotated[
        int, typer.Option(min=1, envvar="ADVISOR_CONTEXT_TOKENS", help="How much your model reads at once.")
    ] = 8_192,
    embed: Annotated[
        int,
        typer.Option(min=0, envvar="ADVISOR_EMBED", help="Embed at most N questions, chosen by content; 0: none."),
    ] = 1_000,
    fix: Annotated[
        Path | None,
        typer.Option("--fix", help="Write a cleaned copy into this new folder, with a log of every change."),
    ] = None,
    output: Annotated[
        list[str] | None,
        typer.Option("--output", "-o", envvar="ADVISOR_OUTPUT", help="Write .html or .json; repeat for both."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", envvar="ADVISOR_JSON", help="Print JSON.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", envvar="ADVISOR_QUIET", help="Print only what fails or is a warning.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, envvar="ADVISOR_SEED", help="Where randomness starts.")] = 0,
) -> None:
    """Check an eval set before it is trusted: sizes, copies, labels, texts, private data, answers and the metric.

    Each finding says ok, warn or fail, its figure, and what to do. Nothing is changed; [bold]--fix FOLDER[/bold] writes
    a cleaned copy. Exits with 100 if a check fails.
    """
    from advisor.cli.progress import ProgressLine
    from advisor.core import shipped
    from advisor.core.data_check import DataCheckSettings
    from advisor.models.local.embeddings import Embedder

    outputs = output or []
    common.check_outputs(outputs, FORMATS)
    if margin is not None and not 0.0 < margin <= 1.0:
        raise ConfigurationError(f"--margin is {margin!r}; allowed: above 0 and at most 1", hint="--margin 0.05")
    settings = DataCheckSettings(margin=margin, context_tokens=context_tokens, embedded=embed, seed=seed)
    with ProgressLine(quiet=quiet or as_json) as progress:
        embedder = Embedder(progress) if embed else None
        columns = common.pairs(column or (), "--column") or None
        found = shipped.check_data(evalset, columns=columns, embed=embedder, settings=settings, progress=progress)
        changes = None
        if fix is not None:
            changes = shipped.fix_data(
                evalset, fix, columns=columns, embed=embedder, settings=settings, progress=progress
            )
    if as_json:
        typer.echo(shipped.data_report_json(found))
    else:
        shipped.show_data_report(found, short=quiet)
    for path in outputs:
        shipped.save_data_report(found, path)
        common.say_written(path, quiet=quiet)
    if changes is not None and fix is not None:
        typer.echo(f"Wrote {fix}: {_counted(changes)}; every one stands in {fix / 'changes.jsonl'}", err=True)
        typer.echo(f"  advisor check {common.quoted(fix)}", err=True)
    if found.gate == "fail":
        raise typer.Exit(common.GATE_FAILED)


def _counted(changes: Sequence[DataChange]) -> str:
    from collections import Counter

    counts = Counter(change.change for change in changes)
    listed = ", ".join(f"{count:,} {what}" for what, count in sorted(counts.items()))
    return f"{len(changes):,} changes ({listed})" if changes else "nothing had to be changed"
