"""inspect_ai's ``hf/`` provider: it batches what is asked at once.

Its own waiting is part of its seconds: up to 2 for a batch that is not full, and up to 1 until an answer is picked up.
"""

from __future__ import annotations

import asyncio
import sys
from importlib.metadata import version

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    Model,
    get_model,
)
from inspect_ai.util._concurrency import init_concurrency
from protocol import Job, serve

ROLES = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}
MODELS: dict[str, Model] = {}


def work(job: Job) -> list[str]:
    """Answer one job; options: ``dtype``, ``batch_size``."""
    init_concurrency()  # else the first batch size would hold for the whole process
    dtype, batch = job["options"]["dtype"], job["options"]["batch_size"]
    model = MODELS.get(dtype) or get_model(
        "hf/local", model_path=sys.argv[1], device="cpu", dtype=dtype, do_sample=False
    )
    MODELS[dtype] = model
    config = GenerateConfig(max_tokens=job["max_tokens"], max_connections=batch)
    chats = [[_message(each) for each in chat] for chat in job["messages"]]
    return asyncio.run(_all(model, chats, config))


async def _all(model: Model, chats: list[list[ChatMessage]], config: GenerateConfig) -> list[str]:
    done = await asyncio.gather(*(model.generate(chat, config=config) for chat in chats))
    return [each.completion.strip() for each in done]


def _message(each: dict[str, str]) -> ChatMessage:
    return ROLES[each["role"]](content=each["content"])


serve({"inspect_ai": version("inspect-ai"), "transformers": version("transformers"), "torch": version("torch")}, work)
