"""Checkpoints of a training: one folder an epoch; a folder without a whole marker is nothing.

Tensors are kept as safetensors and the rest as JSON, so nothing that is read here can run code.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor._util.files import whole_folder

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
        shutil.rmtree(final, ignore_errors=True)
        with whole_folder(final) as draft:
            save_file(dict(checkpoint.tensors), draft / _TENSORS)
            marker = {"sha256": _sha256(draft / _TENSORS), "state": checkpoint.state}
            (draft / MARKER).write_text(json.dumps(marker), encoding="utf-8")
        for other in self.folder.iterdir():
            if other != final:
                shutil.rmtree(other, ignore_errors=True)

    def latest(self, fits: Callable[[Mapping[str, Any]], bool]) -> Checkpoint | None:
        """Return the last whole checkpoint whose state fits; `None` where there is none."""
        from safetensors.torch import load_file

        found = [path for path in self.folder.glob("epoch-*") if path.name.removeprefix("epoch-").isdigit()]
        for path in sorted(found, key=lambda path: int(path.name.removeprefix("epoch-")), reverse=True):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                marker = json.loads((path / MARKER).read_text(encoding="utf-8"))
                if fits(marker["state"]) and marker["sha256"] == _sha256(path / _TENSORS):
                    return Checkpoint(load_file(path / _TENSORS), marker["state"])
        return None

    def clear(self) -> None:
        """Delete them all."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
