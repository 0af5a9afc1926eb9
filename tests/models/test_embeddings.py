"""Embedding long lists of texts: interrupted, it goes on, and gives what it would have given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from advisor.models.local import embeddings
from advisor.models.local.embeddings import DIMENSIONS, Embedder

pytestmark = pytest.mark.weights
TEXTS = [f"Message {at} about {'a parcel and ' * (at % 7)}an invoice." for at in range(70)]


class Interrupted:
    """Presses Ctrl-C when so many texts are done."""

    def __init__(self, after: int) -> None:
        self.after = after

    def __call__(self, what: str, done: int, total: int) -> None:
        if what == "embedding texts" and done == self.after:
            raise KeyboardInterrupt


class Counting(Embedder):
    """Counts what is really computed."""

    computed = 0

    def _computed(self, texts: list[str]) -> np.ndarray:
        self.computed += len(texts)
        return super()._computed(texts)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "BLOCK", 32)


def kept(home: Path) -> list[Path]:
    return sorted((home / "embeddings").iterdir())


def test_what_was_embedded_before_ctrl_c_is_not_embedded_again(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADVISOR_HOME", str(tmp_path / "another"))
    whole = Embedder()(TEXTS)
    monkeypatch.setenv("ADVISOR_HOME", str(own_home))
    with pytest.raises(KeyboardInterrupt):
        Embedder(Interrupted(after=32))(TEXTS)
    assert [path.suffix for path in kept(own_home)] == [".npy"]
    again = Counting()
    assert np.array_equal(again(TEXTS), whole)
    assert again.computed == len(TEXTS) - 32


def test_a_list_with_one_more_text_is_embedded_anew_only_from_there(own_home: Path) -> None:
    Embedder()(TEXTS[:64])
    again = Counting()
    again([*TEXTS[:64], "One more."])
    assert again.computed == 1


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"\x80\x04\x95cos\nsystem\n(S'ls'\ntR.", b"x" * 40_000])
def test_a_spoilt_file_counts_for_nothing(own_home: Path, content: bytes) -> None:
    first = Embedder()(TEXTS[:32])
    [path] = kept(own_home)
    path.write_bytes(content)
    again = Counting()
    assert np.array_equal(again(TEXTS[:32]), first)
    assert again.computed == 32
    assert np.load(path).shape == (32, DIMENSIONS)


def test_without_room_on_the_disk_nothing_is_lost(own_home: Path) -> None:
    own_home.mkdir()
    (own_home / "embeddings").write_text("in the way", encoding="utf-8")
    assert Embedder()(TEXTS[:40]).shape == (40, DIMENSIONS)
