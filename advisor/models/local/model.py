"""A language model on this machine: transformers for the layers, our own batching around them."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from advisor.core.errors import ConfigurationError, ModelError, did_you_mean
from advisor.core.fingerprints import digest
from advisor.core.model import Completion, Model, Request, Trainer, TuningExample, TuningJob, TuningReport
from advisor.core.progress import Progress, silent
from advisor.core.thinking import split_thinking
from advisor.core.types import Usage
from advisor.models.local import runtime, weights
from advisor.models.local.chat import ChatFormat, read_answer

ENGINE_VERSION = "5"
_APART = 0.1
"""Of the largest logit: rounding to bf16 moves none by as much, what a network does beside its layers moves more."""
_PRECISIONS = {"fp32": "float32", "bf16": "bfloat16"}
_CHANGING_POSITIONS = ("longrope", "dynamic")
_NATIVE_BF16 = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
NAME = "smollm2"


def open_local(spec: str, progress: Progress = silent, *, precision: str = "") -> LocalModel:
    """Open the embedded model (`smollm2`), a Hugging Face name (`hf:org/name`) or a folder with weights.

    Args:
        spec: which model.
        progress: where fetching and converting say how far they are.
        precision: `fp32` or `bf16`; by default `ADVISOR_PRECISION`, else bf16 where the processor multiplies it
            natively (about four times as fast), else fp32 (on other processors bf16 is far slower). Part of the
            fingerprint: near-ties between two words may fall differently.

    It computes on the processor, or on the GPU that `ADVISOR_DEVICE` names (`cuda`, `cuda:1`).

    Raises:
        ConfigurationError: the precision or the device is none that there is.
        ModelError: there is no such model, or it cannot be loaded.
    """
    runtime.settle()
    import transformers
    from transformers import AutoTokenizer

    from advisor.models.local import folders

    device = _device(os.environ.get("ADVISOR_DEVICE", ""))
    chosen = _precision(precision or os.environ.get("ADVISOR_PRECISION", ""), device)
    embedded = spec == NAME
    source = str(weights.fetch(weights.SMOLLM2, progress)) if embedded else spec.removeprefix("hf:")
    transformers.utils.logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=embedded, trust_remote_code=False)
        if not embedded and Path(source).is_dir():
            folders.refuse_broken_folder(Path(source))
        model = _network(spec, source, chosen, device)
        identity = weights.SMOLLM2.file_sha256 if embedded else _identity(source, model)
        known_by = digest([spec, identity, chosen, ENGINE_VERSION, *([] if device == "cpu" else ["cuda"])])
        return LocalModel(spec, model, tokenizer, fingerprint=known_by)
    except ModelError:
        raise
    except Exception as error:  # a spoilt folder breaks in these libraries in any way there is
        said = (str(error).splitlines() or [""])[0][:300]
        raise ModelError(
            f"the model {spec!r} cannot be loaded: {said or type(error).__name__}",
            hint="name a folder with safetensors weights, hf:org/name, or use --model smollm2",
        ) from error


def _network(spec: str, source: str, precision: str, device: str) -> Any:
    """Load the weights, every one of them out of the files, and give them our attention where it serves them."""
    import torch
    from transformers import AutoModelForCausalLM

    from advisor.models.local import folders

    here = spec == NAME
    model, found = AutoModelForCausalLM.from_pretrained(
        source,
        config=folders.configuration(source, local_files_only=here),
        output_loading_info=True,
        dtype=getattr(torch, _PRECISIONS[precision]),
        local_files_only=here,
        use_safetensors=True,
        trust_remote_code=False,  # said aloud: left out, transformers asks on a terminal whether to run it
    )
    folders.refuse_partial_weights(spec, found)
    model.eval().requires_grad_(False)
    if device != "cpu":
        model.to(device)
    if _shares_prefix(model):
        _take_attention(model)
    return model


def _device(asked: str) -> str:
    import torch

    if asked in ("", "cpu"):
        return "cpu"
    gpus = [f"cuda:{at}" for at in range(torch.cuda.device_count() if torch.cuda.is_available() else 0)]
    found = gpus[0] if gpus and asked == "cuda" else asked
    if found not in gpus:
        raise ConfigurationError(
            f"ADVISOR_DEVICE is {asked!r}, which torch does not see here; allowed: {', '.join(['cpu', *gpus])}",
            hint="export ADVISOR_DEVICE=cpu",
        )
    return found


def _precision(asked: str, device: str) -> str:
    import torch

    if asked and asked not in _PRECISIONS:
        raise ConfigurationError(
            f"the precision {asked!r} is unknown; {did_you_mean(asked, _PRECISIONS)}",
            hint="export ADVISOR_PRECISION=fp32",
        )
    native = any(getattr(torch.cpu, probe, bool)() for probe in _NATIVE_BF16)
    if device != "cpu":
        with torch.cuda.device(device):
            native = torch.cuda.is_bf16_supported(including_emulation=False)
    return asked or ("bf16" if native else "fp32")


def _shares_prefix(model: Any) -> bool:
    """Say whether our attention can serve this architecture.

    Every layer must see all that stands before it (a window as long as the context hides nothing), with no capping of
    scores or logits, and a token's position must mean the same however long its prompt is.
    """
    config = model.config
    window = getattr(config, "sliding_window", None)
    capped = any(getattr(config, name, None) for name in ("final_logit_softcapping", "attn_logit_softcapping"))
    full = set(getattr(config, "layer_types", None) or ()) <= {"full_attention"}
    full = full and not (window and window < config.max_position_embeddings)
    positions = str(getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or "")
    full = full and not any(kind in positions for kind in _CHANGING_POSITIONS)
    heads = getattr(config, "num_key_value_heads", None)
    return bool(full and heads and not capped and getattr(model, "_supports_attention_backend", False))


def _take_attention(model: Any) -> None:
    """Give a network our attention if a prompt of a few tokens then says what it says by itself.

    Some do more than their layers show: they scale logits, or keep something else than keys and values.
    """
    import torch

    from advisor.models.local import attention
    from advisor.models.local.engine import Engine

    ids = [at % model.config.vocab_size for at in range(1, min(33, model.config.max_position_embeddings))]
    plain = model.config._attn_implementation
    with torch.inference_mode():
        expected = model(input_ids=torch.tensor([ids], device=model.device)).logits[0, -1].float()
    model.set_attn_implementation(attention.NAME)
    try:
        with runtime.memory_errors():
            apart = float((Engine(model, frozenset(), str).logits(ids).float() - expected).abs().max())
    except MemoryError:
        raise
    except Exception:  # whatever an unknown architecture breaks on
        apart = float("inf")
    if not apart <= _APART * float(expected.abs().max()):
        model.set_attn_implementation(plain)


def _identity(source: str, model: Any) -> str:
    folder = Path(source)
    if not folder.is_dir():
        return str(getattr(model.config, "_commit_hash", "") or source)
    files = sorted(folder.glob("*.safetensors"))
    return digest([[file.name, _file_digest(file)] for file in files])


def _file_digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class LocalModel:
    """A causal language model with its tokenizer, answering in batches; made by `open_local`."""

    trains_here = True
    """A training costs nothing but time, so a check may train on a few rows once more."""
    billed = False

    def __init__(
        self, name: str, model: Any, tokenizer: Any, *, fingerprint: str, load: Callable[[], Any] | None = None
    ) -> None:
        self.name = name
        self.fingerprint = fingerprint
        if load is None:
            self.network = model
        self._load = load
        self.tokenizer = tokenizer
        self.chat = ChatFormat(tokenizer)
        self.frozen: dict[str, Any] = {}
        self.compared_tokens = 0

    @cached_property
    def network(self) -> Any:
        """The layers; those of a training that may go on are loaded when somebody asks for them."""
        return self._load() if self._load else None

    @property
    def precision(self) -> str:
        """`fp32` or `bf16`: what the weights are multiplied in."""
        return next(short for short, name in _PRECISIONS.items() if str(self.network.dtype) == f"torch.{name}")

    @property
    def device(self) -> str:
        """The GPU it computes on; empty for the processor."""
        import torch

        place = self.network.device
        return "" if place.type == "cpu" else f"{place} ({torch.cuda.get_device_name(place)})"

    @cached_property
    def trainer(self) -> Trainer:
        """It is trained on this machine."""
        return Trainer(sum(weight.numel() for weight in self.network.parameters()))

    @property
    def threads(self) -> str:
        """How many threads multiply, and how idle ones wait."""
        return runtime.described()

    @property
    def generation(self) -> str:
        """How it writes, where that is not the engine's way."""
        plainly = "plain generate, one answer at a time: the engine does not serve its architecture"
        return "" if self._is_shared else plainly

    @property
    def description(self) -> dict[str, str]:
        """Precision, device, threads and generation, as a report says them."""
        return {
            "precision": self.precision,
            "device": self.device,
            "threads": self.threads,
            "generation": self.generation,
        }

    @property
    def _is_shared(self) -> bool:
        from advisor.models.local import attention

        return bool(self.network.config._attn_implementation == attention.NAME)

    @cached_property
    def _engine(self) -> Any:
        from advisor.models.local.engine import Engine

        return Engine(self.network, self._ends, self._decode)

    def forget(self) -> None:
        """Drop what was computed of earlier prompts."""
        if "_engine" in vars(self):
            self._engine.forget()

    def _decode(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))

    @cached_property
    def _ends(self) -> frozenset[int]:
        ends = self.network.generation_config.eos_token_id
        return frozenset({self.tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None})

    @cached_property
    def _grammars(self) -> Any:
        from advisor.models.local.constrained import Grammars

        return Grammars(self.tokenizer, self.network.config.vocab_size)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text takes."""
        if not texts:
            return []
        return [len(ids) for ids in self.tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]]

    @property
    def context_tokens(self) -> int:
        """How many tokens a prompt and its answer may take together."""
        return int(self.network.config.max_position_embeddings)

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """Answer every request, in order, with as much room as its prompt leaves of the context.

        A prompt that leaves none is a failed completion.
        """
        from advisor.models.local import fallback

        if not requests:
            return []
        started = time.perf_counter()
        rows = [self._row(request) for request in requests]
        fitting = [row for row in rows if not isinstance(row, Completion)]
        if fitting:
            if self._is_shared:
                self._engine.run(fitting)
            else:
                fallback.run(self.network, fitting, self._ends, self._decode)
        seconds = time.perf_counter() - started
        work = sum(len(row.ids) - row.reused + len(row.written) for row in fitting) or 1
        return [
            row if isinstance(row, Completion) else _completion(row, request, seconds / work)
            for row, request in zip(rows, requests, strict=True)
        ]

    def _row(self, request: Request) -> Any:
        from advisor.models.local.rows import TokenSequence

        ids = self.chat.prompt(request.messages, request.tools)
        room = self.context_tokens - len(ids)
        if room < 1:
            return Completion(
                error=f"the prompt has {len(ids)} tokens and leaves no room for an answer: together they can be no "
                f"more than the {self.context_tokens} that {self.name} can hold",
                finish_reason="error",
            )
        return TokenSequence(
            ids=ids,
            max_tokens=min(request.max_tokens, room),
            temperature=request.temperature,
            seed=request.seed,
            stop=request.stop,
            constraint=self._grammars.constraint(request) if _is_constrained(request) else None,
            stays=bool(request.tools),
        )

    def tune(self, job: TuningJob) -> tuple[Model, TuningReport]:
        """Train a LoRA adapter and return the merged model; see `advisor.models.local.tuning`."""
        from advisor.models.local.tuning import tune

        load, report, fingerprint = tune(self, job)
        name, later = f"{self.name}+lora", load if job.states else None
        network = None if later else load()
        return LocalModel(name, network, self.tokenizer, fingerprint=fingerprint, load=later), report

    def serves_as_trained(self, example: TuningExample) -> bool:
        """Say whether every answer of a training row stands behind the very token ids that serving would put there."""
        return self.chat.serves_as_trained(example)


def _is_constrained(request: Request) -> bool:
    return bool(request.choices or request.schema is not None or request.tools)


def _completion(row: Any, request: Request, seconds_per_token: float) -> Completion:
    thinking, answer, is_whole = split_thinking(row.text)
    text, calls = read_answer(answer) if request.tools else (answer.strip(), ())
    own = len(row.ids) - row.reused + len(row.written)
    usage = Usage(
        input_tokens=len(row.ids),
        cached_input_tokens=row.reused,
        output_tokens=len(row.written),
        calls=1,
        seconds=own * seconds_per_token,
        latency_seconds=row.latency_seconds,
    )
    reason: Any = "tool_calls" if calls else row.finish if is_whole else "length"
    return Completion(text, calls, usage, finish_reason=reason, thinking=thinking)
