"""``advisor clean``: remove what is certainly garbage, and by explicit wish old comparisons, copies and caches."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from advisor._util.tables import text_table
from advisor.core.errors import ConfigurationError

if TYPE_CHECKING:
    from advisor.runs.cleaning import Removed

MORE = (
    ("--older-than 30d", "comparisons made more than 30 days ago, with the answers that only they show"),
    ("--keep 10", "all comparisons but the newest 10"),
    ("--copies", "copies of the store that were made before its format changed"),
    ("--caches", "embeddings; they are made anew when they are needed"),
)
_DAYS = {"h": 1 / 24, "d": 1.0, "w": 7.0}


def clean(
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than",
            metavar="AGE",
            help="Also comparisons made longer ago than this: 12h, 30d, 8w.",
            envvar="ADVISOR_OLDER_THAN",
        ),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep", min=0, envvar="ADVISOR_KEEP", help="Also comparisons, but never the newest so many of them."
        ),
    ] = None,
    copies: Annotated[
        bool, typer.Option("--copies", help="Also copies of the store from before its format changed.")
    ] = False,
    caches: Annotated[bool, typer.Option("--caches", help="Also cached embeddings.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would go, with sizes.")] = False,
    as_json: Annotated[bool, typer.Option("--json", envvar="ADVISOR_JSON", help="Print JSON.")] = False,
) -> None:
    """Remove garbage: locks nobody holds, drafts of killed processes, empty work folders, free room in the store.

    Comparisons and their answers go only where [bold]--older-than[/bold] or [bold]--keep[/bold] says so; with both,
    what is old and beyond the number. What another advisor is using stays.
    """
    from advisor._util import formats
    from advisor.cli.progress import ProgressLine
    from advisor.runs import cleaning

    wish = cleaning.Wish(_days(older_than), keep, copies, caches)
    with ProgressLine(quiet=as_json) as progress:
        cleaned = cleaning.clean(wish, dry_run=dry_run, progress=progress)
    if as_json:
        plain = {"dry_run": dry_run, "bytes": sum(one.size for one in cleaned.found), **asdict(cleaned)}
        typer.echo(json.dumps(plain, indent=2))
        return
    if cleaned.found:
        typer.echo(text_table((kind, formats.size(size), name) for kind, size, name in _rows(cleaned.found)))
    typer.echo(cleaning.said(cleaned, dry_run))
    for sentence in cleaned.left:
        typer.echo(f"Left: {sentence}.")
    if wish == cleaning.Wish():
        typer.echo("\nTo remove more (with --dry-run first, to see what):")
        typer.echo(text_table([(f"advisor clean {flag}", what) for flag, what in MORE], indent=2))


def _rows(found: Sequence[Removed]) -> list[tuple[str, int, str]]:
    """Return comparisons one by one, and of everything else how many."""
    named = [(one.kind, one.size, one.name) for one in found if one.kind == "comparison"]
    kinds = dict.fromkeys(one.kind for one in found if one.kind != "comparison")
    for kind in kinds:
        same = [one for one in found if one.kind == kind]
        named.append((kind, sum(one.size for one in same), same[0].name if len(same) == 1 else f"{len(same)} of them"))
    return named


def _days(text: str | None) -> float | None:
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,5})([hdw])", text.strip())
    if found is None:
        raise ConfigurationError(
            f"--older-than {text!r} is no age; a number of hours, days or weeks is needed", hint="--older-than 30d"
        )
    return int(found[1]) * _DAYS[found[2]]
