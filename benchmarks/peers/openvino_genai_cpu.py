"""OpenVINO GenAI on the GGUF weights, with prefix caching and continuous batching."""

from __future__ import annotations

import sys
from importlib.metadata import version

import openvino_genai as genai
from protocol import Job, serve

scheduler = genai.SchedulerConfig()
scheduler.enable_prefix_caching = True
scheduler.cache_size = 4
PIPES: dict[str, genai.LLMPipeline] = {}


def work(job: Job) -> list[str]:
    """Answer one job; options: ``max_num_seqs``."""
    scheduler.max_num_seqs = job["options"]["max_num_seqs"]
    key = str(job["options"])
    pipe = PIPES.get(key) or genai.LLMPipeline(sys.argv[2], "CPU", scheduler_config=scheduler)
    PIPES.clear()
    PIPES[key] = pipe
    config = genai.GenerationConfig(max_new_tokens=job["max_tokens"], do_sample=False, apply_chat_template=False)
    config.stop_strings = {"<|im_end|>"}
    return [text.removesuffix("<|im_end|>").strip() for text in pipe.generate(job["prompts"], config).texts]


serve({"openvino-genai": version("openvino-genai")}, work)
