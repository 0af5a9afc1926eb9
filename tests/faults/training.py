"""Trains a very small model again and again in forked children, and kills them; run by `test_training.py`.

    python training.py FOLDER KILLS SEED

Prints one line of JSON: how many were killed, where, and what was wrong.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from advisor.core.progress import Progress

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
TOPICS = ("parcel", "jacket", "tent", "invoice", "password", "courier", "seam", "refund")
EPOCHS = 4


def small_model(folder: Path) -> Path:
    """Write an untrained model of three layers that has the embedded model's tokenizer."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from advisor.models.local import weights

    tokenizer = AutoTokenizer.from_pretrained(weights.fetch(weights.SMOLLM2), local_files_only=True)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_key_value_heads=1,
        eos_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def job(workdir: Path, progress: Progress) -> Any:
    """Return a training of four epochs on 24 short conversations."""
    from advisor.core.model import TuningConfig, TuningExample, TuningJob
    from advisor.core.types import Message

    rows = tuple(
        TuningExample((Message("user", f"About my {word}, case {at}."), Message("assistant", f"team {word}")))
        for at in range(3)
        for word in TOPICS
    )
    return TuningJob(rows, rows[:8], workdir, TuningConfig(epochs=EPOCHS, batch_size=4, layers=2), progress)


def child(model: Any, workdir: Path, kill_at: int) -> int:
    """Train in a fork; it kills itself at the `kill_at`-th flush or renaming, where that is above 0."""
    pid = os.fork()
    if pid:
        return pid
    count = 0

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **options)

        return call

    os.fsync, os.rename, Path.rename = counted(os.fsync), counted(os.rename), counted(Path.rename)  # type: ignore[method-assign]
    log = (workdir / "steps.txt").open("a", buffering=1)

    def progress(what: str, done: int, total: int) -> None:
        if what == "training":
            log.write(f"{done}\n")

    try:
        model.tune(job(workdir, progress))
        log.write(f"flushes {count}\n")
        os._exit(0)
    except BaseException as error:
        (workdir / "error.txt").write_text(repr(error))
        os._exit(1)


def steps(workdir: Path) -> list[str]:
    path = workdir / "steps.txt"
    return path.read_text().split("\n")[:-1] if path.exists() else []


def adapter(workdir: Path) -> bytes:
    """Return the adapter, if it is whole."""
    [folder] = [path for path in workdir.glob("adapter-*") if path.suffix == ""]
    assert (folder / "COMPLETE.json").exists()
    return (folder / "adapter_model.safetensors").read_bytes()


def trial(model: Any, workdir: Path, whole: bytes, rng: random.Random, seconds: float, flushes: int) -> dict[str, Any]:
    """Kill one training once or twice, finish it, and compare."""
    workdir.mkdir()
    wrong, killed, saving = [], 0, 0
    for _ in range(rng.randint(1, 2)):
        in_a_save = rng.random() < 0.5
        pid = child(model, workdir, rng.randint(1, flushes) if in_a_save else 0)
        if not in_a_save:
            time.sleep(rng.uniform(0.0, seconds))
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        killed += code == -9
        saving += code == -9 and in_a_save
    kept = sorted(path.name for path in workdir.glob("*.epochs/epoch-?"))
    before = len(steps(workdir))
    pid = child(model, workdir, 0)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0:
        wrong.append((workdir / "error.txt").read_text())
    elif adapter(workdir) != whole:
        wrong.append("another adapter than without a kill")
    repeated = [int(line) for line in steps(workdir)[before:] if line.isdigit()]
    first = 1 + 6 * max((int(name[-1]) for name in kept), default=0)
    if repeated and repeated[0] != first:
        wrong.append(f"went on at step {repeated[0]} though {kept} were there")
    if left := [path.name for path in workdir.glob("*.part")] + [path.name for path in workdir.glob("*.epochs")]:
        wrong.append(f"left behind: {left}")
    return {"killed": killed, "saving": saving, "wrong": wrong}


def main(folder: Path, kills: int, seed: str) -> None:
    import torch

    torch.set_num_threads(1)
    from advisor.models.local.model import open_local

    model = open_local(str(small_model(folder / "small")), precision="fp32")
    undisturbed = folder / "undisturbed"
    undisturbed.mkdir()
    started = time.perf_counter()
    pid = child(model, undisturbed, 0)
    assert os.waitpid(pid, 0)[1] == 0, (undisturbed / "error.txt").read_text()
    seconds = time.perf_counter() - started
    whole, flushes = adapter(undisturbed), int(steps(undisturbed)[-1].split()[1])
    rng, killed, saving, wrong, number = random.Random(seed), 0, 0, [], 0
    while killed < kills:
        number += 1
        found = trial(model, folder / f"trial-{number}", whole, rng, seconds, flushes)
        killed, saving = killed + found["killed"], saving + found["saving"]
        wrong += [f"trial {number}: {what}" for what in found["wrong"]]
        shutil.rmtree(folder / f"trial-{number}")
    print(json.dumps({"killed": killed, "saving": saving, "wrong": wrong, "trials": number}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
