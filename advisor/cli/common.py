"""What all verbs share: errors as one sentence, checked output files, and reading ``name=value`` pairs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from advisor.errors import AdvisorError, ConfigurationError
from advisor.redaction import for_terminal

INTERRUPTED, INCONCLUSIVE, GATE_FAILED = 130, 5, 100


class Verbs(TyperGroup):
    """Turns expected errors into one sentence on stderr and their exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        try:
            return super().invoke(ctx)
        except AdvisorError as error:
            if os.environ.get("ADVISOR_DEBUG"):
                raise
            print(f"advisor: {for_terminal(str(error))}", file=sys.stderr)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            print(
                "\nadvisor: interrupted; all that was obtained is stored, and the same command resumes", file=sys.stderr
            )
            raise typer.Exit(INTERRUPTED) from None


def pairs(values: Iterable[str], option: str) -> dict[str, str]:
    """Read ``input=question`` pairs.

    Raises:
        ConfigurationError: one is not written so.
    """
    found: dict[str, str] = {}
    for value in values:
        name, equals, column = value.partition("=")
        if not (equals and name.strip() and column.strip()):
            raise ConfigurationError(
                f"{option} {value!r} is not written name=column", hint=f"for example {option} input=question"
            )
        found[name.strip()] = column.strip()
    return found


def check_outputs(paths: Iterable[str]) -> None:
    """Refuse an output file whose format is unknown or whose folder cannot be written, before any work is done.

    Raises:
        ConfigurationError: says which and what is allowed.
    """
    from advisor import registry

    formats = [entry.name for entry in registry.names("reports") if not entry.problem]
    for path in paths:
        extension = Path(path).suffix.lower().removeprefix(".")
        if extension not in formats:
            allowed = ", ".join(f".{name}" for name in formats)
            raise ConfigurationError(
                f"--output {path!r} has no extension that names a report format; allowed: {allowed}",
                hint=f"--output {Path(path).stem or 'report'}.html",
            )
        folder = next((place for place in Path(path).absolute().parents if place.exists()), Path("/"))
        if Path(path).is_dir():
            raise ConfigurationError(
                f"--output {path!r} is a folder; a file is needed",
                hint=f"--output {Path(path) / f'report.{extension}'}",
            )
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise ConfigurationError(
                f"--output {path!r} cannot be written: {str(folder)!r} is no folder that you may write to",
                hint=f"into this folder: --output {Path(path).name}",
            )


def show(comparison: Any) -> None:
    """Print a comparison's report on the terminal."""
    from advisor import registry

    registry.load("reports", "advisor.reports.console:show")(comparison)


def as_json(comparison: Any) -> str:
    """Return a comparison as the JSON report."""
    from advisor import registry

    return str(registry.load("reports", "json")(comparison))


def save(comparison: Any, paths: Iterable[str], *, quiet: bool = False) -> None:
    """Write a comparison to every path and say so."""
    for path in paths:
        comparison.save(path)
        if not quiet:
            print(f"Wrote {path}", file=sys.stderr)


def write_new(path: Path, text: str, *, force: bool) -> None:
    """Write a scaffold's file; an existing one is kept unless `force`.

    Raises:
        ConfigurationError: it exists, or cannot be written.
    """
    if path.exists() and not force:
        raise ConfigurationError(f"{str(path)!r} exists already and is kept", hint="add --force to overwrite it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{str(path)!r} cannot be written: {error.strerror}") from error


def table(rows: Iterable[tuple[str, ...]]) -> str:
    """Align columns with spaces; the last one is as long as it likes."""
    cells = [tuple(row) for row in rows]
    if not cells:
        return ""
    widths = [max(len(row[at]) for row in cells) for at in range(len(cells[0]) - 1)] + [0]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)
