"""V1: kept vectors under kills, several writers, damage and a full disk: they come back right, or are computed anew."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from advisor.models.local.vectors import KeptVectors
from tests.faults.sheet import Sheet, trials
from tests.faults.trial import shown
from tests.faults.warm import ROOT

DIMENSIONS, BLOCK = 32, 64
WRITER = """
import sys
from tests.faults.test_vectors import BLOCK, DIMENSIONS, KeptVectors, some
if sys.argv[3] == "full":
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
kept = KeptVectors(b"maker", DIMENSIONS)
for block in range(int(sys.argv[1]), int(sys.argv[2])):
    kept.keep(some(block))
    print(block, flush=True)
"""


def some(block: int) -> dict[bytes, NDArray[np.float32]]:
    """The vectors of one block, always the same."""
    rows = np.random.default_rng(block).normal(size=(BLOCK, DIMENSIONS)).astype(np.float32)
    return {hashlib.sha256(f"{block} {at}".encode()).digest(): row for at, row in enumerate(rows)}


def writer(first: int, behind: int, disk: str = "free") -> subprocess.Popen[str]:
    words = [sys.executable, "-c", WRITER, str(first), str(behind), disk]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def blocks_that_are_whole(problems: list[str], most: int = 40, *, parts: bool = False) -> set[int]:
    """Return the blocks that come back, and note whatever else does."""
    whole = set()
    for block in range(most):
        wanted = some(block)
        found = KeptVectors(b"maker", DIMENSIONS).load(list(wanted))
        if any(not np.array_equal(row, wanted[key]) for key, row in found.items()):
            problems.append(f"another vector in block {block}")
        if len(found) == BLOCK:
            whole.add(block)
        elif found and not parts:
            problems.append(f"a part of block {block}")
    return whole


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ADVISOR_CACHE", str(tmp_path))
    return tmp_path / "embeddings"


def test_a_kill_loses_at_most_the_block_in_flight(cache: Path, sheet: Sheet) -> None:
    rng, problems, count = random.Random(0), dict[str, list[str]](), trials(2, 200)
    for number in range(count):
        broken: list[str] = []
        before = blocks_that_are_whole(broken)
        child = writer(0, 1000)
        assert child.stdout is not None
        said = [int(child.stdout.readline()) for _ in range(rng.randint(1, 30))]
        child.kill()
        said += [int(line) for line in child.communicate(timeout=600)[0].splitlines()]
        if missing := ({*said, *before} & set(range(40))) - blocks_that_are_whole(broken):
            broken.append(f"lost blocks {sorted(missing)}")
        if broken:
            problems[str(number)] = broken
    sheet.add("V1", "kills while vectors are kept", count, len(problems))
    assert not problems, shown(problems)


def test_several_processes_keep_the_same_and_other_vectors(cache: Path, sheet: Sheet) -> None:
    blocks, problems = trials(6, 40), list[str]()
    writers = [writer(first, blocks) for first in (0, 0, blocks // 2)]
    for each in writers:
        _, err = each.communicate(timeout=600)
        problems += [err] if err or each.returncode else []
    missing = set(range(blocks)) - blocks_that_are_whole(problems)
    sheet.add("V1", "3 processes keep vectors at once: blocks", 3 * blocks, len(problems) + len(missing))
    assert (problems, missing) == ([], set())


def spoil(path: Path, rng: random.Random) -> str:
    """Damage a file somewhere, as disks and other programs do."""
    content = bytearray(path.read_bytes())
    how, place = rng.choice(["cut", "bit", "zeros", "noise", "shift"]), rng.randrange(len(content))
    if how == "cut":
        del content[place:]
    elif how == "bit":
        content[place] ^= 1 << rng.randrange(8)
    elif how == "zeros":
        content[place : place + 4096] = bytes(len(content[place : place + 4096]))
    elif how == "noise":
        content[place : place + 500] = rng.randbytes(len(content[place : place + 500]))
    else:
        del content[place : place + 100]
    path.write_bytes(content)
    return f"{how} at {place}"


def test_damage_gives_no_other_vector_and_is_mended(cache: Path, sheet: Sheet) -> None:
    rng, kept, problems, count = (
        random.Random(0),
        KeptVectors(b"maker", DIMENSIONS),
        dict[str, list[str]](),
        trials(40, 4000),
    )
    for _ in range(count):
        for block in range(4):
            kept.keep(some(block))
        [path] = cache.iterdir()
        good, how, broken = path.read_bytes(), spoil(path, rng), list[str]()
        for block in range(4):  # as an embedder does: what does not come back is computed and kept
            wanted = some(block)
            found = kept.load(list(wanted))
            if any(not np.array_equal(row, wanted[key]) for key, row in found.items()):
                broken.append(f"another vector in block {block}")
            kept.keep({key: row for key, row in wanted.items() if key not in found})
        for block in range(4):  # once more: it may have been begun anew in between
            kept.keep(some(block))
        if blocks_that_are_whole(broken, 4, parts=True) != {0, 1, 2, 3}:
            broken.append("not mended")
        if broken:
            problems[how] = broken
            path.write_bytes(good)
    sheet.add("V1", "a damaged file of vectors", count, len(problems))
    assert not problems, shown(problems)


def test_a_full_disk_ends_nothing_and_harms_nothing(cache: Path, sheet: Sheet) -> None:
    KeptVectors(b"maker", DIMENSIONS).keep(some(0))
    said, err = writer(1, 20, "full").communicate(timeout=600)
    problems: list[str] = []
    assert (len(said.splitlines()), err) == (19, "")
    whole = blocks_that_are_whole(problems)
    sheet.add("V1", "a full disk while vectors are kept", 19, len(problems))
    assert 0 in whole
    assert len(whole) < 20
    assert problems == []
