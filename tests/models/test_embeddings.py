"""Embedding: every text once, whatever is beside it; interrupted or killed, it goes on."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from advisor.models.local import embeddings, weights
from advisor.models.local.embeddings import Embedder

pytestmark = pytest.mark.weights
ORACLE = Path(__file__).with_name("minilm_vectors.npy")
"""What sentence-transformers 6.2.0 (torch 2.13, transformers 5.23, on a CPU) makes of `OF_MANY_LENGTHS`."""
_WORDS = "my parcel is late, when does the refund of order #1234 arrive? café 日本語 İstanbul 😀 http://x.y/z".split()
_SHORT = ["", " ", "\n", "x", "\x00", "[SEP]", "[CLS] hello [MASK]", "Ünïcödé", "MiXeD CaSe", "\ufb01 \u00bd", "\u200b"]
OF_MANY_LENGTHS = [" ".join(_WORDS[(at + k) % len(_WORDS)] for k in range(round(1.13**at))) for at in range(52)]
OF_MANY_LENGTHS += [*_SHORT, "a" * 5000]
"""64 texts: of 1 to over 500 words (the model reads 256 tokens at once), and some that a tokenizer may trip over."""
SMALL = 48
"""A block here."""
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


def kept(cache: Path) -> Path:
    [path] = (cache / "embeddings").glob("*.sqlite")
    return path


def child(die_after: int) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", CHILD, str(Path(__file__).parents[2]), str(die_after)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=600)


def test_vectors_are_those_of_sentence_transformers() -> None:
    embedder = Embedder()
    found, whole = embedder(OF_MANY_LENGTHS), [tokens_of(embedder, text) <= 254 for text in OF_MANY_LENGTHS]
    assert sum(whole) > 50
    assert np.max(np.abs(found - np.load(ORACLE))[whole]) <= 1e-6
    assert np.max(np.abs(np.linalg.norm(found, axis=1) - 1.0)) <= 1e-6


def tokens_of(embedder: Embedder, text: str) -> int:
    return len(embedder._model._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def test_a_long_text_is_read_to_its_end_in_windows() -> None:
    parts = ["apple " * 250, "river " * 250, "stone " * 250]
    *windows, long, other = Embedder()([*parts, "".join(parts), "".join(parts[:2]) + "music " * 250])
    mean = np.mean(windows, axis=0)
    assert np.max(np.abs(long - mean / np.linalg.norm(mean))) <= 1e-6
    assert np.max(np.abs(long - other)) > 1e-2


def torch_threads() -> int:
    import torch

    return torch.get_num_threads()


def test_what_is_embedded_together_changes_no_bit() -> None:
    model, texts = Embedder()._model, OF_MANY_LENGTHS[::4]
    before = torch_threads()
    together = model.encode(texts)
    assert torch_threads() == before
    assert np.array_equal(model.encode(texts[::-1])[::-1], together)
    for at in (0, 8, 11, 15):
        assert np.array_equal(model.encode(texts[at : at + 1])[0], together[at])


def test_passes_hold_every_text_once_and_are_nearly_full() -> None:
    lengths = np.random.default_rng(0).integers(2, 257, size=300).tolist()
    passes = embeddings._passes(lengths)
    assert sorted(at for each in passes for at in each) == list(range(300))
    filled = [sum(lengths[at] for at in each) for each in passes]
    assert max(filled) <= embeddings.PASS_TOKENS
    assert sum(filled) > 0.97 * len(filled) * embeddings.PASS_TOKENS
    assert embeddings._passes([]) == []


def test_killed_after_a_block_it_goes_on_from_there(cache: Path) -> None:
    dead = child(die_after=SMALL)
    assert dead.returncode == -signal.SIGKILL, dead.stderr
    done = child(die_after=0)
    assert done.returncode == 0, done.stderr
    told, computed = done.stdout.split()
    assert int(computed) == len(TEXTS) - SMALL
    kept(cache).unlink()
    assert told == hashlib.sha256(Embedder()(TEXTS).tobytes()).hexdigest()


def test_a_text_that_any_list_had_is_not_computed_again() -> None:
    first = Embedder()(TEXTS[:20])
    again = Counting()
    assert np.array_equal(again([*TEXTS[10:20], "One more.", TEXTS[10]])[:10], first[10:])
    assert again.computed == 1
    assert np.array_equal(again(TEXTS[10:20]), first[10:])
    assert again.computed == 1


def test_other_weights_have_other_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    Embedder()(TEXTS[:3])
    monkeypatch.setattr(embeddings, "FORMAT", 0)
    again = Counting()
    again(TEXTS[:3])
    assert again.computed == 3


def test_what_is_kept_needs_no_weights_and_no_torch(cache: Path) -> None:
    Embedder()(TEXTS[:3])
    (cache / "weights" / "minilm").unlink()
    code = (
        "import sys; from tests.models.test_embeddings import TEXTS, Embedder;"
        "print(Embedder()(TEXTS[:3]).shape, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=600)
    assert done.stdout.split("\n")[0] == "(3, 384) False"


def test_what_it_took_is_kept_too() -> None:
    first = Embedder()
    assert first.kept_seconds(TEXTS[:9]) == 0.0
    first(TEXTS[:9])
    took = Embedder().kept_seconds([*TEXTS[:9], TEXTS[0], "never seen"])
    assert took == first.kept_seconds(TEXTS[:9]) > 0.0
    assert took > Embedder().kept_seconds(TEXTS[:8]) > 0.0


def test_progress_comes_to_its_end() -> None:
    told: list[tuple[int, int]] = []
    Embedder(lambda what, done, total: told.append((done, total)))(TEXTS)
    assert told == [(SMALL, 120), (2 * SMALL, 120), (120, 120)]
