"""Starts ``advisor`` commands without waiting for imports: a process that has imported everything forks for each.

A fork has an address space, signals, files and a death of its own, so a kill is as real as after a cold start. What is
different from a cold start is said here: modules are loaded already, and so are the list of plug-ins and the digests of
sources; sentences are embedded by `advisor.testing.toy_task`; clock and calendar stand still where a test asks for
byte-equal reports; each call of `Store.add_outcomes` that returned is written down as acknowledged.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

ROOT = Path(__file__).parents[2]
STRACE = shutil.which("strace") or ""
NO_STRACE = "strace is not there (Debian, Ubuntu: apt-get install strace)"


@dataclass
class Started:
    """One forked command: its process, and the files that hold what it printed."""

    warm: Warm
    pid: int
    folder: Path
    code: int | None = None
    tracer: subprocess.Popen[bytes] | None = None

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal, if the process is still there."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def running(self) -> bool:
        """Say whether it has not ended yet."""
        if self.code is None:
            self.code = self.warm.ask({"poll": self.pid})["code"]
        return self.code is None

    def wait(self, seconds: float = 600.0) -> int:
        """Wait for the end and return the exit code; of a signal, its negative number."""
        until = time.monotonic() + seconds
        pause = 0.001
        while self.running():
            if time.monotonic() > until:
                self.kill()
                raise TimeoutError(f"not over after {seconds:g} s; it had printed: {self.err[-2000:]}")
            time.sleep(pause)
            pause = min(pause * 1.5, 0.02)
        if self.tracer is not None:
            self.tracer.wait(600)
        assert self.code is not None
        return self.code

    @property
    def out(self) -> str:
        """What it printed on stdout."""
        return self._printed("stdout")

    @property
    def err(self) -> str:
        """What it printed on stderr."""
        return self._printed("stderr")

    def _printed(self, name: str) -> str:
        path = self.folder / name  # not there where it was killed before it could open it
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


class Warm:
    """The client of the forking process; ends with it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._count = folder, 0
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        environment |= {"ADVISOR_HOME": str(folder / "first"), "ASKED": str(folder / "asked.txt")}
        self._server = subprocess.Popen(
            [sys.executable, str(Path(__file__)), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd=ROOT,
            text=True,
            bufsize=1,
        )
        assert self._line(120) == "ready", "the warm process did not start"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait(20)
        self._server.stdout.close()

    def start(
        self,
        words: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        inject: Sequence[str] = (),
        closed: Sequence[str] = (),
    ) -> Started:
        """Start ``advisor WORDS``.

        Args:
            words: the arguments.
            cwd: the working folder.
            env: added to the environment.
            inject: what strace does, e.g. ``fsync:signal=KILL:when=3``, or ``trace=fsync`` to count.
            closed: of ``stdout`` and ``stderr``, those that are pipes nobody reads.
        """
        self._count += 1
        folder = self.folder / f"trial-{self._count}"
        folder.mkdir()
        gate = folder / "gate"
        if inject:
            os.mkfifo(gate)
        asked = {"words": list(words), "cwd": str(cwd), "env": dict(env), "folder": str(folder)}
        pid = self.ask({**asked, "gate": str(gate) if inject else "", "closed": list(closed)})["pid"]
        started = Started(self, pid, folder)
        if inject:
            started.tracer = _attach(pid, folder, inject)
            with gate.open("wb"):
                pass
        return started

    def ask(self, message: Mapping[str, Any]) -> Any:
        """Send one message to the forking process and return its answer."""
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(message) + "\n")
        return json.loads(self._line(60))

    def _line(self, seconds: float) -> str:
        assert self._server.stdout is not None
        ready, _, _ = select.select([self._server.stdout], [], [], seconds)
        return self._server.stdout.readline().strip() if ready else ""


