"""How memory and time of a comparison grow: with its examples, and with its strategies.

    python benchmarks/growth_compare.py                     (ten minutes)
    python benchmarks/growth_compare.py --part strategies   (half a minute)

Examples: 100,000 test examples x 9 scripted strategies. Strategies: 64 x 100 examples. Each in a process and with
a store of its own, so that its peak of memory is its own; then the reports, seconds each, the size of the store, and
what `advisor export run` and `advisor import` take, with all scores computed again.
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


def measured(folder: Path, examples: int, strategies: int) -> None:
    """Print, as JSON, seconds and the peak of memory of one comparison, and of its reports."""
    from advisor import compare

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


def exchanged(folder: Path) -> dict[str, Any]:
    """Return what it takes to export that comparison and to import it elsewhere, scores computed again."""
    file = folder / "run.zip"
    found = _verb("export", folder / "home", ["export", "run", "-o", str(file)])
    found["file_mb"] = round(file.stat().st_size / 1e6, 1)
    return found | _verb("import", folder / "elsewhere", ["import", str(file), str(folder / "many")])


def _verb(name: str, home: Path, words: list[str]) -> dict[str, Any]:
    """Run a verb and return its seconds and its peak of memory; this process is small, and so counts for nothing."""
    start, environment = time.perf_counter(), {**os.environ, "ADVISOR_HOME": str(home)}
    child = subprocess.Popen([sys.executable, "-m", "advisor", *words], env=environment, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"advisor {' '.join(words)} failed")
    return {
        f"{name}_seconds": round(time.perf_counter() - start, 1),
        f"{name}_peak_gb": round(used.ru_maxrss / 1e6, 3),
    }


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
    parser.add_argument("--here", nargs=2, default=(), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        part, folder = options.here
        measured(Path(folder), *PARTS[part])
        return
    for part, (examples, strategies) in PARTS.items():
        if options.part in ("", part):
            with tempfile.TemporaryDirectory() as folder:
                command = [sys.executable, __file__, "--here", part, folder]
                environment = {**os.environ, "ADVISOR_HOME": str(Path(folder, "home"))}
                done = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=True)
                found = json.loads(done.stdout) | exchanged(Path(folder))
            print(f"{examples:,} examples x {strategies} strategies: {json.dumps(found)}", flush=True)


if __name__ == "__main__":
    main()
