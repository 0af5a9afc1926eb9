"""OpenVINO GenAI on the GGUF weights, with prefix caching and continuous batching."""

from __future__ import annotations

import sys
from importlib.metadata import version

import openvino_genai as genai
from protocol import Job, serve

scheduler = genai.SchedulerConfig()
scheduler.enable_prefix_caching = True
scheduler.cache_size = 4
PIPES: dict[int, genai.LLMPipeline] = {}


def work(job: Job) -> list[str]:
    """Answer one job; options: ``max_num_seqs``, and ``first_alone``: what all share is in its cache for the others."""
    most = scheduler.max_num_seqs = job["options"]["max_num_seqs"]
    if most not in PIPES:
        PIPES.clear()  # the old one goes before the new one comes
        PIPES[most] = genai.LLMPipeline(sys.argv[2], "CPU", scheduler_config=scheduler)
    pipe = PIPES[most]
    config = genai.GenerationConfig(max_new_tokens=job["max_tokens"], do_sample=False, apply_chat_template=False)
    config.stop_strings = {"<|im_end|>"}
    prompts, alone = job["prompts"], int(job["options"].get("first_alone", False))
    parts = [part for part in (prompts[:alone], prompts[alone:]) if part]
    texts = [text for part in parts for text in pipe.generate(part, config).texts]
    return [text.removesuffix("<|im_end|>").strip() for text in texts]


serve({"openvino-genai": version("openvino-genai")}, work)
