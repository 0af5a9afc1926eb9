"""LoRA to the same dev accuracy: ours beside TRL's SFTTrainer, with its own defaults and with our hyper-parameters.

    make peers                                  (once: their environment)
    python benchmarks/training.py               (most of an hour on 2 idle cores)
    python benchmarks/training.py --rows 32 --rounds 1

The rows are messages and labels of the shipped harrow_routing, with the very same token ids for both. In each round
every trainer trains once with the round's seed. Every adapter, TRL's after each of its epochs, is then loaded into the
same engine, which answers the dev questions greedily; answering is not timed. The time that counts is that until the
first epoch whose adapter reaches the accuracy that ours reached in the same round, less `--slack` dev answers; ours is
the whole training, its choice of the epoch on dev included. A round in which a trainer does not reach it counts as
infinitely long. These are accuracies on the examples that the epoch is chosen on, of 111; two answers more or less are
well within chance.
"""

from __future__ import annotations

import argparse
import math
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evaluation import ENOUGH, HERE, OWN, Process, keep

from advisor.core.model import Request, TuningConfig, TuningExample
from advisor.core.types import Example, Message

EPOCHS = 3
LAYERS = 8
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
SAME = {
    "lora": {"r": 16, "lora_alpha": 32, "target_modules": LINEAR, "layers_to_transform": list(range(22, 30))},
    "trainer": {
        "num_train_epochs": EPOCHS, "learning_rate": 2e-3, "lr_scheduler_type": "cosine", "warmup_steps": 0.05,
        "per_device_train_batch_size": 16, "gradient_checkpointing": False, "weight_decay": 0.0, "packing": False,
    },
}  # fmt: skip
TRAINERS: dict[str, dict[str, Any]] = {
    "TRL, our hyper-parameters": SAME,
    "TRL, our hyper-parameters, bf16 weights": {**SAME, "dtype": "bfloat16"},
    "TRL, its own defaults": {"lora": {}, "trainer": {"num_train_epochs": EPOCHS}},
    "TRL, its own defaults, learning rate 2e-4": {
        "lora": {},
        "trainer": {"num_train_epochs": EPOCHS, "learning_rate": 2e-4},
    },
}


def adapters(folder: Path) -> list[Path]:
    """Return the adapters that a training left, in the order of epochs."""
    return sorted(path for path in folder.iterdir() if (path / "adapter_model.safetensors").exists())


class Judge:
    """Answers the dev questions greedily with an adapter."""

    def __init__(self, model: Any, dev: Sequence[Example]) -> None:
        self.model, self.dev = model, dev

    def right(self, adapter: Path) -> int:
        """Return how many dev answers are exactly right."""
        from advisor.models.local.model import LocalModel
        from advisor.models.local.tuning import load_merged

        network = load_merged(self.model, adapter, TuningConfig(layers=0))
        asked = [Request((Message("user", str(one.input)),), max_tokens=16) for one in self.dev]
        done = LocalModel("judged", network, self.model.tokenizer, fingerprint=str(adapter)).generate(asked)
        return sum(each.content.strip() == one.target for each, one in zip(done, self.dev, strict=True))


