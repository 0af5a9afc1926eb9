"""One registry for everything that can be added: strategies, models, metrics, eval sets, readers and report formats.

What can be asked for by a string, in this order::

    few_shot                          a built-in, or an entry point in group `advisor.strategies`
    few_shot(k=8, pick="nearest")     the same with constructor parameters, written as JSON
    path/to/nearest.py:Nearest        a class in a file
    package.module:Class              a class in an installed package

The last two run code, so it matters who says the name (`Origin`): the user, by typing it, may name anything; data may
name what is installed under a name, and an eval set a class in a file of its own, once that was agreed to. Where `load`
is not told, the name is taken to come from data.

Built-ins are lazy strings in the packages beside the core, so that listing imports nothing.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from advisor.core.brought_code import BroughtCode, Origin
from advisor.core.errors import AdvisorError, ConfigurationError, RegistryError, did_you_mean
from advisor.core.fingerprints import constructor_parameters
from advisor.core.paths import expanded
from advisor.core.shipped import imported, shipped
from advisor.core.source_modules import run_source
from advisor.core.specs import Spec

KINDS = ("strategies", "models", "metrics", "evalsets", "readers", "reports")
OURS = "tuneworthy"

CORE: dict[str, dict[str, str]] = {
    "metrics": {
        "exact_match": "advisor.core.metrics:ExactMatch",
        "token_f1": "advisor.core.metrics:TokenF1",
        "numeric_match": "advisor.core.metrics:NumericMatch",
        "label_accuracy": "advisor.core.metrics:LabelAccuracy",
        "json_field_f1": "advisor.core.metrics:JSONFields",
        "tool_call_match": "advisor.core.metrics:ToolCalls",
        "contains": "advisor.core.metrics:Contains",
        "chrf": "advisor.core.metrics:ChrF",
    },
    "models": {},
}
_HOMES = {"strategies": "strategies", "evalsets": "evalsets", "readers": "evalsets", "reports": "reports"}
_REQUIRED = {
    "strategies": ("name", "fit", "predict"),
    "models": ("name", "fingerprint", "generate"),
    "metrics": ("name", "score"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that can be asked for by name; `problem` says why it cannot be, where it cannot."""

    kind: str
    name: str
    target: str
    distribution: str
    problem: str = ""

    @property
    def summary(self) -> str:
        """What a built-in is: as its home says, or by its docstring, read without importing; empty for plug-ins."""
        told = getattr(shipped(_HOMES.get(self.kind, "evalsets")), "SUMMARIES", {}).get(self.kind, _no_summary)
        return (told(self.name) or _first_doc_line(self.target)) if self.distribution == OURS else ""


def names(kind: str) -> list[Entry]:
    """List all that can be asked for by name, sorted; nothing is imported.

    A plug-in whose module is missing, or whose name is taken, is listed with its `problem`.
    """
    found: dict[str, list[Entry]] = {}
    for entry in (*_built_ins(kind), *_plugins(kind)):
        found.setdefault(entry.name, []).append(entry)
    return [_one_of(entries) for _, entries in sorted(found.items())]


def built_in_order(kind: str) -> list[str]:
    """Return the built-in names in the order in which they are written: the cheapest first."""
    return [entry.name for entry in _built_ins(kind)]


def load(kind: str, name: str, *, origin: Origin = "data") -> Any:
    """Return the class or callable behind `name`: a registered name, ``file.py:Class`` or ``package.module:Class``.

    Args:
        kind: one of `KINDS`.
        name: without parameters.
        origin: who says it; what is not registered is looked for only where that one may name it.

    Raises:
        RegistryError: unknown (with the nearest name and the list), broken, claimed by two distributions, or not to be
            named by `origin`.
        EvalSetError: it is in a set's own code, and nobody agreed to run that.
    """
    entries = {entry.name: entry for entry in names(kind)}
    if name in entries:
        return _load_entry(entries[name])
    place, colon, attribute = name.rpartition(":")
    if isinstance(origin, BroughtCode) and colon and place.endswith(".py"):
        return _own_class(origin.module(Path(place)), attribute, name)
    if leads_to_code(name) and origin != "user":
        raise named_by_data(kind, name)
    if colon and place.endswith(".py"):
        return _attribute(_module_from_file(expanded(place), kind), attribute, name)
    if name.endswith(".py"):
        raise _names_no_class(Path(name))
    if leads_to_code(name):
        return _attribute(imported(place, f"{kind} {name!r}"), attribute, name)
    working = [entry.name for entry in entries.values() if not entry.problem]
    raise RegistryError(
        f"there is no {_singular(kind)} {name!r}; {did_you_mean(name, working)}",
        hint=f"your own: path/to/file.py:Class or package.module:Class; all names: advisor list {kind}",
    )


