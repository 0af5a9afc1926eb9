"""Embedding on the same weights behind the same protocol: ours, sentence-transformers, OpenVINO or ONNX Runtime.

Started with which of them, and the folder of the weights. A job has ``texts``; vectors come back.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from protocol import Job, serve

TOKENS, BATCH = 256, 32
Encode = Callable[[Sequence[str]], Any]


def ours(folder: Path) -> Encode:
    from advisor.models.local.embeddings import _MiniLM

    return _MiniLM(folder).encode


def sentence_transformers(folder: Path) -> Encode:
    import sentence_transformers

    model = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    model.max_seq_length = TOKENS
    return lambda texts: model.encode(list(texts), batch_size=BATCH)


def network(folder: Path) -> tuple[Any, Any, dict[str, Any]]:
    """Return the tokenizer, the model with its pooling, and an example of what goes in."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, model_max_length=TOKENS)
    model = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()

    class Pooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            states = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            counted = attention_mask.unsqueeze(-1).to(states.dtype)
            return torch.nn.functional.normalize((states * counted).sum(1) / counted.sum(1), dim=1)

    shown = tokenizer(["two texts", "of unlike length"], padding=True, return_tensors="pt")
    return tokenizer, Pooled(), {name: shown[name] for name in ("input_ids", "attention_mask")}


def batched(tokenizer: Any, run: Callable[[list[dict[str, Any]]], list[Any]]) -> Encode:
    """Texts of similar length together, the longest first, as sentence-transformers does."""

    def encode(texts: Sequence[str]) -> Any:
        order = sorted(range(len(texts)), key=lambda at: -len(texts[at]))
        parts = [[texts[at] for at in order[start : start + BATCH]] for start in range(0, len(order), BATCH)]
        tokens = [tokenizer(part, padding=True, truncation=True, return_tensors="np") for part in parts]
        found = np.concatenate(run([{name: one[name] for name in ("input_ids", "attention_mask")} for one in tokens]))
        vectors = np.empty_like(found)
        vectors[order] = found
        return vectors

    return encode


def openvino(folder: Path) -> Encode:
    import openvino

    tokenizer, model, shown = network(folder)
    settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(openvino.convert_model(model, example_input=shown), "CPU", settings)

    def run(batches: list[dict[str, Any]]) -> list[Any]:
        found: dict[int, Any] = {}
        queue = openvino.AsyncInferQueue(compiled)
        queue.set_callback(lambda request, at: found.__setitem__(at, request.get_output_tensor().data.copy()))
        for at, each in enumerate(batches):
            queue.start_async([each["input_ids"], each["attention_mask"]], at)
        queue.wait_all()
        return [found[at] for at in range(len(batches))]

    return batched(tokenizer, run)


def onnxruntime(folder: Path) -> Encode:
    import io

    import onnxruntime
    import torch

    tokenizer, model, shown = network(folder)
    axes = {name: {0: "texts", 1: "tokens"} for name in shown}
    file = io.BytesIO()
    torch.onnx.export(
        model, tuple(shown.values()), file, input_names=list(shown), dynamic_axes=axes, dynamo=False, verbose=False
    )
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    return batched(tokenizer, lambda batches: [session.run(None, each)[0] for each in batches])


KINDS: dict[str, tuple[str, Callable[[Path], Encode]]] = {
    "ours": ("tuneworthy", ours),
    "sentence-transformers": ("sentence-transformers", sentence_transformers),
    "OpenVINO": ("openvino", openvino),
    "ONNX Runtime": ("onnxruntime", onnxruntime),
}
distribution, make = KINDS[sys.argv[1]]
encode = make(Path(sys.argv[2]))


def work(job: Job) -> Any:
    """Embed one job's texts."""
    return np.asarray(encode(job["texts"])).tolist()


serve({distribution: version(distribution)}, work)
