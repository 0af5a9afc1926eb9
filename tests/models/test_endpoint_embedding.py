"""Embeddings from an endpoint: every text is sent once, and what it takes alone is known ever after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from advisor.core.errors import ModelError
from advisor.models.endpoint.embedding import EndpointEmbedder
from advisor.testing import toy_task
from tests.models.endpoint_calls import Serve
from tests.models.fake_server import Seen, plain, status


def embeddings(seen: Seen) -> bytes:
    """Answer as OpenAI does, in no particular order; a token a word."""
    texts = seen.json["input"]
    rows = [{"index": at, "embedding": (3 * row).tolist()} for at, row in enumerate(toy_task.embed(texts))]
    return plain({"data": rows[::-1], "usage": {"prompt_tokens": sum(len(text.split()) for text in texts)}})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVISOR_CACHE", str(tmp_path / "cache"))


def test_texts_are_sent_once_and_cost_the_same_ever_after(serve: Serve) -> None:
    model, server = serve(default=embeddings)
    texts = ["one parcel", "two late parcels", "one parcel"]
    first = EndpointEmbedder(model).embed(texts)
    assert [seen.json["input"] for seen in server.seen] == [texts[:2]]
    assert server.seen[0].path == "/v1/embeddings"
    assert np.allclose(first.vectors, toy_task.embed(texts), atol=1e-6)
    assert np.allclose(np.linalg.norm(first.vectors, axis=1), 1, atol=1e-6)
    again = EndpointEmbedder(model).embed(texts)
    assert len(server.seen) == 1
    assert np.array_equal(again.vectors, first.vectors)
    assert again.tokens == first.tokens == pytest.approx(7, rel=0.2), "of a shared call the longer text has the more"
    assert first.paid_tokens == pytest.approx(5)
    assert again.paid_tokens == 0.0
    assert first.kept_seconds == 0.0 < again.kept_seconds
    assert EndpointEmbedder(model).embed([]).vectors.shape[0] == 0


def test_many_texts_go_in_several_calls_and_a_long_one_in_parts(serve: Serve) -> None:
    model, server = serve(default=embeddings)
    EndpointEmbedder(model).embed([f"text {at}" for at in range(150)])
    assert [len(seen.json["input"]) for seen in server.seen] == [64, 64, 22]
    parts = ["billing " * 500, "delivery " * 500]
    [long] = EndpointEmbedder(model).embed(["".join(parts)]).vectors
    assert len(server.seen[-1].json["input"]) == 2
    mean = toy_task.embed(server.seen[-1].json["input"]).mean(axis=0)
    assert np.allclose(long, mean / np.linalg.norm(mean), atol=1e-6)
    EndpointEmbedder(model).embed([""])
    assert server.seen[-1].json["input"] == [" "], "an empty text is refused by most servers"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nno!",
        plain({"data": []}),
        plain({"data": [{"index": 0, "embedding": [1.0]}]}),
        plain({"data": [{"index": 0, "embedding": []}], "usage": {"prompt_tokens": 1}}),
        plain({"data": [{"index": 0, "embedding": [0.0, 0.0]}], "usage": {"prompt_tokens": 1}}),
        plain({"data": [{"index": 0, "embedding": [1.0, "x"]}], "usage": {"prompt_tokens": 1}}),
        plain({"data": [{"index": 0, "embedding": [1e999, 1.0]}], "usage": {"prompt_tokens": 1}}),
        plain({"data": [{"index": 0, "embedding": [1.0]}], "usage": {"prompt_tokens": -1}}),
        plain({"data": [{"index": 0, "embedding": [1.0]}] * 2, "usage": {"prompt_tokens": 1}}),
    ],
)
def test_what_is_no_embedding_is_one_sentence(serve: Serve, answer: Any) -> None:
    model, _ = serve(default=answer)
    with pytest.raises(ModelError, match="answered with something else than 1 embeddings"):
        EndpointEmbedder(model).embed(["x"])


@pytest.mark.parametrize(
    ("answer", "says"),
    [(status(401), "refused the key"), (status(404), "has no model"), (status(400, "too long"), "HTTP 400: too long")],
)
def test_refusals_are_one_sentence(serve: Serve, answer: Any, says: str) -> None:
    model, _ = serve(default=answer)
    with pytest.raises(ModelError, match=says):
        EndpointEmbedder(model).embed(["x"])
