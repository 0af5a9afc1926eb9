"""F1: every parser against spoilt input, in a process of its own, whose time and memory are watched.

``python tests/faults/malformed.py PARSER COUNT SEED`` prints one line of JSON: how many inputs were made, how many were
refused, how many refusals name a place, the slowest, the memory above the start, and every broken promise.
"""

from __future__ import annotations

import functools
import json
import os
import random
import resource
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # a process of its own; started by tests, it has what they have on the path
    sys.path.insert(0, str(Path(__file__).parents[2]))

from advisor.core import registry
from advisor.core.errors import AdvisorError
from tests.faults.malformed_input import SPECIAL, STARTS, parquet_files, parquet_special, spoilt

MOST_SECONDS, MOST_MB = 20.0, 512
MOST_WAITED = 600.0
"""Seconds of the processor, which a busy machine does not stretch; and by the clock, for what waits for ever."""
PLACES = ("line", "row", "field", "column", "key", "character", "parameter", "position")
WHOLE = ("example", "item", "regular file", "bytes", "be read", "no file", "has no", "leads out", "schema")
"""Words of errors about a file as a whole, in which no line is the wrong one."""
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Parser:
    """One parser.

    Attributes:
        read: reads a file; raises only `AdvisorError`, or one of `also`, whose caller words it.
        file: the file's name.
        starts: good contents, from which spoilt ones are made.
        special: contents that are tried as they are, once.
        folder: files that stand beside it.
        also: further exceptions of its contract.
        places: whether its errors must name a place.
    """

    read: Callable[[Path], object]
    file: str
    starts: tuple[bytes, ...]
    special: tuple[bytes, ...] = ()
    folder: dict[str, bytes] = field(default_factory=dict)
    also: tuple[type[Exception], ...] = ()
    places: bool = True
    is_file: bool = True


def _both_ways(path: Path) -> None:
    """Read an eval set as `advisor check` does, which collects what is wrong, and as `advisor compare` does."""
    from advisor.core.shipped import load_evalset

    with suppress(AdvisorError):
        registry.load("evalsets", "advisor.evalsets.loading:read", origin="user")(str(path))
    load_evalset(str(path))


def _reader(kind: str) -> Parser:
    """A reader of the registry by its extension, alone and as the file of an eval set."""

    def read(path: Path) -> None:
        with suppress(AdvisorError):
            list(registry.load("readers", kind)(path))
        _both_ways(path)

    family = "csv" if kind in ("csv", "tsv") else "parquet" if kind == "parquet" else "jsonl"
    starts = parquet_files() if family == "parquet" else STARTS[family]
    special = parquet_special() if family == "parquet" else SPECIAL[family]
    return Parser(read, f"data.{kind}", starts, special)


def _folder_file(name: str) -> Parser:
    """One file of an eval set's folder, the others being good."""
    good = {file: STARTS[file][0] for file in ("evalset.yaml", "train.jsonl", "test.jsonl", "docs.jsonl", "tools.py")}
    family = "yaml" if name.endswith("yaml") else "jsonl"
    special = () if name == "tools.py" else SPECIAL[family]
    return Parser(lambda path: _both_ways(path.parent), name, STARTS[name], special, {**good})


def _comparison() -> Parser:
    from advisor.runs.comparison_file import code_named_by, read_comparison

    return Parser(
        lambda path: code_named_by(read_comparison(path), {}),
        "comparison.yaml",
        STARTS["comparison"],
        SPECIAL["yaml"],
        places=False,
    )


def _ask() -> Parser:
    from advisor.advice.file import read_answers

    return Parser(lambda path: read_answers(str(path)), "ask.yaml", STARTS["ask"], SPECIAL["yaml"], places=False)


def _suite() -> Parser:
    from advisor.core.shipped import shipped

    shipped("evalsets")
    suites = sys.modules.get("advisor.evalsets.suites") or __import__("importlib").import_module(
        "advisor.evalsets.suites"
    )
    return Parser(lambda path: suites.load(str(path)), "suite.jsonl", STARTS["suite"], SPECIAL["jsonl"])


def _tool_schemas() -> Parser:
    """Tool schemas as data sets hold them."""
    from advisor.core.tool_files import spec_from_json
    from advisor.core.tools import render_tool_specs

    def read(path: Path) -> None:
        try:
            plain = json.loads(path.read_bytes())
        except RecursionError:
            return  # the reader of the row has refused it
        render_tool_specs([spec_from_json(plain)], describe_parameters=True)

    return Parser(read, "schema.json", STARTS["schema"], also=(ValueError,), places=False, is_file=False)


