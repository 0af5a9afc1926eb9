"""``advisor check``: is an eval set fit to be believed? Looks at its data; no model is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor.cli import common
from advisor.cli.flags import typed_values, with_flags
from advisor.core.paths import expanded
from advisor.economics.amounts import POINTS
from advisor.economics.definition import WHOLE, Bounds, Option, named_options

if TYPE_CHECKING:
    from advisor.core.data_check import DataChange

FORMATS = ("html", "json")


_SETTINGS = named_options(
    columns=Option("Which column is what, e.g. input=question; repeat.", flags=("--column",), kind=Mapping[str, str]),
    margin=Option(
        "Difference in quality that must show, e.g. 0.05 (5 points).",
        POINTS,
        Bounds(above=0, most=1, note="0.05 is 5 points"),
        kind=float,
    ),
    context_tokens=Option("How much your model reads at once. Default: 8192.", None, Bounds(least=1), kind=int),
    model=Option(
        "Count tokens as this model does; its tokenizer must be on this machine.", flags=("--model", "-m"), kind=str
    ),
    embedded=Option(
        "Embed at most N questions, chosen by content; 0: none. Default: 1000.",
        None,
        WHOLE,
        flags=("--embed",),
        kind=int,
    ),
    seed=Option("Where randomness starts. Default: 0.", None, WHOLE, kind=int),
)


@with_flags(("", _SETTINGS.values()))
def check(
    *,
    evalset: Annotated[
        str, typer.Argument(help="A shipped or public name (advisor list evalsets), a folder, or a file.")
    ] = "harrow_desk",
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
    **given: Any,
) -> None:
    """Check an eval set before it is trusted: sizes, copies, labels, texts, private data, answers and the metric.

    Each finding says ok, warn or fail, its figure, and what to do. Nothing is changed; [bold]--fix FOLDER[/bold] writes
    a cleaned copy. Exits with 100 if a check fails.
    """
    from advisor.cli.progress import ProgressLine
    from advisor.core import shipped
    from advisor.core.data_check import DataCheckSettings
    from advisor.models.local.embeddings import Embedder
    from advisor.models.tokenizers import token_counter

    outputs = output or []
    fix = fix and expanded(fix)
    common.validate_outputs(outputs, FORMATS)
    chosen = typed_values(given, _SETTINGS)
    columns, model = chosen.pop("columns", None), chosen.pop("model", None)
    settings = DataCheckSettings(**chosen, count_tokens=token_counter(model) if model else None)
    with ProgressLine(quiet=quiet or as_json) as progress:
        embedder = Embedder(progress) if settings.embedded else None
        found = shipped.check_data(evalset, columns=columns, embed=embedder, settings=settings, progress=progress)
        changes = None
        if fix is not None:
            changes = shipped.fix_data(
                evalset, fix, columns=columns, embed=embedder, settings=settings, progress=progress
            )
    with common.saving(partial(shipped.save_data_report, found), outputs, quiet=quiet):
        if as_json:
            typer.echo(shipped.data_report_json(found))
        else:
            shipped.show_data_report(found, short=quiet)
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
