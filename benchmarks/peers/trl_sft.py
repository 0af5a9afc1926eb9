"""TRL's SFTTrainer with LoRA by peft; the adapter of every epoch is kept, and the seconds spent until then."""

from __future__ import annotations

import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from datasets import Dataset
from peft import LoraConfig
from protocol import Job, serve
from transformers import AutoModelForCausalLM, TrainerCallback
from trl import SFTConfig, SFTTrainer


class Clock(TrainerCallback):  # type: ignore[misc]
    """Saves the adapter after every epoch, with the clock standing still."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.started, self.seconds = folder, time.perf_counter(), list[float]()

    def on_epoch_end(self, args: Any, state: Any, control: Any, model: Any = None, **rest: Any) -> None:
        """Save."""
        self.seconds.append(time.perf_counter() - self.started)
        saving = time.perf_counter()
        model.save_pretrained(str(self.folder / f"epoch-{len(self.seconds)}"))
        self.started += time.perf_counter() - saving


def work(job: Job) -> list[float]:
    """Train; options: ``lora`` and ``trainer``, in their own words. Returns the seconds until each epoch's end."""
    options, folder = job["options"], Path(job["folder"])
    rows = Dataset.from_list([{"prompt": prompt, "completion": completion} for prompt, completion in job["rows"]])
    model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=options.get("dtype", "float32"))
    clock = Clock(folder)
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=str(folder), use_cpu=True, save_strategy="no", report_to="none", disable_tqdm=True,
            seed=job["seed"], **options["trainer"],
        ),
        train_dataset=rows,
        peft_config=LoraConfig(task_type="CAUSAL_LM", **options["lora"]),
        callbacks=[clock],
    )  # fmt: skip
    trainer.train()
    return clock.seconds


serve({"trl": version("trl"), "peft": version("peft"), "transformers": version("transformers"),
       "torch": version("torch")}, work)  # fmt: skip
