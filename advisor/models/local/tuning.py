"""LoRA fine-tuning that is quick on a CPU.

Only the top layers are adapted, so the outputs of the layers below never change: they are computed once per example and
kept, and every epoch runs the top layers alone. What all rows begin with is computed once for many of them. The loss is
on what the assistant writes, and logits are computed only there. The adapter is peft's own (Hu et al. 2021, arXiv
2106.09685), saved in peft's format.

The epoch kept is the one best on dev by teacher-forced exact match, which equals the share of dev answers that greedy
decoding would get exactly right; ties go to the lower dev loss.

After each epoch the whole state of the training is kept, so that an interrupted one goes on from there, to the very
same adapter.
"""

from __future__ import annotations

import copy
import json
import math
import shutil
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from advisor.core.errors import ModelError
from advisor.core.fingerprints import digest
from advisor.core.model import TuningConfig, TuningJob, TuningReport
from advisor.models.local.checkpoints import MARKER, Checkpoint, Checkpoints, flush, write
from advisor.models.local.frozen import (
    CACHE_TOKENS,
    Item,
    Rows,
    Trainable,
    cut,
    frozen_states,
    longest,
    plain,
    read_for,
    training_rows,
)
from advisor.models.local.layers import run_layers
from advisor.models.local.runtime import give_back, memory_errors

ADAPTER = "adapter_model.safetensors"
_ELSEWHERE = "train it at an endpoint, choose another --model, or leave fine-tuning out with --strategy"
_ANEW = "delete this folder and run the same command again: it is trained anew"
STEP_TOKENS = 1024
FEWEST_TOKENS = 64
"""Less than this at once is not tried where memory runs out."""
SAME_LOSS = 0.2
"""Rounding alone makes two ways to compute a loss differ by less."""
SURE = 0.05
"""Rows are learned by heart once every token to learn is the likeliest and their mean loss is at most this."""


def tune(model: Trainable, job: TuningJob) -> tuple[Any, TuningReport, str]:
    """Train and return the merged network, the report and the tuned model's fingerprint.

    Raises:
        ModelError: nothing to train on, or the loss became not-a-number.
    """
    if not job.train:
        raise ModelError("there are no training examples", hint="give the eval set a train split")
    early = [SURE] if job.until_learned else []
    read = read_for(job, _first_adapted(model.network, job.config))
    beside = [] if read is job.train else [plain(read)]  # rounding depends on it, so another pool is another training
    identity = digest([model.fingerprint, asdict(job.config), plain(job.train), plain(job.dev), *early, *beside])
    folder = job.workdir / f"adapter-{identity}"
    if not (folder / MARKER).exists():
        shutil.rmtree(folder, ignore_errors=True)
        try:
            with memory_errors():
                _train(model, job, folder)
        except MemoryError as error:
            raise too_large() from error
        give_back()
    Checkpoints(folder.with_suffix(".epochs")).clear()  # a training that was killed at its very end leaves them
    report = TuningReport(**_tuples(json.loads((folder / MARKER).read_text(encoding="utf-8"))))
    return load_merged(model, folder, job.config), report, digest([model.fingerprint, identity])


def too_large() -> ModelError:
    """The error of a training that does not fit into memory."""
    return ModelError(
        "the training does not fit into memory",
        hint="close other programs, shorten the examples, or adapt fewer layers, e.g. 'fine_tuning(layers=4)'",
    )


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


def _train(model: Trainable, job: TuningJob, folder: Path) -> None:
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
    _check_layers(model, train, first)
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
    top = _Top(network.get_base_model(), first)
    epochs = _Epochs(network, top, job, Checkpoints(folder.with_suffix(".epochs")))
    history = epochs.run(train, dev)
    layers = f"LoRA on the top {total - first} of {total} layers"
    spent = _spent(len(history["train_loss"]), train, job, started - epochs.earlier_seconds, layers)
    _save(network, folder, history, spent)


