"""llama.cpp's server, in this process by xllamacpp, on the GGUF weights; several slots, each keeps its prefix."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import xllamacpp
from protocol import Job, serve

SERVERS: dict[str, xllamacpp.Server] = {}


def work(job: Job) -> list[str]:
    """Answer one job; options: ``slots``."""
    slots = job["options"]["slots"]
    key = str(slots)
    server = SERVERS.get(key) or _server(slots)
    SERVERS.clear()
    SERVERS[key] = server

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
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
    return xllamacpp.Server(params)


serve({"xllamacpp (llama.cpp)": version("xllamacpp")}, work)
