"""The one door to `advisor.strategies`, `advisor.evalsets` and `advisor.reports`: a typed function for each use.

Installed, the three are sub-packages of `advisor`. In a bare checkout they are the folders beside it; those are loaded
under the same names, so that there is only ever one import name and a user's own ``strategies.py`` is never in the way.
What a user asks for by name (a strategy, a reader, a report format) goes through `advisor.core.registry`.

The core may not know what stands above it: of a comparison, a plan or an advice it knows a part, enough to tell them
apart (`ShownComparison`, `ShownPlan`, `ShownAdvice`, `ShownSkill`).
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from advisor.core.data_check import DataChange, DataCheckSettings, DataFindings, DataReport
from advisor.core.errors import AdvisorError, RegistryError
from advisor.core.paths import expanded
from advisor.core.progress import Progress, silent
from advisor.core.types import Embed, EvalSet, Example, Run

if TYPE_CHECKING:
    import numpy as np

FOLDERS = ("strategies", "evalsets", "reports")


# --- eval sets -------------------------------------------------------------------------------------------------------


def load_evalset(source: Any, *, columns: Mapping[str, str] | None = None, seed: int = 0, docs: str = "") -> EvalSet:
    """Load an eval set.

    Args:
        source: a shipped or installed name (``harrow_desk``), a folder with an ``evalset.yaml``, one ``.jsonl``,
            ``.csv``, ``.tsv`` or ``.parquet`` file, ``path/to/file.py:function``, or a pandas frame. A name wins over
            a folder of the same name; write ``./name`` for the folder.
        columns: for one file or a frame, what it calls our fields: ``{"input": "question", "target": "answer"}``.
        seed: decides which rows go where, wherever a split has to be made.
        docs: a folder of ``.md``, ``.txt``, ``.html`` and ``.pdf`` files, or a ``.jsonl``, in place of the set's own
            documents.

    Raises:
        EvalSetError: it does not exist or is malformed; names file, line and field.
    """
    framed = type(source).__module__.partition(".")[0] == "pandas"
    load = _neighbour("evalsets.loading").load_frame if framed else _neighbour("evalsets.loading").load
    loaded: EvalSet = load(source, columns=columns, seed=seed, docs=docs)
    return loaded


def split_file(source: str, rule: str, *, columns: Mapping[str, str] | None = None) -> EvalSet:
    """Load one file and split it by a rule: ``stratified``, ``time=FIELD`` or ``content``; see `load_evalset`."""
    loaded: EvalSet = _neighbour("evalsets.loading").load_split(source, rule, columns=columns)
    return loaded


def save_evalset(evalset: EvalSet, folder: str | os.PathLike[str]) -> Path:
    """Write an eval set as a new folder in the format of docs/evalset-format.md, and return the folder.

    Tools are code and are not written: put your ``tools.py`` beside it and name it in ``evalset.yaml``.

    Raises:
        ConfigurationError: the folder exists already.
        StoreError: it cannot be written.
    """
    written: Path = _neighbour("evalsets.writing").write_folder(evalset, expanded(folder))
    return written


def fill_folder(evalset: EvalSet, folder: Path, *, overwrite: bool) -> Path:
    """Write an eval set as `save_evalset` does, also into a folder that is there.

    Raises:
        ConfigurationError: a file of it is there, and may not be overwritten.
        StoreError: it cannot be written.
    """
    written: Path = _neighbour("evalsets.writing").fill_folder(evalset, folder, overwrite=overwrite)
    return written


def tuning_file(evalset: EvalSet, split: str, form: str) -> str:
    """Return one split as a fine-tuning file in one of the forms of docs/public-data.md.

    Raises:
        ConfigurationError: there is no such form.
        EvalSetError: the split is empty, too small for the provider, or a row would be refused.
    """
    text: str = _neighbour("evalsets.exporting").export(evalset, split, form)
    return text


def validate_tuning_file(path: Path, form: str) -> int:
    """Hold a fine-tuning file against its form and return its number of rows.

    Raises:
        ConfigurationError: there is no such form.
        EvalSetError: names file, line and what is wrong.
    """
    rows: int = _neighbour("evalsets.exporting").validate(path, form)
    return rows


def load_suite(source: str) -> tuple[Example, ...]:
    """Load a suite of general questions: the shipped ``general``, or a JSONL file of the user's own.

    Raises:
        EvalSetError: there is no such file, or a row is malformed; names file, line and field.
    """
    items: tuple[Example, ...] = _neighbour("evalsets.suites").load(source)
    return items


def score_suite_answer(example: Example, answer: str) -> float:
    """Return 1.0 if `answer` is right for this item of a suite, else 0.0."""
    right: float = _neighbour("evalsets.suites").score(example, answer)
    return right


# --- the data of an eval set -----------------------------------------------------------------------------------------


def check_data(
    source: str,
    *,
    columns: Mapping[str, str] | None = None,
    embed: Embed | None = None,
    settings: DataCheckSettings | None = None,
    progress: Progress = silent,
) -> DataReport:
    """Look at an eval set with every data check, as ``advisor check`` does; nothing is changed.

    Args:
        source: a name, a folder or a file; see `load_evalset`.
        columns: see `load_evalset`.
        embed: texts to vectors of unit length; `None` leaves out what needs them.
        settings: see `DataCheckSettings`.
        progress: where to say how far it is.

    Raises:
        EvalSetError: it does not exist, or is malformed as a whole.
    """
    report: DataReport = _neighbour("evalsets.data_checks").check_data(
        source, columns=columns, embed=embed, settings=settings or DataCheckSettings(), progress=progress
    )
    return report


def fix_data(
    source: str,
    target: Path,
    *,
    columns: Mapping[str, str] | None = None,
    embed: Embed | None = None,
    settings: DataCheckSettings | None = None,
    progress: Progress = silent,
) -> tuple[DataChange, ...]:
    """Write a cleaned copy of an eval set into the new folder `target`; return what was changed.

    For the other arguments see `check_data`.

    Raises:
        ConfigurationError: `target` exists already.
        EvalSetError: nothing would be left of train or test, or the set's tools are code without a file.
        StoreError: it cannot be written; nothing is left behind.
    """
    changes: tuple[DataChange, ...] = _neighbour("evalsets.fixing").fix_data(
        source, target, columns=columns, embed=embed, settings=settings or DataCheckSettings(), progress=progress
    )
    return changes


def look_at_data(evalset: EvalSet, embed: Embed, rng: np.random.Generator, progress: Progress = silent) -> DataFindings:
    """Look for leaks, conflicts and wrong labels before a verdict rests on the examples; see `DataFindings`."""
    found: DataFindings = _neighbour("evalsets.quality").look_at_data(evalset, embed, rng, progress)
    return found


# --- reports ---------------------------------------------------------------------------------------------------------


class ShownComparison(Protocol):
    """What the core knows of an `advisor.Comparison`."""

    @property
    def id(self) -> str:
        """The id under which it is stored."""

    @property
    def evalset(self) -> str:
        """The name of the eval set."""

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs it was made from."""