@torch.inference_mode()
def _check_layers(model: Trainable, rows: Rows, first: int) -> None:
    """Make sure that the layers, run one by one, say of the longest row what the whole network says.

    Raises:
        ModelError: they do not; the architecture does more than its layers show.
    """
    item = max(rows.items, key=lambda item: len(item.ids))
    length, window = len(rows.ids) + len(item.ids), getattr(model.network.config, "sliding_window", None)
    if window and window < length:
        raise ModelError(
            f"{model.name} cannot be trained here: its layers see the last {window:,} tokens only, and the longest "
            f"training example has {length:,}",
            hint=_ELSEWHERE,
        )
    ours, _ = _Top(model.network, first).losses(rows.prefix, [item])
    ids, at = torch.cat([rows.ids, item.ids]), len(rows.ids) + item.places
    logits = model.network(input_ids=ids.unsqueeze(0)).logits[0, at - 1].float()
    theirs = functional.cross_entropy(logits, ids[at])
    if abs(float(ours.mean() - theirs)) > SAME_LOSS:
        raise ModelError(
            f"{model.name} cannot be trained here: its loss is {float(theirs):.2f}, its layers alone give "
            f"{float(ours.mean()):.2f}",
            hint=_ELSEWHERE,
        )


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
    """Write the adapter first and the marker last, so that a marker means a whole adapter."""
    unfinished = folder.with_suffix(".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    network.save_pretrained(str(unfinished))
    for path in unfinished.iterdir():
        flush(path)
    write(unfinished / MARKER, json.dumps({**history, **spent}))
    unfinished.rename(folder)
    flush(folder.parent)


class _Top:
    """The adapted layers and the head: hidden states in, loss out."""

    def __init__(self, network: Any, first: int) -> None:
        self.decoder = network.get_decoder()
        self.layers = self.decoder.layers[first:]
        self.head = network.get_output_embeddings()

    def losses(self, prefix: Tensor, items: list[Item]) -> tuple[Tensor, Tensor]:
        """Return the loss of every learned token, and for every item whether all of them were the likeliest."""
        device = self.head.weight.device
        _, rows = run_layers(self.decoder, self.layers, prefix, [item.states.to(device) for item in items])
        before, target, owner = [], [], []
        for number, (states, item) in enumerate(zip(rows, items, strict=True)):
            places = item.places
            before.append(states[places - 1])
            target.append(item.ids[places])
            owner.append(torch.full_like(places, number))
        wanted = torch.cat(target)
        logits = self.head(self.decoder.norm(torch.cat(before))).float()
        loss = functional.cross_entropy(logits, wanted, reduction="none")
        missed = (logits.argmax(-1) != wanted).float()
        wrong = missed.new_zeros(len(items)).index_add_(0, torch.cat(owner), missed)
        return loss, wrong == 0


class _Epochs:
    """The training loop: cosine schedule, AdamW, the best epoch on dev kept; goes on from the last checkpoint.

    `earlier_seconds` is what was trained before an interruption and need not be trained again.
    """

    def __init__(self, network: Any, top: _Top, job: TuningJob, checkpoints: Checkpoints) -> None:
        self.network, self.top, self.job, self.checkpoints = network, top, job, checkpoints
        self.earlier_seconds, self._started = 0.0, time.perf_counter()
        self.weights = [weight for weight in network.parameters() if weight.requires_grad]
        self.random = torch.Generator().manual_seed(job.config.seed)
        self.tokens = STEP_TOKENS  # at once
        self.learned = False  # whether every row of the last epoch was known, each before its own step

    def run(self, train: Rows, dev: Rows) -> dict[str, Any]:
        """Train and leave the best epoch's weights in the network; returns the history."""
        config = self.job.config
        steps = config.epochs * math.ceil(len(train.items) / config.batch_size)
        optimiser = torch.optim.AdamW(self.weights, lr=config.learning_rate, weight_decay=0.0)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _cosine(step, steps))
        history: dict[str, Any] = {"train_loss": [], "dev_loss": [], "dev_exact_match": [], "epoch": config.epochs}
        best: tuple[float, float] | None = None
        kept: list[Tensor] = []
        done = 0
        if (found := self.checkpoints.latest()) is not None:
            kept = self._restore(found, optimiser, schedule)
            history, done = dict(found.state["history"]), int(found.state["epoch"])
            best = tuple(found.state["best"]) if found.state["best"] else None
        for epoch in range(done + 1, config.epochs + 1):
            history["train_loss"].append(self._epoch(train, optimiser, schedule, epoch))
            if dev.items:
                loss, right = self._evaluate(dev)
                self._finite("loss on dev", loss, epoch)
                history["dev_loss"].append(loss)
                history["dev_exact_match"].append(right)
                if best is None or (right, -loss) > best:
                    best, history["epoch"] = (right, -loss), epoch
                    kept = [weight.detach().clone() for weight in self.weights]
            elif self.job.until_learned and self.learned and history["train_loss"][-1] <= SURE:
                history["epoch"] = epoch
                break
            if epoch < config.epochs and not self.job.until_learned:  # that is over too soon to be worth keeping
                state = {"epoch": epoch, "history": history, "best": best, "tokens": self.tokens}
                self.checkpoints.keep(epoch, self._checkpoint(state, kept, optimiser, schedule))
        for weight, value in zip(self.weights, kept, strict=False):
            weight.data.copy_(value)
        return history

    def _checkpoint(self, state: dict[str, Any], kept: list[Tensor], optimiser: Any, schedule: Any) -> Checkpoint:
        moments = optimiser.state_dict()
        tensors = {"random": self.random.get_state()}
        for name, those in (("weight", self.weights), ("kept", kept)):
            tensors |= {f"{name}.{at}": value.detach().clone().contiguous() for at, value in enumerate(those)}
        for at, values in moments["state"].items():
            tensors |= {f"moment.{at}.{name}": value.clone() for name, value in values.items()}
        plan = {name: value for name, value in schedule.state_dict().items() if name != "lr_lambdas"}
        seconds = self.earlier_seconds + time.perf_counter() - self._started
        return Checkpoint(tensors, {**state, "groups": moments["param_groups"], "schedule": plan, "seconds": seconds})

    def _restore(self, found: Checkpoint, optimiser: Any, schedule: Any) -> list[Tensor]:
        """Put everything back as it was after an epoch; return the weights of the best epoch so far."""
        tensors, moments = found.tensors, dict[int, dict[str, Tensor]]()
        for name, value in tensors.items():
            if name.startswith("moment."):
                _, number, kind = name.split(".")
                moments.setdefault(int(number), {})[kind] = value
        optimiser.load_state_dict({"state": moments, "param_groups": found.state["groups"]})
        schedule.load_state_dict({**found.state["schedule"], "lr_lambdas": [None]})
        for at, weight in enumerate(self.weights):
            weight.data.copy_(tensors[f"weight.{at}"])
        self.random.set_state(tensors["random"])
        self.earlier_seconds = float(found.state["seconds"])
        self.tokens = int(found.state["tokens"])
        return [tensors[f"kept.{at}"] for at in range(len(self.weights)) if f"kept.{at}" in tensors]

    def _epoch(self, train: Rows, optimiser: Any, schedule: Any, epoch: int) -> float:
        config = self.job.config
        batches = _batches(train.items, config.batch_size, self.random)
        total, count, self.learned = 0.0, 0.0, True
        for number, batch in enumerate(batches, 1):
            loss, learned = self._gradients(train, batch)
            self._finite("loss", loss, epoch)
            self._finite("gradient", float(torch.nn.utils.clip_grad_norm_(self.weights, 1.0)), epoch)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
            total, count = total + loss, count + learned
            done = (epoch - 1) * len(batches) + number
            self.job.progress("training", done, config.epochs * len(batches))
        largest = torch.stack([weight.detach().abs().max() for weight in self.weights]).max()  # of any nan it is nan
        self._finite("largest weight", float(largest), epoch)
        return total / count

    def _finite(self, what: str, value: float, epoch: int) -> None:
        """Stop before anything is kept that came to infinity or not-a-number."""
        if math.isfinite(value):
            return
        kept = "nothing was saved"
        if epoch > 1 and not self.job.until_learned:
            kept = f"the state after epoch {epoch - 1} is kept in {str(self.checkpoints.folder)!r}"
        raise ModelError(
            f"the training's {what} became {value} in epoch {epoch}; {kept}",
            hint="lower the learning rate, e.g. --strategy 'fine_tuning(learning_rate=0.0005)'",
        )

    def _gradients(self, rows: Rows, batch: list[int]) -> tuple[float, int]:
        """As `_backward`; where memory runs out, with half as many tokens at once, for the rest of the training."""
        while True:
            try:
                with memory_errors():
                    return self._backward(rows, batch)
            except MemoryError as error:
                if self.tokens <= FEWEST_TOKENS:
                    raise too_large() from error
            self.tokens //= 2
            for weight in self.weights:
                weight.grad = None
            give_back()

    def _backward(self, rows: Rows, batch: list[int]) -> tuple[float, int]:
        """Add up the gradients of the mean loss of one step; returns the summed loss and the number of learned tokens.

        Long rows go through a few at a time: what is kept for the backward pass grows with the tokens at once.
        """
        learned = sum(len(rows.items[index].places) for index in batch)
        total = 0.0
        for part in cut(batch, rows.weights, self.tokens):
            loss, right = self.top.losses(rows.prefix, [rows.items[index] for index in part])
            self.learned = self.learned and bool(right.all())
            summed = loss.sum()
            (summed / learned).backward()  # type: ignore[no-untyped-call]
            total += float(summed.detach())
        return total, learned

    @torch.inference_mode()
    def _evaluate(self, dev: Rows) -> tuple[float, float]:
        losses, rights = [], []
        for part in cut(range(len(dev.items)), dev.weights, CACHE_TOKENS):
            loss, right = self.top.losses(dev.prefix, [dev.items[index] for index in part])
            losses.append(loss)
            rights.append(right)
        return float(torch.cat(losses).mean()), float(torch.cat(rights).float().mean())


def _cosine(step: int, steps: int) -> float:
    warm = max(1, round(0.05 * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def _batches(items: list[Item], size: int, random: torch.Generator) -> list[list[int]]:
    """Shuffle, then sort by length inside windows of eight batches, so that little is padded; shuffle the batches."""
    order = torch.randperm(len(items), generator=random).tolist()
    batches = []
    for start in range(0, len(order), 8 * size):
        window = sorted(order[start : start + 8 * size], key=lambda index: len(items[index].ids))
        batches += [window[at : at + size] for at in range(0, len(window), size)]
    return [batches[at] for at in torch.randperm(len(batches), generator=random).tolist()]
