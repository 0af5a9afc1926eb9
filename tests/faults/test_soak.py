"""D12: one long run with the scripted model: memory does not grow with what was answered, and the report is quick."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.faults.sheet import Sheet, trials
from tests.small_comparison import write_evalset

SLOPE_MB_PER_10_000, REPORT_SECONDS = 1.0, 60.0
RUN = """
import json, resource, sys, time
from advisor import compare
from pathlib import Path

PAGE = resource.getpagesize()
seen = []

def progress(what, done, total):
    if what == "zero_shot":
        seen.append((done, int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6))

folder, limit = Path(sys.argv[1]), int(sys.argv[2])
started = time.monotonic()
comparison = compare(folder / "small", strategies=["zero_shot"], model=f"scripted:{folder / 'answers.py'}:answer",
                         checks="none", draws=1000, progress=progress)
whole = time.monotonic() - started
reports = {}
for name in ("r.json", "r.html", "r.csv"):
    at = time.process_time()
    comparison.save(folder / name)
    reports[name] = time.process_time() - at
print(json.dumps({"seen": seen, "whole": whole, "reports": reports, "n": len(comparison.runs[0].outcomes),
                  "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000}))
"""


def test_a_long_run(tmp_path: Path, sheet: Sheet) -> None:
    count = trials(2_000, 100_000)
    write_evalset(tmp_path / "small", test=count)
    (tmp_path / "answers.py").write_text("def answer(request): return 'billing'\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path), str(count)],
        capture_output=True,
        text=True,
        check=False,
        timeout=3000,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["n"] == count
    after = [(at, mb) for at, mb in found["seen"] if at > count // 10]
    slope = float(np.polyfit([at for at, _ in after], [mb for _, mb in after], 1)[0]) * 10_000
    slowest = max(found["reports"].values())
    shown = (
        f"{slope:.2f} MB per 10,000 while answering, at most {found['peak']:.0f} MB; "
        f"slowest report {slowest:.1f} s, all {found['whole']:.0f} s"
    )
    broken = int(count >= 20_000 and slope > SLOPE_MB_PER_10_000) + int(slowest > REPORT_SECONDS)
    sheet.add("D12", f"{count:,} examples in one run", 1, broken, shown)
    assert not broken, shown
