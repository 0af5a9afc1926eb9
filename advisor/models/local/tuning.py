"""LoRA fine-tuning that is quick on a CPU.

Where only the top layers are adapted, the outputs of the layers below never change: they are computed once per example
and kept, and every epoch runs the top layers alone. What all rows begin with is computed once for many of them. The
loss is on what the assistant writes, and logits are computed only there. The adapter is peft's own (Hu et al. 2021,
arXiv 2106.09685), saved in peft's format.

The epoch kept is the one best on dev by teacher-forced exact match, which equals the share of dev answers that greedy
decoding would get exactly right; ties go to the lower dev loss.

After each epoch the whole state of the training is kept, so that an interrupted one goes on from there, to the very
same adapter; and so does one with more epochs from the end of a shorter one, see `TuningConfig.restarts`.
"""

from __future__ import annotations

import copy
import json
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from advisor._util.files import whole_folder
from advisor.core.errors import ModelError
from advisor.core.fingerprints import digest
from advisor.core.model import TuningConfig, TuningJob, TuningReport
from advisor.core.recipes import resolved
from advisor.models.local.checkpoints import MARKER, Checkpoints
from advisor.models.local.frozen import (
    Rows,
    Trainable,
    frozen_states,
    longest,
    plain,
    read_for,
    training_rows,
)
from advisor.models.local.layer_check import check_layers
from advisor.models.local.runtime import give_back, memory_errors
from advisor.models.local.training_loop import SURE, TopLayers, TrainingLoop, too_large

ADAPTER = "adapter_model.safetensors"
_ANEW = "delete this folder and run the same command again: it is trained anew"


def tune(model: Trainable, job: TuningJob) -> tuple[Callable[[], Any], TuningReport, str]:
    """Train and return what loads the merged network, the report and the tuned model's fingerprint.

    Raises:
        ModelError: nothing to train on, or the loss became not-a-number.
    """
    if not job.train:
        raise ModelError("there are no training examples", hint="give the eval set a train split")
    job = replace(job, config=resolved(job.config, model.trainer.parameters or 0))
    early = [SURE] if job.until_learned else []
    read = read_for(job, _first_adapted(model.network, job.config))
    beside = [] if read is job.train else [plain(read)]  # rounding depends on it, so another pool is another training
    of_the_job = [plain(job.train), plain(job.dev), *early, *beside]
    identity = digest([model.fingerprint, asdict(job.config), *of_the_job])
    endless = asdict(replace(job.config, epochs=0, restarts=()))  # what trainings that go on from one another share
    folder = job.workdir / f"adapter-{identity}"
    family = digest([model.fingerprint, endless, *of_the_job])
    states = Checkpoints((job.states or job.workdir) / f"adapter-{family}.epochs")
    if not (folder / MARKER).exists():
        shutil.rmtree(folder, ignore_errors=True)
        try:
            with memory_errors():
                _train(model, job, folder, states)
        except MemoryError as error:
            raise too_large() from error
        give_back()
    if job.states is None:
        states.clear()  # a training that was killed at its very end leaves them
    report = TuningReport(**_tuples(json.loads((folder / MARKER).read_text(encoding="utf-8"))))
    return partial(load_merged, model, folder, job.config), report, digest([model.fingerprint, identity])


def load_merged(model: Trainable, folder: Path, config: TuningConfig) -> Any:
    """Load an adapter by plain peft and fold it into a network that shares its untouched layers with the base."""
    from peft import PeftModel

    network = _copy_top(model.network, _first_adapted(model.network, config))
    if not (folder / ADAPTER).is_file():  # peft would then unpickle adapter_model.bin
        raise ModelError(f"the adapter in {str(folder)!r} has no {ADAPTER}", hint=_ANEW)
    with _peft_quiet():
        try:
            with memory_errors():
                adapted = PeftModel.from_pretrained(network, str(folder), torch_device=str(network.device))
                merged = adapted.merge_and_unload()
        except MemoryError as error:
            raise too_large() from error
        except Exception as error:  # a spoilt file breaks in these libraries in any way there is
            said = (str(error).splitlines() or [""])[0][:300] or type(error).__name__
            raise ModelError(f"the adapter in {str(folder)!r} cannot be loaded: {said}", hint=_ANEW) from error
    return merged.eval().requires_grad_(False)


@contextmanager
def _peft_quiet() -> Iterator[None]:
    """Keep from users that peft 0.21 asks transformers 5.23 for a property by its old name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        yield


def _tuples(stored: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()}


def _first_adapted(network: Any, config: TuningConfig) -> int:
    return max(0, int(network.config.num_hidden_layers) - config.layers) if config.layers else 0


def _copy_top(network: Any, first: int) -> Any:
    """Copy a network but share all weights below layer `first`, the embeddings and the head."""
    decoder = network.get_decoder()
    shared = [*decoder.layers[:first], network.get_input_embeddings(), network.get_output_embeddings()]
    memo = {id(part): part for module in shared if module is not None for part in (module, *module.parameters())}
    return copy.deepcopy(network, memo)


def _train(model: Trainable, job: TuningJob, folder: Path, states: Checkpoints) -> None:
    from peft import LoraConfig, get_peft_model

    started = time.perf_counter()
    config = job.config
    first = _first_adapted(model.network, config)
    train = training_rows(model, job, first)
    dev = frozen_states(model, job, job.dev, first, "reading the dev examples")
    if not train.items:
        raise ModelError(
            f"no training example has its answer within {longest(model):,} tokens, which is as far as training reads",
            hint="shorten the inputs, or leave fine-tuning out with --strategy",
        )
    check_layers(model, train)
    total = int(model.network.config.num_hidden_layers)
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=2 * config.rank,
        target_modules=_linear_names(model.network.get_decoder().layers[first]),
        layers_to_transform=list(range(first, total)),
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(), _peft_quiet():
        torch.manual_seed(config.seed)
        network = get_peft_model(_copy_top(model.network, first), lora)
    top = TopLayers(network.get_base_model(), first)
    epochs = TrainingLoop(network, top, job, states)
    history = epochs.run(train, dev)
    layers = f"LoRA on the top {total - first} of {total} layers" if first else f"LoRA on all {total} layers"
    new = len(history["train_loss"]) - epochs.reported
    spent = _spent(new, train, job, started - epochs.earlier_seconds, layers)
    _save(network, folder, history, spent)


def _linear_names(layer: Any) -> list[str]:
    linear = (name for name, module in layer.named_modules() if isinstance(module, torch.nn.Linear))
    return sorted({name.rpartition(".")[2] for name in linear})


def _spent(epochs: int, train: Rows, job: TuningJob, started: float, layers: str) -> dict[str, Any]:
    return {
        "seconds": time.perf_counter() - started,
        "tokens": train.tokens * epochs,
        "layers": layers,
        "unread": len(job.train) - len(train.items) + sum(item.is_cut for item in train.items),
    }


def _save(network: Any, folder: Path, history: dict[str, Any], spent: dict[str, Any]) -> None:
    with whole_folder(folder) as draft:
        network.save_pretrained(str(draft))
        (draft / MARKER).write_text(json.dumps({**history, **spent}), encoding="utf-8")