class ShownPlan(Protocol):
    """What the core knows of a `Plan` of ``advisor compare --dry-run``."""

    @property
    def n_test(self) -> int:
        """How many test examples would be asked."""

    @property
    def usd(self) -> float | None:
        """What all would cost; `None` if a part is unknown."""


class ShownAdvice(Protocol):
    """What the core knows of the `Advice` of ``advisor ask``."""

    @property
    def disclaimer(self) -> str:
        """Says that nothing was run."""

    @property
    def because(self) -> str:
        """What decides it."""


class ShownSkill(Protocol):
    """What the core knows of a `ForecastSkill`."""

    @property
    def arm(self) -> str:
        """Which way of forecasting was measured."""


def show_comparison(comparison: ShownComparison) -> None:
    """Print a `Comparison` on the terminal."""
    _neighbour("reports.console").show(comparison)


def comparison_json(comparison: ShownComparison) -> Iterator[str]:
    """Return a `Comparison` as the JSON report, in pieces."""
    pieces: Iterator[str] = _neighbour("reports.machine").render_json(comparison)
    return pieces


def save_comparison(comparison: ShownComparison, path: str | os.PathLike[str]) -> Path:
    """Write a `Comparison` in the format that the extension names, and return the path.

    Raises:
        ConfigurationError: there is no report format of that name.
        StoreError: the file cannot be written.
    """
    written: Path = _neighbour("reports.writing").save(comparison, path)
    return written


def plan_text(plan: ShownPlan) -> str:
    """Return a `Plan` as it is printed by ``advisor compare --dry-run``."""
    text: str = _neighbour("reports.plan").as_text(plan)
    return text


def show_advice(advice: ShownAdvice) -> None:
    """Print the `Advice` of ``advisor ask`` on the terminal."""
    _neighbour("reports.advice").show(advice)


def advice_json(advice: ShownAdvice) -> str:
    """Return the `Advice` of ``advisor ask`` as JSON."""
    text: str = _neighbour("reports.machine").render_advice(advice)
    return text


def show_calibration(measured: Sequence[ShownSkill]) -> None:
    """Print the measured `Calibration` of each arm on the terminal."""
    _neighbour("reports.advice").show_calibration(tuple(measured))


def show_data_report(report: DataReport, *, short: bool = False) -> None:
    """Print a data report on the terminal; `short` leaves out what is ok."""
    _neighbour("reports.data_report").show(report, short=short)


def data_report_json(report: DataReport) -> str:
    """Return a data report as JSON."""
    text: str = _neighbour("reports.data_report").as_json(report)
    return text


def save_data_report(report: DataReport, path: str) -> None:
    """Write a data report as ``.html`` or ``.json``.

    Raises:
        StoreError: the file cannot be written.
    """
    _neighbour("reports.data_report").save(report, path)


# --- finding them ----------------------------------------------------------------------------------------------------


def _neighbour(module: str) -> Any:
    return imported(f"advisor.{module}", f"the module {module!r}")


def imported(name: str, what: str) -> ModuleType:
    """Import a module by its full name, also one of the three folders.

    Raises:
        RegistryError: `what` cannot be imported.
    """
    try:
        if name.startswith("advisor.") and (folder := name.split(".")[1]) in FOLDERS:
            shipped(folder)
        return importlib.import_module(name)
    except AdvisorError:
        raise
    except Exception as error:
        raise RegistryError(
            f"{what} cannot be imported: {type(error).__name__}: {error}",
            hint=f'to see where: python -c "import {name}"',
        ) from error


def shipped(folder: str) -> ModuleType:
    """Return the package `advisor.<folder>`, loading it from the checkout where it is not installed.

    Raises:
        RegistryError: the folder is missing.
    """
    name = f"advisor.{folder}"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name != name:
            raise
    init = Path(__file__).parents[2] / folder / "__init__.py"
    spec = importlib.util.spec_from_file_location(name, init, submodule_search_locations=[str(init.parent)])
    if spec is None or spec.loader is None or not init.exists():
        raise RegistryError(
            f"the installation is incomplete: the folder {folder!r} that belongs beside the package is missing",
            hint="in the checkout: python -m pip install --force-reinstall --no-deps .",
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    setattr(sys.modules["advisor"], folder, module)
    return module
