"""Checkpoints of a training: one folder an epoch, the marker written last; a folder without a whole marker is nothing.

Tensors are kept as safetensors and the rest as JSON, so nothing that is read here can run code.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

MARKER = "COMPLETE.json"
_TENSORS = "state.safetensors"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A training after one of its epochs: tensors by name, and whatever else is needed to go on."""

    tensors: Mapping[str, Tensor]
    state: Mapping[str, Any]


class Checkpoints:
    """The checkpoints of one training job.

    Args:
        folder: of this very job; it is made when something is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, epoch: int, checkpoint: Checkpoint) -> None:
        """Keep the state after an epoch; once it is whole on disk, earlier ones go."""
        from safetensors.torch import save_file

        final = self.folder / f"epoch-{epoch}"
        part = final.with_suffix(".part")
        for leftover in (part, final):
            shutil.rmtree(leftover, ignore_errors=True)
        part.mkdir(parents=True)
        save_file(dict(checkpoint.tensors), part / _TENSORS)
        flush(part / _TENSORS)
        marker = {"sha256": _sha256(part / _TENSORS), "state": checkpoint.state}
        write(part / MARKER, json.dumps(marker))
        part.rename(final)
        flush(self.folder)
        for other in self.folder.iterdir():
            if other != final:
                shutil.rmtree(other, ignore_errors=True)

    def latest(self) -> Checkpoint | None:
        """Return the last whole checkpoint; `None` where there is none."""
        from safetensors.torch import load_file

        found = [path for path in self.folder.glob("epoch-*") if path.name.removeprefix("epoch-").isdigit()]
        for path in sorted(found, key=lambda path: int(path.name.removeprefix("epoch-")), reverse=True):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                marker = json.loads((path / MARKER).read_text(encoding="utf-8"))
                if marker["sha256"] == _sha256(path / _TENSORS):
                    return Checkpoint(load_file(path / _TENSORS), marker["state"])
        return None

    def clear(self) -> None:
        """Delete them all."""
        shutil.rmtree(self.folder, ignore_errors=True)


def write(path: Path, text: str) -> None:
    """Write a small file and have it on disk."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def flush(path: Path) -> None:
    """Have a file, or the names in a folder, on disk; where a system cannot flush a folder, it is left to it."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        if path.is_dir():
            return
        raise
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
