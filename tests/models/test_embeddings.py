"""Embedding long lists of texts: interrupted or killed, it goes on, and gives what it would have given."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from advisor.models.local import embeddings, weights
from advisor.models.local.embeddings import DIMENSIONS, Embedder

pytestmark = pytest.mark.weights
ORACLE = Path(__file__).with_name("minilm_vectors.npy")
"""What sentence-transformers 6.2.0 (torch 2.13, transformers 5.23, on a CPU) makes of `OF_MANY_LENGTHS`."""
_WORDS = "my parcel is late, when does the refund of order #1234 arrive? café 日本語 İstanbul 😀 http://x.y/z".split()
_SHORT = ["", " ", "\n", "x", "\x00", "[SEP]", "[CLS] hello [MASK]", "Ünïcödé", "MiXeD CaSe", "\ufb01 \u00bd", "\u200b"]
OF_MANY_LENGTHS = [" ".join(_WORDS[(at + k) % len(_WORDS)] for k in range(round(1.13**at))) for at in range(52)]
OF_MANY_LENGTHS += [*_SHORT, "a" * 5000]
"""64 texts: of 1 to over 500 words (the model sees 256 tokens), and some that a tokenizer may trip over."""
SMALL = 48
"""A block here: longer than the batches within it."""
TEXTS = [f"Message {at} about {'a parcel and ' * (at % 7)}an invoice." for at in range(120)]
CHILD = """
import hashlib, os, signal, sys
sys.path.insert(0, sys.argv[1])
from tests.models.test_embeddings import SMALL, TEXTS, Counting
from advisor.models.local import embeddings

embeddings.BLOCK = SMALL
die_after = int(sys.argv[2])

def progress(what, done, total):
    if what == "embedding texts" and done == die_after:
        os.kill(os.getpid(), signal.SIGKILL)

embedder = Counting(progress)
print(hashlib.sha256(embedder(TEXTS).tobytes()).hexdigest(), embedder.computed)
"""


class Counting(Embedder):
    """Counts what is really computed."""

    computed = 0

    def _computed(self, texts: list[str]) -> np.ndarray:
        self.computed += len(texts)
        return super()._computed(texts)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, in which the weights lie as in the shared one."""
    folder = tmp_path / "cache"
    (folder / "weights").mkdir(parents=True)
    (folder / "weights" / "minilm").symlink_to(weights.fetch(weights.MINILM))
    monkeypatch.setenv("ADVISOR_CACHE", str(folder))
    monkeypatch.setattr(embeddings, "BLOCK", SMALL)
    return folder


def kept(cache: Path) -> list[Path]:
    return sorted((cache / "embeddings").iterdir())


def child(die_after: int) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", CHILD, str(Path(__file__).parents[2]), str(die_after)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=600)


def test_vectors_are_those_of_sentence_transformers() -> None:
    found = Embedder()(OF_MANY_LENGTHS)
    assert np.max(np.abs(found - np.load(ORACLE))) <= 1e-6
    assert np.max(np.abs(np.linalg.norm(found, axis=1) - 1.0)) <= 1e-6


def test_the_end_of_a_long_text_is_not_seen() -> None:
    long = "word " * 400
    first, second, short = Embedder()([long + "apple", long + "pear", "word " * 100 + "apple"])
    assert np.max(np.abs(first - second)) <= 1e-6
    assert np.max(np.abs(first - short)) > 1e-3


def test_killed_after_a_block_it_goes_on_from_there(cache: Path) -> None:
    dead = child(die_after=SMALL)
    assert dead.returncode == -signal.SIGKILL, dead.stderr
    assert len(kept(cache)) == 1
    done = child(die_after=0)
    assert done.returncode == 0, done.stderr
    told, computed = done.stdout.split()
    assert int(computed) == len(TEXTS) - SMALL
    for path in kept(cache):
        path.unlink()
    assert told == child(die_after=0).stdout.split()[0]


def test_texts_that_are_known_change_no_block(cache: Path) -> None:
    whole = Embedder()(TEXTS)
    for path in kept(cache):
        path.unlink()
    after_others = Embedder()
    after_others(TEXTS[5:20])
    assert np.array_equal(after_others(TEXTS), whole)


def test_a_list_with_one_more_text_is_embedded_anew_only_from_there(cache: Path) -> None:
    Embedder()(TEXTS[: 2 * SMALL])
    again = Counting()
    again([*TEXTS[: 2 * SMALL], "One more."])
    assert again.computed == 1


@pytest.mark.skipif(os.name == "nt", reason="permissions of another kind")
def test_nobody_else_can_read_what_is_kept(cache: Path) -> None:
    (cache / "embeddings").mkdir(mode=0o755)
    Embedder()(TEXTS[:SMALL])
    assert [path.stat().st_mode & 0o077 for path in kept(cache)] == [0]


def test_progress_comes_to_its_end() -> None:
    told: list[tuple[int, int]] = []
    Embedder(lambda what, done, total: told.append((done, total)))(TEXTS)
    assert told == [(SMALL, 120), (2 * SMALL, 120), (120, 120)]


def spoilt(good: bytes) -> dict[str, bytes]:
    flipped = bytearray(good)
    flipped[1000] ^= 1
    nothing = bytes(len(good) - 32)
    return {
        "empty": b"",
        "short": good[:-1],
        "long": good + b"x",
        "a flipped bit": bytes(flipped),
        "another file": b"PK\x03\x04" * 10_000,
        "zeros": nothing + hashlib.sha256(good[:-32]).digest(),
    }


@pytest.mark.parametrize("how", spoilt(bytes(SMALL * DIMENSIONS * 4 + 32)))
def test_a_spoilt_file_counts_for_nothing(cache: Path, how: str) -> None:
    first = Embedder()(TEXTS[:SMALL])
    [path] = kept(cache)
    good = path.read_bytes()
    path.write_bytes(spoilt(good)[how])
    again = Counting()
    assert np.array_equal(again(TEXTS[:SMALL]), first)
    assert again.computed == SMALL
    assert path.read_bytes() == good


def test_a_pipe_in_its_place_is_not_waited_for(cache: Path) -> None:
    Embedder()(TEXTS[:SMALL])
    [path] = kept(cache)
    path.unlink()
    os.mkfifo(path)
    assert Embedder()(TEXTS[:SMALL]).shape == (SMALL, DIMENSIONS)


def test_without_room_on_the_disk_nothing_is_lost_and_nothing_left(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert Embedder()(TEXTS[:SMALL]).shape == (SMALL, DIMENSIONS)
    assert kept(cache) == []


def test_what_a_killed_process_left_is_removed(cache: Path) -> None:
    folder = cache / "embeddings"
    folder.mkdir()
    old, new = folder / ".old.npy.0123abcd.part", folder / ".new.npy.0123abcd.part"
    for path in (old, new):
        path.write_bytes(b"x")
    os.utime(old, (time.time() - 7200,) * 2)
    Embedder()(TEXTS[:SMALL])
    assert not old.exists()
    assert new.exists()