def is_registered(kind: str, spec: str) -> bool:
    """Whether `spec` asks for a built-in or an installed plug-in, with or without parameters."""
    return Spec.parse(spec).target in (entry.name for entry in names(kind))


def leads_to_code(name: str) -> bool:
    """Whether a name that is not registered stands for a Python file or module."""
    place, colon, _ = name.rpartition(":")
    return name.endswith(".py") or bool(colon and (place.endswith(".py") or re.fullmatch(r"\w+(\.\w+)*", place)))


def named_by_data(kind: str, name: str) -> RegistryError:
    """Return the error for a name that leads to code and was said by data."""
    working = [entry.name for entry in names(kind) if not entry.problem]
    return RegistryError(
        f"{_singular(kind)} {name!r} is named by data, and would run code from outside it; allowed are "
        f"{', '.join(working)}, and in an eval set a class in a file of its own folder",
        hint=f"your own code: put the file into the set, or install it under a name; all names: advisor list {kind}",
    )


def make(kind: str, spec: str, *, origin: Origin = "data", **extra: Any) -> Any:
    """Build what `spec` asks for, e.g. ``few_shot(k=8)``; `extra` keywords are passed to the constructor as well.

    That a class has the methods of its kind and takes the parameters is checked before anything is built.

    Raises:
        RegistryError: see `load`; also if the class or the result lacks what its kind must have.
        ConfigurationError: the specification cannot be read, or the constructor refuses its parameters.
    """
    parsed = Spec.parse(spec)
    target, needed = load(kind, parsed.target, origin=origin), _REQUIRED.get(kind, ())
    if inspect.isclass(target):
        _refuse_lacking(target, kind, spec, [name for name in needed if name not in ("name", "fingerprint")])
    built = construct(target, {**parsed.params, **extra}, spec)
    _refuse_lacking(built, kind, spec, needed)
    if "name" in needed and not (isinstance(built.name, str) and built.name.strip()):
        raise RegistryError(f"{spec!r}: its name is {built.name!r}; a text is needed", hint='name = "mine"')
    return built


def _refuse_lacking(thing: Any, kind: str, spec: str, needed: Sequence[str]) -> None:
    if missing := [name for name in needed if not hasattr(thing, name)]:
        raise RegistryError(
            f"{spec!r} is not a {_singular(kind)}: it has no {' and no '.join(missing)}; "
            f"needed are {', '.join(_REQUIRED[kind])}",
            hint="see docs/custom-strategies.md" if kind == "strategies" else "",
        )


def construct(target: Any, params: dict[str, Any], spec: str) -> Any:
    """Call a constructor; an unknown or refused parameter is a `ConfigurationError` that lists the parameters."""
    if not callable(target):
        raise RegistryError(
            f"{spec!r} is a {type(target).__name__} and cannot be called; a class or a function is needed"
        )
    allowed, takes_any = constructor_parameters(target)
    unknown = [] if takes_any else [name for name in params if name not in allowed]
    if unknown:
        raise ConfigurationError(f"{spec!r} has no parameter {unknown[0]!r}; {did_you_mean(unknown[0], allowed)}")
    try:
        return target(**params)
    except AdvisorError:
        raise
    except Exception as error:
        what = str(error) if isinstance(error, TypeError | ValueError) else f"{type(error).__name__}: {error}"
        listed = ", ".join(allowed) or "(none)"
        raise ConfigurationError(f"{spec!r} cannot be built: {what}; its parameters are: {listed}") from error


# --- finding ---------------------------------------------------------------------------------------------------------


def _built_ins(kind: str) -> list[Entry]:
    if kind not in KINDS:
        raise RegistryError(f"there is no kind {kind!r} of plug-in; {did_you_mean(kind, KINDS)}")
    table = dict(CORE.get(kind, {}))
    if folder := _HOMES.get(kind):
        table.update(shipped(folder).BUILT_INS.get(kind, {}))
    return [Entry(kind, name, target, OURS) for name, target in table.items()]


def _plugins(kind: str) -> list[Entry]:
    found = {_entry(kind, point) for point in entry_points(group=f"advisor.{kind}")}
    return sorted(found, key=lambda entry: (entry.name, entry.distribution))


