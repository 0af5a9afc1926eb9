"""What all verbs share: errors as one sentence, checked output files, and reading ``name=value`` pairs."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from advisor._util import interrupts
from advisor._util.files import write_whole, written_through
from advisor._util.redaction import for_terminal
from advisor.cli import streams
from advisor.core.errors import AdvisorError, ConfigurationError
from advisor.core.paths import expanded

INTERRUPTED, TERMINATED, PIPE_CLOSED, INCONCLUSIVE, GATE_FAILED = 130, 143, 141, 5, 100


class Verbs(TyperGroup):
    """Turns expected errors and interruptions into one sentence on stderr and their exit code."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run the command line; where nobody reads what it prints, end quietly."""
        try:
            try:
                return super().main(*arguments, **options)
            finally:
                sys.stdout.flush()
        except (BrokenPipeError, interrupts.PipeClosed):
            code = PIPE_CLOSED
        except OSError as error:
            _complain(_of_the_system(error))
            code = AdvisorError.exit_code
        except SystemExit as error:  # rich and click make this of a broken pipe
            if not isinstance(error.__context__, BrokenPipeError):
                raise
            code = PIPE_CLOSED
        streams.silence()
        sys.exit(code)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Remember what was typed."""
        ctx.meta["typed"] = shlex.join([ctx.info_name or "advisor", *args])
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        with interrupts.watched(lambda: _say_how_to_go_on(ctx)):
            try:
                return super().invoke(ctx)
            except (AdvisorError, OSError) as error:
                if os.environ.get("ADVISOR_DEBUG") or isinstance(error, BrokenPipeError):
                    raise
                code = error.exit_code if isinstance(error, AdvisorError) else AdvisorError.exit_code
                said = str(error) if isinstance(error, AdvisorError) else _of_the_system(error)
                _complain(said)
                raise typer.Exit(code) from None
            except KeyboardInterrupt:
                code = interrupts.end()
                _say_how_to_go_on(ctx)
                raise typer.Exit(code) from None


def _say_how_to_go_on(ctx: Any) -> None:
    _complain(f"interrupted; all that was obtained is stored. To go on, type:\n  {ctx.meta['typed']}", "\n")


def _of_the_system(error: OSError) -> str:
    where = f" at {error.filename!r}" if error.filename else ""
    return (
        f"the system reports {error.strerror or error!r}{where}\n  what was stored before is unharmed; correct that "
        "(disk space, permissions), then run the same command again"
    )


def _complain(text: str, before: str = "") -> None:
    """Print to stderr; where nobody reads it, that is all right."""
    with contextlib.suppress(OSError, ValueError):
        print(f"{before}advisor: {for_terminal(text)}", file=sys.stderr, flush=True)


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


def validate_outputs(paths: Iterable[str], formats: Sequence[str] = ()) -> None:
    """Refuse an output file whose format is unknown or whose folder cannot be written, before any work is done.

    Args:
        paths: the files.
        formats: the extensions that are allowed; those of a comparison's reports where it is left out.

    Raises:
        ConfigurationError: says which and what is allowed.
    """
    from advisor.core import registry

    formats = formats or [entry.name for entry in registry.names("reports") if not entry.problem]
    for path in map(str, map(expanded, paths)):
        extension = Path(path).suffix.lower().removeprefix(".")
        if extension not in formats:
            allowed = ", ".join(f".{name}" for name in formats)
            raise ConfigurationError(
                f"--output {path!r} has no extension that names a report format; allowed: {allowed}",
                hint=f"--output {Path(path).stem or 'report'}.html",
            )
        if written_through(Path(path)):
            continue
        folder = next((place for place in Path(os.path.realpath(path)).parents if place.exists()), Path("/"))
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
    from advisor.core.shipped import show_comparison

    show_comparison(comparison)


def print_json(comparison: Any) -> None:
    """Print a comparison as the JSON report, piece by piece."""
    from advisor.core.shipped import comparison_json

    for piece in comparison_json(comparison):
        typer.echo(piece, nl=False)
    typer.echo()


@contextlib.contextmanager
def saving(save: Callable[[str], object], paths: Sequence[str], *, quiet: bool = False) -> Iterator[None]:
    """In the end, write every file and say so: also where nobody reads what is printed, or another cannot be written.

    Args:
        save: writes to a path.
        paths: the files.
        quiet: say nothing.
    """
    with contextlib.ExitStack() as files:
        for path in reversed(paths):
            files.callback(_save, save, path, quiet)
        yield


def _save(save: Callable[[str], object], path: str, quiet: bool) -> None:
    save(path)
    if not quiet:
        say_written(path)


def say_written(path: str | Path) -> None:
    """Say that a file was written."""
    print(f"Wrote {path}", file=sys.stderr)


def quoted(path: Path | str) -> str:
    """Return a path as it is typed in a shell."""
    return shlex.quote(str(path))


def write_new(path: Path, text: str, *, force: bool) -> None:
    """Write one file whole, or not at all; an existing one is kept unless `force`.

    Raises:
        BrokenPipeError: nobody reads the pipe that it is written to.
        ConfigurationError: it exists, or cannot be written.
    """
    path = expanded(path)
    if path.exists() and not force and not written_through(path):
        raise ConfigurationError(f"{str(path)!r} exists already and is kept", hint="add --force to overwrite it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode())
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ConfigurationError(f"{str(path)!r} cannot be written: {error.strerror}") from error