def _spec() -> Parser:
    """Strategy specifications as they are typed."""
    from advisor.core.specs import Spec

    def read(path: Path) -> None:
        text = path.read_bytes().decode("utf-8", "replace")
        Spec.parse(text)
        registry.make("strategies", f"few_shot({text[:50]})")

    return Parser(read, "spec.txt", STARTS["spec"], SPECIAL["spec"], places=False, is_file=False)


def _answer() -> Parser:
    """What an endpoint sends."""
    from advisor.core.model import Request
    from advisor.core.types import Message, ToolSpec
    from advisor.models.endpoint.wire import Reply, read_completion

    spec = ToolSpec("math.add", "Add.", {"type": "object", "properties": {"a": {"type": "integer"}}})
    request = Request((Message("user", "x"),), tools=(spec,), choices=("a",))
    return Parser(
        lambda path: json.dumps(str(read_completion(Reply(path.read_bytes(), 0.1), request))),
        "answer.json", STARTS["answer"], places=False, is_file=False,
    )  # fmt: skip


def _call() -> Parser:
    """Tool calls in what a model writes."""
    from advisor.core.tools import parse_calls

    return Parser(
        lambda path: parse_calls(path.read_bytes().decode("utf-8", "replace")),
        "call.txt", STARTS["call"], places=False, is_file=False,
    )  # fmt: skip


def _model_folder() -> Parser:
    """A folder with a model, one of whose files is spoilt."""
    from advisor.models.local.model import open_local
    from tests.faults.tiny_model import tiny_model

    files = tiny_model()
    names = sorted(files)

    def read(path: Path) -> None:
        content = path.read_bytes()
        name = names[content[0] % len(names)] if content else names[0]
        for other, good in files.items():
            (path.parent / other).write_bytes(content[1:] if other == name else good)
        try:
            open_local(str(path.parent))
        finally:
            for other in files:
                (path.parent / other).unlink()

    starts = tuple(bytes([number]) + files[name] for number, name in enumerate(names))
    return Parser(read, "spoilt.bin", starts, places=False, is_file=False)


def _adapter_folder() -> Parser:
    """A folder with an adapter, one of whose files is spoilt."""
    from advisor.core.model import TuningConfig
    from advisor.models.local.model import open_local
    from advisor.models.local.tuning import load_merged
    from tests.faults.tiny_model import tiny_adapter, tiny_model

    base = Path(tempfile.mkdtemp())
    for name, content in tiny_model().items():
        (base / name).write_bytes(content)
    model, files = open_local(str(base)), tiny_adapter(base)
    names = sorted(files)

    def read(path: Path) -> None:
        content = path.read_bytes()
        name = names[content[0] % len(names)] if content else names[0]
        for other, good in files.items():
            (path.parent / other).write_bytes(content[1:] if other == name else good)
        try:
            load_merged(model, path.parent, TuningConfig(layers=1))
        finally:
            for other in files:
                (path.parent / other).unlink()

    starts = tuple(bytes([number]) + files[name] for number, name in enumerate(names))
    return Parser(read, "spoilt.bin", starts, places=False, is_file=False)


def parsers() -> dict[str, Callable[[], Parser]]:
    """Return every parser by name; readers as the registry lists them, so that a new one is covered at once."""
    found: dict[str, Callable[[], Parser]] = {
        f"reader {entry.name}": lambda name=entry.name: _reader(name)  # type: ignore[misc]
        for entry in registry.names("readers")
        if not entry.problem
    }
    for name in ("evalset.yaml", "train.jsonl", "docs.jsonl", "tools.py"):
        found[f"folder {name}"] = lambda name=name: _folder_file(name)  # type: ignore[misc]
    return found | {
        "comparison file": _comparison,
        "ask file": _ask,
        "suite file": _suite,
        "tool schemas": _tool_schemas,
        "strategy specs": _spec,
        "endpoint answers": _answer,
        "tool calls in answers": _call,
        "model folder": _model_folder,
        "adapter folder": _adapter_folder,
    }


# --- the watch -------------------------------------------------------------------------------------------------------


