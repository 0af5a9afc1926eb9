"""Reading, splitting and checking eval sets. Nothing is imported here; the registry loads what somebody asks for."""

from __future__ import annotations

from . import shipped

BUILT_INS: dict[str, dict[str, str]] = {
    "evalsets": {
        **{name: f"advisor.evalsets.shipped:{name}" for name in shipped.names()},
        **{name: f"advisor.evalsets.public:{name.removeprefix('public:')}" for name in shipped.public_names()},
    },
    "readers": {
        "jsonl": "advisor.evalsets.readers:read_jsonl",
        "ndjson": "advisor.evalsets.readers:read_jsonl",
        "csv": "advisor.evalsets.readers:read_csv",
        "tsv": "advisor.evalsets.readers:read_csv",
        "parquet": "advisor.evalsets.readers:read_parquet",
    },
}
"""Eval sets are functions ``(seed=0) -> EvalSet``; readers, by file extension, are ``(path) -> Iterator[Record]``."""

SUMMARIES = {"evalsets": shipped.summary}
"""What a name is, where no function's docstring says it."""
