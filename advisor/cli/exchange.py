"""``advisor export run`` and ``advisor import``: a stored comparison as one file, for another machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli import common
from advisor.core.paths import expanded

if TYPE_CHECKING:
    from advisor.decision.comparison import Comparison


def export(
    run: Annotated[
        str | None,
        typer.Argument(help="Id of a stored comparison, or its beginning (advisor list runs). Default: the newest."),
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", envvar="ADVISOR_OUTPUT", help="The file. Default: the id, .zip.")
    ] = None,
) -> None:
    """Write a stored comparison with all its runs to one file. Nothing is run.

    [bold]advisor import FILE[/bold] reads it on another machine: reports can be made there, and the same command goes
    on from what the file holds.
    """
    from advisor.runs import archive
    from advisor.runs.store import Store

    with Store() as store:
        comparison = store.load_comparison(run)
    path = expanded(output or f"{comparison.id}.zip")
    archive.write(comparison, path)
    common.say_written(path)


def import_(
    file: Annotated[str, typer.Argument(help="What advisor export run wrote.")],
    evalset: Annotated[
        str | None,
        typer.Argument(help="What it was made on, to compute its scores again. Default: a shipped set of that name."),
    ] = None,
) -> None:
    """Take in a comparison from another machine. What is stored here already stays as it is.

    Its scores are computed again from its answers where the eval set is at hand, and it is refused where they are
    others. It stays marked as imported wherever it is shown or used.
    """
    from advisor.runs import archive
    from advisor.runs.imported import marked
    from advisor.runs.store import Store

    comparison = archive.read(expanded(file))
    said = _scores_computed(comparison, evalset)
    with Store() as store:
        store.take_in(marked(comparison))
    print(f"Took in {comparison.id}{said}. To see it, type: advisor report {comparison.id}", file=sys.stderr)


def _scores_computed(comparison: Comparison, evalset: str | None) -> str:
    """Compute the scores again where that can be done; return what became of it.

    Raises:
        AdvisorError: the set was named and is not that of the comparison, or the scores are others.
    """
    from advisor.core import metrics, registry
    from advisor.core.brought_code import BroughtCode
    from advisor.core.shipped import load_evalset
    from advisor.core.specs import Spec
    from advisor.core.types import Task
    from advisor.runs.imported import made_on, verify

    request = comparison.evidence.request
    if evalset is None and request.evalset not in {entry.name for entry in registry.names("evalsets")}:
        return "; its scores were not computed again, for want of the eval set (advisor import FILE EVALSET)"
    loaded = load_evalset(evalset or request.evalset, columns=request.columns, seed=request.seed)
    loaded = loaded.limited(train=request.train_limit, test=request.limit)
    if evalset is None and not made_on(comparison, loaded):
        return f"; its scores were not computed again, since {loaded.name} is another set here"
    built_in = Spec.parse(loaded.metric).target in registry.built_in_order("metrics")
    if isinstance(loaded.origin, BroughtCode) and not (built_in or loaded.origin.may_run):
        return "; its scores were not computed again, since its metric is code of the eval set: advisor compare does it"
    computed = verify(comparison, loaded, metrics.for_task(loaded.metric, Task.of(loaded), loaded.origin))
    return f"; its {computed:,} scores were computed again and are right"
