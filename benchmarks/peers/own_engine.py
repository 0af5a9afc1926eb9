"""Our own engine behind the same protocol; every pass starts with nothing kept from before."""

from __future__ import annotations

from importlib.metadata import version

from protocol import Job, serve

from advisor.core.model import Request
from advisor.core.types import Message
from advisor.models.local.model import open_local

model = open_local("smollm2")


def work(job: Job) -> list[str]:
    """Answer one job; no options."""
    vars(model).pop("_engine", None)
    requests = [
        Request(
            tuple(Message(each["role"], each["content"]) for each in chat),
            max_tokens=job["max_tokens"],
            choices=tuple(job["choices"]),
        )
        for chat in job["messages"]
    ]
    return [done.content.strip() for done in model.generate(requests)]


serve({f"tuneworthy ({model.precision})": version("tuneworthy"), "torch": version("torch")}, work)
