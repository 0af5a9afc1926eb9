"""N1: the default flows in a network of their own that has only a loopback; and no connection is even tried."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.sheet import FULL, Sheet
from tests.faults.warm import NO_STRACE, ROOT, STRACE
from tests.small_comparison import write_evalset, write_model

UNSHARE = shutil.which("unshare") or ""
FLOWS = {
    "compare": ["compare", "small", "--strategy", "majority", "--strategy", "zero_shot", "-o", "r.html"],
    "report": ["report", "-o", "again.html"],
    "export": ["export", "run", "-o", "run.zip"],
    "list": ["list"],
    "doctor": ["doctor"],
    "ask": ["ask", "--kind", "format", "--prompted", "0.62", "--prompted-by", "few_shot", "--yes"],
    "selftest": ["selftest", "--worlds", "20", "--jobs", "1", "--quiet"],
    "compare smollm2": ["compare", "--limit", "4", "--train-limit", "12", "--strategy", "zero_shot", "--strategy",
                        "rag", "--model", "smollm2", "--checks", "none"],
}  # fmt: skip
SAMPLE = ("compare", "report", "export", "doctor")


@pytest.mark.weights
def test_nothing_is_connected_to(tmp_path: Path, sheet: Sheet) -> None:
    if not STRACE or not UNSHARE:
        pytest.skip(NO_STRACE if not STRACE else "unshare is not there")
    inside = [UNSHARE, "-n", "--", "sh", "-c", 'ip link set lo up 2>/dev/null; exec "$@"', "sh"]
    if subprocess.run([*inside, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a network of its own cannot be made here")
    write_evalset(tmp_path / "small")
    model = write_model(tmp_path)
    flows = FLOWS if FULL else {name: FLOWS[name] for name in SAMPLE}
    tried: dict[str, list[str]] = {}
    for name, words in flows.items():
        log = tmp_path / f"{name}.strace"
        words = [*words, "--model", model] if name == "compare" else words
        trace = [STRACE, "-f", "-qq", "-e", "trace=connect,sendto,sendmsg", "-o", str(log)]
        done = subprocess.run(
            [*inside, *trace, sys.executable, "-m", "advisor", *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "ASKED": str(tmp_path / "asked.txt")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, 1) if name == "doctor" else done.returncode == 0, f"{name}: {done.stderr[-2000:]}"
        addresses = re.findall(
            r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"', log.read_text(errors="replace")
        )
        beyond = sorted({a or b for a, b in addresses} - {"127.0.0.1", "::1"})
        if beyond:
            tried[name] = beyond
    sheet.add("N1", f"flows without a network: {', '.join(flows)}", len(flows), len(tried))
    assert not tried
