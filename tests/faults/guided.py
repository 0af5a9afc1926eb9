"""F1 by atheris, which keeps what reaches new code and spoils that further: ``guided.py PARSER COUNT FOLDER``."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["evalsets", "advisor", "yaml", "csv", "json"]):
    from tests.faults.malformed import Watch, parsers

name, count, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
parser = parsers()[name]()
corpus = folder / "corpus"
corpus.mkdir(parents=True, exist_ok=True)
for number, content in enumerate((*parser.starts, *(one for one in parser.special if len(one) < 4096))):
    (corpus / str(number)).write_bytes(content)
watch = Watch(parser, Path(tempfile.mkdtemp()))


def one(content: bytes) -> None:
    """Feed one input; print the figures after the last."""
    if watch.made >= count:
        print(json.dumps({"made": watch.made, "broken": watch.broken[:20]}), flush=True)
        sys.stdout.flush()
        import os

        os._exit(0)
    watch.feed(content, f"no. {watch.made}")


atheris.Setup([sys.argv[0], f"-runs={count * 3}", "-max_len=4096", "-verbosity=0", str(corpus)], one)
atheris.Fuzz()
