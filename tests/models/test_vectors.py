"""Kept vectors: what is read is what was kept, or nothing; what cannot be kept is no error."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from advisor.models.local import vectors
from advisor.models.local.vectors import KeptVectors

KEYS = [bytes([at]) * 32 for at in range(200)]
ROWS = np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32)
ALL = dict(zip(KEYS, ROWS, strict=True))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ADVISOR_CACHE", str(tmp_path))
    return tmp_path / "embeddings"


def filled() -> KeptVectors:
    kept = KeptVectors(b"maker", 8)
    kept.keep(ALL)
    assert is_whole(kept)
    return kept


def is_whole(kept: KeptVectors) -> bool:
    found = kept.load(KEYS)
    return found.keys() == ALL.keys() and all(np.array_equal(found[key], ALL[key]) for key in KEYS)


def only_sound(kept: KeptVectors) -> bool:
    return all(np.array_equal(row, ALL[key]) for key, row in kept.load(KEYS).items())


def test_what_was_kept_comes_back_and_other_makers_have_their_own(folder: Path) -> None:
    kept = filled()
    assert kept.load([b"unknown" * 4, KEYS[3]]).keys() == {KEYS[3]}
    assert KeptVectors(b"other", 8).load(KEYS) == {}
    assert KeptVectors(b"maker", 8).load([]) == {}
    assert [path.suffix for path in folder.iterdir()] == [".sqlite"]


@pytest.mark.skipif(os.name == "nt", reason="permissions of another kind")
def test_nobody_else_can_read_what_is_kept(folder: Path) -> None:
    filled()
    assert [path.stat().st_mode & 0o077 for path in (folder, *folder.iterdir())] == [0, 0]


def at(place: int, new: bytes) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[place : place + len(new)] = new
        path.write_bytes(content)

    return spoil


def cut(share: float) -> Callable[[Path], None]:
    return lambda path: os.truncate(path, int(path.stat().st_size * share))


def changed(statement: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        base = sqlite3.connect(path)
        with base:
            base.execute(statement)
        base.close()

    return spoil


def behind(row: int) -> Callable[[Path], None]:
    """Flip a bit of a vector where it lies in the file."""

    def spoil(path: Path) -> None:
        at(path.read_bytes().index(ROWS[row].tobytes()), b"\xff")(path)

    return spoil


SPOILT = {
    "no file": Path.unlink,
    "empty": cut(0.0),
    "half of it": cut(0.5),
    "a page short": cut(0.95),
    "another file": lambda path: path.write_bytes(b"PK\x03\x04" * 10_000),
    "a header of zeros": at(0, bytes(100)),
    "zeros in the tree": at(4096, bytes(4096)),
    "noise in the middle": at(9000, bytes(range(256)) * 20),
    "a flipped bit": behind(7),
    "another's vector": changed(f"UPDATE vectors SET vector = x'{ROWS[1].tobytes().hex()}' WHERE rowid = 1"),
    "short rows": changed("UPDATE vectors SET vector = substr(vector, 1, 16)"),
    "text for bytes": changed("UPDATE vectors SET vector = 'abcdefghabcdefghabcdefghabcdefgh'"),
    "another table": changed("ALTER TABLE vectors RENAME COLUMN vector TO other"),
    "no table": changed("DROP TABLE vectors"),
}


@pytest.mark.parametrize("how", SPOILT)
def test_damage_is_noticed_and_mended(folder: Path, how: str) -> None:
    kept = filled()
    [path] = folder.iterdir()
    SPOILT[how](path)
    assert only_sound(kept)
    kept.keep(ALL)
    assert is_whole(kept)
    assert list(folder.iterdir()) == [path]


def test_a_pipe_or_folder_in_its_place_is_not_waited_for(folder: Path) -> None:
    kept = filled()
    [path] = folder.iterdir()
    for make in (os.mkfifo, Path.mkdir):
        path.rmdir() if path.is_dir() else path.unlink()
        make(path)
        kept.keep(ALL)
        assert kept.load(KEYS) == {}


def test_a_folder_that_cannot_be_made_keeps_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write_text("in the way")
    kept = KeptVectors(b"maker", 8)
    kept.keep(ALL)
    assert kept.load(KEYS) == {}


def test_a_full_file_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "MOST_BYTES", 10 * 4096)
    kept = KeptVectors(b"maker", 8)
    kept.keep({KEYS[0]: ROWS[0]})
    kept.keep({key: np.tile(row, 1) for key, row in ALL.items()})
    assert kept.load(KEYS).keys() >= {KEYS[0]}
    assert only_sound(kept)


def test_a_writer_elsewhere_is_waited_for_and_not_for_ever(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = filled()
    monkeypatch.setattr(vectors, "_WAIT_SECONDS", 0.1)
    [path] = folder.iterdir()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    kept.keep(ALL)
    assert kept.load(KEYS) == {}
    other.close()
    assert is_whole(kept)