class Watch:
    """Feeds a parser and writes down what it does."""

    def __init__(self, parser: Parser, place: Path) -> None:
        self.parser, self.path = parser, place / parser.file
        for name, content in parser.folder.items():
            (place / name).write_bytes(content)
        self.made = self.refused = self.named = 0
        self.slowest, self.broken = 0.0, list[str]()
        if parser.starts:
            self.feed(parser.starts[0], "the good one")
        self.start_mb = _peak_mb()

    def feed(self, content: bytes, what: str) -> None:
        """Write a file and read it."""
        self.path.write_bytes(content)
        self.read(what, content)

    def read(self, what: str, content: bytes = b"") -> None:
        """Read what lies there, in time, without a trace, with one sentence."""
        before, started = sorted(os.listdir(self.path.parent)), (time.process_time(), time.perf_counter())
        problem = ""
        self.made += 1
        try:
            self.parser.read(self.path)
        except AdvisorError as error:
            problem = self._sentence(str(error))
        except self.parser.also as error:
            self.refused += 1
            self.named += 1
            problem = "" if type(error) in self.parser.also or isinstance(error, ValueError) else repr(error)
        except BaseException as error:
            problem = f"{type(error).__name__}: {str(error)[:200]}"
        took, waited = time.process_time() - started[0], time.perf_counter() - started[1]
        self.slowest = max(self.slowest, took)
        if took > MOST_SECONDS or waited > MOST_WAITED:
            problem = problem or f"it took {took:.1f} s, and {waited:.1f} s by the clock"
        if sorted(os.listdir(self.path.parent)) != before:
            problem = problem or "it left something behind"
        if problem:
            self.broken.append(f"{what}: {problem}; input {content[:200]!r}")

    def _sentence(self, said: str) -> str:
        self.refused += 1
        named = not self.parser.places or (
            (self.path.name in said or str(self.path.parent) in said) and any(word in said for word in PLACES + WHOLE)
        )
        self.named += named
        if not named and os.environ.get("SHOW"):
            print(said, file=sys.stderr)
        if "Traceback" in said or len(said) > 1_500 or said.count("\n") > 2 or not said.strip():
            return f"not one sentence: {said[:200]!r}"
        return ""

    def others(self) -> None:
        """Give it what is no regular file, and one that grows while it is read."""
        for what, make in _others():
            self.path.unlink(missing_ok=True)
            with make(self.path):
                self.read(what)
            if self.path.is_dir() and not self.path.is_symlink():
                self.path.rmdir()
        self.path.unlink(missing_ok=True)


def _others() -> list[tuple[str, Callable[[Path], Any]]]:
    @contextmanager
    def made(make: Callable[[Path], object], path: Path) -> Iterator[None]:
        make(path)
        yield

    @contextmanager
    def growing(path: Path) -> Iterator[None]:
        over = threading.Event()
        path.write_bytes(b'{"id": "1", "input": "a", "target": "b"}\n')

        def grow() -> None:
            with path.open("ab") as file:
                while not over.wait(0.0005):
                    file.write(b'{"input": "a", "target": "b"}\n' * 10)
                    file.flush()

        thread = threading.Thread(target=grow)
        thread.start()
        yield
        over.set()
        thread.join()

    kinds: list[tuple[str, Callable[[Path], object]]] = [
        ("a pipe", os.mkfifo),
        ("a folder", lambda path: path.mkdir()),
        ("/dev/zero", lambda path: path.symlink_to("/dev/zero")),
        ("/dev/full", lambda path: path.symlink_to("/dev/full")),
        ("a link to itself", lambda path: path.symlink_to(path.name)),
        ("nothing", lambda path: None),
    ]
    return [(what, lambda path, make=make: made(make, path)) for what, make in kinds] + [("growing", growing)]


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(name: str, count: int, seed: int) -> None:
    """Feed one parser."""
    warnings.simplefilter("ignore")
    registry._plugins = functools.cache(registry._plugins)  # looking through what is installed takes most of the time
    parser = parsers()[name]()
    with tempfile.TemporaryDirectory() as place:
        watch = Watch(parser, Path(place))
        for number, content in enumerate(parser.special):
            watch.feed(content, f"special {number}")
        if parser.is_file:
            watch.others()
        rng = random.Random(f"{name} {seed}")
        while watch.made < count:
            watch.feed(spoilt(rng, parser.starts), f"no. {watch.made}")
    grown = _peak_mb() - watch.start_mb
    if grown > MOST_MB:
        watch.broken.append(f"{grown:.0f} MB")
    kept = {name: getattr(watch, name) for name in ("made", "refused", "named", "slowest")}
    print(json.dumps({**kept, "grown_mb": grown, "violations": len(watch.broken), "broken": watch.broken[:SHOWN]}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
