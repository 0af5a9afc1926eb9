"""``advisor list``: what can be asked for by name. Lists without importing anything."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from typing import Annotated, Any

import typer

from advisor._util.tables import text_table

MODEL_FORMS = {
    "smollm2": "The embedded model: runs on this machine, with no account and no key.",
    "hf:org/name": "A chat model of Hugging Face, run on this machine.",
    "path/to/folder": "Weights in a folder, in transformers' format.",
    "openai:NAME": "A model of OpenAI; needs OPENAI_API_KEY.",
    "http://host/v1#NAME": "A model of any OpenAI-compatible server.",
    "scripted:answers.py:answer": "A function or a table of your own that answers; for tests.",
    "mine.py:Mine": "A model class of your own.",
}
"""What may stand after ``--model``, beside the names that plug-ins add; `advisor.models.opening` reads them."""


class What(StrEnum):
    """What can be listed."""

    strategies = "strategies"
    models = "models"
    metrics = "metrics"
    evalsets = "evalsets"
    readers = "readers"
    reports = "reports"
    runs = "runs"


def list_names(
    what: Annotated[What | None, typer.Argument(help="Default: all of them, without the runs.")] = None,
    as_json: Annotated[bool, typer.Option("--json", envvar="ADVISOR_JSON", help="Print JSON.")] = False,
) -> None:
    """List strategies, models, metrics, eval sets, readers and report formats, or the stored comparisons (runs).

    Your own need no registering: [bold]--strategy my.py:Mine[/bold].
    """
    kinds = [what] if what else [kind for kind in What if kind is not What.runs]
    found = {kind.value: _runs() if kind is What.runs else _entries(kind.value) for kind in kinds}
    if as_json:
        typer.echo(json.dumps(found[what.value] if what else found, indent=2))
        return
    for kind, rows in found.items():
        if len(found) > 1:
            typer.echo(f"{kind}:")
        indent = 2 if len(found) > 1 else 0
        shown = text_table([list(row.values()) for row in _readable(kind, rows)], indent=indent)
        typer.echo(shown or " " * indent + "(none)")


def _entries(kind: str) -> list[dict[str, Any]]:
    from advisor.core import registry

    forms = MODEL_FORMS if kind == "models" else {}
    rows = [{"name": form, "description": text, "target": ""} for form, text in forms.items()]
    for entry in registry.names(kind):
        if entry.problem:
            print(
                f"advisor: {kind} {entry.name!r} of {entry.distribution} is left out: {entry.problem}", file=sys.stderr
            )
            continue
        source = "" if entry.distribution == registry.OURS else f"from {entry.distribution}"
        rows.append({"name": entry.name, "description": entry.summary or source, "target": entry.target})
    return rows


def _readable(kind: str, rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    hidden = () if kind == "runs" else ("target",)
    return [{key: str(value) for key, value in row.items() if key not in hidden} for row in rows]


def _runs() -> list[dict[str, Any]]:
    from advisor.runs.store import Store

    with Store() as store:
        imported = store.imported()
        return [
            {
                **dict(zip(("id", "created", "evalset", "model", "answer"), row, strict=True)),
                "unanswered": _unanswered(store.unanswered(store.members(row[0]))),
                "imported": "imported" if row[0] in imported else "",
            }
            for row in store.comparisons()
        ]


def _unanswered(calls: int) -> str:
    return f"{calls} calls without an answer" if calls else ""