def main() -> None:
    """Print a line a training, the table, and keep results/training.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=str(HERE.parent / ".venv-peers" / "bin" / "python"), metavar="PYTHON")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slack", type=int, default=2, help="dev answers that a trainer may be worse and still count")
    parser.add_argument("--trainers", default="", help="only those whose names end with one of these texts, by ;")
    asked = parser.parse_args()
    from advisor.core.shipped import load_evalset
    from advisor.models.local import weights
    from advisor.models.local.model import open_local

    folder = weights.fetch(weights.SMOLLM2)
    evalset, model = load_evalset("harrow_routing"), open_local("smollm2", precision="fp32")  # rounds no adapter away
    python = str(Path(asked.peers).absolute())
    train, judge = evalset.train[: asked.rows], Judge(model, evalset.dev)
    sent = {"rows": [_texts(model, one) for one in train], "questions": [_pair(one) for one in train],
            "dev": [_pair(one) for one in evalset.dev]}  # fmt: skip
    trainers = {name: options for name, options in TRAINERS.items() if name.endswith(tuple(asked.trainers.split(";")))}
    told: dict[str, list[dict[str, Any]]] = {name: [] for name in (OWN, *trainers)}
    for round_ in range(asked.rounds):
        for name in told:
            own = name == OWN
            options = {"epochs": EPOCHS, "layers": LAYERS} if own else trainers[name]
            job = {**sent, "options": options, "seed": round_}
            told[name].append(_train(name, job, python, str(folder), judge))
            print(f"round {round_}, {name}: {told[name][-1]}", flush=True)
    rows = [_row(name, those, told[OWN], asked.slack) for name, those in told.items()]
    print("\n" + _table(rows, len(train), len(evalset.dev)))
    config = asdict(TuningConfig(epochs=EPOCHS, layers=LAYERS))
    if asked.rounds >= ENOUGH:
        one = {"rows": len(train), "dev": len(evalset.dev), "slack": asked.slack, "config": config, "trainings": told}
        keep("training.json", " and ".join(trainers), one)


def _texts(model: Any, one: Example) -> tuple[str, str]:
    """Return prompt and completion as texts whose tokens are those of our own training."""
    ids, learned = model.chat.training_pair(TuningExample((Message("user", str(one.input)),
                                                           Message("assistant", str(one.target)))))  # fmt: skip
    start = learned.index(True)
    return model.tokenizer.decode(ids[:start]), model.tokenizer.decode(ids[start:])


def _pair(one: Example) -> tuple[str, str]:
    return str(one.input), str(one.target)


def _train(name: str, job: dict[str, Any], peers: str, weights: str, judge: Judge) -> dict[str, Any]:
    """Train once, in a process of its own, so that its peak of memory is its own; judge what it left."""
    place = Path(tempfile.mkdtemp())
    try:
        with (HERE / "results" / "peers.log").open("a") as log:
            script, python = ("own_training.py", sys.executable) if name == OWN else ("trl_sft.py", peers)
            process = Process(name, script, python, (weights,), log)
            found = process.ask({**job, "folder": str(place / "work")})
            process.close()
        right = [judge.right(adapter) for adapter in adapters(place / "work")]
    finally:
        shutil.rmtree(place)
    return {"seconds": found["answers"], "right": right, "peak_gb": found["peak_gb"], "versions": process.versions}


def _row(name: str, those: list[dict[str, Any]], own: list[dict[str, Any]], slack: int) -> dict[str, Any]:
    ratios = []
    for one, mine in zip(those, own, strict=True):
        wanted = mine["right"][-1] - slack
        there = [at for at, right in zip(one["seconds"], one["right"], strict=True) if right >= wanted]
        ratios.append(there[0] / mine["seconds"][-1] if there else math.inf)
    return {
        "name": name,
        "seconds": [one["seconds"][-1] for one in those],
        "right": [max(one["right"]) for one in those],
        "ratios": ratios,
        "peak_gb": max(one["peak_gb"] for one in those),
    }


def _table(rows: Sequence[dict[str, Any]], train: int, dev: int) -> str:
    lines = [
        f"{train} rows, {EPOCHS} epochs, {dev} dev questions:",
        "",
        "| trainer | seconds of all epochs, median (range) | best epoch, dev answers right "
        "| times as long as ours until our accuracy | peak GB |",
        "|---|---|---|---|---|",
    ]
    for one in rows:
        ratios = sorted(one["ratios"])
        missed = sum(map(math.isinf, ratios))
        finite, middle = [ratio for ratio in ratios if math.isfinite(ratio)], statistics.median_high(ratios)
        ratio = "not reached" if math.isinf(middle) else f"{middle:.1f} ({finite[0]:.1f} to {finite[-1]:.1f})"
        ratio += f"; not reached in {missed} of {len(ratios)}" if missed else ""
        lines.append(
            f"| {one['name']} | {statistics.median(one['seconds']):.0f} ({min(one['seconds']):.0f} to "
            f"{max(one['seconds']):.0f}) | {', '.join(map(str, one['right']))} | {ratio} | {one['peak_gb']:.1f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
