"""The command line: one file a verb. Nothing heavy is imported before a verb is chosen and its options are read."""

from __future__ import annotations

from typing import Annotated

import typer

from advisor._util.redaction import guard_tracebacks
from advisor.cli import ask, check, clean, compare, doctor, exchange, export, init, list, report, selftest, streams
from advisor.cli.common import Verbs
from advisor.core.docstrings import docstring_of

app = typer.Typer(
    name="advisor",
    cls=Verbs,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Should I fine-tune? Answered by evidence.

    Runs prompting, RAG, function calling and fine-tuning on one eval set and says which is worth its cost.""",
    epilog="""First time here? Type: advisor compare

    Exit codes: 0 ok · 1 run error · 2 usage or configuration · 3 incomplete, the same command resumes ·
    4 budget reached · 5 inconclusive (--require-decision) · 100 gate or self-test failed · 130 Ctrl-C ·
    141 nobody reads what is printed · 143 SIGTERM""",
)
app.command("compare")(compare.compare)
app.command("ask")(ask.ask)
app.command("check")(check.check)
app.command("report")(report.report)
app.command("list")(list.list_names)
app.command("import")(exchange.import_)
app.command("selftest")(selftest.selftest)
app.command("clean")(clean.clean)
app.command("doctor")(doctor.doctor)
app.add_typer(init.app, name="init")
export.app.command("run")(exchange.export)
app.add_typer(export.app, name="export")
for _group in (app, init.app, export.app):
    for _command in _group.registered_commands:
        _command.help = docstring_of(_command.callback)


def _version(asked: bool) -> None:
    if asked:
        from advisor import __version__

        typer.echo(f"tuneworthy {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; the console script ``advisor``."""
    streams.open_all()
    guard_tracebacks()
    app(prog_name="advisor")
