"""`advisor clean`, killed at each of its steps, leaves a good store: a comparison is there whole or not at all."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from advisor.runs.store import Store
from tests.faults.sheet import Sheet, trials
from tests.reports.sample import comparison

KILLED = """
import json, os, shutil, signal, sys
from pathlib import Path
from advisor.runs import cleaning
from advisor.runs.store import Store

pristine, home = Path(sys.argv[1]), Path(sys.argv[2])
steps = {"execute", "unlink", "rmdir", "rmtree", "acquire"}

def run(last):
    seen = 0
    def watch(frame, event, argument):
        nonlocal seen
        names = {"c_call": getattr(argument, "__name__", ""), "call": frame.f_code.co_name}
        name = names.get(event, "")
        if name in steps:
            seen += 1
            if seen == last:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.setprofile(watch)
    cleaning.clean(cleaning.Wish(keep=1), dry_run=False)
    os._exit(0)

cleaning.clean(cleaning.Wish(), dry_run=True)  # imports everything once
states = []
for last in range(1, 1000, int(sys.argv[3])):
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(pristine, home)
    child = os.fork()
    if child == 0:
        run(last)
    killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
    with Store(home / "store.sqlite") as store:
        states.append([{row[0]: len(store.load_comparison(row[0]).runs[0].outcomes) for row in store.comparisons()},
                       store._database.read("PRAGMA integrity_check")[0][0], (home / "work" / "mine").exists()])
    if not killed:
        break
print(json.dumps(states))
"""


def test_killed_at_every_step(tmp_path: Path, sheet: Sheet) -> None:
    pristine = tmp_path / "pristine"
    (pristine / "work" / "mine").mkdir(parents=True)
    (pristine / "work" / ("b" * 16)).mkdir()
    base = comparison("not_yet")
    own = replace(base.runs[0], id="1" * 16)
    with Store(pristine / "store.sqlite") as store:
        store.add_comparison(base)
        store.add_comparison(replace(base, id="2" * 16, runs=(own, *base.runs[1:])))
    with sqlite3.connect(pristine / "store.sqlite") as connection:
        connection.execute("UPDATE comparisons SET created = '1998' WHERE id = ?", (base.id,))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(pristine), str(tmp_path / "home"), str(trials(5, 1))],
        env={"ADVISOR_HOME": str(tmp_path / "home"), "ADVISOR_CACHE": str(tmp_path / "cache"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    states = json.loads(done.stdout)
    n = len(base.runs[0].outcomes)
    both, one = {base.id: n, "2" * 16: n}, {"2" * 16: n}
    broken = [state for state in states if state[0] not in (both, one) or state[1:] != ["ok", True]]
    sheet.add("D1", "advisor clean, killed at each step: a comparison is whole or gone", len(states), len(broken))
    assert not broken
    assert states[0][0] == both
    assert states[-1][0] == one
    assert len(states) > trials(6, 30)
