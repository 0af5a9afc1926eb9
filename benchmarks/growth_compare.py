"""How memory and time of a comparison grow: with its examples, and with its strategies.

    python benchmarks/growth_compare.py                     (ten minutes)
    python benchmarks/growth_compare.py --part strategies   (half a minute)

Examples: 100,000 test examples x 9 scripted strategies. Strategies: 64 x 100 examples. Each in a process and with
a store of its own, so that its peak of memory is its own; then the reports, seconds each, and the size of the store.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PARTS = {"examples": (100_000, 9), "strategies": (100, 64)}
LABELS = ("account", "billing", "delivery")
STRATEGY = """
from hashlib import md5

class Scripted:
    name = "scripted"
    stochastic = False

    def __init__(self, at=0):
        self.at = at

    def fit(self, train, ctx):
        self.model = ctx.model

    def predict(self, inputs):
        draws = [md5(f"{self.at} {asked}".encode()).digest()[0] for asked in inputs]
        return ["billing" if draw % (self.at % 9 + 3) else "delivery" for draw in draws]
"""


def measured(examples: int, strategies: int) -> None:
    """Print, as JSON, seconds and the peak of memory of one comparison, and of its reports."""
    from advisor import compare

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ["ADVISOR_HOME"] = str(folder / "home")
        _write(folder, examples)
        start = time.perf_counter()
        comparison = compare(
            folder / "many",
            strategies=[f"{folder / 'mine.py'}:Scripted(at={at})" for at in range(strategies)],
            model=f"scripted:{folder / 'answers.py'}:answer",
            checks="none",
        )
        found: dict[str, Any] = {"compare_seconds": round(time.perf_counter() - start, 1)}
        found["compare_peak_gb"] = _peak_gb()
        for kind in ("json", "csv", "html", "md"):
            start = time.perf_counter()
            comparison.save(folder / f"report.{kind}")
            found[f"{kind}_seconds"] = round(time.perf_counter() - start, 1)
        found["peak_gb"] = _peak_gb()
        found["store_mb"] = round((folder / "home" / "store.sqlite").stat().st_size / 1e6, 1)
    print(json.dumps(found))


def _write(folder: Path, examples: int) -> None:
    (folder / "many").mkdir()
    settings = {"instruction": "Which team should answer?", "metric": "label_accuracy", "labels": LABELS}
    lines = [f"{key}: {json.dumps(value)}\n" for key, value in settings.items()]
    (folder / "many" / "evalset.yaml").write_text("".join(lines), encoding="utf-8")
    for split, count in (("train", 20), ("test", examples)):
        rows = (
            {"id": f"{split}-{at}", "input": f"Message no. {at} ({split}) is wrong.", "target": LABELS[at % 3]}
            for at in range(count)
        )
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "many" / f"{split}.jsonl").write_text(text, encoding="utf-8")
    (folder / "mine.py").write_text(STRATEGY, encoding="utf-8")
    (folder / "answers.py").write_text("def answer(request): return 'billing'\n", encoding="utf-8")


def _peak_gb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 3)


def main() -> None:
    """Run the parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, default="")
    parser.add_argument("--here", choices=PARTS, default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        measured(*PARTS[options.here])
        return
    for part, (examples, strategies) in PARTS.items():
        if options.part in ("", part):
            done = subprocess.run([sys.executable, __file__, "--here", part], stdout=subprocess.PIPE, check=True)
            print(f"{examples:,} examples x {strategies} strategies: {done.stdout.decode().strip()}", flush=True)


if __name__ == "__main__":
    main()
