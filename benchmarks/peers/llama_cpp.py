"""llama.cpp's server, in this process by xllamacpp, on the GGUF weights; several slots, each keeps its prefix."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import xllamacpp
from protocol import Job, serve

SERVERS: dict[int, xllamacpp.Server] = {}


def work(job: Job) -> list[str]:
    """Answer one job; options: ``slots``."""
    slots = job["options"]["slots"]
    if slots not in SERVERS:
        SERVERS.clear()  # the old one goes before the new one comes
        SERVERS[slots] = _server(slots)
    server = SERVERS[slots]

    def ask(prompt: str) -> str:
        how = {"prompt": prompt, "n_predict": job["max_tokens"], "temperature": 0.0, "cache_prompt": True}
        said: Any = server.handle_completions({**how, "stop": ["<|im_end|>"]})
        return str(said["choices"][0]["text"] if "choices" in said else said["content"]).strip()

    with ThreadPoolExecutor(slots) as pool:
        return list(pool.map(ask, job["prompts"]))


def _server(slots: int) -> xllamacpp.Server:
    params = xllamacpp.CommonParams()
    params.model.path = sys.argv[2]
    params.n_parallel = slots
    params.n_ctx = 2048 * slots
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = len(os.sched_getaffinity(0))
    params.cache_ram_mib = 0  # no second copy of what a slot leaves: no prompt comes again
    return xllamacpp.Server(params)


serve({"xllamacpp (llama.cpp)": version("xllamacpp")}, work)