def _entry(kind: str, point: EntryPoint) -> Entry:
    distribution = point.dist.name if point.dist else "(unknown distribution)"
    return Entry(kind, point.name, point.value, distribution, _why_broken(point))


def _why_broken(point: EntryPoint) -> str:
    """Say what is wrong with an entry point as far as that shows without importing it."""
    try:
        module, attribute = point.module, point.attr
    except (AttributeError, ValueError):
        module, attribute = "", ""
    if not module or not attribute:
        return f"its entry point {point.value!r} is not written as package.module:Class"
    top = module.partition(".")[0]
    try:
        found = top in sys.modules or importlib.util.find_spec(top) is not None
    except (ImportError, ValueError):
        found = False
    return "" if found else f"its module {top!r} is not installed"


def _one_of(entries: list[Entry]) -> Entry:
    if len(entries) == 1:
        return entries[0]
    owners = sorted({entry.distribution for entry in entries})
    both = " and ".join(repr(owner) for owner in owners) if len(owners) > 1 else f"{owners[0]!r} twice"
    first = entries[0]
    return Entry(first.kind, first.name, first.target, ", ".join(owners), f"the name is claimed by {both}")


def _load_entry(entry: Entry) -> Any:
    what = f"{_singular(entry.kind)} {entry.name!r} of {entry.distribution!r}"
    if entry.problem:
        module = entry.target if ":" in entry.target else "package.module:Class"
        raise RegistryError(
            f"{what} cannot be used: {entry.problem}", hint=f"uninstall one distribution, or ask for it as {module}"
        )
    place, _, attribute = entry.target.partition(":")
    return _attribute(imported(place, what), attribute.split("[")[0].strip(), entry.target)


def _module_from_file(path: Path, kind: str) -> ModuleType:
    """Load a file as a module of its own; unchanged files are loaded once a process."""
    try:
        there = path.is_file()
    except OSError:  # a name that is too long for a file
        there = False
    if not there:
        hint = f"advisor init strategy {path}" if kind == "strategies" else "the path counts from the folder you are in"
        raise RegistryError(f"there is no file {str(path)!r}", hint=hint)
    path = path.resolve()
    source = path.read_bytes()
    content = hashlib.sha256(source).hexdigest()[:12]
    name = f"advisor_file_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}_{content}"
    try:
        return run_source(path, source, name)
    except BaseException as error:
        if not isinstance(error, Exception) or isinstance(error, AdvisorError):
            raise
        raise RegistryError(
            f"{str(path)!r} cannot be loaded: {type(error).__name__}: {error}", hint=_file_hint(path, error)
        ) from error


def _file_hint(path: Path, error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name and (path.parent / f"{error.name}.py").exists():
        return f"to import files beside it: PYTHONPATH={path.parent} advisor ..."
    return f"to see where: python {path}"


def _attribute(module: ModuleType, dotted: str, name: str) -> Any:
    found: Any = module
    for part in dotted.split("."):
        if not hasattr(found, part):
            own = [
                key
                for key, value in vars(module).items()
                if (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__ == module.__name__
            ]
            raise RegistryError(f"{name!r}: there is no {dotted!r} in it; {did_you_mean(dotted, own)}")
        found = getattr(found, part)
    return found


def _own_class(module: ModuleType, dotted: str, name: str) -> Any:
    """Return a class that a set's own file defines: what it imports is not to be named through it."""
    found = _attribute(module, dotted, name)
    if not (inspect.isclass(found) and found.__module__ == module.__name__):
        raise RegistryError(f"{name!r} is no class that this file defines; a class with name and score is needed")
    return found


def _names_no_class(path: Path) -> RegistryError:
    classes: list[str] = []
    if path.is_file():
        try:
            classes = [node.name for node in ast.parse(path.read_bytes()).body if isinstance(node, ast.ClassDef)]
        except SyntaxError:
            classes = []
    example = f"{path}:{classes[0] if classes else 'Class'}"
    return RegistryError(f"{str(path)!r} names a file and no class in it", hint=f"write {example}")


def _first_doc_line(target: str) -> str:
    place, _, attribute = target.partition(":")
    try:
        spec = importlib.util.find_spec(place)
        tree = ast.parse(Path(spec.origin).read_bytes()) if spec and spec.origin else ast.Module([], [])
    except (ImportError, OSError, SyntaxError, ValueError):
        return ""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == attribute:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    return ""


def _no_summary(name: str) -> str:
    return ""


def _singular(kind: str) -> str:
    words = {"strategies": "strategy", "evalsets": "eval set", "reports": "report format"}
    return words.get(kind, kind.removesuffix("s"))
