"""A stored comparison with its runs as one file, to be read on another machine: a zip of JSON.

A manifest says what it is, a second member holds everything but the answers, and a third one has an answer a line, run
after run, so that neither side ever holds all of them as objects. Up to format 4 the answers stood in the second
member; that is still read.

The file may come from anybody. Nothing of it is unpacked to disk and no name in it is used as a path; sizes are limited
before anything is read, and what is read must have the shape of a comparison that could have been made.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO

from advisor._util.files import UnusableFileError, opened, write_whole
from advisor.core.errors import ConfigurationError, StoreError
from advisor.core.types import Outcome, Outcomes, Run, Usage
from advisor.runs.plugin_calls import is_usage
from advisor.runs.rows import dumped, outcome_of, rows_of
from advisor.runs.stored import comparison_of, with_endless

if TYPE_CHECKING:
    from advisor.decision.comparison import Comparison

FORMAT, VERSION = "tuneworthy comparison", 5
MANIFEST, CONTENT, ANSWERS = "manifest.json", "comparison.json", "answers.jsonl"
LARGEST_BYTES = 64_000_000
"""Of `CONTENT`, and of one answer."""
LARGEST_FILE = 64_000_000_000
MOST_VALUES = 4_000_000
MOST_PACKED = 300
"""How many times larger than packed a content may be; JSON of a comparison is about 20 times."""
_ANYWAY = 100_000_000
"""So large it may be however small it was packed."""
_LARGEST_MANIFEST = 100_000
_PIECE = 1 << 20
_ID = re.compile(r"[0-9a-f]{8,64}")


def write(comparison: Comparison, path: Path) -> None:
    """Write a comparison with its runs and all their outcomes to `path`, in one step.

    What was packed is read again before it is written.

    Raises:
        BrokenPipeError: nobody reads the pipe that it is written to.
        StoreError: it cannot be written, or could not be read again.
    """
    try:
        with _packed(comparison) as packed:
            write_whole(path, iter(partial(packed.read, _PIECE), b""))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StoreError(
            f"the file {str(path)!r} cannot be written: {error.strerror or error}", hint="choose another place with -o"
        ) from error


@contextmanager
def _packed(comparison: Comparison) -> Iterator[BinaryIO]:
    """Give a file with the archive in it, which was read back; not compressed where that would look like a bomb."""
    for compression in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        with tempfile.TemporaryFile(prefix="advisor-export-") as file:
            content, digests = _pack(comparison, file, compression)
            file.seek(0)
            try:
                with zipfile.ZipFile(file) as archive:
                    _check_again(archive, content, digests)
            except _TooPackedError:
                continue
            except ValueError as error:
                raise StoreError(f"the comparison could not be read back: {error}; nothing was written") from error
            file.seek(0)
            yield file
            return


def _pack(comparison: Comparison, file: IO[bytes], compression: int) -> tuple[str, list[str]]:
    """Write the archive; return its content as text, and of each run the SHA-256 of its answers."""
    from advisor.decision.comparison import Comparison as Kept

    bare = replace(comparison, runs=tuple(replace(run, outcomes=()) for run in comparison.runs))
    content, digests = dumped(Kept, bare), list[str]()
    with zipfile.ZipFile(file, "w", compression) as archive:
        with archive.open(_entry(ANSWERS, compression), "w", force_zip64=True) as answers:
            for run in comparison.runs:
                checksum = hashlib.sha256()
                for row in rows_of(run.outcomes):
                    line = f"{row.text}\n".encode()
                    if len(line) > LARGEST_BYTES:
                        raise StoreError(f"the answer to {row.example!r} has {len(line):,} bytes: too many for a file")
                    checksum.update(line)
                    answers.write(line)
                digests.append(checksum.hexdigest())
        archive.writestr(_entry(CONTENT, compression), content)
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "sha256": hashlib.sha256(content.encode()).hexdigest(),
            "answers": [[len(run.outcomes), digest] for run, digest in zip(comparison.runs, digests, strict=True)],
        }
        archive.writestr(zipfile.ZipInfo(MANIFEST), json.dumps(manifest))
    return content, digests


def _entry(name: str, compression: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.compress_type = compression
    return entry


def _check_again(archive: zipfile.ZipFile, content: str, digests: Sequence[str]) -> None:
    """Read the archive as another machine would.

    Raises:
        ValueError: it comes back as something else.
    """
    from advisor.decision.comparison import Comparison as Kept

    found, runs = _comparison(archive), list[Run]()
    for run, digest in zip(found.runs, digests, strict=True):
        checksum = hashlib.sha256()
        for row in rows_of(run.outcomes):
            checksum.update(f"{row.text}\n".encode())
        if checksum.hexdigest() != digest:
            raise ValueError(f"the answers of {run.strategy} come back as others")
        runs.append(replace(run, outcomes=()))
    if dumped(Kept, replace(found, runs=tuple(runs))) != content:
        raise ValueError("it comes back as another one")


def read(path: Path) -> Comparison:
    """Return the comparison that a file holds.

    Raises:
        ConfigurationError: there is no such file, or it is not what `advisor export run` writes.
    """
    from pydantic import ValidationError

    try:
        with opened(path, LARGEST_FILE) as file, zipfile.ZipFile(file) as archive:
            found = _comparison(archive)
    except FileNotFoundError:
        raise ConfigurationError(f"there is no file {str(path)!r}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _refused(path, f"its content is no comparison ({where[:100] or 'all of it'}: {first['msg']})") from None
    except (UnusableFileError, zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, EOFError) as error:
        raise _refused(path, str(error)) from None
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from None
    except Exception as error:
        if type(error).__module__ != "zlib":
            raise
        raise _refused(path, "it is damaged") from None
    ids = [found.id, *(run.id for run in found.runs)]
    if not all(_ID.fullmatch(one) for one in ids) or len(set(ids)) < len(ids):
        raise _refused(path, "the ids in it are not ours")
    return found


class _TooPackedError(ValueError):
    """A content would unpack to so many times its size that it may be a bomb."""


def _comparison(archive: zipfile.ZipFile) -> Comparison:
    names = sorted(entry.filename for entry in archive.infolist())
    if names not in (sorted((MANIFEST, CONTENT)), sorted((MANIFEST, CONTENT, ANSWERS))):
        raise ValueError(
            f"it holds {len(names)} files; {MANIFEST}, {CONTENT}, {ANSWERS} are expected, and nothing else"
        )
    manifest: Any = json.loads(_member(archive, MANIFEST, _LARGEST_MANIFEST))
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ValueError(f"its {MANIFEST} is not of a {FORMAT}")
    version = manifest.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise ValueError("a newer tuneworthy wrote it; update the checkout (git pull)")
    content = _member(archive, CONTENT, LARGEST_BYTES)
    if hashlib.sha256(content).hexdigest() != manifest.get("sha256"):
        raise ValueError("its content was changed or damaged after it was written")
    if _values(content) > MOST_VALUES:
        raise ValueError(f"it holds more than {MOST_VALUES:,} values")
    plain = json.loads(content)
    found = comparison_of(with_endless(plain) if version < VERSION else plain)
    if ANSWERS in names:
        found = replace(found, runs=tuple(_with_answers(archive, found.runs, manifest.get("answers"))))
    for run in found.runs:
        _refuse_impossible(run)
    return found


def _with_answers(archive: zipfile.ZipFile, runs: Sequence[Run], listed: Any) -> Iterator[Run]:
    """Go through the runs with their answers, which are read as they are asked for."""
    entry = archive.getinfo(ANSWERS)
    _refuse_bomb(entry)
    counts = listed if isinstance(listed, list) else []
    if len(counts) != len(runs) or not all(map(_is_count, counts)):
        raise ValueError(f"its {MANIFEST} does not say how many answers each run has")
    with archive.open(entry) as file:
        for run, (count, digest) in zip(runs, counts, strict=True):
            checksum = hashlib.sha256()
            outcomes = Outcomes(_answers(file, count, checksum))
            if checksum.hexdigest() != digest:
                raise ValueError(f"the answers of {run.strategy} were changed or damaged after they were written")
            yield replace(run, outcomes=outcomes)
        if file.read(1):
            raise ValueError(f"{ANSWERS} holds more answers than its runs have")


def _is_count(listed: Any) -> bool:
    """Return whether something is a number of answers with their SHA-256."""
    return isinstance(listed, list) and [type(one) for one in listed] == [int, str] and listed[0] >= 0


def _answers(file: IO[bytes], count: int, checksum: Any) -> Iterator[Outcome]:
    for at in range(count):
        line = file.readline(LARGEST_BYTES + 1)
        if not line.endswith(b"\n"):
            raise ValueError(f"{ANSWERS} ends within its answers, or answer {at + 1} is too long")
        checksum.update(line)
        yield outcome_of(line.decode())


def _refuse_impossible(run: Run) -> None:
    """Refuse what no comparison gives.

    Raises:
        ValueError: an example is answered twice, or a score or a usage cannot be.
    """
    outcomes = Outcomes.of(run.outcomes)
    if len(set(outcomes.ids)) < len(outcomes.ids):
        raise ValueError(f"{run.strategy} answers an example twice")
    impossible = [score for score in outcomes.scores if score < 0 or score > 1]  # NaN: none
    if impossible:
        raise ValueError(f"{run.strategy} has a score of {impossible[0]}; scores are from 0 to 1")
    used: list[float] = [run.fit_cost.seconds, run.fit_cost.training_seconds, *astuple(run.fit_cost.usage)]
    if not all(map(is_usage, chain(used, *map(outcomes.usage, Usage.__slots__)))):
        raise ValueError(f"{run.strategy} has a usage that cannot be")


def _member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    entry = archive.getinfo(name)
    if entry.file_size > limit:
        raise ValueError(f"{name} would unpack to {entry.file_size:,} bytes; at most {limit:,} are read")
    _refuse_bomb(entry)
    with archive.open(entry) as file:
        found = file.read(limit + 1)
    if len(found) > limit:
        raise ValueError(f"{name} unpacks to more than {limit:,} bytes")
    return found


def _refuse_bomb(entry: zipfile.ZipInfo) -> None:
    if entry.file_size > max(_ANYWAY, MOST_PACKED * entry.compress_size):
        raise _TooPackedError(f"{entry.filename} would unpack to {entry.file_size:,} bytes; that is too much")


def _values(content: bytes) -> int:
    return content.count(b",") + content.count(b"[") + content.count(b"{")


def _refused(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"the file {str(path)!r} cannot be imported: {why}",
        hint="a file that can is written by: advisor export run -o FILE",
    )
