"""``advisor init``: working scaffolds of an eval set, a strategy and a comparison."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli import common
from advisor.core.errors import ConfigurationError
from advisor.core.paths import expanded

if TYPE_CHECKING:
    from advisor.core.types import EvalSet

app = typer.Typer(no_args_is_help=True, help="Write a scaffold that runs as it is: evalset, strategy or comparison.")

Force = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]

STRATEGY = '''"""A strategy of your own: any class with a name, fit and predict."""

import numpy as np

from advisor import query_text


class {name}:
    name = "{label}"

    def __init__(self, k=3):  # asked for as {file}:{name}(k=5); keep every parameter under its own name
        self.k = k

    def fit(self, train, ctx):  # train: examples with .input and .target; ctx: seed, model, task, dev, metric, embed
        self.embed, self.targets = ctx.embed, [example.target for example in train]
        self.rows = ctx.embed([query_text(example.input) for example in train])

    def predict(self, inputs):  # one answer an input, in order
        nearest = np.argsort(-self.embed([query_text(asked) for asked in inputs]) @ self.rows.T, axis=1, kind="stable")
        votes = [[self.targets[at] for at in row[: self.k]] for row in nearest]
        return [max(vote, key=vote.count) for vote in votes]
'''

COMPARISON = """# One comparison; a key is the flag of the same name. Run it: advisor compare --config {file}
evalset: {evalset}          # a shipped name (advisor list evalsets), a folder or a file
model: smollm2              # or hf:org/name, a folder, openai:NAME, http://host/v1#NAME
# Everything below is as it would be without the line; take the "# " away to change it.
# strategies: [few_shot, optimised_prompt, rag, fine_tuning]   # left out: all that apply
# columns: {{input: question, target: answer}}   # for a CSV or JSONL file
# limit: 100                # at most so many test examples; left out: all
# train_limit: 300
# seeds: 2                  # trainings a strategy; 3 tell how much luck there is
# checks: quick             # what is looked at beside the scores before a yes: none, quick or full
# docs: handbook            # documents to look up: a folder of .md, .txt, .html and .pdf files, or a .jsonl
# suite: questions.jsonl    # general questions that a tuned model must still answer; left out: the shipped ones
# learning_curve: false     # also run on parts of the training examples, and say what more would bring
# budget_usd: 5             # stop before spending more at an endpoint
# output: [report.html, results.json]
economics:
  # requests_per_month: 5000          # or a 90 % range: [1000, 10000]
  # usd_per_correct_answer: 0.05      # what one more correct answer is worth; decides how much quality may cost
  # usd_per_label: 0.5                # what one labelled training example costs
  # engineering_hours: 20             # work to tune and put into service; usd_per_engineering_hour: 100
  # horizon_months: 12
  # margin: 0.02                      # a difference of 2 points is worth talking about
  # prices:                           # what the model charges, USD; left out: the shipped table, or this machine's hour
  #   usd_per_1m_input_tokens: 0.15
  #   usd_per_1m_output_tokens: 0.6
  # tuned_prices:                     # the same of the tuned model
  #   usd_per_1m_input_tokens: 0.3
  #   usd_per_1m_output_tokens: 1.2
  #   usd_per_1m_training_tokens: 3
  #   hosting_usd_per_month: 0
"""


@app.command("evalset")
def evalset(
    folder: Annotated[Path, typer.Argument(help="The folder to write.")],
    source: Annotated[
        str | None, typer.Option("--from", help="Take the examples from this CSV, JSONL or Parquet file.")
    ] = None,
    column: Annotated[list[str] | None, typer.Option(help="Which column is what, e.g. input=question; repeat.")] = None,
    split: Annotated[
        str | None,
        typer.Option(help="How the file is split: content (default), stratified (by label too) or time=COLUMN."),
    ] = None,
    force: Force = False,
) -> None:
    """Write an eval-set folder: a small example to edit, or your own file split into train, dev and test."""
    from advisor.core import shipped

    folder = expanded(folder)
    if (column or split) and not source:
        raise ConfigurationError(
            f"--{'column' if column else 'split'} is about a file, and no file is given", hint="add --from FILE"
        )
    if source:
        loaded = _loaded(source, column or (), split)
    else:
        from advisor.testing.toy_task import toy_evalset

        loaded = toy_evalset()
    loaded = replace(loaded, name=_identifier(folder.resolve().name, "-"))
    shipped.fill_folder(loaded, folder, overwrite=force)
    sizes = {split: len(getattr(loaded, split)) for split in ("train", "dev", "test")}
    counts = ", ".join(f"{size} {split}" for split, size in sizes.items() if size)
    typer.echo(
        f"Wrote {folder} ({counts} examples). Edit instruction and metric in {folder / 'evalset.yaml'}, then type:"
    )
    typer.echo(f"  advisor check {common.quoted(folder)}")
    typer.echo(f"  advisor compare {common.quoted(folder)}")


@app.command("strategy")
def strategy(
    file: Annotated[Path, typer.Argument(help="The Python file to write, e.g. nearest.py.")], force: Force = False
) -> None:
    """Write a strategy of your own that works as it is: the most frequent answer of the k nearest examples."""
    if file.suffix != ".py":
        raise ConfigurationError(f"{str(file)!r} is no Python file", hint=f"advisor init strategy {file}.py")
    label = _identifier(file.stem, "_")
    name = "".join(part.capitalize() for part in label.split("_"))
    common.write_new(file, STRATEGY.format(name=name, label=label, file=file.name), force=force)
    typer.echo(f"Wrote {file}. Run it beside the built-ins:")
    typer.echo(
        f"  advisor compare --strategy {common.quoted(file)}:{name} --strategy majority --strategy few_shot --limit 60"
    )


@app.command("comparison")
def comparison(
    file: Annotated[Path, typer.Argument(help="The YAML file to write, e.g. comparison.yaml.")],
    evalset: Annotated[str, typer.Option(help="The eval set it compares on.")] = "harrow_desk",
    force: Force = False,
) -> None:
    """Write a comparison as YAML, with every key explained."""
    if file.suffix not in (".yaml", ".yml"):
        raise ConfigurationError(f"{str(file)!r} is no YAML file", hint=f"advisor init comparison {file}.yaml")
    quoted = json.dumps(evalset) if not re.fullmatch(r"[\w./-]+", evalset) else evalset
    common.write_new(file, COMPARISON.format(file=file.name, evalset=quoted), force=force)
    typer.echo(f"Wrote {file}. Then type:")
    typer.echo(f"  advisor compare --config {common.quoted(file)}")


def _loaded(source: str, column: Iterable[str], split: str | None) -> EvalSet:
    from advisor.core.shipped import load_evalset, split_file

    columns = common.pairs(column, "--column") or None
    if split is None:
        return load_evalset(source, columns=columns)
    return split_file(source, split, columns=columns)


def _identifier(text: str, joint: str) -> str:
    words = re.findall(r"[A-Za-z0-9]+", text) or ["mine"]
    joined = joint.join(word.lower() for word in words)
    return joined if not joined[0].isdigit() else f"my{joint}{joined}"
