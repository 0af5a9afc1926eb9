"""lm-eval's ``hf`` model, as its tasks call it: ``generate_until``, and ``loglikelihood`` of every label."""

from __future__ import annotations

import sys
from importlib.metadata import version

from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from protocol import Job, serve

MODELS: dict[str, HFLM] = {}


def work(job: Job) -> list[str]:
    """Answer one job; options: ``dtype``, ``batch_size``."""
    model = MODELS.get(dtype := job["options"]["dtype"]) or HFLM(sys.argv[1], dtype=dtype, device="cpu")
    MODELS[dtype] = model
    model.batch_size_per_gpu = job["options"]["batch_size"]
    if job["choices"]:
        asked = [(prompt, choice) for prompt in job["prompts"] for choice in job["choices"]]
        scores = iter(model.loglikelihood(_instances("loglikelihood", asked), disable_tqdm=True))
        found = [[next(scores)[0] for _ in job["choices"]] for _ in job["prompts"]]
        return [job["choices"][row.index(max(row))] for row in found]
    how = {"until": ["<|im_end|>"], "max_gen_toks": job["max_tokens"], "do_sample": False}
    asked = [(prompt, how) for prompt in job["prompts"]]
    return [text.strip() for text in model.generate_until(_instances("generate_until", asked), disable_tqdm=True)]


def _instances(kind: str, arguments: list[tuple[object, object]]) -> list[Instance]:
    return [Instance(kind, {}, each, at) for at, each in enumerate(arguments)]


serve({"lm-eval": version("lm-eval"), "transformers": version("transformers"), "torch": version("torch")}, work)
