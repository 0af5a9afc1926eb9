"""Epochs of LoRA on the top layers: the loss, the steps, and going on where an interrupted training stopped."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from advisor.core.errors import ModelError
from advisor.core.model import TuningJob
from advisor.models.local.checkpoints import Checkpoint, Checkpoints
from advisor.models.local.frozen import CACHE_TOKENS, Item, Rows, cut
from advisor.models.local.layers import run_layers
from advisor.models.local.runtime import give_back, memory_errors

STEP_TOKENS = 1024
FEWEST_TOKENS = 64
"""Less than this at once is not tried where memory runs out."""
SURE = 0.05
"""Rows are learned by heart once every token to learn is the likeliest and their mean loss is at most this."""


def too_large() -> ModelError:
    """The error of a training that does not fit into memory."""
    return ModelError(
        "the training does not fit into memory",
        hint="close other programs, shorten the examples, or adapt fewer layers, e.g. 'fine_tuning(layers=4)'",
    )


class TopLayers:
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


class TrainingLoop:
    """The training loop: cosine schedule, AdamW, the best epoch on dev kept; goes on from the last checkpoint.

    `earlier_seconds` is what was trained before an interruption and need not be trained again, `reported` the number of
    epochs that a shorter training has reported.
    """

    def __init__(self, network: Any, top: TopLayers, job: TuningJob, checkpoints: Checkpoints) -> None:
        self.network, self.top, self.job, self.checkpoints = network, top, job, checkpoints
        self.earlier_seconds, self.reported, self._started = 0.0, 0, time.perf_counter()
        self.ends = [*job.config.restarts, job.config.epochs]
        self.weights = [weight for weight in network.parameters() if weight.requires_grad]
        self.random = torch.Generator().manual_seed(job.config.seed)
        self.tokens = STEP_TOKENS  # at once
        self.learned = False  # whether every row of the last epoch was known, each before its own step

    def run(self, train: Rows, dev: Rows) -> dict[str, Any]:
        """Train and leave the best epoch's weights in the network; returns the history."""
        config = self.job.config
        steps = math.ceil(len(train.items) / config.batch_size)
        ends = [end * steps for end in self.ends]
        optimiser = torch.optim.AdamW(self.weights, lr=config.learning_rate, weight_decay=0.0)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _restarting(step, ends))
        history: dict[str, Any] = {"train_loss": [], "dev_loss": [], "dev_exact_match": []}
        best: tuple[float, float] | None = None
        kept: list[Tensor] = []
        done = 0
        if (found := self.checkpoints.latest(self._is_beginning)) is not None:
            kept = self._restore(found, optimiser, schedule)
            history, done = dict(found.state["history"]), int(found.state["epoch"])
            best = tuple(found.state["best"]) if found.state["best"] else None
        history["epoch"] = history["epoch"] if best else config.epochs
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
            may_go_on = epoch < config.epochs or self.job.states is not None
            if may_go_on and not self.job.until_learned:  # that is over too soon to be worth keeping
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
        is_end = state["epoch"] == self.job.config.epochs  # and so reported
        seconds = 0.0 if is_end else self.earlier_seconds + time.perf_counter() - self._started
        reported = state["epoch"] if is_end else self.reported
        told = {"ends": self._ends_up_to(state["epoch"]), "reported": reported, "seconds": seconds}
        return Checkpoint(tensors, {**state, **told, "groups": moments["param_groups"], "schedule": plan})

    def _ends_up_to(self, epoch: int) -> list[int]:
        """Return the ends of the schedule's cycles as far as they shaped the first epochs."""
        before = [end for end in self.ends if end < epoch]
        return [*before, next((end for end in self.ends if end >= epoch), 0)]

    def _is_beginning(self, state: Mapping[str, Any]) -> bool:
        """Say whether what led to a state is the very beginning of this training."""
        epoch: int = state["epoch"]
        return epoch <= self.job.config.epochs and bool(state["ends"] == self._ends_up_to(epoch))

    def _restore(self, found: Checkpoint, optimiser: Any, schedule: Any) -> list[Tensor]:
        """Put everything back as it was after an epoch; return the weights of the best epoch so far."""
        tensors, moments = found.tensors, dict[int, dict[str, Tensor]]()
        for name, value in tensors.items():
            if name.startswith("moment."):
                _, number, kind = name.split(".")
                moments.setdefault(int(number), {})[kind] = value
        optimiser.load_state_dict({"state": moments, "param_groups": found.state["groups"]})
        schedule.load_state_dict({**found.state["schedule"], "lr_lambdas": [None]})
        for group, factor in zip(optimiser.param_groups, schedule.lr_lambdas, strict=True):
            group["lr"] = group["initial_lr"] * factor(schedule.last_epoch)  # what ended there may begin anew here
        for at, weight in enumerate(self.weights):
            weight.data.copy_(tensors[f"weight.{at}"])
        self.random.set_state(tensors["random"])
        self.earlier_seconds, self.reported = float(found.state["seconds"]), int(found.state["reported"])
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


def _restarting(step: int, ends: Sequence[int]) -> float:
    """Return the share of the peak: a cosine from each end to the next, all in steps."""
    start, end = 0, ends[0]
    for later in ends[1:]:
        if step >= end:
            start, end = end, later
    return _cosine(step - start, end - start)


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
