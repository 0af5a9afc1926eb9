"""``advisor export``: an eval set as a fine-tuning file for other tools, and a check of such files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from advisor.cli import common
from advisor.core.errors import ConfigurationError
from advisor.core.paths import expanded

app = typer.Typer(
    no_args_is_help=True, help="Write an eval set for other tools, or a stored comparison for another machine."
)


@app.command("evalset")
def evalset(
    source: Annotated[str, typer.Argument(help="A shipped or public name, a folder or a file.")],
    kind: Annotated[
        str, typer.Option("--format", "-f", help="openai, together, fireworks, trl, trl-prompt or trl-text.")
    ] = "openai",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; without it, it is printed.")
    ] = None,
    split: Annotated[str, typer.Option(help="train, dev or test.")] = "train",
    column: Annotated[list[str] | None, typer.Option(help="Which column is what, e.g. input=question; repeat.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; check the JSONL file SOURCE against the format.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
) -> None:
    """Write one split as a fine-tuning file: chat JSONL for OpenAI, Together and Fireworks, or TRL's forms.

    Every row is checked before anything is written.
    """
    from advisor.core.shipped import load_evalset, tuning_file, validate_tuning_file

    if check:
        count = validate_tuning_file(expanded(source), kind)
        typer.echo(f"{source}: {count:,} rows are fine for {kind}")
        return
    if split not in ("train", "dev", "test"):
        raise ConfigurationError(f"--split is {split!r}; allowed: train, dev, test")
    loaded = load_evalset(source, columns=common.pairs(column or (), "--column") or None)
    text = tuning_file(loaded, split, kind)
    if output is None:
        typer.echo(text, nl=False)
        return
    common.write_new(output, text, force=force)
    common.say_written(output)
