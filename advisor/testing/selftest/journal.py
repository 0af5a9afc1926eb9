"""What a self-test has simulated so far, so that an interrupted one goes on; a finished one leaves nothing behind."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from advisor.core.errors import StoreError
from advisor.core.fingerprints import digest
from advisor.core.paths import home
from advisor.testing.selftest.settings import Mode, Setting

WorldBatch = tuple[str, int, int]
"""A setting's name, and the first and the last but one of its worlds."""


class Journal:
    """The hits of every finished batch, a line each, durable before the next one is counted.

    It belongs to one seed, mode and choice of settings, and to the very source files of this program: what other code
    measured says nothing about this one.

    Raises:
        StoreError: it cannot be written.
    """

    def __init__(self, chosen: Sequence[Setting], mode: Mode, seed: int, folder: Path | None = None) -> None:
        key = digest([_sources(), [setting.name for setting in chosen], asdict(mode), seed])
        self.path = (folder or home()) / f"selftest-{key}.jsonl"
        self.done = self._read()
        try:
            self._file = self.path.open("a", encoding="utf-8")
            self._file.write("\n")  # a line that was cut off by a crash stays alone
        except OSError as error:
            raise self._unwritable(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if kind is None:
            self.path.unlink(missing_ok=True)

    def keep(self, batch: WorldBatch, hits: Mapping[str, int]) -> None:
        """Write down what a batch gave."""
        try:
            self._file.write(json.dumps([*batch, dict(hits)]) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> StoreError:
        return StoreError(
            f"the self-test cannot keep what it has done in {str(self.path)!r}: {error.strerror}",
            hint="free disk space, or set ADVISOR_HOME to a folder you may write to",
        )

    def _read(self) -> dict[WorldBatch, dict[str, int]]:
        found: dict[WorldBatch, dict[str, int]] = {}
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        for line in lines:
            try:
                name, start, stop, hits = json.loads(line)
            except ValueError:
                continue  # cut off by a crash; it is simulated again
            found[name, start, stop] = hits
        return found


def _sources() -> str:
    folder = Path(__file__).parents[2]
    content = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        content.update(path.read_bytes())
    return content.hexdigest()