def _attach(pid: int, folder: Path, inject: Sequence[str]) -> subprocess.Popen[bytes]:
    """Attach strace to a process that waits at its gate; return once it is attached."""
    rules = [word for rule in inject for word in ("-e", rule if rule.startswith("trace=") else f"inject={rule}")]
    names = ",".join(rule.partition(":")[0] for rule in inject if not rule.startswith("trace="))
    only = ["-e", f"trace={names}"] if names else []
    log = (folder / "strace.err").open("wb")
    with log:
        tracer = subprocess.Popen(
            [STRACE, "-f", "-qq", "-o", str(folder / "strace"), *only, *rules, "-p", str(pid)], stderr=log
        )
    status = Path(f"/proc/{pid}/status")
    until = time.monotonic() + 600
    while not re.search(r"^TracerPid:\s+[1-9]", status.read_text(), re.M):
        assert tracer.poll() is None, (folder / "strace.err").read_text()
        assert time.monotonic() < until, "strace did not attach"
        time.sleep(0.002)
    time.sleep(0.005)
    return tracer


# --- the forking process ---------------------------------------------------------------------------------------------


def _serve(folder: Path) -> None:
    _import_everything(folder)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while line := sys.stdin.readline():
        message = json.loads(line)
        if "poll" in message:
            pid, status = os.waitpid(message["poll"], os.WNOHANG)
            answer: dict[str, Any] = {"code": os.waitstatus_to_exitcode(status) if pid else None}
        else:
            answer = {"pid": os.fork()}
            if answer["pid"] == 0:
                _become(message)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _import_everything(folder: Path) -> None:
    """Make one comparison, so that whatever is imported late is there; its results are thrown away."""
    import ast
    import importlib.metadata
    from functools import cache

    from typer.main import get_command

    from advisor.cli import app
    from advisor.models.local.embeddings import Embedder
    from advisor.testing import toy_task
    from tests.small_comparison import write_evalset, write_model

    importlib.metadata.entry_points = cache(importlib.metadata.entry_points)  # type: ignore[assignment]
    ast.parse = cache(ast.parse)  # type: ignore[assignment]
    Embedder.__call__ = lambda self, texts: toy_task.embed(texts)  # type: ignore[method-assign]
    evalset = write_evalset(folder / "small", test=6)
    words = ["compare", str(evalset), "--model", write_model(folder), "--strategy", "majority", "--strategy"]
    words += ["fine_tuning", "-q", "-o", str(folder / "r.json"), "-o", str(folder / "r.csv"), "-o"]
    words += [str(folder / "r.md")]  # no HTML: what draws its charts has threads that a fork would lack
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        get_command(app).main(words, prog_name="advisor", standalone_mode=False)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        get_command(app).main(["report"], prog_name="advisor", standalone_mode=False)


def _become(message: Mapping[str, Any]) -> NoReturn:
    """Be the command, in the forked child; never returns to the loop."""
    folder = Path(message["folder"])
    os.setsid()
    os.chdir(message["cwd"])
    os.environ.update(message["env"])
    _redirect(folder, message["closed"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if os.environ.get("FAULTS_STILL"):
        time.perf_counter = lambda: 0.0
        _stop_the_calendar()
    _write_acknowledgements()
    sys.argv = ["advisor", *message["words"]]
    if message["gate"]:
        with open(message["gate"], "rb") as gate:  # until the tracer is there
            gate.read()
    from advisor.cli import main

    main()
    sys.exit(0)


def _redirect(folder: Path, closed: Sequence[str]) -> None:
    sys.stdin = open(os.devnull)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "stdout"), (2, "stderr")):
        where = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        if name in closed:
            reader, where = os.pipe()
            os.close(reader)
        os.dup2(where, number)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr  # type: ignore[misc]


def _stop_the_calendar() -> None:
    """Have reports say the same minute, whenever they are made."""
    from datetime import UTC, datetime, tzinfo

    from advisor.runs import provenance

    class Stopped(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime(2026, 1, 2, 3, 4, tzinfo=UTC)

    provenance.datetime = Stopped  # type: ignore[attr-defined]


def _write_acknowledgements() -> None:
    """Write down every outcome whose keeping was acknowledged, before anybody else hears of it."""
    path = os.environ.get("FAULTS_ACKS")
    if not path:
        return
    from advisor.runs.store import Store

    keep = Store.add_outcomes
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def add_outcomes(self: Store, run_id: str, outcomes: Any) -> None:
        known = list(outcomes)
        keep(self, run_id, known)
        os.write(log, "".join(f"{run_id} {one.example_id}\n" for one in known).encode())

    Store.add_outcomes = add_outcomes  # type: ignore[method-assign]


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
